//! A promise to its Landlock rules: what `confine` takes away before it executes the service.
//!
//! Made from the mounts like the AppArmor profile, and for kernels without AppArmor too: everything is read, the
//! writable mounts alone are written to, nothing is executed from there. TCP ports are bounded where the file says which;
//! nobody can guess what else an ordinary program connects to. Deliberately absent: keeping the rules (`confine`).

use compose::model::{Landlock as Wish, Service, TcpPorts};

use crate::confinement::{Confinement, Kernel, Landlock, MountPromise, MountSource};

/// Where the program is in a container.
pub const PROGRAM: &str = "/.supervisor-confine";
/// What the program is among staged contents: kind and key.
pub const CONTENT: (&str, &str) = ("program", "confine");

/// The oldest Landlock that ordinary services can live under (Linux 5.19; see `confine::OLDEST`).
const OLDEST: u8 = 2;
/// The newest that the rules make use of (Linux 6.12; see `confine::NEWEST`).
const NEWEST: u8 = 6;
/// The first that bounds TCP ports (Linux 6.7).
const PORTS: u8 = 4;
/// Names are resolved over TCP where an answer is long.
const DNS: u16 = 53;
/// Runtimes whose containers run on this very kernel, as the engine names them.
const RUNTIMES: [&str; 2] = ["runc", "sysbox-runc"];

/// The rules for a service whose mounts are promised already.
pub(crate) fn landlock(service: &Service, confinement: &Confinement, kernel: Kernel) -> Landlock {
    let wish = service.supervisor.landlock.as_ref().map(|wish| wish.value);
    let ports = service.supervisor.tcp.as_ref().map(|ports| &ports.value);
    let required = wish == Some(Wish::Required);
    let absent = |why: &str| Landlock::Absent { why: why.to_owned(), required };
    if wish == Some(Wish::Off) {
        return Landlock::Off;
    }
    if let Some(runtime) = &service.runtime
        && !RUNTIMES.contains(&runtime.value.as_str())
    {
        return absent("its runtime may not run it on this kernel");
    }
    if kernel.landlock < OLDEST {
        return absent("this kernel has no Landlock of version 2 or newer (Linux 5.19)");
    }
    let ports = ports.filter(|ports| ports.bind.is_some() || ports.connect.is_some());
    if required && ports.is_some() && kernel.landlock < PORTS {
        return absent("this kernel's Landlock does not bound TCP ports (Linux 6.7)");
    }
    let abi = kernel.landlock.min(NEWEST);
    Landlock::Rules { abi, arguments: arguments(abi, confinement, ports.filter(|_| abi >= PORTS)) }
}

/// One argument a rule, as `confine::Rules::parse` reads them.
fn arguments(abi: u8, confinement: &Confinement, ports: Option<&TcpPorts>) -> Vec<String> {
    let mut arguments = vec![format!("--abi={abi}")];
    if !confinement.read_only_root {
        arguments.push("--write=/".to_owned());
    }
    arguments
        .extend(confinement.mounts.iter().filter(|m| is_data(m)).map(|m| format!("--write={}", m.target)));
    arguments.extend(confinement.exec_from.iter().map(|path| format!("--execute={path}")));
    let list = |ports: Vec<u16>| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    if let Some(bind) = ports.and_then(|ports| ports.bind.as_ref()) {
        arguments.push(format!("--bind={}", list(bind.iter().map(|port| port.get()).collect())));
    }
    if let Some(connect) = ports.and_then(|ports| ports.connect.as_ref()) {
        let resolver = connect.iter().all(|port| port.get() != DNS).then_some(DNS);
        let ports = connect.iter().map(|port| port.get()).chain(resolver);
        arguments.push(format!("--connect={}", list(ports.collect())));
    }
    arguments
}

fn is_data(mount: &MountPromise) -> bool {
    !mount.read_only && !matches!(mount.source, MountSource::Content { .. })
}

/// The program's own mount: root's, and read-only.
pub(crate) fn program() -> MountPromise {
    let (kind, key) = CONTENT;
    let source =
        MountSource::Content { kind: kind.to_owned(), key: key.to_owned(), uid: 0, gid: 0, mode: 0o555 };
    MountPromise { target: PROGRAM.to_owned(), source, read_only: true, written: false }
}
