//! Kernel parameters: guide sections 2.1, 2.2 and 4.5.
//!
//! Deliberately absent: what the engine sets by itself (`net.ipv4.ip_forward`), and the guide's limits of inotify, which
//! stop no attack and take watches from containers.

use std::fmt::Write as _;

/// What a parameter is for; the audit has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What processes learn of the kernel and of each other.
    Kernel,
    /// What the host believes of its network.
    Network,
    /// Links, pipes and dumps in shared folders.
    Files,
    /// How many connections are remembered, and for how long.
    Connections,
}

/// How a value is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// This one.
    Exactly,
    /// This number or more: the kernel has stricter ones.
    AtLeast,
    /// This number or less.
    AtMost,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Sysctl {
    /// As `sysctl` has it: `kernel.kptr_restrict`.
    pub key: &'static str,
    /// What is written.
    pub value: &'static str,
    /// What else will do.
    pub want: Want,
    /// What it is for.
    pub topic: Topic,
    /// Why.
    pub why: &'static str,
}

const fn row(topic: Topic, key: &'static str, want: Want, value: &'static str, why: &'static str) -> Sysctl {
    Sysctl { key, value, want, topic, why }
}

use Topic::{Connections, Files, Kernel, Network};
use Want::{AtLeast, AtMost, Exactly};

/// Every one, in the order in which they are written. One that the kernel does not have is passed over.
pub const SYSCTLS: &[Sysctl] = &[
    row(Kernel, "kernel.kptr_restrict", AtLeast, "2", "kernel addresses help to aim an exploit"),
    row(Kernel, "kernel.dmesg_restrict", AtLeast, "1", "the kernel's log has addresses and what others do"),
    row(Kernel, "kernel.perf_event_paranoid", AtLeast, "3", "performance counters have been a way to root"),
    row(
        Kernel,
        "kernel.unprivileged_bpf_disabled",
        AtLeast,
        "1",
        "the verifier of eBPF has been a way to root",
    ),
    row(Kernel, "net.core.bpf_jit_harden", AtLeast, "2", "constants in compiled eBPF can be made to be code"),
    row(Kernel, "kernel.randomize_va_space", AtLeast, "2", "addresses that can be guessed can be jumped to"),
    row(
        Kernel,
        "kernel.yama.ptrace_scope",
        AtLeast,
        "2",
        "a process could read the memory of its user's others",
    ),
    row(
        Kernel,
        "kernel.kexec_load_disabled",
        AtLeast,
        "1",
        "root could start another kernel, past every signature",
    ),
    row(Kernel, "kernel.sysrq", AtMost, "0", "whoever has the console could kill, unmount and reboot"),
    row(
        Kernel,
        "kernel.apparmor_restrict_unprivileged_userns",
        AtLeast,
        "1",
        "a user namespace of one's own opens most of the kernel's attack surface (Ubuntu's kernels have it)",
    ),
    row(Network, "net.ipv4.conf.all.send_redirects", AtMost, "0", "this host is nobody's router"),
    row(Network, "net.ipv4.conf.default.send_redirects", AtMost, "0", "this host is nobody's router"),
    row(Network, "net.ipv4.conf.all.accept_source_route", AtMost, "0", "a sender may not choose the way"),
    row(Network, "net.ipv4.conf.default.accept_source_route", AtMost, "0", "a sender may not choose the way"),
    row(Network, "net.ipv6.conf.all.accept_source_route", AtMost, "0", "a sender may not choose the way"),
    row(Network, "net.ipv4.conf.all.accept_redirects", AtMost, "0", "a neighbour could take traffic over"),
    row(
        Network,
        "net.ipv4.conf.default.accept_redirects",
        AtMost,
        "0",
        "a neighbour could take traffic over",
    ),
    row(Network, "net.ipv6.conf.all.accept_redirects", AtMost, "0", "a neighbour could take traffic over"),
    row(
        Network,
        "net.ipv6.conf.default.accept_redirects",
        AtMost,
        "0",
        "a neighbour could take traffic over",
    ),
    row(Network, "net.ipv4.conf.all.secure_redirects", AtMost, "0", "a gateway could, too"),
    row(Network, "net.ipv4.conf.default.secure_redirects", AtMost, "0", "a gateway could, too"),
    row(
        Network,
        "net.ipv4.conf.all.rp_filter",
        AtLeast,
        "1",
        "a packet with an address from elsewhere is forged",
    ),
    row(
        Network,
        "net.ipv4.conf.default.rp_filter",
        AtLeast,
        "1",
        "a packet with an address from elsewhere is forged",
    ),
    row(Network, "net.ipv4.conf.all.log_martians", AtLeast, "1", "forged packets are worth knowing of"),
    row(
        Network,
        "net.ipv4.icmp_echo_ignore_broadcasts",
        AtLeast,
        "1",
        "others would be answered in our name",
    ),
    row(Network, "net.ipv4.icmp_ignore_bogus_error_responses", AtLeast, "1", "they only fill the log"),
    row(Network, "net.ipv4.tcp_syncookies", AtLeast, "1", "half-open connections must not fill the queue"),
    row(Network, "net.ipv4.tcp_synack_retries", AtMost, "2", "half-open connections are forgotten sooner"),
    row(
        Files,
        "fs.protected_hardlinks",
        AtLeast,
        "1",
        "a link to a file that one may not read outlives its mode",
    ),
    row(
        Files,
        "fs.protected_symlinks",
        AtLeast,
        "1",
        "a link in a shared folder leads a privileged program astray",
    ),
    row(
        Files,
        "fs.protected_fifos",
        AtLeast,
        "2",
        "a pipe in a shared folder takes what was meant for a file",
    ),
    row(
        Files,
        "fs.protected_regular",
        AtLeast,
        "2",
        "a file in a shared folder is there before its owner is",
    ),
    row(Files, "fs.suid_dumpable", AtMost, "0", "a dump of a privileged program holds its secrets"),
    row(Files, "kernel.core_pattern", Exactly, "|/bin/false", "a dump of any program holds its secrets"),
    row(Connections, "net.netfilter.nf_conntrack_max", AtLeast, "131072", "a full table drops everybody"),
    row(
        Connections,
        "net.netfilter.nf_conntrack_tcp_timeout_established",
        AtMost,
        "86400",
        "a dead connection is forgotten after a day, not five; the guide's hour cuts idle WebSockets",
    ),
    row(Connections, "net.netfilter.nf_conntrack_tcp_timeout_time_wait", AtMost, "30", "room for the living"),
    row(
        Connections,
        "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
        AtMost,
        "30",
        "room for the living",
    ),
    row(Connections, "net.netfilter.nf_conntrack_tcp_timeout_fin_wait", AtMost, "30", "room for the living"),
];

impl Sysctl {
    /// Its file below `/proc/sys`. No key here has a point in one of its parts.
    pub fn file(&self) -> String {
        format!("/proc/sys/{}", self.key.replace('.', "/"))
    }

    /// Whether a value will do.
    pub fn takes(&self, seen: &str) -> bool {
        let numbers = || Some((seen.parse::<i64>().ok()?, self.value.parse::<i64>().ok()?));
        match self.want {
            Exactly => seen == self.value,
            AtLeast => numbers().is_some_and(|(seen, wanted)| seen >= wanted),
            AtMost => numbers().is_some_and(|(seen, wanted)| seen <= wanted),
        }
    }
}

/// The text of a file for `/etc/sysctl.d`. A key that the kernel lacks is no failure there.
pub fn file() -> String {
    let mut text = String::from(
        "# What a hardened host says to its kernel. A key that this kernel does not have is passed over.\n",
    );
    for row in SYSCTLS {
        let _ = writeln!(text, "# {}\n-{} = {}", row.why, row.key, row.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_takes_what_it_writes() {
        for row in SYSCTLS {
            assert!(row.takes(row.value), "{}", row.key);
            assert!(!row.takes("nonsense"), "{}", row.key);
        }
    }

    #[test]
    fn no_parameter_is_there_twice() {
        let keys: std::collections::BTreeSet<_> = SYSCTLS.iter().map(|row| row.key).collect();
        assert_eq!(keys.len(), SYSCTLS.len());
    }
}
