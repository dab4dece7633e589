//! What the SSH server takes: guide sections 3.1 to 3.4.
//!
//! Only what OpenSSH 9.6 (Ubuntu 24.04) and 10.0 (Debian 13) both know: a word that is unknown to it ends the server.
//! Deliberately absent: certificates and bastions (3.5, 3.6), which need a second machine.

use std::fmt::Write as _;

/// What a setting is for; the audit has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Which keys.
    Keys,
    /// Key exchange, ciphers, codes.
    Algorithms,
    /// What else lets somebody in.
    Passwords,
    /// Whether root may.
    Root,
    /// How long and how often somebody may try.
    Limits,
    /// What a session may carry besides a terminal.
    Forwarding,
    /// When a silent session ends.
    Idle,
    /// What is written down.
    Log,
}

/// How a value is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of nothing but these.
    Within(&'static [&'static str]),
    /// A number from 1 to this.
    AtMost(u32),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As the configuration spells it; `sshd -T` writes it small.
    pub key: &'static str,
    /// What is written.
    pub value: &'static str,
    /// What will do.
    pub want: Want,
    /// What it is for.
    pub topic: Topic,
}

const fn row(topic: Topic, key: &'static str, value: &'static str, want: Want) -> Setting {
    Setting { key, value, want, topic }
}

use Topic::{Algorithms, Forwarding, Idle, Keys, Limits, Log, Passwords, Root};
use Want::{AtMost, OneOf, Within};

/// Ed25519 in every form, the one on a security key among them.
const ED25519: &[&str] = &[
    "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
];
const NO: Want = OneOf(&["no"]);

/// Every setting, in the order in which they are written.
pub const SETTINGS: &[Setting] = &[
    row(
        Keys,
        "PubkeyAcceptedAlgorithms",
        "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,sk-ssh-ed25519@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com",
        Within(ED25519),
    ),
    row(Keys, "HostKeyAlgorithms", "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com", Within(ED25519)),
    row(Keys, "HostKey", "/etc/ssh/ssh_host_ed25519_key", Within(&["/etc/ssh/ssh_host_ed25519_key"])),
    row(Keys, "PubkeyAuthentication", "yes", OneOf(&["yes"])),
    row(
        Algorithms,
        "KexAlgorithms",
        "sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org",
        Within(&[
            "mlkem768x25519-sha256",
            "sntrup761x25519-sha512",
            "sntrup761x25519-sha512@openssh.com",
            "curve25519-sha256",
            "curve25519-sha256@libssh.org",
        ]),
    ),
    row(
        Algorithms,
        "Ciphers",
        "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com",
        Within(&["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com"]),
    ),
    row(
        Algorithms,
        "MACs",
        "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com",
        Within(&["hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com"]),
    ),
    row(Passwords, "PasswordAuthentication", "no", NO),
    row(Passwords, "KbdInteractiveAuthentication", "no", NO),
    row(Passwords, "PermitEmptyPasswords", "no", NO),
    row(Passwords, "HostbasedAuthentication", "no", NO),
    row(Root, "PermitRootLogin", "no", NO),
    // The guide has 2: an agent that offers a third key is cut off before the right one.
    row(Limits, "MaxAuthTries", "3", AtMost(3)),
    row(Limits, "LoginGraceTime", "20", AtMost(30)),
    row(Limits, "MaxSessions", "3", AtMost(10)),
    row(Forwarding, "X11Forwarding", "no", NO),
    row(Forwarding, "AllowAgentForwarding", "no", NO),
    // The guide has yes: a tunnel to a service of this host needs no more than this.
    row(Forwarding, "AllowTcpForwarding", "local", OneOf(&["local", "no"])),
    row(Forwarding, "AllowStreamLocalForwarding", "no", NO),
    row(Forwarding, "PermitTunnel", "no", NO),
    row(Forwarding, "GatewayPorts", "no", NO),
    row(Forwarding, "PermitUserEnvironment", "no", NO),
    row(Idle, "ClientAliveInterval", "300", AtMost(300)),
    row(Idle, "ClientAliveCountMax", "2", AtMost(3)),
    row(Log, "LogLevel", "VERBOSE", OneOf(&["verbose"])),
];

/// What is written besides, and not judged: it is taste, or the distribution's.
const UNJUDGED: &[&str] = &[
    "UsePAM yes",
    "MaxStartups 3:50:10",
    "TCPKeepAlive no",
    "UseDNS no",
    "SyslogFacility AUTH",
    "Banner /etc/issue.net",
];

impl Setting {
    /// Whether what `sshd -T` says of it will do: every line of that key, with its words in lower case but for paths.
    pub fn takes(&self, seen: &str) -> bool {
        let mut words = seen.split(',').map(str::trim);
        match self.want {
            OneOf(these) => these.iter().any(|word| word.eq_ignore_ascii_case(seen)),
            Within(these) => !seen.is_empty() && words.all(|word| these.contains(&word)),
            AtMost(most) => seen.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number)),
        }
    }
}

/// The text of a file for `/etc/ssh/sshd_config.d`. The server keeps the first word on a matter: the name sorts first.
pub fn file(port: u16, user: &str) -> String {
    let mut text = format!(
        "# The first word on each matter counts: this file is read before the others.\nPort {port}\n"
    );
    for row in SETTINGS {
        let _ = writeln!(text, "{} {}", row.key, row.value);
    }
    let _ = writeln!(text, "AllowUsers {user}");
    for line in UNJUDGED {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_takes_what_it_writes() {
        for row in SETTINGS {
            assert!(row.takes(row.value), "{}", row.key);
            assert!(!row.takes("nonsense"), "{}", row.key);
        }
    }
}
