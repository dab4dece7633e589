//! A host on which every row passes.

use std::collections::BTreeMap;

use crate::audit::evidence::{
    Attested, Container, Engine, Evidence, Metadata, Mode, Placed, Read, Source, Stack,
};
use crate::audit::sources;
use crate::hardened::{modules, sshd, sysctl, watched};

/// What `sshd -T` prints of the settings that we write: words in lower case, values as they are.
fn sshd() -> String {
    sshd::file(22022, "operator")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .fold(String::new(), |text, (key, value)| text + &key.to_ascii_lowercase() + " " + value + "\n")
}

fn sysctls() -> String {
    sysctl::SYSCTLS.iter().fold(String::new(), |text, row| text + row.key + " = " + row.value + "\n")
}

const UFW: &str = "Status: active
Logging: on (low)
Default: deny (incoming), deny (outgoing), disabled (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
22022/tcp                  LIMIT IN    Anywhere                   # SSH
80,443/tcp                 ALLOW IN    Anywhere
443/udp                    ALLOW IN    Anywhere
22022/tcp (v6)             LIMIT IN    Anywhere (v6)              # SSH
53                         ALLOW OUT   Anywhere
";

const NFT: &str = "table inet edge {
	chain incoming {
		type filter hook prerouting priority -150; policy accept;
		drop
	}
}
";

const TCP: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:5606 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:23DC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1
";
const UNITS: &str = "auditd.service                     loaded active   running Security Auditing Service
prometheus-node-exporter.service   loaded active   running Prometheus exporter
falco.service                      loaded active   running Falco
snapd.service                      loaded inactive dead    Snap Daemon
";
const MOUNTS: &str = "/dev/vda1 / ext4 rw,relatime 0 0
tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec 0 0
tmpfs /tmp tmpfs rw,nosuid,nodev,noexec,relatime 0 0
";
const APT: &str = "APT::Periodic \"\";
APT::Periodic::Update-Package-Lists \"1\";
APT::Periodic::Unattended-Upgrade \"1\";
";
fn text(source: Source) -> String {
    match source {
        Source::Sysctls => sysctls(),
        Source::Folder("/etc/modprobe.d") => modules::file(),
        Source::Folder(_) => {
            "# /sys/devices/system/cpu/vulnerabilities/meltdown\nMitigation: PTI\n".to_owned()
        }
        Source::File(path) => match path {
            "/proc/1/net/tcp" => TCP,
            "/proc/1/net/tcp6" | "/proc/1/net/udp" | "/proc/1/net/udp6" => "  sl  local_address\n",
            "/etc/docker/daemon.json" => r#"{"userland-proxy": false, "log-opts": {"max-size": "10m"}}"#,
            "/etc/group" => "root:x:0:\ndocker:x:997:\n",
            "/etc/passwd" => {
                "root:x:0:0:root:/root:/bin/bash\noperator:x:1000:1000::/home/operator:/bin/bash\n"
            }
            "/etc/shadow" => "root:*:20000:0:99999:7:::\noperator:!:20000:0:99999:7:::\n",
            "/proc/modules" => "nf_tables 376832 100 - Live 0x0\n",
            "/sys/module/apparmor/parameters/enabled" => "Y\n",
            "/sys/kernel/security/apparmor/profiles" => "supervisor-a.web-1 (enforce)\n",
            "/proc/1/mounts" => MOUNTS,
            _ => panic!("no good text for {path}"),
        }
        .to_owned(),
        Source::Output(words) => match words {
            ["sshd", ..] => return sshd(),
            ["ufw", ..] => UFW,
            ["nft", ..] => NFT,
            ["iptables" | "ip6tables", ..] => "-N DOCKER-USER\n",
            ["systemctl", "is-enabled", _] => "enabled\n",
            ["systemctl", "is-active", _] => "active\n",
            ["systemctl", "list-units", ..] => UNITS,
            ["systemd-analyze", ..] => "→ Overall exposure level for supervisor.service: 1.9 OK :-)\n",
            ["auditctl", "-l"] => return watched::rules(),
            ["auditctl", ..] => "enabled 2\nfailure 1\n",
            ["apt-config", ..] => APT,
            ["timedatectl", ..] => "NTPSynchronized=yes\n",
            ["chronyc", ..] => "Leap status     : Normal\n",
            _ => panic!("no good text for {words:?}"),
        }
        .to_owned(),
        Source::Mode("/run/docker.sock") => "0660 0 997".to_owned(),
        Source::Mode("/root" | "/var/lib/supervisor") => "0700 0 0".to_owned(),
        Source::Mode(_) => "0600 0 0".to_owned(),
        Source::Engine | Source::Containers | Source::Metadata | Source::Stack | Source::Attestation => {
            String::new()
        }
    }
}

/// The host.
pub(super) fn evidence() -> Evidence {
    let mut read: BTreeMap<Source, Read> =
        sources().into_iter().map(|source| (source, Read::Text(text(source)))).collect();
    read.insert(Source::Mode("/run/reboot-required"), Read::Missing);
    Evidence {
        read,
        engine: Ok(Engine {
            version: "28.5.2".into(),
            runc: Some("1.3.6".into()),
            advice: Vec::new(),
            security: [
                "name=apparmor",
                "name=seccomp,profile=builtin",
                "name=cgroupns",
                "name=no-new-privileges",
            ]
            .map(String::from)
            .to_vec(),
            live_restore: true,
            log_driver: "json-file".into(),
            authorization: Vec::new(),
            insecure_registries: Vec::new(),
            swarm: false,
            default_bridge_icc: Some(false),
        }),
        containers: Ok(vec![container()]),
        metadata: Metadata { host: true, containers: Vec::new(), unread: Vec::new(), tried: 1 },
        stack: Some(Stack {
            findings: (0, 0),
            admitted: true,
            files: vec![
                placed("/etc/supervisor/compose.yaml", false, 0o644),
                placed("/etc/supervisor/secrets/token", true, 0o600),
            ],
            caddyfile: Some(crate::stack::CADDYFILE.to_owned()),
        }),
        attestation: Ok(Attested::Held(1)),
    }
}

pub(super) fn container() -> Container {
    Container {
        name: "a-web-1".into(),
        privileged: false,
        memory: 1 << 27,
        nano_cpus: 500_000_000,
        pids: 100,
        host_namespaces: Vec::new(),
        read_only_root: true,
        binds: vec!["/srv/a".into()],
        published: vec![(443, "0.0.0.0:443/tcp".into())],
        label: Read::Text("supervisor-a.web-1 (enforce)\n".into()),
        status: Read::Text(
            "Name:\tcaddy\nUid:\t1001\t1001\t1001\t1001\nNoNewPrivs:\t1\nSeccomp:\t2\n".into(),
        ),
    }
}

fn placed(path: &str, secret: bool, bits: u32) -> Placed {
    Placed { path: path.to_owned(), secret, mode: Some(Mode { bits, uid: 0, gid: 0 }) }
}
