//! `audit`: the host and the stack against the hardening guide's checklist. Changes nothing.
//!
//! Deliberately absent: judging (`audit`), and mending; each row that failed says what to do.

mod gather;

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;

use crate::args::GlobalArgs;
use crate::audit;
use crate::exit::{Exit, Failure};
use crate::render::audit as print;

/// Options of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sudo supervisor audit                                   this host, and the stack in this folder
  sudo supervisor audit -f /etc/supervisor/compose.yaml   this host, and that stack
  supervisor audit --rows                                 every row: why it is there, how it is read, what to do
  sudo supervisor audit --format json | jq '.rows[] | select(.verdict == \"failed\") | .id'

Run it as root: what cannot be read has failed. What cannot be seen from the host is listed as such.

Exit codes: 0 no row failed, 5 one did.")]
pub struct Args {
    /// How it is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Look at nothing, and print the rows themselves
    #[arg(long, conflicts_with = "format")]
    rows: bool,
}

/// How the audit is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line a row, and what to do where one failed
    #[default]
    Human,
    /// One JSON object
    Json,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    if args.rows {
        out.write_all(print::markdown().as_bytes())?;
        return Ok(Exit::Done);
    }
    let evidence = gather::evidence(global).await;
    let results = audit::judge(&evidence);
    let text = match args.format {
        Format::Json => print::json(&results),
        Format::Human => print::human(&results, global.colours(out.is_terminal())),
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    if args.format == Format::Human && !rustix::process::geteuid().is_root() {
        eprintln!("help: what could not be read has failed; run `supervisor audit` as root");
    }
    let (_, failed, _) = print::counts(&results);
    Ok(if failed == 0 { Exit::Done } else { Exit::NotAsPromised })
}
