//! The network's attacks: what a neighbour and an intruder in a container try, one row each, beside what has to work.
//!
//! An intruder's attempts are made from a container's network namespace with all of the machine's rights: what stops them is
//! the network alone, and nothing else that confines a container. Deliberately absent: any host but those of the test's own.

mod attempts;
mod client;
mod engine;
mod faults;
mod reach;
mod world;

use std::fmt::Write as _;

pub use attempts::ATTEMPTS;
pub use world::{Firewall, World};

/// Where an attempt is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A host on the same link.
    Neighbour,
    /// The service that only is on an internal network.
    App,
    /// The service that has a way out.
    Edge,
    /// The service that needs one name on the internet.
    Client,
    /// Any of them, in the middle of a fault.
    Fault,
}

impl Origin {
    const fn title(self) -> &'static str {
        match self {
            Self::Neighbour => "From a host on the same link",
            Self::App => "From a service on an internal network",
            Self::Edge => "From the edge, which has a way out",
            Self::Client => "From a service that needs one name on the internet",
            Self::Fault => "While something is killed",
        }
    }
}

/// One attempt.
#[derive(Clone, Copy)]
pub struct Attempt {
    /// Its name.
    pub id: &'static str,
    /// Where it is made from.
    pub from: Origin,
    /// What it is.
    pub tries: &'static str,
    /// Makes it; whether it went through.
    pub make: fn(&World) -> bool,
}

impl Origin {
    /// In the order in which they are shown, and attempts made: faults come last.
    const ALL: [Self; 5] = [Self::Neighbour, Self::App, Self::Edge, Self::Client, Self::Fault];
}

const fn attempt(id: &'static str, from: Origin, tries: &'static str, make: fn(&World) -> bool) -> Attempt {
    Attempt { id, from, tries, make }
}

/// One run of attempts: those that went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column(pub Vec<&'static str>);

impl Column {
    /// With those of another run.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// Makes every attempt but those in the middle of a fault: from each place one after the other, and from all places at
/// once, since what is stopped takes as long as it is waited for.
#[track_caller]
pub fn attack(world: &World) -> Column {
    world.route_out();
    std::thread::scope(|scope| {
        let places = Origin::ALL.into_iter().filter(|from| *from != Origin::Fault);
        let made: Vec<_> = places.map(|from| scope.spawn(move || made(world, from))).collect();
        made.into_iter().map(|made| made.join().expect("attempts")).fold(Column::default(), Column::and)
    })
}

/// Makes those in the middle of a fault.
#[track_caller]
pub fn faults(world: &World) -> Column {
    made(world, Origin::Fault)
}

#[track_caller]
fn made(world: &World, from: Origin) -> Column {
    let attempts = ATTEMPTS.iter().filter(|attempt| attempt.from == from);
    Column(attempts.filter(|attempt| (attempt.make)(world)).map(|attempt| attempt.id).collect())
}

/// The document of a run: Docker Compose with the guide's firewall, and ours.
pub fn document(compose: &Column, ours: &Column) -> String {
    let through = |column: &Column| format!("{} of {}", column.0.len(), ATTEMPTS.len());
    let mut text = format!(
        "# The network, attacked

Made by `cargo xtask docs --attacks` from a run on a real engine; do not edit.

One stack: an edge with a way out and a published port, a service on an internal network, and one that needs a single name
on the internet, all with IPv6. It is started by Docker Compose, with ufw's denial of what comes in and the rules for
`DOCKER-USER` of the hardening guide; and by `supervisor run`, with no other firewall at all. Docker Compose knows no way out
by name: there, what needs one name is on a network with a way out. Ours grants it that name, with `x-supervisor.egress`, on
a network that has none. A neighbour is a network namespace on a link with the host. An intruder is a program with all of the
machine's rights in a container's network, which it gives a route out where it has none, and which knows every address that
it is after: the network alone has to stop it. What is reached are hosts of the test's own, the metadata service at its real
address among them.

| | went through |
|---|---|
| Docker Compose with the guide's firewall | {} |
| `supervisor run` | {} |
",
        through(compose),
        through(ours)
    );
    for from in Origin::ALL {
        let _ = write!(
            text,
            "\n## {}\n\n| attempt | reaches | Compose | ours |\n|---|---|---|---|\n",
            from.title()
        );
        for attempt in ATTEMPTS.iter().filter(|attempt| attempt.from == from) {
            let cell =
                |column: &Column| if column.0.contains(&attempt.id) { "**through**" } else { "stopped" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                attempt.id,
                attempt.tries,
                cell(compose),
                cell(ours)
            );
        }
    }
    text
}
