//! Services that listen or load code on a host that only runs containers, and has no use for them: guide section 2.8.
//!
//! Deliberately absent: any that a cloud's image needs to be reached.

/// Units that are off.
pub const UNNEEDED: &[&str] = &[
    "avahi-daemon.service",
    "avahi-daemon.socket",
    "bluetooth.service",
    "cups.service",
    "cups.socket",
    "exim4.service",
    "ModemManager.service",
    "multipathd.service",
    "nfs-server.service",
    "postfix.service",
    "rpcbind.service",
    "rpcbind.socket",
    "snapd.service",
    "snapd.socket",
    "telnet.socket",
    "udisks2.service",
    "vsftpd.service",
];
