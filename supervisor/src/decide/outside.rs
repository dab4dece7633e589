//! Which addresses lie outside: where a name may lead.
//!
//! An allow-list by exclusion of everything that IANA's registries of special-purpose addresses do not call globally
//! reachable, and of the metadata services that have public addresses. Deliberately absent: resolving.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range that no name may lead to: network, length of its prefix, what it is.
type Range<A> = (A, u32, &'static str);

/// IANA IPv4 Special-Purpose Address Registry (RFC 6890), and a metadata service that lies outside of it.
const V4: &[Range<Ipv4Addr>] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "an address of this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "an address behind a provider's translation"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address, where metadata services answer"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "an address for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "an address of a relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for measurements"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
    // Azure's host agent: public by number, the host's metadata by meaning.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a metadata service"),
];

/// Inside `2000::/3`, the only range of global unicast: IANA IPv6 Special-Purpose Address Registry (RFC 6890).
const V6: &[Range<Ipv6Addr>] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "an address for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "an address for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "an address of a relay"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "an address for documentation"),
];

/// RFC 6052: an IPv4 address behind the well-known prefix of a translator.
const TRANSLATED: u128 = 0x0064_ff9b << 96;

/// The ranges of IPv4 that do not lie outside, as prefixes, apart from each other and in order.
pub fn inside_v4() -> Vec<(Ipv4Addr, u32)> {
    let mut ranges: Vec<_> = V4.iter().map(|(network, length, _)| (*network, *length)).collect();
    ranges.sort_unstable();
    ranges
}

/// The ranges of IPv6 that do not lie outside, from the first address to the last, apart from each other and in order.
pub fn inside_v6() -> Vec<(Ipv6Addr, Ipv6Addr)> {
    const GLOBAL: u128 = 0x2000 << 112;
    let global_end = (0x4000_u128 << 112) - 1;
    let mut ranges =
        vec![(0, TRANSLATED - 1), (TRANSLATED + (1 << 32), GLOBAL - 1), (global_end + 1, u128::MAX)];
    ranges.extend(V6.iter().map(|(network, length, _)| prefix(network.to_bits(), *length)));
    // What a translator would send to a private address of IPv4.
    ranges.extend(
        inside_v4()
            .into_iter()
            .map(|(network, length)| prefix(TRANSLATED | u128::from(network.to_bits()), 96 + length)),
    );
    ranges.sort_unstable();
    ranges.into_iter().map(|(first, last)| (Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last))).collect()
}

/// The first and the last address of a prefix.
const fn prefix(network: u128, length: u32) -> (u128, u128) {
    let hosts = u128::MAX.checked_shr(length);
    (
        network,
        network
            | match hosts {
                Some(hosts) => hosts,
                None => 0,
            },
    )
}

/// Whether an address lies outside.
///
/// # Errors
/// What it is instead, for a message: `a private address`.
pub fn outside(address: IpAddr) -> Result<(), &'static str> {
    match address {
        IpAddr::V4(v4) => v4_outside(v4),
        IpAddr::V6(v6) => v6_outside(v6),
    }
}

fn v4_outside(address: Ipv4Addr) -> Result<(), &'static str> {
    let bits = u64::from(address.to_bits());
    let inside = V4.iter().find(|(network, length, _)| {
        let host = 32 - length;
        bits >> host == u64::from(network.to_bits()) >> host
    });
    inside.map_or(Ok(()), |(_, _, what)| Err(what))
}

fn v6_outside(address: Ipv6Addr) -> Result<(), &'static str> {
    let bits = address.to_bits();
    if let Some(v4) = address.to_ipv4_mapped() {
        v4_outside(v4)?;
        return Err("an IPv4 address in IPv6's clothes");
    }
    if bits & !0xffff_ffff == TRANSLATED {
        let low = u32::try_from(bits & 0xffff_ffff).unwrap_or_default();
        return v4_outside(Ipv4Addr::from_bits(low));
    }
    if address.is_loopback() {
        return Err("a loopback address");
    }
    if address.is_unique_local() {
        return Err("a private address");
    }
    if address.is_unicast_link_local() {
        return Err("a link-local address");
    }
    if address.is_multicast() {
        return Err("a multicast address");
    }
    if bits >> 125 != 0b001 {
        return Err("an address outside of global unicast");
    }
    let inside = V6.iter().find(|(network, length, _)| {
        let host = 128 - length;
        bits >> host == network.to_bits() >> host
    });
    inside.map_or(Ok(()), |(_, _, what)| Err(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: &str) {
        let said = outside(address.parse().unwrap()).err().unwrap_or("outside");
        assert_eq!(said, expected, "{address}");
    }

    #[test]
    fn public_addresses_are_outside() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "100.63.0.1",
            "100.128.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00:1450::1",
            "64:ff9b::101:101",
        ] {
            check(address, "outside");
        }
    }

    #[test]
    fn everything_near_is_inside() {
        check("0.0.0.0", "an address of this network");
        check("10.1.2.3", "a private address");
        check("172.16.0.1", "a private address");
        check("172.31.255.255", "a private address");
        check("192.168.1.1", "a private address");
        check("100.100.100.200", "an address behind a provider's translation");
        check("127.0.0.11", "a loopback address");
        check("169.254.169.254", "a link-local address, where metadata services answer");
        check("168.63.129.16", "a metadata service");
        check("192.0.0.192", "an address for protocols");
        check("224.0.0.251", "a multicast address");
        check("255.255.255.255", "a reserved address");
        check("::", "an address outside of global unicast");
        check("::1", "a loopback address");
        check("fd00:ec2::254", "a private address");
        check("fe80::1", "a link-local address");
        check("ff02::1", "a multicast address");
        check("2001:db8::1", "an address for documentation");
        check("2001::1", "an address for protocols");
        check("2002:a00:1::", "an address of a relay");
        check("fec0::1", "an address outside of global unicast");
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6s_clothes() {
        check("::ffff:10.0.0.1", "a private address");
        check("::ffff:169.254.169.254", "a link-local address, where metadata services answer");
        check("::ffff:1.1.1.1", "an IPv4 address in IPv6's clothes");
        check("::10.0.0.1", "an address outside of global unicast");
        check("64:ff9b::10.0.0.1", "a private address");
        check("64:ff9b:1::10.0.0.1", "an address outside of global unicast");
    }

    /// Whether a list of ranges holds an address.
    fn is_in<A: Ord>(ranges: &[(A, A)], address: &A) -> bool {
        ranges.iter().any(|(first, last)| first <= address && address <= last)
    }

    #[test]
    fn the_ranges_are_apart_and_say_what_each_address_says() {
        let v4: Vec<(Ipv4Addr, Ipv4Addr)> = inside_v4()
            .into_iter()
            .map(|(network, length)| {
                let last = u64::from(network.to_bits()) | (0xffff_ffff_u64 >> length);
                (network, Ipv4Addr::from_bits(u32::try_from(last).unwrap()))
            })
            .collect();
        let v6 = inside_v6();
        assert!(v4.windows(2).all(|pair| pair[0].1 < pair[1].0), "{v4:?}");
        assert!(v6.windows(2).all(|pair| pair[0].1 < pair[1].0), "{v6:?}");
        // The edges of every range, and what is next to them.
        for bits in v4.iter().flat_map(|(first, last)| [first.to_bits(), last.to_bits()]) {
            for bits in [bits, bits.wrapping_sub(1), bits.wrapping_add(1)] {
                let address = Ipv4Addr::from_bits(bits);
                assert_eq!(is_in(&v4, &address), outside(address.into()).is_err(), "{address}");
            }
        }
        for bits in v6.iter().flat_map(|(first, last)| [first.to_bits(), last.to_bits()]) {
            for bits in [bits, bits.wrapping_sub(1), bits.wrapping_add(1)] {
                let address = Ipv6Addr::from_bits(bits);
                assert_eq!(is_in(&v6, &address), outside(address.into()).is_err(), "{address}");
            }
        }
    }
}
