//! The process that calls another machine: it gives its rights up, and is `curl` after that.
//!
//! Deliberately absent: a filter of system calls of its own, since the program is the machine's; the unit's is in force.

use std::path::Path;

use landlock::{
    Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, NetPort, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};

use rustix::thread::CapabilitySet;

use super::{LANDLOCK, SandboxError};

/// What it reads: itself and its libraries, certificates, and how names are resolved here.
const READ: [&str; 20] = [
    "/usr",
    "/bin",
    "/lib",
    "/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/resolv.conf",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/dev/null",
    "/dev/urandom",
];
/// Names, where an answer does not fit into a datagram.
const DNS: u16 = 53;

/// The caller's: no capability, no file but what a caller reads, no TCP but to `port`, and it ends with its parent.
///
/// # Errors
/// The kernel refuses a step; what was given up before it stays so.
pub fn caller(port: u16, ca: Option<&Path>) -> Result<(), SandboxError> {
    super::nothing_outlives_or_shows(CapabilitySet::empty())?;
    let read = READ.iter().map(Path::new).chain(ca);
    by_landlock(port, read)?;
    Ok(())
}

fn by_landlock<'a>(port: u16, read: impl Iterator<Item = &'a Path>) -> Result<(), RulesetError> {
    // Paths that are not there are passed over.
    let read = path_beneath_rules(read, AccessFs::from_read(LANDLOCK));
    let write = path_beneath_rules(["/dev/null"], AccessFs::WriteFile);
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rules(read)?
        .add_rules(write)?
        .add_rule(NetPort::new(port, AccessNet::ConnectTcp))?
        .add_rule(NetPort::new(DNS, AccessNet::ConnectTcp))?
        .restrict_self()?;
    Ok(())
}
