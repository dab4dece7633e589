//! AppArmor profiles in the kernel: loaded through `apparmor_parser`, asked about, and taken out when nobody runs under
//! them.
//!
//! Deliberately absent: taking out one that is in use; its containers would be left unconfined.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use profiles::apparmor::{Access, Refused};
use serde::{Deserialize, Serialize};

use crate::privileged::failure;

/// Where the kernel is talked to (Documentation/admin-guide/LSM/apparmor.rst).
const KERNEL: &str = "/sys/kernel/security/apparmor";

/// A profile that did not load.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub enum LoadError {
    /// The parser cannot be run.
    #[error("cannot run `apparmor_parser`")]
    Run(
        #[serde(with = "failure")]
        #[source]
        io::Error,
    ),
    /// It, or the kernel, refused the text.
    #[error("`apparmor_parser` says: {0}")]
    Refused(String),
}

impl LoadError {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Run(_) => {
                "this kernel has AppArmor, so containers are not started without their profiles: install the package \
                 `apparmor`"
            }
            Self::Refused(_) => {
                "run as root outside of containers; `aa-status` says what the kernel has loaded, and \
                 `supervisor profile show SERVICE --format apparmor` prints the profile"
            }
        }
    }
}

/// Whether the kernel enforces AppArmor, by Documentation/admin-guide/LSM/apparmor.rst.
pub fn enabled() -> bool {
    fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|word| word.starts_with(b"Y"))
}

/// Loads a profile, or replaces the one of its name, which containers may be using. The text goes by standard input,
/// so that no file can be exchanged on the way.
///
/// # Errors
/// The parser is missing, or it or the kernel refuses the text.
pub fn load(text: &str) -> Result<(), LoadError> {
    parse(text, &["--replace", "--skip-cache"])
}

/// Those of these accesses that the kernel would allow under the profile of this name, in words. What is asked is the
/// policy that is in force, whoever loaded it (`query_label` in the kernel's security/apparmor/apparmorfs.c).
///
/// # Errors
/// There is no such profile, or this kernel cannot be asked.
pub fn allowed(profile: &str, accesses: &[Refused]) -> io::Result<Vec<String>> {
    let mut allowed = Vec::new();
    for Refused { access, path } in accesses {
        let (bit, word) = match access {
            Access::Execute => (1, "execute"),
            Access::Write => (2, "write"),
            Access::Read => (4, "read"),
        };
        if permissions(profile, path)? & bit != 0 {
            allowed.push(format!("{word} `{path}`"));
        }
    }
    Ok(allowed)
}

/// Whether this kernel has no way to be asked, rather than a bad answer. A profile that is not there is a bad answer.
pub fn cannot_be_asked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && !Path::new(KERNEL).join(".access").exists()
}

/// The permission bits that a profile gives for a path: a question is written, and its answer read from the same file.
fn permissions(profile: &str, path: &str) -> io::Result<u32> {
    /// Class of questions about files (`AA_CLASS_FILE`).
    const FILE: u8 = 2;
    let mut kernel = fs::File::options().read(true).write(true).open(Path::new(KERNEL).join(".access"))?;
    kernel.write_all(&[b"label\0", profile.as_bytes(), &[0, FILE], path.as_bytes()].concat())?;
    let mut answer = [0_u8; 256];
    let length = kernel.read(&mut answer)?;
    let answer = String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned();
    parse_allowed(&answer)
        .ok_or_else(|| io::Error::other(format!("an answer that is not understood: {answer:?}")))
}

/// The first row of an answer, `allow 0x00000004`.
fn parse_allowed(answer: &str) -> Option<u32> {
    let row = answer.lines().find_map(|line| line.strip_prefix("allow "))?;
    u32::from_str_radix(row.trim().strip_prefix("0x")?, 16).ok()
}

/// Takes out the profiles whose names begin so, but those that are kept and those that any process runs under; their
/// names. Whoever starts a container under one of them has to load it first, which only the one writer of a project does.
///
/// # Errors
/// The kernel's list or `/proc` cannot be read, or it refuses.
pub fn unload_unused(prefix: &str, kept: &BTreeSet<String>) -> io::Result<Vec<String>> {
    let loaded = fs::read_to_string(Path::new(KERNEL).join("profiles"))?;
    let ours: BTreeSet<&str> =
        names(&loaded).filter(|name| name.starts_with(prefix) && !kept.contains(*name)).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let used = labels()?;
    let unused = ours.into_iter().filter(|name| !used.iter().any(|label| is_under(label, name)));
    unused
        .map(|name| {
            fs::write(Path::new(KERNEL).join(".remove"), name)?;
            Ok(name.to_owned())
        })
        .collect()
}

/// The names in the kernel's list, `NAME (MODE)` a line.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter_map(|line| Some(line.rsplit_once(" (")?.0))
}

/// Whether a process of this label is under the profile of this name, alone or with others stacked on it.
fn is_under(label: &str, name: &str) -> bool {
    let profiles = label.rsplit_once(" (").map_or(label, |(profiles, _)| profiles);
    profiles.split("//").any(|part| part.trim_start_matches('&') == name)
}

/// The label of every process of the machine.
fn labels() -> io::Result<BTreeSet<String>> {
    let mut labels = BTreeSet::new();
    for process in fs::read_dir("/proc")?.flatten() {
        let tasks = fs::read_dir(process.path().join("task")).into_iter().flatten().flatten();
        for task in tasks {
            // One that ends while it is looked at is under nothing any more.
            let label = fs::read_to_string(task.path().join("attr/apparmor/current"))
                .or_else(|_| fs::read_to_string(task.path().join("attr/current")));
            labels.extend(label.ok().map(|label| label.trim_end_matches(['\n', '\0']).to_owned()));
        }
    }
    Ok(labels)
}

/// Runs the parser over a profile.
fn parse(text: &str, options: &[&str]) -> Result<(), LoadError> {
    let mut parser = Command::new("apparmor_parser")
        .args(options)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LoadError::Run)?;
    // A parser that stops reading has a reason, and says it on standard error.
    let fed = parser.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
    let output = parser.wait_with_output().map_err(LoadError::Run)?;
    match (output.status.success(), fed) {
        (true, Ok(())) => Ok(()),
        (true, Err(error)) => Err(LoadError::Run(error)),
        (false, _) => Err(LoadError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{LoadError, is_under, names, parse, parse_allowed};

    /// The parser without the kernel.
    const DRY: [&str; 2] = ["--skip-kernel-load", "--skip-cache"];

    #[test]
    fn a_profile_in_the_language_is_accepted() {
        parse("profile \"a\" {\n  / r,\n}\n", &DRY).unwrap();
    }

    #[test]
    fn the_kernels_texts_are_read() {
        let answer = "allow 0x00000005\ndeny 0x00000000\naudit 0x00000000\nquiet 0x00000002\n";
        assert_eq!(parse_allowed(answer), Some(5));
        assert_eq!(parse_allowed("deny 0x00000005\n"), None);
        let list = "supervisor-a.web-1 (enforce)\nrunc (unconfined)\n/usr/bin/a b (complain)\n";
        assert_eq!(names(list).collect::<Vec<_>>(), ["supervisor-a.web-1", "runc", "/usr/bin/a b"]);
    }

    #[test]
    fn a_process_is_under_each_profile_of_its_label() {
        for label in ["a (enforce)", "a", "a//&b (enforce)", "b//&a (enforce)"] {
            assert!(is_under(label, "a"), "{label}");
        }
        for label in ["unconfined", "ab (enforce)", "b//&c (enforce)"] {
            assert!(!is_under(label, "a"), "{label}");
        }
    }

    #[test]
    fn the_parsers_reason_is_kept() {
        let Err(LoadError::Refused(reason)) = parse("profile \"a\" {\n  / nonsense,\n}\n", &DRY) else {
            panic!("a profile that is none was accepted");
        };
        assert!(reason.contains("line 2"), "{reason}");
    }
}
