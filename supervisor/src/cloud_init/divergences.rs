//! Where the user-data differs from the hardening guide, and why: `docs/cloud-init.md`.
//!
//! Deliberately absent: differences of the stack itself, which are in `docs/guide.md`.

use std::fmt::Write as _;

use super::answers::{QUESTIONS, note};

/// One difference.
#[derive(Clone, Copy, Debug)]
pub struct Divergence {
    /// Section of the guide.
    pub guide: &'static str,
    /// What the guide does.
    pub says: &'static str,
    /// What the user-data does.
    pub here: &'static str,
    /// Why.
    pub why: &'static str,
}

const fn row(guide: &'static str, says: &'static str, here: &'static str, why: &'static str) -> Divergence {
    Divergence { guide, says, here, why }
}

/// Every one, by section.
pub const DIVERGENCES: &[Divergence] = &[
    row(
        "2.1",
        "`echo >>` into settings, in `runcmd`",
        "files of their own, written before anything is installed",
        "settings are there when their program first starts, and a second run adds nothing twice",
    ),
    row(
        "2.1",
        "`net.ipv4.ip_forward = 1`",
        "left to the engine",
        "the engine switches it on together with its rules for what is forwarded; set at boot, the host routes before they are there",
    ),
    row(
        "2.1",
        "`net.ipv6.conf.all.accept_ra = 0`",
        "left as it is",
        "many providers give the IPv6 route by it: the machine would lose its way",
    ),
    row(
        "2.1, 2.8",
        "`install MODULE /bin/true`",
        "`/bin/false`",
        "with `true`, whoever asked is told that the module is loaded",
    ),
    row("2.1, 2.8", "`freevfat`", "`freevxfs`", "there is no module of the other name"),
    row(
        "2.1, 2.8",
        "`squashfs`, `udf` are kept out",
        "they are not",
        "snaps, and some providers' configuration disks, need them; both take root to mount",
    ),
    row(
        "2.2",
        "inotify is limited to 128 instances",
        "left as it is",
        "it stops no attack, and containers run out of watches",
    ),
    row(
        "2.3",
        "a profile for the container, loaded in `runcmd`",
        "none here",
        "the supervisor makes and loads one for each service, and attests it",
    ),
    row(
        "2.4",
        "`/etc/fstab.d`, appended to `/etc/fstab`; `mount -o remount`",
        "appended to `/etc/fstab` where that says nothing of it, and mounted or remounted",
        "nothing reads `/etc/fstab.d`, a folder that is no mount cannot be remounted, and cloud-init's `mounts` passes over what is \
         of no device",
    ),
    row(
        "2.4",
        "`/var/tmp` in memory",
        "left on disk",
        "what is there has to outlive a reboot, by the file hierarchy standard; package scripts use it in place of `/tmp`",
    ),
    row(
        "2.4",
        "`chown root:docker /opt/openclaw`, mode 0750",
        "`/etc/supervisor`, root alone",
        "whoever is in the group `docker` is root; nobody has to be in it",
    ),
    row(
        "2.5",
        "every execution by root, every read below `/var/lib/docker`",
        "executions of who has logged in; changes alone",
        "the guide's rules log each health check: the log turns over in minutes, and what matters is gone",
    ),
    row(
        "2.5",
        "watches in `-w` form, `/var/run/docker.sock` among them",
        "system call rules; no watch of the socket",
        "`-w` is deprecated and slow; a connection to a socket is no access that a watch hears of",
    ),
    row(
        "2.6",
        "all updates, the engine's held back by names of other packages",
        "security updates, the engine's included",
        "`docker-ce` is not what the guide installs; containers outlive the engine's restart, and a known escape is worse",
    ),
    row(
        "2.6",
        "no reboot, ever",
        "at an hour, if it is answered; else the audit says that one is due",
        "a kernel that is installed and not booted mends nothing",
    ),
    row(
        "2.7",
        "one provider's time servers, `chrony.conf` replaced",
        "the distribution's servers, and a file beside it",
        "the machine may be anybody's; the distribution keeps its file up to date",
    ),
    row(
        "3.1",
        "host keys removed in `runcmd`",
        "`ssh_deletekeys`, `ssh_genkeytypes`",
        "cloud-init makes the right ones at once; in between, the others would be offered",
    ),
    row(
        "3.1",
        "`ChallengeResponseAuthentication`",
        "left out",
        "it is an old name of `KbdInteractiveAuthentication`",
    ),
    row(
        "3.1",
        "`ssh-ed25519` alone",
        "and `sk-ssh-ed25519`",
        "the same on a security key, which no theft of a file gives away",
    ),
    row(
        "3.1",
        "`AllowTcpForwarding yes`",
        "`local`",
        "tunnels to this machine's services need no more; remote ones are a way in",
    ),
    row("3.1", "`MaxAuthTries 2`", "3", "an agent with three keys is cut off before the right one"),
    row(
        "3.1",
        "`systemctl restart sshd`",
        "`ssh.service`, and Ubuntu's `ssh.socket` off",
        "the socket keeps its own port, 22, whatever the configuration says",
    ),
    row("3.5, 3.6", "certificates, a bastion", "not here", "they need a second machine"),
    row(
        "4.1",
        "ufw in `runcmd`, after packages whose services have started",
        "ufw first; what listens is installed behind it, and not at all if it fails",
        "for some seconds everything would be open",
    ),
    row("4.1", "rules that deny telnet, RDP and VNC", "left out", "they are denied already"),
    row(
        "4.2",
        "`limit rate over 150/minute`, said to be per address",
        "a set with a rate for each address",
        "the guide's rule counts everybody together: one visitor shuts the others out",
    ),
    row(
        "4.3",
        "`DOCKER-USER`, by `--dport` and `eth0`, IPv4, once",
        "a table before the engine's rewriting, on every interface, both families, at every boot",
        "there, ports are those of containers; the interface may have another name; and the rules came after the engine",
    ),
    row(
        "4.3",
        "`iptables-persistent`",
        "not installed",
        "it writes down the engine's own rules and restores them without the engine's knowledge",
    ),
    row(
        "4.4",
        "deny outgoing",
        "the same, and to containers' networks",
        "the supervisor probes its services over their bridges",
    ),
    row(
        "4.4",
        "as if it held for containers",
        "`x-supervisor.egress` of the stack",
        "ufw's rules are for what the host itself sends",
    ),
    row(
        "5.1",
        "`userns-remap: default`",
        "a choice, off by default",
        "no service of the stack is root, so that it guards nobody; it moves the engine's data, and takes root's files from services",
    ),
    row("5.1", "pool 172.17.0.0/16", "10.217.0.0/16", "the other is the default bridge's own"),
    row(
        "5.1",
        "`nofile` 65536, `nproc` 4096",
        "`nofile` 16384, no `nproc`",
        "the kernel counts `nproc` for the user over all containers",
    ),
    row(
        "5.5",
        "`DOCKER_CONTENT_TRUST=1`",
        "images by digest",
        "the engine checks a digest itself; content trust is gone",
    ),
    row(
        "8.1",
        "node exporter as a container with the host's namespaces and root",
        "the distribution's package, on loopback",
        "it is what our own policy refuses",
    ),
    row(
        "8.3, 8.5",
        "Wazuh and Falco by `curl | gpg`",
        "not installed; the audit says so",
        "both need an account or a driver of somebody's choice",
    ),
    row(
        "9.1",
        "a script and two cron jobs with the key in their lines",
        "not here",
        "every user could read the key in `/etc/cron.d`",
    ),
    row(
        "A",
        "`docker compose up`, a loop with `curl`, a secret in `runcmd`",
        "the unit; the secret in a file of root, as a credential",
        "`runcmd` is in a script and in the log; and nothing starts the stack again",
    ),
];

/// The text of `docs/cloud-init.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# User-data for a fresh server

Generated by `cargo xtask docs`; do not edit.

`supervisor render cloud-init` prints user-data for Ubuntu 24.04 and Debian 13: the hardening guide's sections 2 to 5, put right,
then the package, the stack and its unit. What is written is judged by `supervisor audit`, from the same tables.

```sh
supervisor render cloud-init --answers answers > user-data     # the file has one NAME=VALUE a line
supervisor render cloud-init domain=openclaw.example.com tls=you@example.com ssh-key=\"$(cat key.pub)\" ... > user-data
```

| answer | says |
|---|---|
",
    );
    for question in QUESTIONS {
        let _ = writeln!(out, "| `{}` | {}{} |", question.name, question.help, note(question.need));
    }
    out.push_str(
        "
The gateway's token is made on the machine, and is in no user-data. The callback's secret has to be in it: it is written to a file of
root alone, and a warning says who else sees it.

In this order, and no further if one fails: files of settings, packages that listen to nobody, firewall, SSH, guards, engine, the
supervisor's package, stack, unit.

## Where it differs from the guide

| guide | says | here | why |
|---|---|---|---|
",
    );
    for row in DIVERGENCES {
        let cells = [row.guide, row.says, row.here, row.why].map(|text| text.replace('|', "\\|"));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}
