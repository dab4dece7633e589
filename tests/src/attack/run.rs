//! One run of every attempt in every container, side by side.
//!
//! Deliberately absent: what the answers have to be.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::bed::{Bed, ran};
use crate::stack;

use super::containers::{self, Column, FLOOD};
use super::{Row, build, outside, rows};

/// Every attempt and what each container answered.
#[derive(Clone, Debug)]
pub struct Table {
    /// What it ran on.
    pub on: String,
    /// The attempts.
    pub rows: Vec<Row>,
    /// Containers that may do everything.
    pub control: Column,
    /// The others, by the heading of their column; ours come last.
    pub columns: Vec<(&'static str, Column)>,
}

/// Headings of the containers that are compared.
pub const COMPOSE: &str = "Compose";
/// With the guide.
pub const GUIDE: &str = "with the guide";
/// Ours.
pub const OURS: &str = "ours";
/// Ours with a recorded profile.
pub const RECORDED: &str = "recorded";

/// Makes every attempt everywhere.
#[track_caller]
pub fn run() -> Table {
    // The real stack must not find the addresses that answer here.
    let _turn = stack::turn();
    let bed = Bed::new("attacks");
    let program = bed.folder().join("attack");
    build(&program);
    let engine = &bed.engine;
    let image = containers::image(engine, &program);
    let _addresses = Addresses::answering();
    let table = Table {
        on: containers::versions(engine),
        rows: rows(&program).into_iter().chain(outside::rows()).collect(),
        control: containers::control(&bed, &image),
        columns: vec![
            (COMPOSE, nothing_set(&image)),
            (GUIDE, by_the_guide(&image)),
            (OURS, ours(&image, &containers::ours(&image))),
            (RECORDED, recorded(&image)),
        ],
    };
    drop(bed);
    table
}

fn nothing_set(image: &str) -> Column {
    let bed = Bed::with("attacks-compose", &containers::nothing_set(image));
    let rest = outside::under_compose(&bed, image, containers::SILENT);
    composed(&bed, rest)
}

fn by_the_guide(image: &str) -> Column {
    let bed = Bed::new("attacks-guide");
    let seccomp = bed.write("seccomp.json", include_str!("../../fixtures/guide-seccomp.json"));
    bed.write("compose.yaml", &containers::by_the_guide(image, &seccomp));
    let rest = outside::under_compose(&bed, image, &containers::guide_keys(&seccomp));
    composed(&bed, rest)
}

#[track_caller]
fn composed(bed: &Bed, outside: Vec<(String, String)>) -> Column {
    containers::compose(bed, "compose.yaml", &["up", "--detach"]).expect(0);
    whole(bed, outside)
}

fn ours(image: &str, file: &str) -> Column {
    let bed = Bed::with("attacks-ours", file);
    write_token(&bed);
    answers_of(&bed, image)
}

/// The service is recorded at its work, and the attempts are made under what was recorded.
fn recorded(image: &str) -> Column {
    let bed = Bed::with("attacks-recorded", &containers::to_record(image));
    write_token(&bed);
    bed.supervisor(&["up", "--detach"]).expect(0);
    bed.supervisor(&["profile", "record", "user", "--seconds", "2", "--output", "recorded.yaml"]).expect(0);
    // What starts from nothing has nothing to prove: the service that logs ends by itself, and no update may end so.
    bed.supervisor(&["down"]).expect(0);
    bed.write("compose.yaml", &containers::recorded(image));
    answers_of(&bed, image)
}

fn answers_of(bed: &Bed, image: &str) -> Column {
    let rest = outside::under_check(bed, image, containers::SILENT);
    bed.supervisor(&["up", "--detach"]).expect(0);
    let column = whole(bed, rest);
    bed.supervisor(&["down", "--volumes"]).expect(0);
    column
}

/// The secret of our file. One that others of the host can read is none, says the policy.
#[track_caller]
pub fn write_token(bed: &Bed) {
    let token = bed.write("token", "canary");
    std::fs::set_permissions(token, std::fs::Permissions::from_mode(0o600)).expect("the token's permissions");
}

/// What the containers of a stack that was started answered, and what the host says of them.
#[track_caller]
fn whole(bed: &Bed, mut outside: Vec<(String, String)>) -> Column {
    let mut column = containers::answered(bed);
    outside.push((outside::LOG.to_owned(), outside::log(bed, &bed.container(FLOOD))));
    column.user.extend(outside.clone());
    column.root.extend(outside);
    column
}

/// Addresses of the engine's network that stand for the cloud's metadata and for the rest of the world: nothing listens,
/// so that whoever gets there is refused by the host itself.
#[derive(Debug)]
pub struct Addresses;

const ADDRESSES: [&str; 2] = ["169.254.169.254/32", "203.0.113.7/32"];

impl Addresses {
    /// They answer until this is dropped.
    #[track_caller]
    pub fn answering() -> Self {
        for address in ADDRESSES {
            ran(Command::new("ip").args(["address", "replace", address, "dev", "lo"])).expect(0);
        }
        Self
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        for address in ADDRESSES {
            ran(Command::new("ip").args(["address", "delete", address, "dev", "lo"]));
        }
    }
}

/// How one cell of the table reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It went through, as a user of its own or as root.
    Through,
    /// It did not.
    Blocked,
}

impl Table {
    /// Whether an attempt can succeed here at all: it did, in some container.
    pub fn is_applicable(&self, row: &Row) -> bool {
        let mut columns = self.columns.iter().map(|(_, column)| column).chain([&self.control]);
        columns.any(|column| verdict(column, &row.id) == Verdict::Through)
    }

    /// The column with this heading.
    #[track_caller]
    pub fn column(&self, heading: &str) -> &Column {
        let found = self.columns.iter().find(|(name, _)| *name == heading);
        &found.unwrap_or_else(|| panic!("no column `{heading}`")).1
    }

    /// The names of the attempts that went through there, and can be stopped.
    pub fn through(&self, column: &Column) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row.class != super::NOT_STOPPED);
        rows.filter(|row| verdict(column, &row.id) == Verdict::Through).map(|row| row.id.as_str()).collect()
    }
}

/// What became of an attempt.
pub fn verdict(column: &Column, id: &str) -> Verdict {
    let through =
        |answer: Option<&String>| answer.is_some_and(|answer| answer == "done" || answer == "weakened");
    if through(column.user.get(id)) || through(column.root.get(id)) {
        Verdict::Through
    } else {
        Verdict::Blocked
    }
}
