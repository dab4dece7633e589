//! The script that cloud-init runs once, last: what has an order.
//!
//! Deliberately absent: anything that a file of settings can say (`files`).

use std::fmt::Write as _;

use super::answers::{Answers, Callback, Stack};
use crate::hardened::{engine, services};

/// Where it is.
pub(super) const PATH: &str = "/var/lib/cloud/scripts/hardened-first-boot";

/// A word for a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The script.
pub(super) fn script(answers: &Answers) -> String {
    let port = answers.ssh_port;
    let mut out = format!(
        "#!/bin/sh
# Runs once, by cloud-init. A step that fails ends it: nothing is started behind a firewall that is not there.
set -eu
export DEBIAN_FRONTEND=noninteractive
install() {{ apt-get --yes --quiet --option Dpkg::Options::=--force-confold install \"$@\"; }}
systemctl daemon-reload

echo 'hardened: firewall'
systemctl restart systemd-modules-load.service || true
sysctl --quiet --system || true
# What the kernel believes of the network is said in one place: ufw's own file would say otherwise, now and at each boot.
sed --in-place 's|^IPT_SYSCTL=.*|IPT_SYSCTL=|' /etc/default/ufw
ufw --force reset
ufw default deny incoming
ufw default deny outgoing
ufw default deny routed
ufw limit {port}/tcp comment SSH
ufw allow 80/tcp comment HTTP
ufw allow 443/tcp comment HTTPS
ufw allow 443/udp comment HTTP/3
ufw allow out 53 comment DNS
ufw allow out 80/tcp comment 'packages, certificates'
ufw allow out 443/tcp comment HTTPS
ufw allow out 123/udp comment NTP
ufw allow out to {containers} comment 'to containers, for their probes'
ufw logging low
ufw --force enable
systemctl enable ufw.service
systemctl enable edge-filter.service
systemctl restart edge-filter.service

echo 'hardened: SSH'
mkdir -p /run/sshd
sshd -t
# Ubuntu's socket has a port of its own.
if systemctl cat ssh.socket >/dev/null 2>&1; then systemctl disable --now ssh.socket || true; fi
systemctl enable ssh.service
systemctl restart ssh.service

echo 'hardened: guards'
# The distribution's own, with less rights: nothing executes from where everybody can write. Not by cloud-init, which passes
# over what is mounted of no device.
for place in /tmp /dev/shm; do
  grep --quiet \"^[^#]*[[:space:]]$place[[:space:]]\" /etc/fstab ||
    echo \"tmpfs $place tmpfs mode=1777,noexec,nosuid,nodev,size=25% 0 0\" >>/etc/fstab
  if mountpoint --quiet $place; then mount -o remount $place; else mount $place; fi
done
chmod 600 /boot/grub/grub.cfg 2>/dev/null || true
chmod 700 /root
for unit in {unneeded}; do systemctl disable --now \"$unit\" 2>/dev/null || true; done
for unit in apparmor auditd chrony fail2ban unattended-upgrades; do
  systemctl enable \"$unit.service\"
  systemctl restart \"$unit.service\" || echo \"hardened: $unit did not start\"
done

echo 'hardened: engine'
install docker.io prometheus-node-exporter
systemctl enable docker.service
systemctl restart docker.service

echo 'hardened: package'
",
        containers = engine::CONTAINERS,
        unneeded = services::UNNEEDED.join(" "),
    );
    if answers.package.starts_with('/') {
        let _ = writeln!(out, "install {}", word(&answers.package));
    } else {
        let _ = write!(
            out,
            "deb=/var/cache/supervisor.deb
curl --fail --silent --show-error --location --proto '=https' --retry 5 --output \"$deb\" {}
echo '{}  '\"$deb\" | sha256sum --check --quiet
install \"$deb\"
",
            word(&answers.package),
            answers.package_sha256
        );
    }
    out.push_str("\necho 'hardened: stack'\n");
    match &answers.stack {
        Stack::Init(variables) => {
            out.push_str("supervisor init /etc/supervisor");
            for (name, value) in variables {
                let option = match *name {
                    "SITE" => format!("--site {}", word(value)),
                    "TLS" => format!("--tls {}", word(value)),
                    name => format!("--set {}", word(&format!("{name}={value}"))),
                };
                let _ = write!(out, " {option}");
            }
            out.push_str(" >/dev/null\n");
        }
        Stack::Compose(_) => {}
    }
    out.push_str(
        "# What is refused is said here, and by the unit.
supervisor check --quiet -f /etc/supervisor/compose.yaml || true
systemctl enable supervisor.service
systemctl start --no-block supervisor.service

# Last, since it reads every file: what the system looks like now.
nice aideinit --yes --force >/dev/null 2>&1 && cp /var/lib/aide/aide.db.new /var/lib/aide/aide.db || true
echo 'hardened: done'
if [ -e /run/reboot-required ]; then shutdown --reboot +1 'an update asks for it'; fi
",
    );
    out
}

/// A drop-in of the unit that says whom to tell. The secret comes as a credential.
pub(super) fn callback(callback: &Callback) -> String {
    format!(
        "[Service]\nEnvironment=SUPERVISOR_CALLBACK_URL={}\nEnvironment=SUPERVISOR_INSTANCE_ID={}\nLoadCredential=callback-secret\n",
        callback.url.replace('%', "%%"),
        callback.instance
    )
}
