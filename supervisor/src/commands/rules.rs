//! `rules`: the catalogue of rules, or one of them with its reason, its examples and its fix.
//!
//! Deliberately absent: any file; the catalogue is part of the program.

use std::io::Write as _;

use clap::ValueEnum;

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::render::catalogue;

/// Options of `rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor rules             every rule, one a line
  supervisor rules SV151       why no engine socket may be mounted, and what to write instead")]
pub struct Args {
    /// The rule to explain
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How the whole catalogue is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", conflicts_with = "id")]
    pub format: Format,
}

/// How the catalogue is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line a rule
    #[default]
    Human,
    /// The text of docs/rules.md
    Markdown,
    /// A JSON list
    Json,
}

pub(crate) fn run(_: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let text = match (&args.id, args.format) {
        (Some(id), _) => catalogue::explain(id).ok_or_else(|| {
            Failure::new(Exit::Unreadable, format!("there is no rule `{id}`"))
                .help("`supervisor rules` lists them all")
        })?,
        (None, Format::Human) => catalogue::list(),
        (None, Format::Markdown) => catalogue::markdown(),
        (None, Format::Json) => catalogue::to_json(),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}
