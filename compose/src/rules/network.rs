//! What a service is reached by and what it reaches: published ports, networks, names and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::finding::Severity;
use crate::model::{Network, PublishedPort, Service};
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};
use crate::prefix::Prefix;
use crate::source::At;

use super::{is_any, place};

/// `internal: true` is filled in under this id.
pub(crate) const INTERNAL: &str = "SV184";
/// The edge's own network is made under this id.
pub(crate) const EDGE_NETWORK: &str = "SV185";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV180",
        title: "ports are published on loopback",
        reason: "the engine opens a published port past the host's firewall, for everyone who reaches the host",
        severity: Severity::Error,
        fix: "publish on `127.0.0.1`, or let the service named by `x-supervisor.edge` answer on 80 and 443",
        bad: "x-supervisor: {edge: web}\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"8080:80\" # <-\n",
        good: "x-supervisor:\n  edge: web\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"443:443\"\n      - \"127.0.0.1:8080:80\"\n",
        place: place("4.3", "5.14", ""),
        exempt: Exempt::Possible,
        check: Check::Service(ports_beyond_loopback),
        repair: Repair::By(on_loopback),
    },
    Rule {
        id: "SV181",
        title: "a published port says its address and number plainly",
        reason: "a name, a short or octal spelling, or no number at all leaves it to chance what is opened",
        severity: Severity::Error,
        fix: "write an address such as `127.0.0.1` or `[::1]`, and a port number",
        bad: "x-supervisor: {edge: web}\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"127.0.0.1::80\" # <-\n",
        good: "x-supervisor: {edge: web}\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"127.0.0.1:8080:80\"\n",
        place: place("4.3", "5.9", ""),
        exempt: Exempt::Never,
        check: Check::Service(ports_unclear),
        repair: Repair::Author,
    },
    Rule {
        id: "SV182",
        title: "ports are published plainly, over TCP or UDP",
        reason: "SCTP is seldom filtered, and a swarm's ingress answers on every address of the host",
        severity: Severity::Error,
        fix: "use `tcp` or `udp`, and `mode: host` or none",
        bad: "x-supervisor: {edge: web}\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"127.0.0.1:8080:80/sctp\" # <-\n",
        good: "x-supervisor: {edge: web}\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"127.0.0.1:8080:80/udp\"\n",
        place: place("", "5.9", ""),
        exempt: Exempt::Never,
        check: Check::Service(ports_odd),
        repair: Repair::By(host_mode),
    },
    Rule {
        id: "SV183",
        title: "services meet on declared networks",
        reason: "on the engine's default bridge every container of the host reaches every other",
        severity: Severity::Error,
        fix: "remove `network_mode`, and join declared networks under `networks`",
        bad: "services:\n  web:\n    image: caddy:2\n    network_mode: bridge # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\nnetworks:\n  backend:\n    internal: true\n",
        place: place("5.6", "5.30", "5"),
        exempt: Exempt::Never,
        check: Check::Service(network_mode),
        repair: Repair::Author,
    },
    Rule {
        id: INTERNAL,
        title: "only the edge has a way out",
        reason: "a service that reaches the internet can carry out what it knows and fetch what an intruder needs",
        severity: Severity::Error,
        fix: "write `internal: true`, and let only the service named by `x-supervisor.edge` join a network with a way out",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\nnetworks:\n  backend:\n    internal: false # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\nnetworks:\n  backend:\n    internal: true\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Possible,
        check: Check::Stack(way_out),
        repair: Repair::Value("true"),
    },
    Rule {
        id: EDGE_NETWORK,
        title: "the edge has a network to the outside",
        reason: "a port that is published by a container on internal networks alone is dropped by the engine without a word",
        severity: Severity::Note,
        fix: "declare a network that is not internal and that the edge alone joins",
        bad: "x-supervisor:\n  edge: web\nservices:\n  web: # <-\n    image: caddy:2\n    networks: [backend]\n  app:\n    image: app:1\n    networks: [backend]\nnetworks:\n  backend:\n    internal: true\n",
        good: "x-supervisor:\n  edge: web\nservices:\n  web:\n    image: caddy:2\n    networks: [frontend, backend]\n  app:\n    image: app:1\n    networks: [backend]\nnetworks:\n  frontend:\n  backend:\n    internal: true\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Never,
        check: Check::Fill,
        repair: Repair::Author,
    },
    Rule {
        id: "SV186",
        title: "bridge networks alone",
        reason: "other drivers put containers on the host's own network, on other hosts', or run a plugin as root",
        severity: Severity::Error,
        fix: "remove `driver`; `bridge` is the default",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    driver: macvlan # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    driver: bridge\n",
        place: place("5.6", "5.10", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(drivers),
        repair: Repair::Author,
    },
    Rule {
        id: "SV187",
        title: "only network options that open nothing",
        reason: "some options route other hosts straight to the containers or change what ports are bound to",
        severity: Severity::Error,
        fix: "remove the option",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    driver_opts:\n      com.docker.network.bridge.gateway_mode_ipv4: routed # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    driver_opts:\n      com.docker.network.bridge.name: br-lan\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(network_options),
        repair: Repair::Author,
    },
    Rule {
        id: "SV188",
        title: "private subnets that do not overlap",
        reason: "a public or doubled subnet takes traffic away from where it belongs",
        severity: Severity::Error,
        fix: "use a subnet of its own from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fd00::/8",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    ipam:\n      config:\n        - subnet: 8.8.8.0/24 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    ipam:\n      config:\n        - subnet: 172.29.8.0/24\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(subnets),
        repair: Repair::Author,
    },
    Rule {
        id: "SV189",
        title: "a fixed address lies in its network's subnet",
        reason: "the engine refuses any other address when the container is started",
        severity: Severity::Error,
        fix: "declare the subnet under `ipam`, and take an address from it that is not the gateway's",
        bad: "services:\n  web:\n    image: caddy:2\n    networks:\n      lan: # <-\n        ipv4_address: 172.29.9.2\nnetworks:\n  lan:\n    ipam:\n      config:\n        - subnet: 172.29.8.0/24\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks:\n      lan:\n        ipv4_address: 172.29.8.2\nnetworks:\n  lan:\n    ipam:\n      config:\n        - subnet: 172.29.8.0/24\n",
        place: place("5.6", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(addresses),
        repair: Repair::Author,
    },
    Rule {
        id: "SV190",
        title: "no name for the host or its metadata",
        reason: "`host-gateway`, a bridge's gateway and 169.254.0.0/16 reach services of the host and the cloud's credentials",
        severity: Severity::Error,
        fix: "remove it; what the service needs belongs on a network of the stack",
        bad: "services:\n  web:\n    image: caddy:2\n    extra_hosts:\n      - \"host.docker.internal:host-gateway\" # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    extra_hosts:\n      - \"db.example.org:10.20.30.40\"\n",
        place: place("4.4", "5.10", "5"),
        exempt: Exempt::Never,
        check: Check::Service(extra_hosts),
        repair: Repair::By(without_host_gateway),
    },
    Rule {
        id: "SV191",
        title: "resolvers are addresses",
        reason: "a resolver by name cannot be judged, and queries to an unknown one carry data out",
        severity: Severity::Error,
        fix: "write the resolver's IP address, or remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    dns:\n      - dns.example.org # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    dns:\n      - 9.9.9.9\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Service(dns),
        repair: Repair::Author,
    },
    Rule {
        id: "SV192",
        title: "networks of the stack's own",
        reason: "a network made elsewhere may have a way out and carry other people's containers",
        severity: Severity::Warning,
        fix: "declare the network here, or exempt it with the reason",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    external: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    internal: true\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Possible,
        check: Check::Stack(external),
        repair: Repair::Author,
    },
    Rule {
        id: "SV193",
        title: "no links to other containers",
        reason: "links are older than networks, and join containers outside of the stack",
        severity: Severity::Error,
        fix: "join a network; services find each other there by name and by `aliases`",
        bad: "services:\n  web:\n    image: caddy:2\n    external_links: # <-\n      - other\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Never,
        check: Check::Keys(&["external_links"]),
        repair: Repair::Author,
    },
    Rule {
        id: "SV194",
        title: "a published port can be reached",
        reason: "the engine drops, without a word, a port of a container that is on internal networks alone",
        severity: Severity::Warning,
        fix: "publish a TCP port on loopback, which the supervisor relays, name the service as `x-supervisor.edge`, or remove the port",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\n    ports:\n      - \"127.0.0.1:8080:80/udp\" # <-\nnetworks:\n  backend:\n    internal: true\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\n    ports:\n      - \"127.0.0.1:8080:80\"\nnetworks:\n  backend:\n    internal: true\n",
        place: place("5.6", "5.9", ""),
        exempt: Exempt::Possible,
        check: Check::Service(super::reach::dropped),
        repair: Repair::Author,
    },
    Rule {
        id: "SV195",
        title: "nothing that a network says is left out",
        reason: "a key that is passed over protects nobody",
        severity: Severity::Error,
        fix: "remove the key",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    ipam:\n      options: {a: b} # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [lan]\nnetworks:\n  lan:\n    ipam:\n      config: [{subnet: 10.20.0.0/24}]\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Stack(unsupported),
        repair: Repair::Author,
    },
    Rule {
        id: "SV196",
        title: "no way out is promised that is not there",
        reason: "a name under `egress` is reached through the proxy, by a service of this file that is on internal networks",
        severity: Severity::Error,
        fix: "name a service of the file that is on networks and is not the edge",
        bad: "x-supervisor:\n  egress:\n    wbe: [\"api.example.org:443\"] # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  egress:\n    web: [\"api.example.org:443\"]\nservices:\n  web:\n    image: caddy:2\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(super::egress::nowhere),
        repair: Repair::Author,
    },
    Rule {
        id: "SV197",
        title: "a link goes to a service on a network of both",
        reason: "`links` is an older word for an alias on a network, and names nothing where the two share none",
        severity: Severity::Error,
        fix: "join a network of the other service, or remove the link",
        bad: "services:\n  web:\n    image: caddy:2\n    networks: [front]\n    links: [\"db:data\"] # <-\n  db:\n    image: postgres:17\n    networks: [back]\nnetworks:\n  front: {internal: true}\n  back: {internal: true}\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [back]\n    links: [\"db:data\"]\n  db:\n    image: postgres:17\n    networks: [back]\nnetworks:\n  back: {internal: true}\n",
        place: place("5.6", "", "5"),
        exempt: Exempt::Never,
        check: Check::Service(links),
        repair: Repair::Author,
    },
];

/// What the edge may publish beyond loopback.
const PUBLIC: &[(u16, &str)] = &[(80, "tcp"), (443, "tcp"), (443, "udp")];

fn links(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let apart = service.links.iter().filter(|link| {
        let other = stack.project.services.get(&link.value.service);
        other
            .is_some_and(|other| !other.networks.keys().any(|network| service.networks.contains_key(network)))
    });
    let hits = apart.map(|link| {
        let message =
            format!("`{}` links to `{}`, and no network is of both", service.name, link.value.service);
        Hit::at(link, message)
    });
    hits.collect()
}

fn ports_beyond_loopback(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let edge = stack.is_edge(&service.name);
    let hits = service.ports.iter().filter_map(|port| {
        let PublishedPort { host_ip, address, published, target, protocol, .. } = &port.value;
        let public = edge && published.is_some_and(|number| PUBLIC.contains(&(number, protocol.as_str())));
        let unclear = host_ip.is_some() && address.is_none();
        if public || unclear || address.is_some_and(|address| loopback(&address)) {
            return None;
        }
        let whole = host_ip.as_deref().unwrap_or("every address");
        let number = published.map_or_else(|| "a random port".to_owned(), |number| format!("port {number}"));
        let published = published.unwrap_or(*target);
        let own = if address.is_some_and(|address| address.is_ipv6()) { "[::1]" } else { "127.0.0.1" };
        Some(
            Hit::at(port, format!("{number}/{protocol} is published on {whole}"))
                .fix(format!("{own}:{published}:{target}{}", suffix(protocol))),
        )
    });
    hits.collect()
}

/// The same port on loopback. A port on the host that is left to chance is for the author to choose.
fn on_loopback(site: &Site<'_>) -> Vec<Change> {
    let own = |address: &str| if address.contains(':') { "::1" } else { "127.0.0.1" };
    if site.get(&["published"]).is_some() {
        let address = site.get(&["host_ip"]).unwrap_or_default();
        return vec![Change::Set(&["host_ip"], format!("\"{}\"", own(&address)))];
    }
    site.text(|port| {
        let (front, target) = port.rsplit_once(':')?;
        let (address, published) = match front.rsplit_once(':') {
            None => ("127.0.0.1", front),
            Some((address, published)) if address.contains(':') => ("[::1]", published),
            Some((_, published)) => ("127.0.0.1", published),
        };
        (!published.is_empty()).then(|| Change::Text(format!("{address}:{published}:{target}")))
    })
}

fn suffix(protocol: &str) -> String {
    if protocol == "tcp" { String::new() } else { format!("/{protocol}") }
}

/// 127.0.0.0/8, `::1`, and the first mapped into IPv6.
fn loopback(address: &IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn ports_unclear(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.ports.iter().filter_map(|port| {
        let PublishedPort { host_ip, address, published, target, protocol, .. } = &port.value;
        if let (Some(written), None) = (host_ip, address) {
            let message = format!("`{written}` is not an address");
            let number = published.unwrap_or(*target);
            return Some(
                Hit::at(port, message).fix(format!("127.0.0.1:{number}:{target}{}", suffix(protocol))),
            );
        }
        // Without an address as well, it is the address that has to be said.
        let number = published.filter(|number| *number != 0);
        if *target == 0 {
            return Some(Hit::at(port, "the port in the container is 0"));
        }
        (number.is_none() && address.is_some()).then(|| {
            Hit::at(port, "the port on the host is left to chance")
                .fix(format!("127.0.0.1:{target}:{target}{}", suffix(protocol)))
        })
    });
    hits.collect()
}

fn ports_odd(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.ports.iter().filter_map(|port| {
        let PublishedPort { protocol, mode, .. } = &port.value;
        if !["tcp", "udp"].contains(&protocol.as_str()) {
            return Some(Hit::at(port, format!("protocol `{protocol}`")));
        }
        let mode = mode.as_deref().filter(|mode| !is_any(mode, &["", "host"]))?;
        Some(Hit::at(port, format!("port mode `{mode}`")).fix("mode: host"))
    });
    hits.collect()
}

fn host_mode(site: &Site<'_>) -> Vec<Change> {
    let odd = site.get(&["mode"]).is_some_and(|mode| !is_any(&mode, &["", "host"]));
    odd.then(|| Change::Set(&["mode"], "host".into())).into_iter().collect()
}

fn network_mode(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(mode) = &service.network_mode else { return Vec::new() };
    let (kind, _) = mode.value.split_once(':').unwrap_or((&mode.value, ""));
    if is_any(kind, &["", "none", "host", "container", "service", "ns"]) {
        return Vec::new();
    }
    vec![Hit::at(mode, format!("network mode `{}`", mode.value))]
}

/// The services that join a network, the edge left out.
pub(crate) fn inner_services<'a>(
    project: &'a crate::model::Project,
    key: &'a str,
) -> impl Iterator<Item = &'a str> {
    let edge = project.stack.edge.as_ref().map(|edge| edge.value.as_str());
    project
        .services
        .values()
        .filter(move |service| service.networks.contains_key(key) && Some(service.name.as_str()) != edge)
        .filter(|service| !crate::egress::is_proxy(project, service))
        .map(|service| service.name.as_str())
}

fn way_out(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.networks.values().filter_map(|network| {
        let open = network.internal.as_ref().filter(|internal| !internal.value)?;
        let inner = inner_services(stack.project, &network.key).next()?;
        Some(
            Hit::at(open, format!("network `{}` gives `{inner}` a way out", network.key))
                .fix("internal: true"),
        )
    });
    hits.collect()
}

fn networks<'a>(stack: &Stack<'a>) -> impl Iterator<Item = &'a Network> {
    stack.project.networks.values()
}

fn drivers(stack: &Stack<'_>) -> Vec<Hit> {
    let drivers =
        networks(stack).filter_map(|n| n.driver.as_ref()).filter(|d| !is_any(&d.value, &["", "bridge"]));
    let drivers = drivers.map(|d| Hit::at(d, format!("network driver `{}`", d.value)).fix("driver: bridge"));
    let pools = networks(stack).filter_map(|n| n.ipam_driver.as_ref());
    let pools = pools.filter(|d| !is_any(&d.value, &["", "default"]));
    drivers.chain(pools.map(|d| Hit::at(d, format!("address driver `{}`", d.value)))).collect()
}

fn network_options(stack: &Stack<'_>) -> Vec<Hit> {
    let options = networks(stack).flat_map(|network| &network.driver_opts);
    let hits = options.filter_map(|(name, value)| {
        let why = bad_option(name, &value.value)?;
        Some(Hit::at(value, format!("network option `{name}` {why}")))
    });
    hits.collect()
}

/// Why a bridge option is not let through.
fn bad_option(name: &str, value: &str) -> Option<&'static str> {
    const PREFIX: &str = "com.docker.network.";
    match name.strip_prefix(PREFIX).unwrap_or_default() {
        "bridge.name" => {
            let odd = value.is_empty()
                || value.len() > 15
                || !value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                || ["docker0", "lo"].contains(&value)
                || ["eth", "en", "wl"].iter().any(|own| value.starts_with(own));
            odd.then_some("must be a name of at most 15 characters that is no interface of the host's")
        }
        "bridge.gateway_mode_ipv4" | "bridge.gateway_mode_ipv6" => {
            (!is_any(value, &["nat", "isolated"])).then_some("routes other hosts to the containers")
        }
        "bridge.enable_icc" => None,
        "bridge.enable_ip_masquerade" => {
            (!is_any(value, &["true"])).then_some("shows the containers' own addresses to others")
        }
        "bridge.host_binding_ipv4" => {
            let address = value.parse::<IpAddr>();
            (!address.is_ok_and(|address| loopback(&address))).then_some("binds ports beyond loopback")
        }
        "driver.mtu" => value.parse::<u16>().is_err().then_some("is not a number"),
        _ => Some("is not one that is known to open nothing"),
    }
}

/// Why a network that is on the engine already may not be used, by the same rules as one that a file describes.
pub fn network_elsewhere(
    driver: &str,
    options: &std::collections::BTreeMap<String, String>,
) -> Option<String> {
    if !is_any(driver, &["bridge"]) {
        return Some(format!("network driver `{driver}`"));
    }
    options
        .iter()
        .find_map(|(name, value)| Some(format!("network option `{name}` {}", bad_option(name, value)?)))
}

/// Every declared subnet of a network.
fn prefixes(network: &Network) -> impl Iterator<Item = (Prefix, &At<crate::model::Pool>)> {
    network.ipam.iter().filter_map(|pool| Some((Prefix::parse(pool.value.subnet.as_deref()?)?, pool)))
}

fn subnets(stack: &Stack<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut seen: Vec<(Prefix, &str)> = Vec::new();
    for network in networks(stack) {
        for pool in &network.ipam {
            let Some(text) = pool.value.subnet.as_deref() else { continue };
            let Some(prefix) = Prefix::parse(text) else {
                hits.push(Hit::at(pool, format!("`{text}` is not a subnet")));
                continue;
            };
            if !prefix.is_private() {
                hits.push(Hit::at(pool, format!("subnet `{text}` is not private")));
            }
            if let Some((_, other)) = seen.iter().find(|(other, _)| other.overlaps(prefix)) {
                hits.push(Hit::at(pool, format!("subnet `{text}` overlaps one of network `{other}`")));
            }
            let inside = |part: &str| part.parse().is_ok_and(|address| prefix.contains(address));
            let gateway = pool.value.gateway.as_deref().filter(|gateway| !inside(gateway));
            let range = pool.value.ip_range.as_deref().filter(|range| {
                !Prefix::parse(range)
                    .is_some_and(|r| r.length() >= prefix.length() && prefix.contains(r.address()))
            });
            for outside in gateway.into_iter().chain(range) {
                hits.push(Hit::at(pool, format!("`{outside}` is not in subnet `{text}`")));
            }
            seen.push((prefix, &network.key));
        }
    }
    hits
}

fn addresses(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (key, attachment) in &service.networks {
        let Some(network) = stack.project.networks.get(key) else { continue };
        if network.external.as_ref().is_some_and(|external| external.value) {
            continue;
        }
        let v4 = attachment.value.ipv4_address.map(IpAddr::V4);
        let v6 = attachment.value.ipv6_address.map(IpAddr::V6);
        for address in v4.into_iter().chain(v6) {
            let pool = prefixes(network).find(|(prefix, _)| prefix.contains(address));
            let message = match pool {
                None => format!("`{address}` is in no declared subnet of network `{key}`"),
                Some((_, pool)) if pool.value.gateway.as_deref() == Some(&address.to_string()) => {
                    format!("`{address}` is the gateway of network `{key}`")
                }
                Some(_) => continue,
            };
            hits.push(Hit::at(attachment, message));
        }
    }
    hits
}

fn extra_hosts(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.extra_hosts.iter().filter_map(|row| {
        let (name, written) = &row.value;
        let text = written.trim().trim_start_matches('[').trim_end_matches(']');
        let why = if is_any(text, &["host-gateway"]) {
            "reaches the host"
        } else {
            match text.parse::<IpAddr>() {
                Err(_) => "is not an address",
                Ok(address) => reaches_host(stack, address)?,
            }
        };
        Some(Hit::at(row, format!("`{name}` is given `{written}`, which {why}")))
    });
    hits.collect()
}

/// Addresses of the host, of a bridge, or of a cloud's metadata service.
fn reaches_host(stack: &Stack<'_>, address: IpAddr) -> Option<&'static str> {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    };
    if link_local {
        return Some("reaches the cloud's metadata service");
    }
    let docker0 = address == IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1));
    let gateway = networks(stack).any(|network| {
        prefixes(network).any(|(prefix, pool)| match &pool.value.gateway {
            Some(gateway) => gateway.parse() == Ok(address),
            None => first_address(prefix) == Some(address),
        })
    });
    (docker0 || gateway || address.is_unspecified()).then_some("is the host on a bridge")
}

/// What the engine gives a bridge whose gateway is not said.
fn first_address(prefix: Prefix) -> Option<IpAddr> {
    match prefix.address() {
        IpAddr::V4(v4) => Some(IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits().checked_add(1)?))),
        IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits().checked_add(1)?))),
    }
}

/// A name for the host has one repair. An address may be mistyped: the author has to say.
fn without_host_gateway(site: &Site<'_>) -> Vec<Change> {
    site.text(|row| {
        let address = row.rsplit(['=', ':']).next()?;
        is_any(address, &["host-gateway"]).then_some(Change::Remove)
    })
}

fn dns(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let odd = service.dns.iter().filter(|resolver| resolver.value.trim().parse::<IpAddr>().is_err());
    odd.map(|resolver| Hit::at(resolver, format!("resolver `{}` is not an address", resolver.value)))
        .collect()
}

fn external(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = networks(stack).filter_map(|network| {
        let external = network.external.as_ref().filter(|external| external.value)?;
        Some(Hit::at(external, format!("network `{}` is made elsewhere", network.key)))
    });
    hits.collect()
}

fn unsupported(stack: &Stack<'_>) -> Vec<Hit> {
    let keys = networks(stack).flat_map(|network| &network.refused);
    keys.map(|(key, span)| Hit::on(*span, format!("`{key}` of a network is not supported"))).collect()
}
