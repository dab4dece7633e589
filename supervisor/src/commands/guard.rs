//! `guard`: what the host's packet filter lets through to and from the stack, what it counted, and whether it is as wanted.
//!
//! Deliberately absent: setting it; `up` and `run` do that before they start anything.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::args::GlobalArgs;
use crate::decide::guard::listing::Count;
use crate::decide::guard::{self, Verdict, judge, rows};
use crate::decide::wanted::Restarts;
use crate::exit::{Exit, Failure};
use crate::pipeline::{Prepared, Wish};
use crate::render::table::table;
use crate::{input, pipeline, session};

/// Options of `guard`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do with it.
    #[command(subcommand)]
    pub action: Action,
}

/// What `guard` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Print its rows, and what each of them counted
    #[command(after_help = "Examples:
  supervisor guard show                                     a row a line, with its packets and what it is there for
  supervisor guard show --format json | jq '.rows[] | select(.packets > 0)'
  nft list table inet supervisor-PROJECT                    the same as the kernel has it

It counts from when it was set; `/metrics` of `run` has totals that go on.")]
    Show {
        /// How it is printed
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Compare the one in the kernel with the one that the file wants
    #[command(
        after_help = "Exit codes: 0 it is as wanted, or the file goes without it by name; 5 it is not."
    )]
    Check {
        /// How it is printed
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
}

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

/// The guard as it is, for people and machines.
#[derive(Debug, Serialize)]
struct Report {
    project: String,
    table: String,
    /// `set`, `off`, or `not_set`.
    state: &'static str,
    /// Why it is not as wanted.
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Counted>,
}

#[derive(Debug, Serialize)]
struct Counted {
    row: &'static str,
    deed: &'static str,
    counts: &'static str,
    why: &'static str,
    #[serde(flatten)]
    count: Count,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let session = session::open(global).await?;
    let wish = Wish { counts: true, ..session::wish(global, Restarts::Engine) };
    let prepared = pipeline::prepare(&session.engine, stack, &wish).await?;
    let mut report = report(&prepared);
    let (format, is_as_wanted) = match args.action {
        Action::Show { format } => (format, true),
        Action::Check { format } => {
            report.rows.clear();
            (format, report.state != "not_set")
        }
    };
    let text = match format {
        Format::Human => human(&report),
        Format::Json => serde_json::to_string_pretty(&report).unwrap_or_default() + "\n",
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if is_as_wanted { Exit::Done } else { Exit::NotAsPromised })
}

fn report(prepared: &Prepared) -> Report {
    let Prepared { wanted, seen, .. } = prepared;
    let host = seen.guard.as_ref();
    let (state, reasons) = match wanted.guard.as_ref().map(|spec| judge(&spec.on(host), seen)) {
        None => ("off", Vec::new()),
        Some(Verdict::Keep) => ("set", Vec::new()),
        Some(Verdict::Set(why)) => ("not_set", vec![why.words().to_owned()]),
        Some(Verdict::Blocked(why)) => ("not_set", why),
    };
    let counted = |row: &rows::Row| host.and_then(|host| host.counters.get(row.name)).copied();
    let rows = rows::ALL.iter().filter_map(|row| {
        let count = counted(row)?;
        Some(Counted { row: row.name, deed: row.deed.word(), counts: row.counts, why: row.why, count })
    });
    Report {
        project: wanted.project.clone(),
        table: format!("inet {}", guard::table(&wanted.project)),
        state,
        reasons,
        rows: rows.collect(),
    }
}

fn human(report: &Report) -> String {
    let mut text = match report.state {
        "set" => format!("the guard of `{}` is set as wanted, in table `{}`\n", report.project, report.table),
        "off" => format!("`{}` goes without the guard\n", report.project),
        _ => {
            format!("the guard of `{}` is not set as wanted: {}\n", report.project, report.reasons.join("; "))
        }
    };
    if !report.rows.is_empty() {
        let rows: Vec<Vec<String>> = report
            .rows
            .iter()
            .map(|row| {
                let number = |number: u64| number.to_string();
                let words = [row.row, row.deed].map(str::to_owned);
                let counts = [number(row.count.packets), number(row.count.bytes), row.counts.to_owned()];
                words.into_iter().chain(counts).collect()
            })
            .collect();
        let _ = write!(text, "\n{}", table(&["ROW", "DEED", "PACKETS", "BYTES", "COUNTS"], &rows));
    }
    crate::render::plain(&text)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;
    use crate::commands::Command;

    #[test]
    fn an_action_and_a_format_are_read() {
        let cli = Cli::try_parse_from(["supervisor", "guard", "check", "--format", "json"]).unwrap();
        let Command::Guard(Args { action: Action::Check { format } }) = cli.command else {
            panic!("another command was read");
        };
        assert_eq!(format, Format::Json);
    }

    #[test]
    fn people_see_why_and_what_was_counted() {
        let report = Report {
            project: "shop".into(),
            table: "inet supervisor-shop".into(),
            state: "not_set",
            reasons: vec!["somebody changed it".into()],
            rows: vec![Counted {
                row: "to-host",
                deed: "drop",
                counts: "packets to the host",
                why: "why",
                count: Count { packets: 3, bytes: 180 },
            }],
        };
        expect_test::expect![[r"
            the guard of `shop` is not set as wanted: somebody changed it

            ROW      DEED  PACKETS  BYTES  COUNTS
            to-host  drop  3        180    packets to the host
        "]]
        .assert_eq(&human(&report));
    }
}
