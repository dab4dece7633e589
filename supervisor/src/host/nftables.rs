//! What is said to the packet filter of this network namespace without a program between: how often it was changed, and that
//! a table is to go. Messages of `linux/netfilter/nf_tables.h` over netlink(7).
//!
//! Deliberately absent: setting a table, whose messages are nft's affair.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use serde::{Deserialize, Serialize};

/// `NFNL_SUBSYS_NFTABLES`, in the upper byte of what a message is.
const NFTABLES: u16 = 10;
/// `NFT_MSG_GETGEN` and its answer, `NFT_MSG_NEWGEN`.
const GET_GENERATION: u16 = NFTABLES << 8 | 16;
const NEW_GENERATION: u16 = NFTABLES << 8 | 15;
/// `NFT_MSG_DELTABLE`: with everything in it (Linux 3.18).
const DELETE_TABLE: u16 = NFTABLES << 8 | 2;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`: what is between is one transaction.
const BEGIN: u16 = 16;
const END: u16 = 17;
/// `NLMSG_ERROR`: how a message ended, well or not.
const ENDED: u16 = 2;
/// `NLM_F_REQUEST`, and with it `NLM_F_ACK`: the end is told where it is a good one, too.
const REQUEST: u16 = 1;
const REQUEST_AND_TELL: u16 = REQUEST | 4;
/// `NFPROTO_UNSPEC`, `NFPROTO_INET`.
const ANY: u8 = 0;
const INET: u8 = 1;
/// `NFTA_GEN_ID`, `NFTA_TABLE_NAME`.
const NUMBER: u16 = 1;
const NAME: u16 = 1;
/// Bytes of `nlmsghdr`, and with `nfgenmsg` after it.
const HEADER: usize = 16;
const HEADERS: usize = HEADER + 4;

/// Where the packet filter stands: the kernel counts every change of any table, whoever makes it (Linux 3.14). As long as the
/// number is the same, what was found last time is still so, and listing it all again tells nothing new.
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
    let answer = ask(&message(GET_GENERATION, REQUEST, (ANY, 0), &[])).ok()?;
    Some(Generation { boot: boot.trim().to_owned(), network, number: number(&answer)? })
}

/// Takes a table of the `inet` family away, with everything in it, in one transaction; one that is not there is gone already.
///
/// # Errors
/// The kernel does not let us, or cannot.
pub(super) fn take_away(table: &str) -> io::Result<()> {
    let name = attribute(NAME, &[table.as_bytes(), b"\0"].concat());
    let batch = [
        message(BEGIN, REQUEST, (ANY, NFTABLES), &[]),
        message(DELETE_TABLE, REQUEST_AND_TELL, (INET, 0), &name),
        message(END, REQUEST, (ANY, NFTABLES), &[]),
    ];
    match ended(&ask(&batch.concat())?) {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Some(Err(error)) => Err(error),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Sends messages, and gives what comes back at once.
fn ask(messages: &[u8]) -> io::Result<Vec<u8>> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))?;
    // Port 0 is the kernel.
    sendto(&socket, messages, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = vec![0; 512];
    // It has answered before the sending returns.
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    answer.truncate(length);
    Ok(answer)
}

/// A message about a family and a resource; its sequence and its port are 0, since there is one answer on a socket of its own.
fn message(kind: u16, flags: u16, (family, resource): (u8, u16), attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADERS + attributes.len()).unwrap_or_default();
    [
        &length.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &[0; 8],
        // Version 0 of the family's own header.
        &[family, 0],
        &resource.to_be_bytes(),
        attributes,
    ]
    .concat()
}

/// `nlattr`, filled up to a multiple of four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len();
    let head = [u16::try_from(length).unwrap_or_default().to_ne_bytes(), kind.to_ne_bytes()].concat();
    let mut attribute = [&head, value].concat();
    attribute.resize(length.next_multiple_of(4), 0);
    attribute
}

/// What a message is, of its header.
fn kind(message: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(*message.get(4..)?.first_chunk()?))
}

/// How what was asked for ended; `None` where that is not what was answered.
fn ended(answer: &[u8]) -> Option<io::Result<()>> {
    if kind(answer)? != ENDED {
        return None;
    }
    match i32::from_ne_bytes(*answer.get(HEADER..)?.first_chunk()?) {
        0 => Some(Ok(())),
        error => Some(Err(io::Error::from_raw_os_error(error.saturating_neg()))),
    }
}

/// The number in an answer.
fn number(answer: &[u8]) -> Option<u32> {
    if kind(answer)? != NEW_GENERATION {
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
        let attributes = [attribute(3, b"nft\0"), attribute(NUMBER, &number.to_be_bytes())].concat();
        message(kind, 0, (ANY, 0), &attributes)
    }

    #[test]
    fn the_number_is_found_among_what_is_said_besides() {
        let whole = answer(NEW_GENERATION, 7);
        assert_eq!(number(&whole), Some(7));
        assert_eq!(number(&answer(GET_GENERATION, 7)), None);
        for cut in 0..whole.len() {
            assert_eq!(number(&whole[..cut]), None, "{cut}");
        }
        let endless = [&whole[..HEADERS], &[0, 0, 9, 0]].concat();
        assert_eq!(number(&endless), None);
    }

    #[test]
    fn how_it_ended_is_told_by_the_number_of_an_error() {
        let told = |error: i32| [&message(ENDED, 0, (ANY, 0), &[])[..HEADER], &error.to_ne_bytes()].concat();
        let kind = |answer: &[u8]| ended(answer).map(|ended| ended.map_err(|error| error.kind()));
        assert_eq!(kind(&told(0)), Some(Ok(())));
        assert_eq!(kind(&told(-2)), Some(Err(io::ErrorKind::NotFound)));
        assert_eq!(kind(&told(-1)), Some(Err(io::ErrorKind::PermissionDenied)));
        assert_eq!(kind(&told(0)[..HEADER + 3]), None);
        assert_eq!(kind(&answer(NEW_GENERATION, 7)), None);
    }

    #[test]
    fn a_value_that_is_no_multiple_of_four_is_filled_up() {
        assert_eq!(attribute(1, b"abc\0").len(), 8);
        let filled = attribute(1, b"abcd\0");
        assert_eq!((filled.len(), filled[0]), (12, 9), "its length is that of the value");
    }
}
