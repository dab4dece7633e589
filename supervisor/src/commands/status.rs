//! `status`: how the stack is and what is in force, in the words of the `run` that keeps it.
//!
//! It asks that `run` and nobody else. Deliberately absent: the engine (`ps`), and the kernel's word now (`attest`).

use std::path::PathBuf;
use std::time::Duration;

use crate::exit::{Exit, Failure};
use crate::observe::probe::{self, fetch_unix};
use crate::render::status::status;
use crate::serve::snapshot::Snapshot;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;
/// For the whole answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 where every service is healthy and attested, with 4 where something is not, or where no `run` answers.")]
pub struct Args {
    /// Where `run` answers: what it was told by `--listen unix:/PATH`, as its unit is
    #[arg(long, value_name = "PATH", default_value = "/run/supervisor/endpoint.sock")]
    socket: PathBuf,
    /// For people, or everything that is known as JSON
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Sentences and columns
    #[default]
    Human,
    /// `/status` as it is
    Json,
}

pub(crate) async fn run(args: &Args) -> Result<Exit, Failure> {
    let answer = fetch_unix(&args.socket, "/status", LONGEST, PATIENCE).await;
    let bytes = answer.map_err(|failure| unanswered(args, &failure))?;
    let snapshot: Snapshot = serde_json::from_slice(&bytes)
        .map_err(|error| unanswered(args, &probe::Failure::Broken(error.to_string())))?;
    match args.format {
        Format::Human => print!("{}", status(&snapshot)),
        Format::Json => println!("{}", String::from_utf8_lossy(&bytes).trim_end()),
    }
    Ok(if snapshot.is_ready() { Exit::Done } else { Exit::Failed })
}

fn unanswered(args: &Args, failure: &probe::Failure) -> Failure {
    let help = "`systemctl status supervisor` says whether it runs; `--socket` names another place, and root may ask";
    Failure::new(Exit::Failed, format!("no `run` answers on `{}`: {failure}", args.socket.display()))
        .help(help)
}
