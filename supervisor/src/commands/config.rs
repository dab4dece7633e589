//! `config`: the stack as it would run, hardened, as Compose text; or as its files say it, before anything judged it.
//!
//! Deliberately absent: a hardened stack that is not admitted; it is explained instead.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use compose::Report;
use compose::emit::{self, Credentials};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::render::{human, plain};

/// Options of `config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor config                  what would run; each filled-in value names its rule: `read_only: true  # SV150`
  supervisor config --format json    the same for programs; what was filled in is listed under `x-filled`
  supervisor config -q               nothing but the exit code
  supervisor config --as-written     what the files say once merged and resolved: the JSON of `docker compose config`

Docker Compose accepts what is printed. Values that look like credentials are printed as variables of the same name.

Exit codes: 0 admitted, 1 refused, 2 cannot be read; with `--as-written` nothing is judged, so that 1 does not occur.")]
pub struct Args {
    /// How the stack is printed; `yaml` without, and `json` with `--as-written`
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Print what the files say, without judging and hardening, in the JSON of `docker compose config --format json`
    #[arg(long)]
    pub as_written: bool,
    /// Print values that look like credentials, too
    #[arg(long)]
    pub show_credentials: bool,
    /// Print nothing where nothing is refused
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// How the stack is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With a comment on each value that was filled in
    Yaml,
    /// With a list of what was filled in
    Json,
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let credentials = if args.show_credentials { Credentials::Shown } else { Credentials::Hidden };
    match (args.as_written, args.format) {
        (true, Some(Format::Yaml)) => {
            Err(Failure::new(Exit::Unreadable, "what is written is printed as JSON")
                .help("leave out `--format`, or use `--format json`"))
        }
        (true, Some(Format::Json) | None) => as_written(global, args.quiet, credentials),
        (false, format) => hardened(global, args.quiet, format.unwrap_or(Format::Yaml), credentials),
    }
}

/// What would run, if it may.
fn hardened(
    global: &GlobalArgs,
    quiet: bool,
    format: Format,
    credentials: Credentials,
) -> Result<Exit, Failure> {
    let judged = input::load_and_admit(global, false);
    let exit = judged.exit();
    let Some(admitted) = judged.admitted else {
        explain(global, &judged.report);
        return Ok(exit);
    };
    let text = match format {
        _ if quiet => return Ok(exit),
        Format::Yaml => emit::yaml(admitted.project(), credentials),
        Format::Json => emit::json(admitted.project(), credentials),
    };
    print(&text)?;
    Ok(exit)
}

/// What the files say, be it allowed or not.
fn as_written(global: &GlobalArgs, quiet: bool, credentials: Credentials) -> Result<Exit, Failure> {
    let loaded = match input::load(global) {
        Ok(loaded) => loaded,
        Err(report) => {
            explain(global, &report);
            return Ok(Exit::Unreadable);
        }
    };
    let profiles = global.profiles().into_iter().collect();
    let text = compose::as_written(&loaded, &profiles, credentials);
    let Some(text) = text.filter(|_| !loaded.report.unreadable) else {
        explain(global, &loaded.report);
        return Ok(Exit::Unreadable);
    };
    if !quiet {
        print(&text)?;
    }
    Ok(Exit::Done)
}

/// Why nothing is printed, on standard error.
fn explain(global: &GlobalArgs, report: &Report) {
    let colour = global.colours(std::io::stderr().is_terminal());
    eprint!("{}{}", human::without_notes(report, colour), human::summary(report));
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(plain(text).as_bytes())?;
    out.flush()?;
    Ok(())
}
