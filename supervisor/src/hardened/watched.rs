//! What the audit daemon watches: guide section 2.5.
//!
//! Deliberately absent, although the guide has them: every execution by root, which is each health check and each cron job
//! (here only where somebody has logged in), and reads of `/var/lib/docker`, which are the engine's own, all day.

/// Places, what is heard of there, and the key under which it is found again.
pub const WATCHED: &[(&str, &str, &str)] = &[
    ("/etc/passwd", "wa", "identity"),
    ("/etc/group", "wa", "identity"),
    ("/etc/shadow", "wa", "identity"),
    ("/etc/sudoers", "wa", "privileges"),
    ("/etc/sudoers.d", "wa", "privileges"),
    ("/etc/ssh/sshd_config", "wa", "sshd"),
    ("/etc/ssh/sshd_config.d", "wa", "sshd"),
    ("/etc/crontab", "wa", "cron"),
    ("/etc/cron.d", "wa", "cron"),
    ("/etc/systemd/system", "wa", "units"),
    ("/etc/docker", "wa", "engine"),
    ("/etc/supervisor", "wa", "stack"),
    ("/usr/bin/dockerd", "wx", "engine"),
    ("/usr/bin/docker", "wx", "engine"),
    ("/usr/bin/supervisor", "wa", "stack"),
    ("/usr/sbin/insmod", "x", "modules"),
    ("/usr/sbin/modprobe", "x", "modules"),
];

/// Those of them that are watched with all that is in them.
const FOLDERS: &[&str] = &[
    "/etc/sudoers.d",
    "/etc/ssh/sshd_config.d",
    "/etc/cron.d",
    "/etc/systemd/system",
    "/etc/docker",
    "/etc/supervisor",
];

/// The text of a file for `/etc/audit/rules.d`. A place that is not there yet is watched from the next boot on.
pub fn rules() -> String {
    use std::fmt::Write as _;
    let mut text =
        String::from("# A rule that cannot be loaded does not keep the others out.\n-c\n-b 8192\n-f 1\n");
    for (place, access, key) in WATCHED {
        let kind = if FOLDERS.contains(place) { "dir" } else { "path" };
        let _ = writeln!(text, "-a always,exit -F arch=b64 -F {kind}={place} -F perm={access} -F key={key}");
    }
    for error in ["EACCES", "EPERM"] {
        let calls = "-S open,openat,openat2,creat";
        let _ = writeln!(
            text,
            "-a always,exit -F arch=b64 {calls} -F exit=-{error} -F auid>=1000 -F auid!=unset -F key=denied"
        );
    }
    text.push_str("-a always,exit -F arch=b64 -S execve,execveat -F euid=0 -F auid>=1000 -F auid!=unset -F key=root-commands\n");
    text
}
