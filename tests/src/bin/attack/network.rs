//! Where a plain connection leads.
//!
//! Deliberately absent: sending anything; that somebody answered is enough.

use std::fs;
use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::kernel::{errno, error};
use crate::row::{Attempt, Class, Layer, Needs};

pub(crate) const CLASS: Class = Class {
    name: "network",
    attempts: &[
        Attempt {
            id: "metadata",
            tries: "connects to 169.254.169.254",
            done: "the cloud's metadata service would have answered",
            why: "it hands out the machine's credentials",
            layers: &[Layer::Network],
            run: || reached(([169, 254, 169, 254], 80).into()),
            needs: Needs::Rights,
        },
        Attempt {
            id: "call-home",
            tries: "connects to an address of another network",
            done: "it reaches whoever it likes",
            why: "how what was stolen leaves, and how orders come in",
            layers: &[Layer::Network],
            run: || reached(([203, 0, 113, 7], 443).into()),
            needs: Needs::Rights,
        },
        Attempt {
            id: "host-by-bridge",
            tries: "connects to the host's own address on the container's network",
            done: "the host answers: what listens on all addresses there is in reach",
            why: "probes come from that address, so that the address cannot be taken away",
            layers: &[Layer::Guard],
            run: host_by_bridge,
            needs: Needs::Rights,
        },
        Attempt {
            id: "engine-socket",
            tries: "looks for a container engine's socket in the usual places and connects",
            done: "it talks to the engine",
            why: "root on the host",
            layers: &[Layer::Mounts],
            run: engine_socket,
            needs: Needs::Weakness(listen_as_an_engine),
        },
    ],
};

/// Whether somebody answers there: a refusal is an answer too.
fn reached(address: SocketAddr) -> Result<()> {
    match TcpStream::connect_timeout(&address, Duration::from_secs(3)) {
        Err(error) if error.raw_os_error() == Some(errno::ECONNREFUSED) => Ok(()),
        other => other.map(drop),
    }
}

/// Engines give a bridge the first address of its subnet.
fn host_by_bridge() -> Result<()> {
    let routes = fs::read_to_string("/proc/net/route")?;
    let subnets = routes.lines().skip(1).filter_map(|route| {
        let destination = u32::from_str_radix(route.split_whitespace().nth(1)?, 16).ok()?;
        (destination != 0).then(|| Ipv4Addr::from(u32::from_be(destination) + 1))
    });
    let mut last = Err(error(errno::ENOENT));
    for host in subnets {
        last = reached((host, 1).into());
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Where engines listen.
const ENGINES: [&str; 6] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
    "/run/buildkit/buildkitd.sock",
];

fn engine_socket() -> Result<()> {
    let answers = ENGINES.iter().any(|socket| UnixStream::connect(socket).is_ok());
    if answers { Ok(()) } else { Err(error(errno::ENOENT)) }
}

fn listen_as_an_engine() -> Result<()> {
    fs::create_dir_all("/run")?;
    let _ = fs::remove_file(ENGINES[0]);
    std::mem::forget(UnixListener::bind(ENGINES[0])?);
    Ok(())
}
