//! `/proc/PID/mountinfo` (proc(5)): every mount that a process sees, with its flags and where it comes from.
//!
//! Pure. Deliberately absent: which mounts are right, and any look at what is mounted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountInfo {
    /// `MAJOR:MINOR` of the file system.
    pub device: String,
    /// Path of the mount's root in its file system; `//deleted` at its end where that was removed since.
    pub root: String,
    /// Where it is mounted, as the process sees it.
    pub target: String,
    /// Options of the mount: `ro`, `nosuid`, `nodev`, `noexec`.
    pub options: BTreeSet<String>,
    /// Its peer groups: `shared:1`, `master:2`, `unbindable`; empty is private.
    pub propagation: Vec<String>,
    /// `ext4`, `tmpfs`, `overlay`, …
    pub fs_type: String,
    /// What was mounted, as the file system names it.
    pub source: String,
    /// Options of the whole file system.
    pub super_options: Vec<String>,
}

impl MountInfo {
    /// Nothing can be written through it.
    pub fn read_only(&self) -> bool {
        self.options.contains("ro") || self.super_options.iter().any(|option| option == "ro")
    }

    /// What is mounted or unmounted in another namespace may show up in it, or the other way round.
    pub fn shared(&self) -> bool {
        self.propagation.iter().any(|group| group.starts_with("shared:"))
    }

    /// The value of an option of the whole file system, such as `size`.
    pub fn super_option(&self, name: &str) -> Option<&str> {
        self.super_options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Reads the text; a line that cannot be understood is the error, as it is.
pub fn parse(text: &str) -> Result<Vec<MountInfo>, String> {
    text.lines().map(|line| parse_line(line).ok_or_else(|| line.to_owned())).collect()
}

/// Of several mounts at one target, the one on top, which is the last.
pub fn at<'a>(mounts: &'a [MountInfo], target: &str) -> Option<&'a MountInfo> {
    mounts.iter().rev().find(|mount| mount.target == target)
}

/// The host path that a mount shows, by the host's own mounts: the mount of the same file system whose root is
/// nearest. `None` where the host mounts that file system nowhere above it.
pub fn host_path(mount: &MountInfo, host: &[MountInfo]) -> Option<String> {
    let root = mount.root.strip_suffix("//deleted").unwrap_or(&mount.root);
    host.iter()
        .filter(|candidate| candidate.device == mount.device)
        .filter_map(|candidate| Some((candidate.root.len(), candidate, below(&candidate.root, root)?)))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, candidate, rest)| join(&candidate.target, rest))
}

/// What follows a folder in a path: empty for the folder itself, else with its leading slash.
pub fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    match rest {
        "" | "/" => Some(""),
        _ => rest.starts_with('/').then_some(rest),
    }
}

fn join(folder: &str, rest: &str) -> String {
    let joined = format!("{}{rest}", folder.trim_end_matches('/'));
    if joined.is_empty() { "/".to_owned() } else { joined }
}

fn parse_line(line: &str) -> Option<MountInfo> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(2);
    let device = fields.next().filter(|device| device.contains(':'))?.to_owned();
    let root = unescape(fields.next()?);
    let target = unescape(fields.next()?);
    let options = fields.next()?.split(',').map(str::to_owned).collect();
    let propagation = fields.filter(|field| !field.is_empty()).map(str::to_owned).collect();
    let mut fields = file_system.split(' ');
    let fs_type = fields.next()?.to_owned();
    let source = unescape(fields.next()?);
    let super_options = fields.next()?.split(',').map(str::to_owned).collect();
    Some(MountInfo { device, root, target, options, propagation, fs_type, source, super_options })
}

/// The kernel writes space, tab, line break and backslash as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| byte == b'\\');
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const HOST: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        28 27 254:1 /@home /home rw,relatime shared:3 - btrfs /dev/vdb rw,subvol=/@home\n";

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let host = parse(HOST).unwrap();
        expect.assert_eq(&match parse(text) {
            Ok(mounts) => mounts
                .iter()
                .map(|m| {
                    let word = if m.read_only() { "ro" } else { "rw" };
                    let from = host_path(m, &host).unwrap_or_else(|| m.fs_type.clone());
                    format!("{} {word} {:?} from {from} {:?}\n", m.target, m.options, m.propagation)
                })
                .collect::<Vec<_>>()
                .concat(),
            Err(line) => format!("error: {line}"),
        });
    }

    #[test]
    fn a_bind_is_traced_to_its_host_path() {
        check(
            "202 182 254:0 /etc/hostname /x ro,relatime - ext4 /dev/vda rw\n\
             203 182 254:1 /@home/me/a\\040b /y rw,nosuid master:1 - btrfs /dev/vdb rw\n\
             204 182 254:0 / /z rw - ext4 /dev/vda rw",
            expect![[r#"
                /x ro {"relatime", "ro"} from /etc/hostname []
                /y rw {"nosuid", "rw"} from /home/me/a b ["master:1"]
                /z rw {"rw"} from / []
            "#]],
        );
    }

    #[test]
    fn a_file_that_was_replaced_keeps_its_path() {
        check(
            "1 2 254:0 /a/b//deleted /x rw - ext4 d rw",
            expect![[r#"
            /x rw {"rw"} from /a/b []
        "#]],
        );
    }

    #[test]
    fn a_file_system_that_is_read_only_makes_its_mounts_so() {
        check(
            "1 2 0:9 / /x rw - tmpfs tmpfs ro,size=4k",
            expect![[r#"
            /x ro {"rw"} from tmpfs []
        "#]],
        );
    }

    #[test]
    fn a_line_that_is_none_is_an_error() {
        check(
            "182 101 0:43 / / ro,relatime overlay overlay ro",
            expect![["error: 182 101 0:43 / / ro,relatime overlay overlay ro"]],
        );
        check("182 101 0:43 / - overlay overlay ro", expect![["error: 182 101 0:43 / - overlay overlay ro"]]);
    }

    #[test]
    fn the_mount_on_top_counts() {
        let mounts = parse("1 2 0:1 / /a ro - tmpfs t ro\n3 1 0:2 / /a rw - tmpfs t rw").unwrap();
        assert_eq!(at(&mounts, "/a").unwrap().device, "0:2");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,300}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_path_comes_back_as_it_was(path in "/[a-z \t\n\\\\0-7é]{0,20}") {
            let escaped: String = path.chars().map(|c| match c {
                ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(c)),
                other => other.to_string(),
            }).collect();
            let mounts = parse(&format!("1 2 0:1 {escaped} {escaped} rw - tmpfs t rw")).unwrap();
            prop_assert_eq!(&mounts[0].root, &path);
            prop_assert_eq!(&mounts[0].target, &path);
        }
    }
}
