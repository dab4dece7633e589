//! `check`: reads and judges the stack; needs no engine and no root.
//!
//! Deliberately absent: judging; this prints, and chooses the exit code.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::render::{github, human, json, sarif};

/// Options of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor check                              the stack in this folder
  supervisor check -f base.yaml -f prod.yaml    several files, merged in order
  supervisor check --strict --format github     in CI: warnings refuse, findings beside their lines
  supervisor check --format json | jq '.findings[] | select(.severity == \"error\")'

Exit codes: 0 admitted, 1 refused, 2 cannot be read.")]
pub struct Args {
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,
    /// Say what is filled in, too
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Say nothing where nothing is refused
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: each finding under its line
    #[default]
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanners and editors
    Sarif,
    /// Workflow commands of GitHub
    Github,
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let judged = input::load_and_admit(global, args.strict);
    let mut out = std::io::stdout().lock();
    let report = &judged.report;
    let text = match args.format {
        Format::Json => json::report(report),
        Format::Sarif => sarif::report(report),
        Format::Github => github::report(report),
        Format::Human if args.quiet && !report.refuses() => String::new(),
        Format::Human => {
            let colour = global.colours(out.is_terminal());
            let findings = if args.verbose {
                human::report(report, colour)
            } else {
                human::without_notes(report, colour)
            };
            findings + &human::summary(report)
        }
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    let exit = judged.exit();
    // The program ends here, and the kernel takes back a large stack quicker than its destructors.
    std::mem::forget(judged);
    Ok(exit)
}
