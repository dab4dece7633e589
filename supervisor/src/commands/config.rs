//! `config`: the stack as it would run, hardened, as Compose text.
//!
//! Deliberately absent: a stack that is not admitted; it is explained instead.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
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

Docker Compose accepts what is printed. Values that look like credentials are printed as variables of the same name.

Exit codes: 0 admitted, 1 refused, 2 cannot be read.")]
pub struct Args {
    /// How the stack is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Print values that look like credentials, too
    #[arg(long)]
    pub show_credentials: bool,
    /// Print nothing where nothing is refused
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// How the stack is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With a comment on each value that was filled in
    #[default]
    Yaml,
    /// With a list of what was filled in
    Json,
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let judged = input::load_and_admit(global, false);
    let exit = judged.exit();
    let Some(admitted) = judged.admitted else {
        let colour = global.colours(std::io::stderr().is_terminal());
        eprint!("{}{}", human::without_notes(&judged.report, colour), human::summary(&judged.report));
        return Ok(exit);
    };
    if args.quiet {
        return Ok(exit);
    }
    let credentials = if args.show_credentials { Credentials::Shown } else { Credentials::Hidden };
    let text = match args.format {
        Format::Yaml => emit::yaml(admitted.project(), credentials),
        Format::Json => emit::json(admitted.project(), credentials),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(plain(&text).as_bytes())?;
    out.flush()?;
    Ok(exit)
}
