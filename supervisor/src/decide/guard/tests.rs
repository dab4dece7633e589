//! What the guard is made of, and what is to be done about the one that is there.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::super::plan::{guard_alone, plan};
use super::super::seen::{Seen, SeenTable};
use super::super::testing::{bare, simulate, want_guarded};
use super::*;

const SHOP: &str = "
x-supervisor: {edge: web}
services:
  web: {image: 'w:1', ports: ['443:443', '80:80', '443:443/udp', '127.0.0.1:9090:90'], networks: [front, back], dns: [10.9.9.9]}
  app: {image: 'a:1', networks: [back]}
networks:
  front: {}
  back: {internal: true}
";

fn network(name: &str, id: &str, internal: bool) -> SeenNetwork {
    SeenNetwork {
        id: id.to_owned(),
        name: name.to_owned(),
        project: Some("shop".to_owned()),
        internal,
        driver: "bridge".to_owned(),
        ..SeenNetwork::default()
    }
}

fn networks() -> Vec<SeenNetwork> {
    vec![network("shop_front", "aaaaaaaaaaaa0000", false), network("shop_back", "bbbbbbbbbbbb0000", true)]
}

#[track_caller]
fn check(text: &str, networks: &[SeenNetwork], expect: Expect) {
    let spec = want_guarded(text).guard.unwrap();
    let script = Ruleset::of(&spec, networks).unwrap().script();
    // The ranges have a test of their own.
    let lines = script.lines().filter(|line| !line.starts_with("\tset inside"));
    expect.assert_eq(&(lines.collect::<Vec<_>>().join("\n") + "\n"));
}

#[test]
fn an_edge_that_is_reached_from_some_blocks_alone() {
    let text = SHOP.replace("'443:443', '80:80', '443:443/udp',", "'80:80', '[::]:443:443', '443:443/udp',");
    let mut spec = want_guarded(&text).guard.unwrap();
    spec.edge_from =
        Some(["173.245.48.0/20", "2400:cb00::/32"].into_iter().map(|block| block.parse().unwrap()).collect());
    let script = Ruleset::of(&spec, &networks()).unwrap().script();
    let lines = script.lines().filter(|line| line.contains("edge4") || line.contains("edge6"));
    let lines = lines.map(str::trim);
    expect![[r#"
        set edge4 { type ipv4_addr; flags interval; auto-merge; elements = { 173.245.48.0/20 }; }
        set edge6 { type ipv6_addr; flags interval; auto-merge; elements = { 2400:cb00::/32 }; }
        tcp dport 80 meta nfproto ipv4 fib daddr type local ip saddr != @edge4 counter name "elsewhere" drop
        tcp dport 443 meta nfproto ipv6 fib daddr type local ip6 saddr != @edge6 counter name "elsewhere" drop
        udp dport 443 meta nfproto ipv4 fib daddr type local ip saddr != @edge4 counter name "elsewhere" drop
    "#]]
    .assert_eq(&(lines.collect::<Vec<_>>().join("\n") + "\n"));
}

#[test]
fn a_script_says_how_many_rules_each_chain_gets() {
    let spec = want_guarded("services: {web: {image: 'i:1'}}").guard.unwrap();
    let script = Ruleset::of(&spec, &[network("shop_default", "aaaaaaaaaaaa0000", false)]).unwrap().script();
    let said: Vec<_> = rules(&script).into_iter().map(|(chain, rules)| format!("{chain} {rules}")).collect();
    expect!["arrivals 5, from-containers 8, through 3, to-containers 3, to-host 7"]
        .assert_eq(&said.join(", "));
}

#[test]
fn the_table_of_a_stack_with_an_edge() {
    check(
        SHOP,
        &networks(),
        expect![[r#"
            table inet supervisor-shop
            delete table inet supervisor-shop
            table inet supervisor-shop {
            	set bridges { type ifname; elements = { "br-aaaaaaaaaaaa", "br-bbbbbbbbbbbb" }; }
            	set internal { type ifname; elements = { "br-bbbbbbbbbbbb" }; }
            	set resolvers4 { type ipv4_addr; elements = { 10.9.9.9 }; }
            	set resolvers6 { type ipv6_addr; }
            	set metadata4 { type ipv4_addr; flags interval; elements = { 100.100.100.200, 168.63.129.16, 169.254.0.0/16, 192.0.0.192 }; }
            	set metadata6 { type ipv6_addr; flags interval; elements = { fd00:ec2::254, fd20:ce::254, fe80::/10 }; }
            	set sources-tcp-80-4 { type ipv4_addr; size 65536; flags dynamic, timeout; timeout 10m; }
            	set sources-tcp-443-4 { type ipv4_addr; size 65536; flags dynamic, timeout; timeout 10m; }
            	set sources-udp-443-4 { type ipv4_addr; size 65536; flags dynamic, timeout; timeout 10m; }
            	counter to-loopback { }
            	counter forged { }
            	counter elsewhere { }
            	counter too-many { }
            	counter to-host { }
            	counter between-networks { }
            	counter names { }
            	counter way-out { }
            	counter to-metadata { }
            	counter to-private { }
            	counter published { }
            	counter past-publishing { }

            	chain arrivals {
            		type filter hook prerouting priority mangle; policy accept;
            		iifname "lo" accept comment "3c37c7e96d8fe9cfe7777728055d33f9"
            		ip daddr 127.0.0.0/8 counter name "to-loopback" drop
            		ip6 daddr ::1 counter name "to-loopback" drop
            		iifname @bridges meta nfproto ipv4 fib saddr . iif oif missing counter name "forged" drop
            		iifname @bridges ip6 saddr != { ::, fe80::/10 } fib saddr . iif oif missing counter name "forged" drop
            		tcp dport 80 ct state new meta nfproto ipv4 fib daddr type local update @sources-tcp-80-4 { ip saddr limit rate over 50/minute burst 20 packets } counter name "too-many" drop
            		tcp dport 443 ct state new meta nfproto ipv4 fib daddr type local update @sources-tcp-443-4 { ip saddr limit rate over 150/minute burst 50 packets } counter name "too-many" drop
            		udp dport 443 ct state new meta nfproto ipv4 fib daddr type local update @sources-udp-443-4 { ip saddr limit rate over 150/minute burst 50 packets } counter name "too-many" drop
            	}

            	chain to-host {
            		type filter hook input priority filter - 5; policy accept;
            		iifname != @bridges accept
            		ct direction reply ct state established accept
            		meta l4proto { icmp, ipv6-icmp } ct state related accept
            		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            		meta l4proto igmp drop
            		icmpv6 type { mld-listener-report, mld2-listener-report, nd-router-solicit } drop
            		iifname != @internal ip daddr @resolvers4 meta l4proto { tcp, udp } th dport 53 counter name "names" return
            		counter name "to-host" drop
            	}

            	chain through {
            		type filter hook forward priority filter - 5; policy accept;
            		meta l4proto { icmp, ipv6-icmp } ct state related accept
            		iifname @bridges jump from-containers
            		oifname @bridges jump to-containers
            	}

            	chain from-containers {
            		iifname "br-aaaaaaaaaaaa" oifname "br-aaaaaaaaaaaa" return
            		iifname "br-bbbbbbbbbbbb" oifname "br-bbbbbbbbbbbb" return
            		ct direction reply ct state established return
            		oifname @bridges counter name "between-networks" drop
            		iifname != @internal ip daddr @resolvers4 meta l4proto { tcp, udp } th dport 53 counter name "names" return
            		iifname @internal counter name "way-out" drop
            		ip daddr @metadata4 counter name "to-metadata" drop
            		ip6 daddr @metadata6 counter name "to-metadata" drop
            		ip daddr @inside4 counter name "to-private" drop
            		ip6 daddr @inside6 counter name "to-private" drop
            	}

            	chain to-containers {
            		iifname "br-aaaaaaaaaaaa" oifname "br-aaaaaaaaaaaa" return
            		iifname "br-bbbbbbbbbbbb" oifname "br-bbbbbbbbbbbb" return
            		ct direction reply ct state established return
            		meta l4proto tcp ct status dnat meta nfproto ipv4 ct original proto-dst 80 counter name "published" return
            		meta l4proto tcp ct status dnat meta nfproto ipv4 ct original proto-dst 443 counter name "published" return
            		meta l4proto udp ct status dnat meta nfproto ipv4 ct original proto-dst 443 counter name "published" return
            		counter name "past-publishing" drop
            	}
            }
        "#]],
    );
}

#[test]
fn a_first_table_is_made_and_none_is_deleted() {
    let ruleset = Ruleset::of(&want_guarded(SHOP).guard.unwrap(), &networks()).unwrap();
    let first = super::first(&ruleset.script(), "shop");
    let rest = first.strip_prefix("create table inet supervisor-shop\n").unwrap();
    assert_eq!(format!("{}{rest}", removal("shop")), ruleset.script());
    assert!(!first.contains("delete"), "{first}");
}

#[test]
fn the_table_of_a_stack_that_nobody_reaches() {
    let text = "services: {job: {image: 'j:1'}}";
    check(
        text,
        &[network("shop_default", "cccccccccccc0000", true)],
        expect![[r#"
            table inet supervisor-shop
            delete table inet supervisor-shop
            table inet supervisor-shop {
            	set bridges { type ifname; elements = { "br-cccccccccccc" }; }
            	set internal { type ifname; elements = { "br-cccccccccccc" }; }
            	set resolvers4 { type ipv4_addr; }
            	set resolvers6 { type ipv6_addr; }
            	set metadata4 { type ipv4_addr; flags interval; elements = { 100.100.100.200, 168.63.129.16, 169.254.0.0/16, 192.0.0.192 }; }
            	set metadata6 { type ipv6_addr; flags interval; elements = { fd00:ec2::254, fd20:ce::254, fe80::/10 }; }
            	counter to-loopback { }
            	counter forged { }
            	counter elsewhere { }
            	counter too-many { }
            	counter to-host { }
            	counter between-networks { }
            	counter names { }
            	counter way-out { }
            	counter to-metadata { }
            	counter to-private { }
            	counter published { }
            	counter past-publishing { }

            	chain arrivals {
            		type filter hook prerouting priority mangle; policy accept;
            		iifname "lo" accept comment "66b3a662b2a354b88c9b6c5a66e1beeb"
            		ip daddr 127.0.0.0/8 counter name "to-loopback" drop
            		ip6 daddr ::1 counter name "to-loopback" drop
            		iifname @bridges meta nfproto ipv4 fib saddr . iif oif missing counter name "forged" drop
            		iifname @bridges ip6 saddr != { ::, fe80::/10 } fib saddr . iif oif missing counter name "forged" drop
            	}

            	chain to-host {
            		type filter hook input priority filter - 5; policy accept;
            		iifname != @bridges accept
            		ct direction reply ct state established accept
            		meta l4proto { icmp, ipv6-icmp } ct state related accept
            		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            		meta l4proto igmp drop
            		icmpv6 type { mld-listener-report, mld2-listener-report, nd-router-solicit } drop
            		counter name "to-host" drop
            	}

            	chain through {
            		type filter hook forward priority filter - 5; policy accept;
            		meta l4proto { icmp, ipv6-icmp } ct state related accept
            		iifname @bridges jump from-containers
            		oifname @bridges jump to-containers
            	}

            	chain from-containers {
            		iifname "br-cccccccccccc" oifname "br-cccccccccccc" return
            		ct direction reply ct state established return
            		oifname @bridges counter name "between-networks" drop
            		iifname @internal counter name "way-out" drop
            		ip daddr @metadata4 counter name "to-metadata" drop
            		ip6 daddr @metadata6 counter name "to-metadata" drop
            		ip daddr @inside4 counter name "to-private" drop
            		ip6 daddr @inside6 counter name "to-private" drop
            	}

            	chain to-containers {
            		iifname "br-cccccccccccc" oifname "br-cccccccccccc" return
            		ct direction reply ct state established return
            		counter name "past-publishing" drop
            	}
            }
        "#]],
    );
}

#[test]
fn a_network_that_the_file_no_longer_has_is_guarded_as_it_is() {
    let spec = want_guarded(SHOP).guard.unwrap();
    let mut more = networks();
    more.push(network("shop_old", "dddddddddddd0000", true));
    more.push(SeenNetwork {
        project: Some("other".to_owned()),
        ..network("other_net", "eeeeeeeeeeee0000", false)
    });
    more.push(SeenNetwork { project: None, ..network("lan", "ffffffffffff0000", false) });
    let ruleset = Ruleset::of(&spec, &more).unwrap();
    let bridges: Vec<_> = ruleset.bridges().map(Link::as_str).collect();
    assert_eq!(bridges, ["br-aaaaaaaaaaaa", "br-bbbbbbbbbbbb", "br-dddddddddddd"]);
    assert!(
        ruleset.script().contains(
            r#"set internal { type ifname; elements = { "br-bbbbbbbbbbbb", "br-dddddddddddd" }; }"#
        )
    );
}

#[test]
fn a_bridge_is_known_by_the_name_that_the_file_gives_it() {
    let named = |name: &str| {
        let mut network = network("shop_front", "aaaaaaaaaaaa0000", false);
        network.options.insert(BRIDGE_NAME.to_owned(), name.to_owned());
        let ruleset = Ruleset::of(&want_guarded(SHOP).guard.unwrap(), &[network]);
        ruleset.map(|ruleset| {
            ruleset.bridges().map(|link| link.as_str().to_owned()).collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(named("br-shop_1.x"), Ok("br-shop_1.x".to_owned()));
    for name in ["br*", "a\" }", "a b", "", "longer-than-15-x", "br\n"] {
        assert!(named(name).is_err(), "{name:?}");
    }
}

#[test]
fn nothing_on_a_network_and_off_by_name_want_no_guard() {
    let off = SHOP.replace("{edge: web}", "{edge: web, guard: off}");
    for text in ["services: {job: {image: 'j:1', network_mode: none}}", off.as_str()] {
        assert_eq!(want_guarded(text).guard, None, "{text}");
    }
}

/// The steps of a plan that are about the guard, or come right after it.
fn about_the_guard(text: &str, seen: &Seen) -> String {
    let plan = plan(&want_guarded(text), seen);
    let steps = plan.steps.iter().map(crate::apply::sentence);
    let lines: Vec<String> =
        steps.filter(|line| line.contains("guard")).chain(plan.blocked.clone()).collect();
    lines.join("\n")
}

fn up() -> Seen {
    simulate(&bare(), &plan(&want_guarded(SHOP), &bare()))
}

#[test]
fn it_is_set_once_and_again_when_it_is_not_as_it_was() {
    assert_eq!(about_the_guard(SHOP, &bare()), "set guard shop: it is not there");
    let up = up();
    assert_eq!(about_the_guard(SHOP, &up), "");
    let after = |table: SeenTable| {
        let mut seen = up.clone();
        seen.guard.as_mut().unwrap().table = table;
        about_the_guard(SHOP, &seen)
    };
    assert_eq!(after(SeenTable::Absent { was_set: true }), "set guard shop: it was there and is gone");
    let Some(SeenTable::There { ruleset, .. }) = up.guard.as_ref().map(|guard| guard.table.clone()) else {
        panic!()
    };
    assert_eq!(after(SeenTable::There { ruleset, intact: false }), "set guard shop: somebody changed it");
    let changed = SHOP.replace("'80:80', ", "");
    let reason = "set guard shop: the networks, ports, blocks or resolvers that it is about changed";
    assert_eq!(about_the_guard(&changed, &up), reason);
    let mut resolvers = up.clone();
    resolvers.guard.as_mut().unwrap().resolvers.insert("10.0.0.2".parse().unwrap());
    assert_eq!(about_the_guard(SHOP, &resolvers), reason);
}

#[test]
fn without_a_way_to_guard_nothing_is_begun() {
    let mut seen = bare();
    seen.guard.as_mut().unwrap().table = SeenTable::Unable("`nft` is not installed".to_owned());
    let said = about_the_guard(SHOP, &seen);
    assert_eq!(
        said,
        "the guard cannot be set: `nft` is not installed; put that right, or say `x-supervisor: {guard: off}` to go without it"
    );
    assert!(plan(&want_guarded(SHOP), &seen).steps.is_empty());
    assert!(plan(&want_guarded(SHOP), &Seen::default()).steps.is_empty(), "nobody looked");
    assert!(
        !plan(&want_guarded(&SHOP.replace("{edge: web}", "{edge: web, guard: off}")), &seen).steps.is_empty()
    );
    let mut rootless = up();
    rootless.guard.as_mut().unwrap().links.clear();
    assert!(about_the_guard(SHOP, &rootless).contains("not in this network namespace"));
}

#[test]
fn a_host_without_ipv6_gets_what_needs_none_and_says_what_needs_it() {
    let mut seen = bare();
    seen.guard.as_mut().unwrap().without_ipv6 = true;
    assert_eq!(about_the_guard(SHOP, &seen), "set guard shop: it is not there");
    let asking = SHOP
        .replace("'80:80', ", "'80:80', '[2001:db8::1]:443:443', ")
        .replace("front: {}", "front: {enable_ipv6: true}");
    let plan = plan(&want_guarded(&asking), &seen);
    assert!(plan.steps.is_empty());
    expect![[r#"
        network `front` asks for IPv6, which this host's kernel does not have: take `enable_ipv6` out, or boot without `ipv6.disable=1`
        service `web` is to be reached at `[2001:db8::1]:443`, and this host's kernel has no IPv6: publish on an IPv4 address, or boot without `ipv6.disable=1`"#]].assert_eq(&plan.blocked.join("\n"));
    assert!(about_the_guard(&asking, &bare()).starts_with("set guard shop"));
    let unguarded = asking.replace("{edge: web}", "{edge: web, guard: off}");
    assert_eq!(super::super::plan::plan(&want_guarded(&unguarded), &seen).blocked, plan.blocked);
}

#[test]
fn it_goes_back_alone_where_the_rest_has_to_wait_and_goes_when_the_file_goes_without() {
    let mut seen = up();
    seen.guard.as_mut().unwrap().table = SeenTable::Absent { was_set: true };
    assert_eq!(guard_alone(&want_guarded(SHOP), &seen).unwrap().steps.len(), 1);
    assert!(guard_alone(&want_guarded(SHOP), &up()).is_none());
    let off = SHOP.replace("{edge: web}", "{edge: web, guard: off}");
    assert_eq!(about_the_guard(&off, &up()), "remove guard shop: the file goes without it");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the stack: no way to a container is open but the published ports, and every drop comes before the end.
    #[test]
    fn every_ruleset_ends_in_drops_and_differs_from_every_other(
        ports in prop::collection::btree_set((prop::sample::select(&[80, 443, 8080][..]), any::<bool>(), prop::option::of(1..3_u8)), 0..5),
        restricted: bool,
        internal in prop::collection::vec(any::<bool>(), 1..4),
    ) {
        let published: BTreeSet<Published> = ports.into_iter().map(|(port, udp, at)| {
            let address = at.map_or("0.0.0.0".to_owned(), |at| format!("192.0.2.{at}"));
            Published { port, udp, address: address.parse().unwrap() }
        }).collect();
        let networks: Vec<_> = internal.iter().enumerate()
            .map(|(index, internal)| network(&format!("n{index}"), &format!("{index}aaaaaaaaaaaaa"), *internal)).collect();
        let edge_from = restricted.then(BTreeSet::new);
        let spec = GuardSpec { project: "shop".to_owned(), published, edge_from, ..GuardSpec::default() };
        let ruleset = Ruleset::of(&spec, &networks).unwrap();
        let script = ruleset.script();
        let passes = script.lines().filter(|line| line.contains("\"published\" return"));
        prop_assert_eq!(passes.count(), spec.published.len());
        for end in ["\t\tcounter name \"to-host\" drop\n\t}", "\t\tcounter name \"past-publishing\" drop\n\t}"] {
            prop_assert!(script.contains(end), "{}", script);
        }
        prop_assert_eq!(script.matches('{').count(), script.matches('}').count());
        prop_assert!(is_just(&script, "shop") && !is_just(&script, "shop2"));
        let elsewhere = script.lines().filter(|line| line.contains("\"elsewhere\" drop"));
        let of_the_edge = spec.published.iter().filter(|published| restricted && published.port != 8080);
        prop_assert_eq!(elsewhere.count(), of_the_edge.count());
        let only_sometimes = ["too-many", "published", "elsewhere", "names"];
        for row in rows::ALL.iter().filter(|row| !only_sometimes.contains(&row.name)) {
            prop_assert!(script.contains(&format!("counter name \"{}\"", row.name)), "{} counts nothing", row.name);
        }
        prop_assert_eq!(script.contains("counter name \"too-many\""), !spec.published.is_empty());
        let less: BTreeSet<_> = spec.published.iter().copied().skip(1).collect();
        if less != spec.published {
            let other = Ruleset::of(&GuardSpec { published: less, ..spec }, &networks).unwrap();
            prop_assert_ne!(other.hash(), ruleset.hash());
        }
    }
}
