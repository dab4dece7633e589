//! The files that are written before anything is installed: settings are there when their programs first start.
//!
//! Deliberately absent: files of the stack of `supervisor init`, which the package brings.

use super::answers::{Answers, Stack};
use super::first_boot;
use crate::hardened::{engine, modules, packet_filter, sshd, sysctl, watched};

/// A file of the machine, of root.
pub(super) struct Written {
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: String,
}

fn file(path: &str, mode: u32, content: impl Into<String>) -> Written {
    Written { path: path.to_owned(), mode, content: content.into() }
}

const UPGRADES: &str =
    "// Security updates, the engine's among them: containers outlive its restart (live-restore).
Unattended-Upgrade::Origins-Pattern {
  \"origin=Debian,codename=${distro_codename},label=Debian-Security\";
  \"origin=Debian,codename=${distro_codename}-security,label=Debian-Security\";
  \"origin=${distro_id},archive=${distro_codename}-security\";
};
Unattended-Upgrade::Remove-Unused-Kernel-Packages \"true\";
Unattended-Upgrade::Remove-New-Unused-Dependencies \"true\";
Unattended-Upgrade::MinimalSteps \"true\";
Unattended-Upgrade::SyslogEnable \"true\";
";

const PERIODIC: &str = "APT::Periodic::Update-Package-Lists \"1\";
APT::Periodic::Unattended-Upgrade \"1\";
APT::Periodic::AutocleanInterval \"7\";
// Nothing executes from /tmp.
APT::ExtractTemplates::TempDir \"/var/tmp\";
";

const CHRONY: &str = "# Serves time to nobody, and may step the clock when it is first heard.
port 0
cmdport 0
makestep 1.0 3
rtcsync
";

const EDGE_UNIT: &str = "[Unit]
Description=What may come in, judged before the engine rewrites it
DefaultDependencies=no
Before=network-pre.target docker.service
Wants=network-pre.target
After=local-fs.target systemd-modules-load.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/supervisor/edge.nft
ExecReload=/usr/sbin/nft -f /etc/supervisor/edge.nft

[Install]
WantedBy=sysinit.target
";

/// Every file, in the order of writing.
pub(super) fn files(answers: &Answers) -> Vec<Written> {
    let ssh = answers.ssh_port;
    let reboot = if answers.reboot_at.is_empty() {
        "// A kernel that waits for a reboot is what `supervisor audit` says (AU225).
Unattended-Upgrade::Automatic-Reboot \"false\";
"
        .to_owned()
    } else {
        let at = &answers.reboot_at;
        format!(
            "Unattended-Upgrade::Automatic-Reboot \"true\";\nUnattended-Upgrade::Automatic-Reboot-Time \"{at}\";\n"
        )
    };
    let upgrades = format!("{UPGRADES}{reboot}");
    let mut all = vec![
        file("/etc/supervisor/edge.nft", 0o644, packet_filter::file(ssh)),
        file("/etc/systemd/system/edge-filter.service", 0o644, EDGE_UNIT),
        file("/etc/ssh/sshd_config.d/10-hardened.conf", 0o600, sshd::file(ssh, &answers.user)),
        file("/etc/issue.net", 0o644, "Authorized access only. What is done here is logged.\n"),
        file("/etc/sysctl.d/90-hardened.conf", 0o644, sysctl::file()),
        // Its parameters are there only once it is loaded.
        file("/etc/modules-load.d/hardened.conf", 0o644, "nf_conntrack\n"),
        file("/etc/modprobe.d/hardened.conf", 0o644, modules::file()),
        file("/etc/security/limits.d/hardened.conf", 0o644, "* hard core 0\n"),
        file("/etc/audit/rules.d/50-hardened.rules", 0o640, watched::rules()),
        file("/etc/audit/rules.d/99-finalize.rules", 0o640, "-e 2\n"),
        file(
            "/etc/fail2ban/jail.d/hardened.local",
            0o644,
            format!(
                "[sshd]\nenabled = true\nbackend = systemd\nport = {ssh}\nmaxretry = 4\nfindtime = 10m\nbantime = 1h\nbantime.increment = true\n"
            ),
        ),
        file("/etc/apt/apt.conf.d/52hardened-upgrades", 0o644, upgrades),
        file("/etc/apt/apt.conf.d/60hardened-periodic", 0o644, PERIODIC),
        file("/etc/chrony/conf.d/hardened.conf", 0o644, CHRONY),
        file("/etc/docker/daemon.json", 0o644, engine::daemon(answers.userns_remap)),
        file(
            "/etc/default/prometheus-node-exporter",
            0o644,
            "# For a scraper on this machine, or a tunnel to it.\nARGS=\"--web.listen-address=127.0.0.1:9100\"\n",
        ),
        file(first_boot::PATH, 0o700, first_boot::script(answers)),
    ];
    if let Stack::Compose(text) = &answers.stack {
        all.push(file("/etc/supervisor/compose.yaml", 0o600, text));
    }
    if let Some(callback) = &answers.callback {
        all.push(file("/etc/credstore/callback-secret", 0o600, callback.secret.clone()));
        all.push(file(
            "/etc/systemd/system/supervisor.service.d/callback.conf",
            0o644,
            first_boot::callback(callback),
        ));
    }
    all
}
