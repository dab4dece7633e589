//! `check`: reads and judges the stack; needs no engine and no root. With `--fix` it writes what can be put right.
//!
//! Deliberately absent: judging and deciding what is written; this prints, writes, and chooses the exit code.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use compose::fix::Fixed;
use compose::{Notes, Report};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::host::rewrite::{Rewrite, rewrite};
use crate::input::{self, Judged};
use crate::render::{diff, github, human, json, sarif};

/// Options of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor check                              the stack in this folder
  supervisor check -f base.yaml -f prod.yaml    several files, merged in order
  supervisor check --diff                       what `--fix` would write
  supervisor check --fix                        write it, and judge what is left
  supervisor check --strict --format github     in CI: warnings refuse, findings beside their lines
  supervisor check --format json | jq '.findings[] | select(.severity == \"error\")'

Exit codes: 0 admitted, 1 refused, 2 cannot be read; with `--fix` of the files as they are then, with `--diff` of the
files as they are. 4 if `--fix` could not write.")]
pub struct Args {
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,
    /// Write into the files what can be put right without asking; all of it or nothing
    #[arg(long, conflicts_with = "diff")]
    pub fix: bool,
    /// Print what `--fix` would write, and write nothing; with `human` or `json`
    #[arg(long)]
    pub diff: bool,
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
    if args.diff && !matches!(args.format, Format::Human | Format::Json) {
        let error = "a diff is printed for people or as JSON";
        return Err(
            Failure::new(Exit::Unreadable, error).help("leave out `--format`, or use `--format json`")
        );
    }
    if !args.fix && !args.diff {
        let all = args.verbose || args.format != Format::Human;
        let notes = if all { Notes::Told } else { Notes::Counted };
        let judged = input::judge(global, args.strict, notes);
        print(global, args, &judged.report, &json::Repairs::None)?;
        let exit = judged.exit();
        // The program ends here, and the kernel takes back a large stack quicker than its destructors.
        std::mem::forget(judged);
        return Ok(exit);
    }
    match input::fix(global, args.strict) {
        Err(report) => {
            let judged = Judged { admitted: None, report };
            print(global, args, &judged.report, &json::Repairs::None)?;
            Ok(judged.exit())
        }
        Ok(fixed) if args.diff => show(global, args, &fixed),
        Ok(fixed) => write(global, args, fixed),
    }
}

/// Findings, and in JSON what was repaired.
fn print(
    global: &GlobalArgs,
    args: &Args,
    report: &Report,
    repairs: &json::Repairs<'_>,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let text = match args.format {
        Format::Json => json::with_repairs(report, repairs),
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
    Ok(())
}

/// `--diff`: the files stay, and so does the verdict on them.
fn show(global: &GlobalArgs, args: &Args, fixed: &Fixed) -> Result<Exit, Failure> {
    let exit = input::verdict(&fixed.before);
    if args.format == Format::Json {
        let diff = diff::unified(&fixed.files, &fixed.report, diff::For::Programs);
        print(global, args, &fixed.before, &json::Repairs::Shown { diff: &diff })?;
        return Ok(exit);
    }
    let mut out = std::io::stdout().lock();
    let reader = if out.is_terminal() { diff::For::People } else { diff::For::Programs };
    out.write_all(diff::unified(&fixed.files, &fixed.report, reader).as_bytes())?;
    out.flush()?;
    eprint!("{}", human::would_fix(fixed));
    Ok(exit)
}

/// `--fix`: the verdict is on what is in the files then.
fn write(global: &GlobalArgs, args: &Args, fixed: Fixed) -> Result<Exit, Failure> {
    if let Err(failure) = write_files(&fixed) {
        print(global, args, &fixed.before, &json::Repairs::Done { done: &[] })?;
        return Err(failure);
    }
    if args.format == Format::Human && !args.quiet {
        let mut out = std::io::stdout().lock();
        out.write_all(human::fixed(&fixed).as_bytes())?;
    }
    print(global, args, &fixed.report, &json::Repairs::Done { done: &fixed.done })?;
    Ok(Judged { admitted: fixed.admitted, report: fixed.report }.exit())
}

fn write_files(fixed: &Fixed) -> Result<(), Failure> {
    let files = fixed.files.iter().map(|file| {
        let path = file.path.as_deref()?;
        Some(Rewrite { path, before: file.before.as_bytes(), after: file.after.as_bytes() })
    });
    let Some(files) = files.collect::<Option<Vec<_>>>() else {
        let error = "standard input cannot be written";
        return Err(
            Failure::new(Exit::Unreadable, error).help("use `--diff`, or name the file with `-f FILE`")
        );
    };
    rewrite(&files).map_err(|error| {
        let help = error.help();
        Failure::new(Exit::Failed, error).help(help)
    })
}
