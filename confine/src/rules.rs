//! The rules as they travel: one argument each, up to `--`.
//!
//! Arguments, since the engine keeps them as it was given them and shows them, and the service's environment stays its
//! own. Deliberately absent: anything that needs the file system.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// The oldest Landlock that ordinary services can live under: before it, a file cannot be moved to another folder at
/// all (Linux 5.19).
pub const OLDEST: u8 = 2;
/// The newest whose rights are made use of: with it came the scopes of signals and abstract sockets (Linux 6.12).
pub const NEWEST: u8 = 6;

/// What is left to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The Landlock version whose every right is taken away where no rule gives it.
    pub abi: u8,
    /// Places below which files are made, changed and removed.
    pub write: Vec<PathBuf>,
    /// Places among those from which programs are executed all the same.
    pub execute: Vec<PathBuf>,
    /// TCP ports to listen on; `None` leaves them open.
    pub bind: Option<Vec<u16>>,
    /// TCP ports to connect to; `None` leaves them open.
    pub connect: Option<Vec<u16>>,
}

/// An argument that is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError(String);

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for RulesError {}

impl Rules {
    /// The rules, and the command that comes after `--`.
    ///
    /// # Errors
    /// An argument before `--` is no rule, there is no `--`, or the version is none that is known here.
    pub fn parse(arguments: &[OsString]) -> Result<(Self, &[OsString]), RulesError> {
        let end = arguments.iter().position(|argument| argument == "--");
        let end = end.ok_or_else(|| RulesError("there is no `--` before the command".to_owned()))?;
        let (rules, command) = arguments.split_at(end);
        let mut parsed = Self::default();
        for rule in rules {
            let wrong = || RulesError(format!("`{}` is no rule", rule.display()));
            parsed.add(rule).ok_or_else(wrong)?;
        }
        if !(OLDEST..=NEWEST).contains(&parsed.abi) {
            return Err(RulesError(format!("`--abi` is {}, not {OLDEST} to {NEWEST}", parsed.abi)));
        }
        Ok((parsed, command.get(1..).unwrap_or_default()))
    }

    fn add(&mut self, rule: &OsStr) -> Option<()> {
        let bytes = rule.as_bytes();
        let at = bytes.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (bytes.get(..at)?, bytes.get(at + 1..)?);
        let path = || Some(PathBuf::from(OsStr::from_bytes(value))).filter(|path| path.is_absolute());
        match name {
            b"--abi" => self.abi = std::str::from_utf8(value).ok()?.parse().ok()?,
            b"--write" => self.write.push(path()?),
            b"--execute" => self.execute.push(path()?),
            b"--bind" => self.bind = Some(ports(value)?),
            b"--connect" => self.connect = Some(ports(value)?),
            _ => return None,
        }
        Some(())
    }
}

/// `443,8443`; nothing is no port at all.
fn ports(value: &[u8]) -> Option<Vec<u16>> {
    let text = std::str::from_utf8(value).ok()?;
    text.split(',').filter(|_| !text.is_empty()).map(|port| port.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Expect) {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        expect.assert_eq(&match Rules::parse(&arguments) {
            Ok(parsed) => format!("{parsed:?}"),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn rules_end_where_the_command_begins() {
        check(
            "--abi=6 --write=/tmp --write=/a=b --execute=/data/bin --bind=443,80 --connect= -- run --write=/etc",
            expect![[
                r#"(Rules { abi: 6, write: ["/tmp", "/a=b"], execute: ["/data/bin"], bind: Some([443, 80]), connect: Some([]) }, ["run", "--write=/etc"])"#
            ]],
        );
        check(
            "--abi=2 -- run",
            expect![[r#"(Rules { abi: 2, write: [], execute: [], bind: None, connect: None }, ["run"])"#]],
        );
    }

    #[test]
    fn what_is_no_rule_is_never_passed_over() {
        check("--abi=6 --write=/tmp run", expect!["there is no `--` before the command"]);
        check("--abi=6 --wirte=/tmp -- run", expect!["`--wirte=/tmp` is no rule"]);
        check("--abi=6 --write=tmp -- run", expect!["`--write=tmp` is no rule"]);
        check("--abi=6 --bind=70000 -- run", expect!["`--bind=70000` is no rule"]);
        check("--abi=6 --connect=1,,2 -- run", expect!["`--connect=1,,2` is no rule"]);
        check("--write=/tmp -- run", expect!["`--abi` is 0, not 2 to 6"]);
        check("--abi=7 -- run", expect!["`--abi` is 7, not 2 to 6"]);
    }
}
