//! A ruleset in nft's language (nft(8)): the only place that speaks it.
//!
//! Chains come before the engine's and any firewall's of the same hook (`filter - 5`), which only makes their counters
//! right: a drop is final wherever it is. Ports are looked at before the engine translates them (`mangle` in prerouting,
//! after connection tracking and before `dstnat`), or by what the connection was first sent to (`ct original`): behind the
//! translation there are only containers' ports. Every packet that a connection's beginner sends is judged, and not its
//! first one alone, so that what began while the table was away ends when it is back. Deliberately absent: anything that
//! was not checked before; names of links are [`super::Link`]s, and the rest are numbers.

use std::fmt::Write as _;
use std::net::IpAddr;

use compose::prefix::Prefix;
use compose::rules::{METADATA_V4, METADATA_V6};

use super::super::outside::{inside_v4, inside_v6};
use super::listing::Rules;
use super::rows::{self, Deed, Row};
use super::{Published, Ruleset};

/// The set of sources that a published port's new connections are counted by.
fn sources(published: Published) -> String {
    let family = if published.address.is_ipv4() { 4 } else { 6 };
    format!("sources-{}-{}-{family}", published.protocol(), published.port)
}

/// The whole script; the hash of it with an empty hash goes into a comment.
pub(super) fn text(ruleset: &Ruleset, hash: &str) -> String {
    let table = ruleset.table();
    // Made where it is missing, so that there is one to delete, whichever it was: all in one transaction.
    let mut out = format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n");
    sets(ruleset, &mut out);
    for row in rows::ALL {
        let _ = writeln!(out, "\tcounter {} {{ }}", row.name);
    }
    arrivals(ruleset, hash, &mut out);
    to_host(ruleset, &mut out);
    out.push_str(
        "
	chain through {
		type filter hook forward priority filter - 5; policy accept;
		meta l4proto { icmp, ipv6-icmp } ct state related accept
		iifname @bridges jump from-containers
		oifname @bridges jump to-containers
	}
",
    );
    from_containers(ruleset, &mut out);
    to_containers(ruleset, &mut out);
    out.push_str("}\n");
    out
}

/// How many rules a script puts into each of its chains.
pub(super) fn rules(script: &str) -> Rules {
    let (mut rules, mut chain) = (Rules::new(), "");
    for line in script.lines() {
        match line.strip_prefix("\tchain ") {
            Some(rest) => chain = rest.trim_end_matches([' ', '{']),
            // What is deepest is a rule, but for the line that says what the chain is.
            None if line.starts_with("\t\t") && !line.starts_with("\t\ttype ") => {
                *rules.entry(chain.to_owned()).or_default() += 1;
            }
            None => {}
        }
    }
    rules
}

fn sets(ruleset: &Ruleset, out: &mut String) {
    let quoted = |only_internal: bool| {
        let links = ruleset.bridges.iter().filter(move |(_, internal)| !only_internal || **internal);
        links.map(|(link, _)| format!("\"{}\"", link.as_str())).collect::<Vec<_>>()
    };
    set(out, "bridges", "ifname", "", &quoted(false));
    set(out, "internal", "ifname", "", &quoted(true));
    let resolvers = |v4: bool| ruleset.resolvers.iter().filter(move |at| at.is_ipv4() == v4);
    set(out, "resolvers4", "ipv4_addr", "", &resolvers(true).map(IpAddr::to_string).collect::<Vec<_>>());
    set(out, "resolvers6", "ipv6_addr", "", &resolvers(false).map(IpAddr::to_string).collect::<Vec<_>>());
    set(out, "metadata4", "ipv4_addr", "interval", &METADATA_V4.map(String::from));
    set(out, "metadata6", "ipv6_addr", "interval", &METADATA_V6.map(String::from));
    if let Some(ranges) = &ruleset.edge_from {
        for (name, kind, v4) in [("edge4", "ipv4_addr", true), ("edge6", "ipv6_addr", false)] {
            let own = ranges.iter().filter(|range| range.address().is_ipv4() == v4);
            // Blocks may lie in one another.
            set(out, name, kind, "interval; auto-merge", &own.map(Prefix::to_string).collect::<Vec<_>>());
        }
    }
    let inside = inside_v4().into_iter().map(|(network, length)| format!("{network}/{length}"));
    set(out, "inside4", "ipv4_addr", "interval", &inside.collect::<Vec<_>>());
    let inside = inside_v6().into_iter().map(|(first, last)| format!("{first}-{last}"));
    set(out, "inside6", "ipv6_addr", "interval", &inside.collect::<Vec<_>>());
    let mut named =
        ruleset.published.iter().map(|published| (sources(*published), published)).collect::<Vec<_>>();
    named.dedup_by(|a, b| a.0 == b.0);
    for (name, published) in named {
        let kind = if published.address.is_ipv4() { "ipv4_addr" } else { "ipv6_addr" };
        // A source that was forgotten after ten minutes has its whole burst again either way.
        let _ =
            writeln!(out, "\tset {name} {{ type {kind}; size 65536; flags dynamic, timeout; timeout 10m; }}");
    }
}

fn set(out: &mut String, name: &str, kind: &str, flags: &str, elements: &[String]) {
    let flags = if flags.is_empty() { String::new() } else { format!(" flags {flags};") };
    let elements = match elements {
        [] => String::new(),
        some => format!(" elements = {{ {} }};", some.join(", ")),
    };
    let _ = writeln!(out, "\tset {name} {{ type {kind};{flags}{elements} }}");
}

/// What is done with a packet of a row, in a base chain or in one that was jumped to.
fn verdict(row: Row) -> String {
    let deed = match row.deed {
        Deed::Drop => "drop",
        Deed::Pass => "return",
    };
    format!("counter name \"{}\" {deed}", row.name)
}

fn arrivals(ruleset: &Ruleset, hash: &str, out: &mut String) {
    let _ = write!(
        out,
        "
	chain arrivals {{
		type filter hook prerouting priority mangle; policy accept;
		iifname \"lo\" accept comment \"{hash}\"
		ip daddr 127.0.0.0/8 {loopback}
		ip6 daddr ::1 {loopback}
		iifname @bridges meta nfproto ipv4 fib saddr . iif oif missing {forged}
		iifname @bridges ip6 saddr != {{ ::, fe80::/10 }} fib saddr . iif oif missing {forged}
",
        loopback = verdict(rows::TO_LOOPBACK),
        forged = verdict(rows::FORGED),
    );
    for published in &ruleset.published {
        let (rate, protocol, port) = (published.rate(), published.protocol(), published.port);
        // Whoever has an IPv6 address has a whole network of them.
        let (at, by) = match published.address {
            IpAddr::V4(at) if at.is_unspecified() => {
                ("meta nfproto ipv4 fib daddr type local".to_owned(), "ip saddr")
            }
            IpAddr::V4(at) => (format!("ip daddr {at}"), "ip saddr"),
            IpAddr::V6(at) if at.is_unspecified() => {
                ("meta nfproto ipv6 fib daddr type local".to_owned(), "ip6 saddr & ffff:ffff:ffff:ffff::")
            }
            IpAddr::V6(at) => (format!("ip6 daddr {at}"), "ip6 saddr & ffff:ffff:ffff:ffff::"),
        };
        if ruleset.edge_from.is_some() && published.is_of_the_edge() {
            let source =
                if published.address.is_ipv4() { "ip saddr != @edge4" } else { "ip6 saddr != @edge6" };
            let _ = writeln!(out, "\t\t{protocol} dport {port} {at} {source} {}", verdict(rows::ELSEWHERE));
        }
        let _ = writeln!(
            out,
            "\t\t{protocol} dport {port} ct state new {at} update @{} {{ {by} limit rate over {}/minute burst {} packets }} {}",
            sources(*published),
            rate.per_minute,
            rate.burst,
            verdict(rows::TOO_MANY),
        );
    }
    out.push_str("\t}\n");
}

/// To the host itself: answers to what it asked, and what IPv6 needs to find its neighbours (RFC 4861).
fn to_host(ruleset: &Ruleset, out: &mut String) {
    out.push_str(
        "
	chain to-host {
		type filter hook input priority filter - 5; policy accept;
		iifname != @bridges accept
		ct direction reply ct state established accept
		meta l4proto { icmp, ipv6-icmp } ct state related accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		meta l4proto igmp drop
		icmpv6 type { mld-listener-report, mld2-listener-report, nd-router-solicit } drop
",
    );
    names(ruleset, out);
    let _ = writeln!(out, "\t\t{}\n\t}}", verdict(rows::TO_HOST));
}

/// Questions to resolvers, which may be the host's own.
fn names(ruleset: &Ruleset, out: &mut String) {
    for (family, set, v4) in [("ip", "resolvers4", true), ("ip6", "resolvers6", false)] {
        if ruleset.resolvers.iter().any(|at| at.is_ipv4() == v4) {
            let _ = writeln!(
                out,
                "\t\tiifname != @internal {family} daddr @{set} meta l4proto {{ tcp, udp }} th dport 53 {}",
                verdict(rows::NAMES)
            );
        }
    }
}

fn from_containers(ruleset: &Ruleset, out: &mut String) {
    out.push_str("\n\tchain from-containers {\n");
    within(ruleset, out);
    out.push_str("\t\tct direction reply ct state established return\n");
    let _ = writeln!(out, "\t\toifname @bridges {}", verdict(rows::BETWEEN));
    names(ruleset, out);
    let _ = writeln!(out, "\t\tiifname @internal {}", verdict(rows::WAY_OUT));
    for (row, set) in [(rows::TO_METADATA, "metadata"), (rows::TO_PRIVATE, "inside")] {
        let _ = writeln!(out, "\t\tip daddr @{set}4 {}\n\t\tip6 daddr @{set}6 {0}", verdict(row));
    }
    out.push_str("\t}\n");
}

/// On one bridge: such packets come by here where `br_netfilter` is loaded.
fn within(ruleset: &Ruleset, out: &mut String) {
    for link in ruleset.bridges() {
        let _ = writeln!(out, "\t\tiifname \"{0}\" oifname \"{0}\" return", link.as_str());
    }
}

fn to_containers(ruleset: &Ruleset, out: &mut String) {
    out.push_str("\n\tchain to-containers {\n");
    within(ruleset, out);
    out.push_str("\t\tct direction reply ct state established return\n");
    for published in &ruleset.published {
        let at = match published.address {
            IpAddr::V4(at) if at.is_unspecified() => "meta nfproto ipv4".to_owned(),
            IpAddr::V4(at) => format!("ct original ip daddr {at}"),
            IpAddr::V6(at) if at.is_unspecified() => "meta nfproto ipv6".to_owned(),
            IpAddr::V6(at) => format!("ct original ip6 daddr {at}"),
        };
        let _ = writeln!(
            out,
            "\t\tmeta l4proto {} ct status dnat {at} ct original proto-dst {} {}",
            published.protocol(),
            published.port,
            verdict(rows::PUBLISHED),
        );
    }
    let _ = writeln!(out, "\t\t{}\n\t}}", verdict(rows::PAST_PUBLISHING));
}
