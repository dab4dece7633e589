//! Who asks: the service behind an address on the stack's networks.
//!
//! The engine's resolver knows the address that each container has now, and a container can neither choose nor forge its
//! own: it has no capability for that. Deliberately absent: any name that a client gives of itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use super::names::Names;

/// For so long an answer is believed: a container that is gone may be followed by another at its address, which takes
/// the engine longer than this.
const FRESH: Duration = Duration::from_millis(250);

/// A service's container by the name that the engine resolves: `SERVICE=CONTAINER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The service.
    pub service: String,
    /// The container's name, which one container alone can have.
    pub container: String,
}

/// The text is not `SERVICE=CONTAINER`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not SERVICE=CONTAINER")]
pub struct NotACaller(String);

impl FromStr for Caller {
    type Err = NotACaller;

    fn from_str(text: &str) -> Result<Self, NotACaller> {
        match text.split_once('=') {
            Some((service, container)) if !service.is_empty() && !container.is_empty() => {
                Ok(Self { service: service.to_owned(), container: container.to_owned() })
            }
            _ => Err(NotACaller(text.to_owned())),
        }
    }
}

/// Everyone who may ask.
#[derive(Debug)]
pub struct Callers {
    rows: Vec<Caller>,
    known: RefCell<Known>,
}

/// Address to service, as of a moment.
#[derive(Debug, Default)]
struct Known {
    at: Option<Instant>,
    services: BTreeMap<IpAddr, String>,
}

impl Callers {
    /// These and no others.
    pub fn new(rows: Vec<Caller>) -> Self {
        Self { rows, known: RefCell::default() }
    }

    /// The service whose container has this address now.
    pub(super) async fn service(&self, address: IpAddr, names: &Names) -> Option<String> {
        let address = address.to_canonical();
        let fresh = self.known.borrow().at.is_some_and(|at| at.elapsed() < FRESH);
        if fresh && let Some(service) = self.known.borrow().services.get(&address) {
            return Some(service.clone());
        }
        let mut services = BTreeMap::new();
        let asked = self.rows.iter().map(async |row| (row, names.now(&row.container).await));
        for (row, found) in futures_util::future::join_all(asked).await {
            for found in found.unwrap_or_default() {
                services.insert(found.to_canonical(), row.service.clone());
            }
        }
        let service = services.get(&address).cloned();
        *self.known.borrow_mut() = Known { at: Some(Instant::now()), services };
        service
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_a_service_and_a_container() {
        let caller = Caller { service: "web".into(), container: "shop-web-1".into() };
        assert_eq!("web=shop-web-1".parse(), Ok(caller));
        for text in ["web", "=shop-web-1", "web="] {
            assert!(text.parse::<Caller>().is_err(), "{text}");
        }
    }
}
