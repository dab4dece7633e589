//! Modes and owners: the system's secrets, and the stack's.
//!
//! Deliberately absent: looking into secrets.

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, unless};

const PASSWD: Source = Source::File("/etc/passwd");
const SHADOW: Source = Source::File("/etc/shadow");
/// Where cloud-init keeps what the host was made from; `-i` files have what was merged into it.
const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";
const MERGED: &str = "/var/lib/cloud/instance/user-data.txt.i";
/// Paths, with the bits that nobody but owner and group may have there.
const SYSTEM: &[(&str, u32)] = &[
    ("/etc/shadow", 0o007),
    ("/etc/gshadow", 0o007),
    ("/etc/ssh/sshd_config", 0o022),
    ("/etc/sudoers", 0o007),
    ("/boot/grub/grub.cfg", 0o077),
    ("/root", 0o077),
];
const SYSTEM_READ: &[Source] = &[
    Source::Mode("/etc/shadow"),
    Source::Mode("/etc/gshadow"),
    Source::Mode("/etc/ssh/sshd_config"),
    Source::Mode("/etc/sudoers"),
    Source::Mode("/boot/grub/grub.cfg"),
    Source::Mode("/root"),
];
const STATE: &str = "/var/lib/supervisor";

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "AU241",
        title: "the system's secrets are root's alone",
        reason: "hashes of passwords can be broken at leisure",
        guide: "2.1, 2.4",
        read: SYSTEM_READ,
        fix: "`chmod o= /etc/shadow /etc/gshadow /etc/sudoers`, `chmod 600 /boot/grub/grub.cfg`, `chmod 700 /root`",
        judge: system,
    },
    Row {
        id: "AU242",
        title: "no account but root is root, and none is without a password or a lock",
        reason: "a second root is how an intruder comes back",
        guide: "2.1",
        read: &[PASSWD, SHADOW],
        fix: "`userdel NAME`, or `passwd --lock NAME`",
        judge: accounts,
    },
    Row {
        id: "AU243",
        title: "the stack's files are root's, and its secrets nobody else's to read",
        reason: "whoever writes the stack's file chooses what runs, and a key that is read is lost",
        guide: "2.4, 9.2",
        read: &[Source::Stack],
        fix: "`chown root: FILE`, `chmod 600` for secrets and env files, `chmod go-w` for the rest",
        judge: stack,
    },
    Row {
        id: "AU244",
        title: "the supervisor's state is root's alone",
        reason: "secrets are staged there for their services",
        guide: "2.4",
        read: &[Source::Mode(STATE)],
        fix: "`chmod 700 /var/lib/supervisor; chown root: /var/lib/supervisor`",
        judge: state,
    },
    Row {
        id: "AU245",
        title: "what the host was made from is root's alone",
        reason: "user-data may hold the keys that it brought",
        guide: "B",
        read: &[Source::Mode(USER_DATA), Source::Mode(MERGED)],
        fix: "`chmod 600 /var/lib/cloud/instance/user-data.txt*`",
        judge: user_data,
    },
];

fn system(e: &Evidence) -> Judged {
    let mut wrong = Vec::new();
    for (path, bits) in SYSTEM {
        if let Some(mode) = e.mode(path)?.filter(|mode| mode.others(*bits) || mode.uid != 0) {
            wrong.push(format!("`{path}`: {mode}"));
        }
    }
    unless(wrong, format!("{} paths looked at", SYSTEM.len()))
}

fn accounts(e: &Evidence) -> Judged {
    let mut wrong = Vec::new();
    for line in e.text(PASSWD)?.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [name, _, "0", ..] = fields.as_slice()
            && *name != "root"
        {
            wrong.push(format!("{name} is root"));
        }
    }
    for line in e.text(SHADOW)?.lines() {
        if let Some((name, rest)) = line.split_once(':')
            && rest.starts_with(':')
        {
            wrong.push(format!("{name} has no password"));
        }
    }
    unless(wrong, "root alone")
}

fn stack(e: &Evidence) -> Judged {
    let stack = e.stack()?;
    let mut wrong = Vec::new();
    for file in &stack.files {
        let Some(mode) = file.mode else { continue };
        let bits = if file.secret { 0o077 } else { 0o022 };
        // A secret's file may be its service's user's.
        if mode.others(bits) || (mode.uid != 0 && !file.secret) {
            wrong.push(format!("`{}`: {mode}", file.path));
        }
    }
    unless(wrong, format!("{} files looked at", stack.files.len()))
}

fn state(e: &Evidence) -> Judged {
    match e.mode(STATE)? {
        None => Err(not_applicable("there is none yet")),
        Some(mode) if mode.others(0o077) || mode.uid != 0 => Err(not_so(mode.to_string())),
        Some(mode) => Ok(mode.to_string()),
    }
}

fn user_data(e: &Evidence) -> Judged {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in [USER_DATA, MERGED] {
        if let Some(mode) = e.mode(path)? {
            seen += 1;
            if mode.others(0o077) || mode.uid != 0 {
                wrong.push(format!("`{path}`: {mode}"));
            }
        }
    }
    if seen == 0 {
        Err(not_applicable("cloud-init did not make this host"))
    } else {
        unless(wrong, "root's alone")
    }
}
