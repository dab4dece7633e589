//! Names to addresses, asked of the resolver that the container was given.
//!
//! An answer for a destination is believed for as long as it says, within bounds. What is kept is judged again for each new
//! connection, and is what is connected to, so that no second answer can stand for one that was judged. Deliberately absent:
//! keeping that a name has no address, or that nobody answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::base::iana::Rtype;
use domain::base::{Message, Name};
use domain::rdata::{A, Aaaa};
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};
use tokio::time::Instant;

use crate::host::resolvers::nameservers;

/// Where the engine says who resolves names (resolv.conf(5)).
const CONFIGURATION: &str = "/etc/resolv.conf";
/// Where they answer (RFC 1035, section 4.2).
const PORT: u16 = 53;

/// The longest that an answer is believed, whatever it says: a name whose address changes is followed within a minute.
const LONGEST: Duration = Duration::from_mins(1);
/// Names that are kept. A wildcard lets a service invent them.
const KEPT: usize = 256;

/// The resolvers of `/etc/resolv.conf`, and what they said lately.
#[derive(Debug)]
pub(super) struct Names {
    resolver: StubResolver,
    kept: RefCell<Kept>,
    began: Instant,
}

impl Default for Names {
    /// The file is read here: the library takes names of resolvers as well as their addresses, and brings along for that
    /// all by which the C library resolves names, a fiftieth of this program.
    fn default() -> Self {
        let text = std::fs::read_to_string(CONFIGURATION).unwrap_or_default();
        let mut configuration = ResolvConf::new();
        configuration.servers =
            servers(&text).map(|address| ServerConf::new(address, Transport::UdpTcp)).collect();
        configuration.finalize();
        Self {
            resolver: StubResolver::from_conf(configuration),
            kept: RefCell::default(),
            began: Instant::now(),
        }
    }
}

/// `nameserver` rows that say an address, which are all that there are.
fn servers(text: &str) -> impl Iterator<Item = SocketAddr> {
    nameservers(text).filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, PORT)))
}

impl Names {
    /// Every address of a destination, IPv4 first; empty where it has none.
    ///
    /// # Errors
    /// The name cannot be one, or nobody answers.
    pub(super) async fn destination(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(addresses) = self.kept.borrow().get(name, self.began.elapsed()) {
            return Ok(addresses);
        }
        let Found { addresses, lasts } = self.ask(name).await?;
        self.kept.borrow_mut().put(name, &addresses, lasts, self.began.elapsed());
        Ok(addresses)
    }

    /// Nobody took a connection there: the next one asks again.
    pub(super) fn forget(&self, name: &str) {
        self.kept.borrow_mut().0.remove(name);
    }

    /// Every address that a name has now.
    ///
    /// # Errors
    /// The name cannot be one, or nobody answers.
    pub(super) async fn now(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.ask(name).await.map(|found| found.addresses)
    }

    async fn ask(&self, name: &str) -> io::Result<Found> {
        let name: Name<Vec<u8>> = name.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
        let (four, six) =
            tokio::join!(self.resolver.query((&name, Rtype::A)), self.resolver.query((&name, Rtype::AAAA)));
        let (four, six) = match (four, six) {
            (Err(error), Err(_)) => return Err(error),
            // Some resolvers answer one kind of question alone.
            (four, six) => (four.ok(), six.ok()),
        };
        let answers = [four.as_ref(), six.as_ref()];
        let mut addresses: Vec<IpAddr> =
            answers.iter().flatten().flat_map(|answer| in_answer(answer.for_slice())).collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        let lasts = answers.iter().flatten().filter_map(|answer| lasts(answer.for_slice())).min();
        Ok(Found { addresses, lasts: lasts.unwrap_or_default() })
    }
}

/// What the resolvers said of a name.
struct Found {
    addresses: Vec<IpAddr>,
    /// For how long.
    lasts: Duration,
}

/// The addresses of the name that was asked for, or of the one that it stands for.
fn in_answer(answer: &Message<[u8]>) -> Vec<IpAddr> {
    let (Some(owner), Ok(section)) = (answer.canonical_name(), answer.answer()) else { return Vec::new() };
    let four = section.limit_to::<A>().flatten().filter(|row| *row.owner() == owner);
    let six = section.limit_to::<Aaaa>().flatten().filter(|row| *row.owner() == owner);
    four.map(|row| row.data().addr().into()).chain(six.map(|row| row.data().addr().into())).collect()
}

/// How long the shortest-lived row of an answer holds; `None` where there is none.
fn lasts(answer: &Message<[u8]>) -> Option<Duration> {
    let rows = answer.answer().ok()?.flatten();
    rows.map(|row| row.ttl().into_duration()).min()
}

/// Answers, each until a moment; moments are times since the start.
#[derive(Debug, Default)]
struct Kept(BTreeMap<String, (Vec<IpAddr>, Duration)>);

impl Kept {
    fn get(&self, name: &str, now: Duration) -> Option<Vec<IpAddr>> {
        let (addresses, until) = self.0.get(name)?;
        (now < *until).then(|| addresses.clone())
    }

    fn put(&mut self, name: &str, addresses: &[IpAddr], lasts: Duration, now: Duration) {
        if addresses.is_empty() || lasts.is_zero() {
            self.0.remove(name);
            return;
        }
        if self.0.len() >= KEPT {
            self.0.retain(|_, (_, until)| now < *until);
        }
        if self.0.len() < KEPT || self.0.contains_key(name) {
            self.0.insert(name.to_owned(), (addresses.to_vec(), now + lasts.min(LONGEST)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_asked_in_the_files_order() {
        let text = "# by the engine\nsearch example.com\nnameserver 127.0.0.11\nnameserver ::1 # second\noptions ndots:0\n";
        let found: Vec<String> = servers(text).map(|address| address.to_string()).collect();
        assert_eq!(found, ["127.0.0.11:53", "[::1]:53"]);
        assert_eq!(servers("nameserver resolver.example.com\nnameserver\n").count(), 0);
    }

    /// An answer of a resolver (RFC 1035, section 4.1), each row with the name that it is about, its life, and an address.
    fn answer(rows: &[(&str, u32, [u8; 4])]) -> Message<Vec<u8>> {
        let short = |length: usize| u8::try_from(length).unwrap();
        let mut text: Vec<u8> = [0, 7, 0x81, 0x80, 0, 1, 0, short(rows.len()), 0, 0, 0, 0].into();
        let name = |name: &str| -> Vec<u8> {
            let labels = name.split('.').flat_map(|label| [&[short(label.len())], label.as_bytes()].concat());
            labels.chain([0]).collect()
        };
        text.extend([name("a.example.com"), vec![0, 1, 0, 1]].concat());
        for (owner, life, address) in rows {
            text.extend([&name(owner)[..], &[0, 1, 0, 1], &life.to_be_bytes(), &[0, 4], address].concat());
        }
        Message::from_octets(text).unwrap()
    }

    #[test]
    fn an_answer_is_about_the_name_that_was_asked_for_and_holds_as_long_as_its_shortest_row() {
        let both = answer(&[("a.example.com", 60, [1, 1, 1, 1]), ("b.example.com", 20, [2, 2, 2, 2])]);
        assert_eq!(in_answer(both.for_slice()), ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(lasts(both.for_slice()), Some(Duration::from_secs(20)));
        let none = answer(&[]);
        assert_eq!((in_answer(none.for_slice()), lasts(none.for_slice())), (Vec::new(), None));
    }

    #[test]
    fn an_answer_is_kept_for_as_long_as_it_says_and_a_minute_at_most() {
        let address: IpAddr = "1.1.1.1".parse().unwrap();
        let second = Duration::from_secs;
        let mut kept = Kept::default();
        kept.put("short", &[address], second(5), second(10));
        kept.put("long", &[address], second(86_400), second(10));
        kept.put("not at all", &[address], second(0), second(10));
        kept.put("without", &[], second(5), second(10));
        let names = ["short", "long", "not at all", "without"];
        let at = |now| names.map(|name| kept.get(name, second(now)).is_some());
        assert_eq!(at(14), [true, true, false, false]);
        assert_eq!(at(15), [false, true, false, false]);
        assert_eq!(at(69), [false, true, false, false]);
        assert_eq!(at(70), [false; 4]);
    }

    #[test]
    fn names_that_a_service_invents_do_not_fill_the_memory() {
        let address: IpAddr = "1.1.1.1".parse().unwrap();
        let mut kept = Kept::default();
        for n in 0..2 * KEPT {
            kept.put(&format!("n{n}.example.com"), &[address], LONGEST, Duration::ZERO);
        }
        assert_eq!(kept.0.len(), KEPT);
        kept.put("late.example.com", &[address], LONGEST, LONGEST);
        assert_eq!(kept.0.keys().collect::<Vec<_>>(), ["late.example.com"]);
    }
}
