//! The guard's rows, one each: the counter that tells of it, and why it is there. Rates, and texts that several rooms share.
//!
//! Deliberately absent: nft's language.

/// One kind of packet, counted under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The counter's name.
    pub name: &'static str,
    /// What becomes of such a packet.
    pub deed: Deed,
    /// What it counts.
    pub counts: &'static str,
    /// Why.
    pub why: &'static str,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is dropped, whatever any other table says.
    Drop,
    /// It goes on, and other tables have their say.
    Pass,
}

impl Deed {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Pass => "pass",
        }
    }
}

/// To the host's loopback addresses from elsewhere.
pub const TO_LOOPBACK: Row = Row {
    name: "to-loopback",
    deed: Deed::Drop,
    counts: "packets from outside to a loopback address of the host",
    why: "the engine turns on routing to loopback, so that a neighbour on the link reached what is published on 127.0.0.1",
};
/// From an address that is not the bridge's.
pub const FORGED: Row = Row {
    name: "forged",
    deed: Deed::Drop,
    counts: "packets of containers with another network's source address",
    why: "rules that go by addresses would be fooled, here and on other hosts",
};
/// From where the file says that the edge is not reached.
pub const ELSEWHERE: Row = Row {
    name: "elsewhere",
    deed: Deed::Drop,
    counts: "packets to the edge's ports from addresses that `x-supervisor.edge_from` does not name",
    why: "whoever knows the host's own address would get past the proxy in front that filters for it",
};
/// More new connections than a source may begin.
pub const TOO_MANY: Row = Row {
    name: "too-many",
    deed: Deed::Drop,
    counts: "new connections to published ports beyond a source's rate",
    why: "one source must not use up what all others need",
};
/// From a container to the host.
pub const TO_HOST: Row = Row {
    name: "to-host",
    deed: Deed::Drop,
    counts: "packets of containers to the host itself, by whichever of its addresses",
    why: "every service of the host that listens on all addresses is reached through the bridge's",
};
/// From one of the stack's networks to another.
pub const BETWEEN: Row = Row {
    name: "between-networks",
    deed: Deed::Drop,
    counts: "packets from one network of the stack to another, by a route",
    why: "what is on two networks is on two networks; nobody else joins them",
};
/// From a network that has no way out.
pub const WAY_OUT: Row = Row {
    name: "way-out",
    deed: Deed::Drop,
    counts: "packets out of networks that have no way out",
    why: "`internal: true` is kept by the engine's rules, which others flush",
};
/// To a metadata service.
pub const TO_METADATA: Row = Row {
    name: "to-metadata",
    deed: Deed::Drop,
    counts: "packets of containers to metadata services and other link-local addresses",
    why: "a metadata service gives the host's credentials to whoever asks from the host",
};
/// To a private address.
pub const TO_PRIVATE: Row = Row {
    name: "to-private",
    deed: Deed::Drop,
    counts: "packets of containers to private and other special addresses, other stacks' among them",
    why: "what is not on the internet trusts its neighbours",
};
/// To a resolver that the engine asks.
pub const NAMES: Row = Row {
    name: "names",
    deed: Deed::Pass,
    counts: "questions to the resolvers that the engine asks, from networks with a way out",
    why: "a resolver is often at a private address, and is needed",
};
/// To a published port.
pub const PUBLISHED: Row = Row {
    name: "published",
    deed: Deed::Pass,
    counts: "packets from outside to the ports that the file publishes",
    why: "that is what they are published for",
};
/// To a container in any other way.
pub const PAST_PUBLISHING: Row = Row {
    name: "past-publishing",
    deed: Deed::Drop,
    counts: "packets from outside to containers by another way than a published port",
    why: "a route to a container's address passes every rule that goes by published ports",
};

/// All of them, in the order in which a packet meets them.
pub const ALL: [Row; 12] = [
    TO_LOOPBACK,
    FORGED,
    ELSEWHERE,
    TOO_MANY,
    TO_HOST,
    BETWEEN,
    NAMES,
    WAY_OUT,
    TO_METADATA,
    TO_PRIVATE,
    PUBLISHED,
    PAST_PUBLISHING,
];

/// New connections that one source may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_minute: u32,
    /// At once.
    pub burst: u32,
}

/// The rate of a published port, by the hardening guide's section 4.2; plain HTTP is there for a redirect alone.
pub const fn rate(port: u16) -> Rate {
    match port {
        80 => Rate { per_minute: 50, burst: 20 },
        _ => Rate { per_minute: 150, burst: 50 },
    }
}
