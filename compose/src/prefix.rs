//! A block of addresses, such as `172.29.8.0/24`.
//!
//! Deliberately absent: what may be in one; that is for the rules.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// The text is not an address with a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPrefix;

impl Prefix {
    /// `ADDRESS/LENGTH`, with blanks around it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.trim().split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        (length <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, length })
    }

    /// Its address, as written.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits count.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether an address lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Whether one lies in the other.
    pub fn overlaps(self, other: Self) -> bool {
        if self.length <= other.length { self.contains(other.address) } else { other.contains(self.address) }
    }

    /// Whether all of it is for private use (RFC 1918, RFC 6598, RFC 4193).
    pub(crate) fn is_private(self) -> bool {
        const PRIVATE: [Prefix; 5] = [
            Prefix { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), length: 8 },
            Prefix { address: IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), length: 12 },
            Prefix { address: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), length: 16 },
            Prefix { address: IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), length: 10 },
            Prefix { address: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), length: 7 },
        ];
        PRIVATE.iter().any(|private| private.length <= self.length && private.contains(self.address))
    }
}

impl FromStr for Prefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        Self::parse(text).ok_or(NotAPrefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_an_address_and_a_length_of_its_family() {
        for good in ["10.0.0.0/8", "::/0", "2400:cb00::/32", "1.2.3.4/32"] {
            assert_eq!(good.parse::<Prefix>().map(|prefix| prefix.to_string()), Ok(good.to_owned()));
        }
        for bad in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/-1", "010.0.0.0/8", ""]
        {
            assert_eq!(bad.parse::<Prefix>(), Err(NotAPrefix), "{bad}");
        }
    }
}
