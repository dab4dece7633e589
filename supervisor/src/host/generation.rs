//! How often the packet filter of this network namespace was changed: the kernel counts every change of any table, whoever
//! makes it (`NFT_MSG_GETGEN` of `linux/netfilter/nf_tables.h`, Linux 3.14).
//!
//! As long as the number is the same, what was found last time is still so, and listing it all again tells nothing new. One
//! message to the kernel and one back (netlink(7)). Deliberately absent: everything else that netlink can say.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use serde::{Deserialize, Serialize};

/// `NFNL_SUBSYS_NFTABLES` in the upper byte, `NFT_MSG_GETGEN` and `NFT_MSG_NEWGEN` in the lower.
const QUESTION: u16 = 10 << 8 | 16;
const ANSWER: u16 = 10 << 8 | 15;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NFTA_GEN_ID`.
const NUMBER: u16 = 1;
/// Bytes of `nlmsghdr` and of `nfgenmsg` after it.
const HEADERS: usize = 16 + 4;

/// Where the packet filter stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    /// Of which boot: the number begins again with the kernel.
    boot: String,
    /// Of which network namespace, by its inode.
    network: u64,
    /// Changes so far.
    number: u32,
}

/// Where it stands now; `None` where the kernel does not say.
pub(super) fn generation() -> Option<Generation> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = fs::metadata("/proc/self/ns/net").ok()?.ino();
    Some(Generation { boot: boot.trim().to_owned(), network, number: ask().ok()? })
}

fn ask() -> io::Result<u32> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))?;
    // Port 0 is the kernel.
    sendto(&socket, &question(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 512];
    // It has answered before the sending returns.
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    answer.get(..length).and_then(number).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn question() -> Vec<u8> {
    let length = u32::try_from(HEADERS).unwrap_or_default();
    [
        &length.to_ne_bytes()[..],
        &QUESTION.to_ne_bytes(),
        &REQUEST.to_ne_bytes(),
        // Sequence and port: one question, one answer. Then any family, version 0, resource 0.
        &[0; 8],
        &[0; 4],
    ]
    .concat()
}

/// The number in an answer.
fn number(answer: &[u8]) -> Option<u32> {
    let short = |at: usize| Some(u16::from_ne_bytes(*answer.get(at..)?.first_chunk()?));
    if short(4)? != ANSWER {
        return None;
    }
    let mut attributes = answer.get(HEADERS..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        let value = attributes.get(4..length)?;
        if kind == NUMBER {
            return Some(u32::from_be_bytes(*value.first_chunk()?));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as the kernel gives it: the number, and who changed something last.
    fn answer(kind: u16, number: u32) -> Vec<u8> {
        let name = [&[8, 0, 3, 0][..], b"nft\0"].concat();
        let number = [&[8, 0, 1, 0][..], &number.to_be_bytes()].concat();
        let head = [&[0; 4][..], &kind.to_ne_bytes(), &[0; 10], &[0; 4]].concat();
        [head, name, number].concat()
    }

    #[test]
    fn the_number_is_found_among_what_is_said_besides() {
        assert_eq!(number(&answer(ANSWER, 7)), Some(7));
        assert_eq!(number(&answer(QUESTION, 7)), None);
        for cut in 0..answer(ANSWER, 7).len() {
            assert_eq!(number(&answer(ANSWER, 7)[..cut]), None, "{cut}");
        }
        let endless = [&answer(ANSWER, 7)[..HEADERS], &[0, 0, 9, 0]].concat();
        assert_eq!(number(&endless), None);
    }
}
