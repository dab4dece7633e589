//! The table as a document, and what of it has to be so wherever it is checked.
//!
//! Deliberately absent: making the attempts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::NOT_STOPPED;
use super::run::{COMPOSE, GUIDE, OURS, RECORDED, Table};
use super::{Row, containers::Column};

/// The heading under which nothing is an answer: the rows as they are written.
const ROWS: &str = "\n## What each attempt is\n";

/// The document of a run.
pub fn document(table: &Table) -> String {
    let mut text = head(table);
    for class in classes(table) {
        let _ = write!(text, "\n### {}\n\n", title(class));
        text += &header(table);
        for row in rows_of(table, class).filter(|row| table.is_applicable(row)) {
            let cells: Vec<String> = table.columns.iter().map(|(_, column)| cell(column, &row.id)).collect();
            let _ = writeln!(text, "| `{}` | {} |", row.id, cells.join(" | "));
        }
    }
    text += &not_here(table);
    text += &not_stopped(table);
    text += &descriptions(table);
    text
}

fn head(table: &Table) -> String {
    let stopped = table.rows.iter().filter(|row| row.class != NOT_STOPPED);
    let applicable = stopped.clone().filter(|row| table.is_applicable(row)).count();
    let mut text = format!(
        "# Attacks

Made by `cargo xtask docs --attacks` from a run on a real engine; do not edit. Seen on {}.

Attempts to get out of a container, to get more rights in it, or to take down what is beside it. They are made from
inside containers of one image and one shape, side by side, and twice: as a user of the service's own, and as root, for an
intruder may have found a way to be root. What a Compose file asks for is an attempt as well.

| container | attempts that went through |
|---|---|
",
        table.on
    );
    for (heading, column) in &table.columns {
        let _ = writeln!(text, "| {} | {} of {applicable} |", describe(heading), table.through(column).len());
    }
    let _ = write!(
        text,
        "
{} attempts are described below, and {applicable} of them can succeed in this kernel, seen by their success: in one of
these containers, or in one that may do everything. Where no container here is weak to an attempt, that one is made weak
first (a `/dev/shm` from which may be executed, a neighbour in the same namespace), so that the attempt is known to find
what it looks for. Every attempt is harmless where it succeeds.

## The answers

**through**: it succeeded; *as root*: only as root. Otherwise the error that the attempt got, as the user and as root where
they differ. `SIGSYS`: the process was ended for making the call. `SIGKILL`: it was ended for using too much memory.
",
        stopped.count()
    );
    text
}

fn describe(heading: &str) -> String {
    let what = match heading {
        COMPOSE => "Docker Compose, from a file that sets nothing for safety",
        GUIDE => "Docker Compose, from a file with every setting of a hardening guide that a file can have",
        OURS => "the first file with its network named and its token as a secret, started by `up`",
        RECORDED => {
            "the same, with a recorded profile that grants the calls which the service was heard to use at work"
        }
        other => other,
    };
    format!("{heading}: {what}")
}

fn classes(table: &Table) -> Vec<&str> {
    let mut classes: Vec<&str> = Vec::new();
    for row in table.rows.iter().filter(|row| row.class != NOT_STOPPED) {
        if !classes.contains(&row.class.as_str()) {
            classes.push(&row.class);
        }
    }
    classes
}

fn rows_of<'a>(table: &'a Table, class: &'a str) -> impl Iterator<Item = &'a Row> {
    table.rows.iter().filter(move |row| row.class == class)
}

fn title(class: &str) -> String {
    let mut letters = class.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn header(table: &Table) -> String {
    let headings: Vec<&str> = table.columns.iter().map(|(heading, _)| *heading).collect();
    format!("| attempt | {} |\n|---|{}\n", headings.join(" | "), "---|".repeat(headings.len()))
}

/// One answer, or that of the user and that of root.
fn cell(column: &Column, id: &str) -> String {
    let answer = |answers: &super::Answers| answers.get(id).cloned().unwrap_or_else(|| "–".to_owned());
    let through = |answer: &str| answer == "done" || answer == "weakened";
    let (user, root) = (answer(&column.user), answer(&column.root));
    match (through(&user), through(&root)) {
        (true, _) => "**through**".to_owned(),
        (false, true) => "**through** *as root*".to_owned(),
        // Root has no more to gain where it says that it has it already.
        (false, false) if user == root || root == "EALREADY" => code(&user),
        (false, false) => format!("{}, {}", code(&user), code(&root)),
    }
}

fn code(answer: &str) -> String {
    let is_name = answer.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if is_name { format!("`{answer}`") } else { answer.to_owned() }
}

fn not_here(table: &Table) -> String {
    let mut text = "\n### Not possible on this machine\n
What these need is missing, as the container shows that may do everything. Ours has an answer of its own where the call is
denied before the kernel is asked.\n
| attempt | what it needs | with every right | ours |\n|---|---|---|---|\n"
        .to_owned();
    for row in table.rows.iter().filter(|row| row.class != NOT_STOPPED && !table.is_applicable(row)) {
        let [control, ours] = [&table.control, table.column(OURS)].map(|column| cell(column, &row.id));
        let _ = writeln!(text, "| `{}` | {} | {control} | {ours} |", row.id, row.needs);
    }
    text
}

fn not_stopped(table: &Table) -> String {
    let mut text = "\n## What is not stopped\n
Kept here so that nobody believes otherwise; a test fails when one of these is stopped, and it moves to the table above.\n
| attempt | what it does | what it gains | why it is so |\n|---|---|---|---|\n"
        .to_owned();
    for row in rows_of(table, NOT_STOPPED) {
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", row.id, row.tries, row.done, row.why);
    }
    text
}

fn descriptions(table: &Table) -> String {
    let mut text = ROWS.to_owned();
    for class in classes(table) {
        let _ = write!(
            text,
            "\n### {}: the attempts\n\n| attempt | what it tries | success means | why it matters | what should stop it |\n|---|---|---|---|---|\n",
            title(class)
        );
        for row in rows_of(table, class) {
            let Row { id, tries, done, why, layers, .. } = row;
            let _ = writeln!(text, "| `{id}` | {tries} | {done} | {why} | {layers} |");
        }
    }
    text
}

/// What of a document has to be the same wherever it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The rows' descriptions.
    pub rows: String,
    /// What ours answered to each attempt: on a kernel and engine like the document's word for word, else whether it
    /// went through.
    pub ours: BTreeMap<String, String>,
}

/// The last columns are ours: with a base, and recorded.
const OUR_COLUMNS: usize = 2;

/// What has to be kept of a document, on a machine of which [`Table::on`] says this.
pub fn kept(document: &str, on: &str) -> Kept {
    let alike = document.contains(&format!("Seen on {on}."));
    let (answers, rows) = document.split_once(ROWS).unwrap_or((document, ""));
    let (answers, open) = answers.split_once("\n## What is not stopped\n").unwrap_or((answers, ""));
    let cells = answers.lines().filter_map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        let id = cells.next()?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        let ours: Vec<&str> = cells.collect();
        let ours = ours.iter().rev().take(OUR_COLUMNS).copied().collect::<Vec<_>>().join(", ");
        let answer = match (alike, ours.contains("through")) {
            (true, _) => ours.as_str(),
            (false, true) => "through",
            (false, false) => "blocked",
        };
        Some((id, answer.to_owned()))
    });
    Kept { ours: cells.collect(), rows: [open, rows].concat() }
}
