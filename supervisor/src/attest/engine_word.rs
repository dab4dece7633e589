//! What the engine says beside what the file says: whose container it is, its image, its networks, its ports.

use super::{Case, Check};
use crate::decide::{hash, labels};

/// Its labels are those that this very promise gives: a container that someone started by hand has others, or the
/// right ones and fails elsewhere.
pub(super) fn ours(case: &Case<'_>) -> Vec<Check> {
    let ours = labels::parse(case.engine.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let wanted = hash::container(case.spec);
    let seen = match ours.hash {
        _ if ours.project.as_deref() != Some(&case.spec.project)
            || ours.service.as_deref() != Some(&case.spec.service) =>
        {
            ("labels of another service".to_owned(), false)
        }
        Some(hash) if hash == wanted => ("this file".to_owned(), true),
        Some(_) => ("another state of the file; `supervisor up` recreates it".to_owned(), false),
        None => ("somebody by hand: it has no hash label".to_owned(), false),
    };
    vec![Check::compared("made from", "this file", Ok(seen))]
}

/// An image's id as people read it.
pub(super) fn short(id: &str) -> String {
    id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect()
}

/// The image, by its id.
pub(super) fn image(case: &Case<'_>) -> Vec<Check> {
    let (wanted, seen) = (&case.spec.image_id, &case.engine.image_id);
    vec![Check::compared("image", short(wanted), Ok((short(seen), !wanted.is_empty() && wanted == seen)))]
}

/// On the promised networks and no other, at the promised addresses.
pub(super) fn networks(case: &Case<'_>) -> Vec<Check> {
    let name_all = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let row = |name: &str, address: Option<String>| match address {
        Some(address) => format!("{name} at {address}"),
        None => name.to_owned(),
    };
    let wanted =
        case.spec.networks.iter().map(|(name, at)| row(name, at.ipv4.map(|ip| ip.to_string()))).collect();
    let joined = case.engine.networks.iter().filter(|(name, _)| *name != "none");
    let seen: Vec<String> = joined
        .clone()
        .map(|(name, joined)| {
            let fixed = case.spec.networks.get(name).is_some_and(|at| at.ipv4.is_some());
            row(name, joined.ipv4.filter(|_| fixed).map(|ip| ip.to_string()))
        })
        .collect();
    let same = case.spec.networks.len() == seen.len()
        && joined.into_iter().all(|(name, joined)| {
            case.spec.networks.get(name).is_some_and(|at| {
                at.ipv4.is_none_or(|ip| joined.ipv4 == Some(ip.into()))
                    && at.ipv6.is_none_or(|ip| joined.ipv6 == Some(ip.into()))
            })
        });
    vec![Check::compared("networks", name_all(wanted), Ok((name_all(seen), same)))]
}

/// Published on the host as the file says, and nowhere else.
pub(super) fn ports(case: &Case<'_>) -> Vec<Check> {
    let list = |ports: &std::collections::BTreeSet<crate::decide::spec::PortSpec>| {
        let rows: Vec<String> = ports
            .iter()
            .map(|p| format!("{}/{}", std::net::SocketAddr::new(p.host_ip, p.host_port), p.protocol))
            .collect();
        if rows.is_empty() { "none".to_owned() } else { rows.join(", ") }
    };
    // A port that the engine chooses is 0 in the promise.
    let free = |port: &crate::decide::spec::PortSpec| crate::decide::spec::PortSpec {
        host_port: if case
            .spec
            .ports
            .iter()
            .any(|w| w.host_port == 0 && w.container_port == port.container_port)
        {
            0
        } else {
            port.host_port
        },
        ..port.clone()
    };
    let seen: std::collections::BTreeSet<_> = case.engine.ports.iter().map(free).collect();
    vec![Check::compared(
        "ports",
        list(&case.spec.ports),
        Ok((list(&case.engine.ports), seen == case.spec.ports)),
    )]
}
