//! A resolver for tests: it knows the names that it is told, and no others.
//!
//! One question, one answer, over UDP (RFC 1035). Deliberately absent: anything that leaves this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Addresses, and for how many seconds they may be believed.
type Row = (Vec<IpAddr>, u32);

/// A resolver that answers until it is dropped.
#[derive(Debug)]
pub struct Dns {
    names: Arc<Mutex<BTreeMap<String, Row>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    /// Answers at this address, which has to be one of this network's.
    #[track_caller]
    pub fn at(address: impl Into<IpAddr>) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new(address.into(), 53)).expect("the resolver's socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out on a socket");
        let dns = Self { names: Arc::default(), asked: Arc::default() };
        let (names, asked) = (Arc::clone(&dns.names), Arc::clone(&dns.asked));
        std::thread::spawn(move || {
            // The thread's own two and nobody else's: the resolver was dropped.
            while Arc::strong_count(&names) > 1 {
                let mut question = [0; 512];
                let Ok((length, client)) = socket.recv_from(&mut question) else { continue };
                let Some(answer) = answer(&question[..length], &names, &asked) else { continue };
                let _ = socket.send_to(&answer, client);
            }
        });
        dns
    }

    /// From now on a name has these addresses, and nobody is to believe it for longer than this question.
    #[track_caller]
    pub fn set(&self, name: &str, addresses: &[&str]) {
        self.set_for(name, addresses, 0);
    }

    /// From now on a name has these addresses, for so many seconds each time.
    #[track_caller]
    pub fn set_for(&self, name: &str, addresses: &[&str], seconds: u32) {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        self.names.lock().expect("the names").insert(name.to_owned(), (addresses, seconds));
    }

    /// The addresses that a name has now.
    #[track_caller]
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.names.lock().expect("the names").get(name).cloned().unwrap_or_default().0
    }

    /// Every name that was asked for, in order.
    #[track_caller]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the questions").clone()
    }
}

fn answer(
    question: &[u8],
    names: &Mutex<BTreeMap<String, Row>>,
    asked: &Mutex<Vec<String>>,
) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = question.get(at..at + 2)?;
    let end = at + 4;
    let name = labels.join(".");
    asked.lock().ok()?.push(name.clone());
    let found = names.lock().ok()?.get(&name).cloned();
    // Types A and AAAA (RFC 3596), of class IN.
    let wanted = |address: &IpAddr| if address.is_ipv4() { kind == [0, 1] } else { kind == [0, 28] };
    let seconds = found.as_ref().map_or(0, |(_, seconds)| *seconds);
    let records: Vec<IpAddr> =
        found.iter().flat_map(|(addresses, _)| addresses).copied().filter(wanted).collect();
    // Recursion was done; NXDOMAIN where nobody has that name.
    let code = if found.is_some() { 0x80 } else { 0x83 };
    let count = u8::try_from(records.len()).ok()?;
    let mut answer =
        [&question[..2], &[0x81, code, 0, 1, 0, count, 0, 0, 0, 0], question.get(12..end)?].concat();
    for address in records {
        // The name of the question, its type, class IN, its time to live.
        answer.extend([0xc0, 12]);
        answer.extend(kind);
        answer.extend([0, 1]);
        answer.extend(seconds.to_be_bytes());
        match address {
            IpAddr::V4(address) => answer.extend([&[0, 4][..], &address.octets()].concat()),
            IpAddr::V6(address) => answer.extend([&[0, 16][..], &address.octets()].concat()),
        }
    }
    Some(answer)
}
