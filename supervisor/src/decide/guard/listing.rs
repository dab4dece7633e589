//! What nft lists of a table, as JSON (libnftables-json(5)): which ruleset it says it is, what its counters say, and
//! a fingerprint of everything that does not change by itself.
//!
//! The fingerprint is compared with the one of the listing right after the table was set, by the same nft and kernel: what
//! one version prints is never compared with what another would. Deliberately absent: running nft.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::hash::digits;

/// A table as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The hash of the ruleset that it was made of, if it says so.
    pub ruleset: String,
    /// By row.
    pub counters: Counters,
    /// How many rules each chain has.
    pub rules: Rules,
    /// Of all that does not change by itself.
    pub fingerprint: String,
}

/// How many rules there are, by chain.
pub type Rules = BTreeMap<String, usize>;

/// What rows counted, by their names.
pub type Counters = BTreeMap<String, Count>;

/// What a row counted since the table was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Reads a listing; `None` where it is none.
pub fn read(text: &str) -> Option<Listing> {
    let document: Value = serde_json::from_str(text).ok()?;
    let mut listing = Listing::default();
    let mut digest = Sha256::new();
    for object in document.get("nftables")?.as_array()? {
        let Some((kind, fields)) = object.as_object().and_then(|object| object.iter().next()) else {
            continue;
        };
        if kind == "metainfo" {
            continue;
        }
        if kind == "counter" {
            let number = |key: &str| fields.get(key).and_then(Value::as_u64).unwrap_or_default();
            let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            listing.counters.insert(name, Count { packets: number("packets"), bytes: number("bytes") });
        }
        if let ("rule", Some(chain)) = (kind.as_str(), fields.get("chain").and_then(Value::as_str)) {
            *listing.rules.entry(chain.to_owned()).or_default() += 1;
        }
        let comment = fields.get("comment").and_then(Value::as_str);
        if let (true, "rule", Some(comment)) = (listing.ruleset.is_empty(), kind.as_str(), comment) {
            comment.clone_into(&mut listing.ruleset);
        }
        digest.update(kind);
        digest.update(lasting(fields).to_string());
    }
    listing.fingerprint = digits(&digest.finalize());
    Some(listing)
}

/// An object without its handle, its counts, and the sources that come and go; elements of a set have no order.
fn lasting(fields: &Value) -> Value {
    let mut fields = fields.clone();
    let Some(map) = fields.as_object_mut() else { return fields };
    for key in ["handle", "packets", "bytes"] {
        map.remove(key);
    }
    if map.contains_key("timeout") {
        map.remove("elem");
    }
    if let Some(Value::Array(elements)) = map.get_mut("elem") {
        elements.sort_by_key(Value::to_string);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"{"nftables": [
        {"metainfo": {"version": "1.0.6"}},
        {"table": {"family": "inet", "name": "supervisor-shop", "handle": 2}},
        {"counter": {"family": "inet", "name": "to-host", "table": "supervisor-shop", "handle": 3, "packets": 4, "bytes": 240}},
        {"set": {"family": "inet", "name": "bridges", "type": "ifname", "handle": 5, "elem": ["br-b", "br-a"]}},
        {"set": {"family": "inet", "name": "sources", "type": "ipv4_addr", "handle": 6, "timeout": 600, "elem": ["192.0.2.1"]}},
        {"rule": {"family": "inet", "chain": "arrivals", "handle": 7, "comment": "abcd", "expr": [{"accept": null}]}},
        {"rule": {"family": "inet", "chain": "to-host", "handle": 8, "comment": "efgh", "expr": [{"drop": null}]}}
    ]}"#;

    #[test]
    fn a_table_says_what_it_is_and_what_it_counted() {
        let listing = read(TABLE).unwrap();
        assert_eq!(listing.ruleset, "abcd");
        assert_eq!(listing.counters["to-host"], Count { packets: 4, bytes: 240 });
        assert_eq!(listing.rules, Rules::from([("arrivals".to_owned(), 1), ("to-host".to_owned(), 1)]));
        assert_eq!(read("{}"), None);
        assert_eq!(read("no"), None);
    }

    /// Whether a change of the text is a change of the table.
    #[track_caller]
    fn check(from: &str, to: &str, changes: bool) {
        assert!(TABLE.contains(from), "{from}");
        let (before, after) = (read(TABLE).unwrap(), read(&TABLE.replace(from, to)).unwrap());
        assert_eq!(before.fingerprint != after.fingerprint, changes, "{from} to {to}");
    }

    #[test]
    fn what_changes_by_itself_is_no_change() {
        check("\"packets\": 4", "\"packets\": 5", false);
        check("\"handle\": 8", "\"handle\": 9", false);
        check("\"br-b\", \"br-a\"", "\"br-a\", \"br-b\"", false);
        check("[\"192.0.2.1\"]", "[\"192.0.2.2\", \"192.0.2.3\"]", false);
        check("1.0.6", "1.1.5", false);
    }

    #[test]
    fn whatever_somebody_changes_is_one() {
        check("[{\"drop\": null}]", "[{\"accept\": null}]", true);
        check("\"br-b\", \"br-a\"", "\"br-a\"", true);
        check("\"chain\": \"to-host\"", "\"chain\": \"arrivals\"", true);
        check("{\"table\": {\"family\": \"inet\"", "{\"table\": {\"flags\": \"dormant\"", true);
    }
}
