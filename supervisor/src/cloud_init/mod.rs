//! User-data for a fresh server: from a few answers to what cloud-init reads. Pure.
//!
//! What a hardened host has comes from `hardened`; each difference from the hardening guide is a row of
//! [`divergences`]. Deliberately absent: reading files, printing, and anything about one provider.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod answers;
pub mod divergences;
mod files;
mod first_boot;
mod text;

use std::fmt::Write as _;

pub use answers::{Answers, Problem, Raw, read};
use files::Written;

/// Providers take at least so many bytes of user-data.
const MOST_BYTES: usize = 32 << 10;

/// Packages that guard the host and listen to nobody. What listens is installed behind the firewall, by the script.
const PACKAGES: &[&str] = &[
    "aide",
    "apparmor",
    "apparmor-utils",
    "auditd",
    "ca-certificates",
    "chrony",
    "curl",
    "fail2ban",
    "needrestart",
    "nftables",
    "openssl",
    "python3-systemd",
    "ufw",
    "unattended-upgrades",
];

/// The user-data, and what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// What cloud-init reads.
    pub text: String,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Writes it.
pub fn user_data(answers: &Answers) -> UserData {
    let mut out = format!(
        "#cloud-config
# Made by `supervisor render cloud-init` {}. Differences from the hardening guide: docs/cloud-init.md.
",
        env!("CARGO_PKG_VERSION")
    );
    users(&mut out, answers);
    // On a machine without a way out, what is there has to do.
    let fetch = answers.upgrade;
    let _ = write!(out, "\npackage_update: {fetch}\npackage_upgrade: {fetch}\npackages:\n");
    for package in PACKAGES {
        let _ = writeln!(out, "  - {package}");
    }
    out.push_str("\nwrite_files:\n");
    for Written { path, mode, content } in files::files(answers) {
        let _ =
            write!(out, "  - path: {}\n    permissions: \"{mode:04o}\"\n    content: ", text::scalar(&path));
        out.push_str(&text::block(&content, 6));
    }
    let _ = write!(
        out,
        "\n# In this order: firewall, SSH, guards, engine, package, stack, unit. A step that fails ends it.\nruncmd:\n  - [sh, {}]\n",
        first_boot::PATH
    );
    let mut warnings = Vec::new();
    if answers.callback.as_ref().is_some_and(|callback| !callback.secret.is_empty()) {
        warnings.push(
            "the callback's secret is in the user-data: the provider keeps it, and its metadata service hands it to root on \
             that machine for as long as it lives; let the control plane take it once"
                .to_owned(),
        );
    }
    if answers.userns_remap {
        warnings.push(
            "userns-remap moves the engine's data, and files that are bound into containers have to belong to the remapped \
             users: their services cannot read those of root with mode 0600"
                .to_owned(),
        );
    }
    if out.len() > MOST_BYTES {
        warnings.push(format!(
            "the user-data has {} bytes, and some providers take no more than {MOST_BYTES}",
            out.len()
        ));
    }
    UserData { text: out, warnings }
}

fn users(out: &mut String, answers: &Answers) {
    let _ = write!(
        out,
        "
# Root has no way in, and nobody a password. The one who has is root by sudo, since nobody else could look after the machine.
disable_root: true
ssh_pwauth: false
ssh_deletekeys: true
ssh_genkeytypes: [ed25519]
users:
  - name: {}
    lock_passwd: true
    shell: /bin/bash
    sudo: \"ALL=(ALL) NOPASSWD:ALL\"
    ssh_authorized_keys:
",
        answers.user
    );
    for key in &answers.ssh_keys {
        let _ = writeln!(out, "      - {}", text::scalar(key));
    }
}

#[cfg(test)]
mod tests;
