//! Capability numbers and names (capabilities(7), linux/capability.h of Linux 6.12).
//!
//! Pure. Deliberately absent: which of them are dangerous; that is for the policy.

/// By number, without `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The mask of these names; a name that does not exist adds nothing, so that it can never be kept as promised.
pub fn mask<'a>(names: impl IntoIterator<Item = &'a str>) -> u64 {
    names
        .into_iter()
        .filter_map(|name| NAMES.iter().position(|known| *known == name))
        .fold(0, |mask, number| mask | 1 << number)
}

/// The names in a mask, in order of number: `none`, `NET_BIND_SERVICE`, `CHOWN,KILL`, `all 41`.
pub fn list(mask: u64) -> String {
    if mask == 0 {
        return "none".to_owned();
    }
    if mask.count_ones() > 12 {
        return format!("{} of them ({mask:x})", mask.count_ones());
    }
    let known = NAMES
        .iter()
        .enumerate()
        .filter(|(number, _)| mask >> number & 1 == 1)
        .map(|(_, name)| (*name).to_owned());
    let unknown =
        (NAMES.len()..64).filter(|number| mask >> number & 1 == 1).map(|number| format!("number {number}"));
    known.chain(unknown).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_masks_say_the_same() {
        assert_eq!(mask(["NET_BIND_SERVICE"]), 0x400);
        assert_eq!(list(0x400), "NET_BIND_SERVICE");
        assert_eq!(mask(["NO_SUCH"]), 0);
        assert_eq!(list(0), "none");
        assert_eq!(list(1 << 45), "number 45");
        assert_eq!(list(0x1ff_ffff_ffff), "41 of them (1ffffffffff)");
        assert_eq!(mask(NAMES), 0x1ff_ffff_ffff);
    }
}
