//! Kinds of sockets that no service needs, and the network itself.
//!
//! Deliberately absent: where a plain socket leads (`network`).

use std::ffi::c_long;
use std::io::Result;
use std::net::UdpSocket;

use crate::kernel::{call, descriptor, pointer_mut, zero};
use crate::number;
use crate::row::{Attempt, Class, Layer, Needs};

const AF_INET: c_long = 2;
const AF_NETLINK: c_long = 16;
const AF_PACKET: c_long = 17;
const AF_RDS: c_long = 21;
const AF_ALG: c_long = 38;
const AF_VSOCK: c_long = 40;
const AF_XDP: c_long = 44;
const STREAM: c_long = 1;
const RAW: c_long = 3;
const SEQUENCED: c_long = 5;

const FILTER: &[Layer] = &[Layer::Seccomp];
const BOTH: &[Layer] = &[Layer::Seccomp, Layer::Capabilities];

pub(crate) const CLASS: Class = Class {
    name: "sockets",
    attempts: &[
        Attempt {
            id: "raw-socket",
            tries: "a raw socket for ICMP",
            done: "it can send packets of its own making",
            why: "false addresses, and scans that no log shows",
            layers: BOTH,
            run: || socket(AF_INET, RAW, 1),
            needs: Needs::Rights,
        },
        Attempt {
            id: "packet-socket",
            tries: "a packet socket",
            done: "it hears and sends whole frames on its network",
            why: "it can answer in a neighbour's place; and a line of kernel bugs (CVE-2020-14386)",
            layers: BOTH,
            run: || socket(AF_PACKET, RAW, 0),
            needs: Needs::Rights,
        },
        Attempt {
            id: "alg-socket",
            tries: "a socket of the kernel's cryptography",
            done: "it talks to drivers that parse what it sends",
            why: "a line of kernel bugs, and no use for a service",
            layers: FILTER,
            run: || socket(AF_ALG, SEQUENCED, 0),
            needs: Needs::Machine("AF_ALG"),
        },
        Attempt {
            id: "vsock-socket",
            tries: "a socket to the hypervisor",
            done: "it talks past every network, to the host of the virtual machine",
            why: "no firewall sees it",
            layers: FILTER,
            run: || socket(AF_VSOCK, STREAM, 0),
            needs: Needs::Machine("AF_VSOCK"),
        },
        Attempt {
            id: "xdp-socket",
            tries: "a socket of the express data path",
            done: "it shares rings with the network driver",
            why: "a wide door into the kernel",
            layers: BOTH,
            run: || socket(AF_XDP, RAW, 0),
            needs: Needs::Machine("AF_XDP"),
        },
        Attempt {
            id: "rds-socket",
            tries: "a socket of a family that is a module (`AF_RDS`)",
            done: "the host loaded kernel code because a container asked",
            why: "how bugs in code that nobody uses are reached (CVE-2010-3904)",
            layers: FILTER,
            run: || socket(AF_RDS, SEQUENCED, 0),
            needs: Needs::Machine("AF_RDS"),
        },
        Attempt {
            id: "netfilter-socket",
            tries: "a netlink socket to the packet filter",
            done: "it talks to the packet filter",
            why: "the door of most kernel escapes since 2021",
            layers: FILTER,
            run: || socket(AF_NETLINK, RAW, 12),
            needs: Needs::Rights,
        },
        Attempt {
            id: "audit-socket",
            tries: "a netlink socket to the audit system",
            done: "it talks to the audit system",
            why: "what would show the attack",
            layers: FILTER,
            run: || socket(AF_NETLINK, RAW, 9),
            needs: Needs::Machine("audit"),
        },
        Attempt {
            id: "mptcp-socket",
            tries: "a socket of multipath TCP",
            done: "it is served by code that no service asked for",
            why: "a young protocol with a line of kernel bugs",
            layers: FILTER,
            run: || socket(AF_INET, STREAM, 262),
            needs: Needs::Machine("MPTCP"),
        },
        Attempt {
            id: "sctp-socket",
            tries: "a socket of SCTP",
            done: "the host loaded kernel code because a container asked",
            why: "as `rds-socket`",
            layers: FILTER,
            run: || socket(AF_INET, STREAM, 132),
            needs: Needs::Machine("SCTP"),
        },
        Attempt {
            id: "network-change",
            tries: "sets the flags of its loopback, to what they are",
            done: "it may change addresses, routes and packet filters of its network",
            why: "it can take a neighbour's address",
            layers: &[Layer::Capabilities],
            run: same_flags,
            needs: Needs::Rights,
        },
    ],
};

fn socket(family: c_long, kind: c_long, protocol: c_long) -> Result<()> {
    zero(&[number::SOCKET, family, kind, protocol])
}

fn same_flags() -> Result<()> {
    const SIOCGIFFLAGS: c_long = 0x8913;
    const SIOCSIFFLAGS: c_long = 0x8914;
    let any = UdpSocket::bind("127.0.0.1:0")?;
    // `struct ifreq`: the name, then what is asked for.
    let mut request = [0_u8; 40];
    request[..2].copy_from_slice(b"lo");
    let request = pointer_mut(&mut request);
    call(&[number::IOCTL, descriptor(&any), SIOCGIFFLAGS, request])?;
    zero(&[number::IOCTL, descriptor(&any), SIOCSIFFLAGS, request])
}
