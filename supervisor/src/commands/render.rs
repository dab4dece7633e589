//! `render`: files for deploying a stack, made from answers or from its model. Prints; writes nothing.
//!
//! Deliberately absent: what they say (`cloud_init`, `caddyfile`).

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::args::GlobalArgs;
use crate::cloud_init::{Problem, Raw, answers, read, user_data};
use crate::exit::{Exit, Failure};
use crate::render::plain;

/// Options of `render`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// User-data for a fresh server of Ubuntu 24.04 or Debian 13: hardened, then the stack under its unit
    #[command(after_help = help())]
    CloudInit(CloudInit),
    /// A hardened Caddyfile for the stack's edge, from its model
    Caddyfile(super::caddyfile::Args),
}

/// Options of `render cloud-init`.
#[derive(Debug, clap::Args)]
struct CloudInit {
    /// Answers; those of the file come first
    #[arg(value_name = "NAME=VALUE")]
    answers: Vec<String>,
    /// File with an answer a line; `#` begins a comment
    #[arg(long = "answers", value_name = "FILE", id = "answers_file")]
    file: Option<PathBuf>,
}

fn help() -> String {
    format!(
        "{}
Examples:
  supervisor render cloud-init --answers answers > user-data
  supervisor render cloud-init --answers answers ssh-port=22022 > user-data

Exit codes: 0 printed, 1 answers are wrong or missing, 2 a file cannot be read.",
        answers::help()
    )
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    match &args.what {
        What::CloudInit(args) => cloud_init(args),
        What::Caddyfile(args) => super::caddyfile::run(global, args),
    }
}

fn cloud_init(args: &CloudInit) -> Result<Exit, Failure> {
    let mut raw = match &args.file {
        Some(path) => lines(path)?,
        None => Vec::new(),
    };
    raw.extend(args.answers.iter().map(|text| Raw {
        place: "the command line".to_owned(),
        exposed: true,
        text: text.clone(),
    }));
    for answer in &mut raw {
        stack_file(answer)?;
    }
    let answers = match read(&raw) {
        Ok(answers) => answers,
        Err(problems) => {
            problems.iter().for_each(tell);
            return Err(Failure::new(
                Exit::Refused,
                format!("{} answers are wrong or missing", problems.len()),
            )
            .help("`supervisor render cloud-init --help` lists the questions"));
        }
    };
    let made = user_data(&answers);
    let mut out = std::io::stdout().lock();
    out.write_all(made.text.as_bytes())?;
    out.flush()?;
    for warning in made.warnings {
        eprintln!("warning: {}", plain(&warning));
    }
    Ok(Exit::Done)
}

fn tell(problem: &Problem) {
    let place = if problem.place.is_empty() { String::new() } else { format!("{}: ", problem.place) };
    eprintln!("error: {}", plain(&format!("{place}{}\n  help: {}", problem.message, problem.help)));
}

fn lines(path: &Path) -> Result<Vec<Raw>, Failure> {
    let text = text(path)?;
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with('#'));
    Ok(lines
        .map(|(number, line)| Raw {
            place: format!("{}:{}", path.display(), number + 1),
            exposed: false,
            text: line.to_owned(),
        })
        .collect())
}

/// `compose=FILE` becomes the file's text.
fn stack_file(answer: &mut Raw) -> Result<(), Failure> {
    if let Some(("compose", file)) =
        answer.text.split_once('=').map(|(name, value)| (name.trim(), value.trim()))
        && !file.is_empty()
    {
        answer.text = format!("compose={}", text(Path::new(file))?);
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Unreadable, format!("cannot read `{}`: {error}", path.display())))
}
