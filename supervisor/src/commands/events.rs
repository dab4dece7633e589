//! `events`: what happens to the stack's containers, as it happens.
//!
//! Deliberately absent: commands that run inside, health checks among them; they come every few seconds, and their
//! arguments may be secret.

use std::io::Write as _;

use futures_util::StreamExt as _;
use jiff::Timestamp;

use crate::args::GlobalArgs;
use crate::engine::by_hand::Happening;
use crate::exit::{Exit, Failure};
use crate::render::plain;
use crate::{input, session};

use super::when;

/// Options of `events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor events                          what happens from now on, until ^C
  supervisor events --since 1h --until 0s    what happened in the last hour
  supervisor events --json web | jq -r 'select(.action == \"die\") | .attributes.exitCode'

The engine remembers about the last 256 events, of all containers together.")]
pub struct Args {
    /// One JSON object a line: time, type, service, id, action, attributes
    #[arg(long)]
    pub json: bool,
    /// From then on: a time, such as 2026-01-31T12:00:00Z, or how long ago, such as 10m
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to then, and end
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let (since, until) = (when::maybe(args.since.as_ref(), now)?, when::maybe(args.until.as_ref(), now)?);
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let mut happenings = session.engine.happenings(&project, since, until);
    while let Some(happening) = happenings.next().await {
        let happening = happening?;
        let named = happening.service.as_ref().is_some_and(|service| args.services.contains(service));
        if args.services.is_empty() || named {
            let line = if args.json { json(&happening) } else { human(&happening) };
            let mut out = std::io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()?;
        }
    }
    Ok(Exit::Done)
}

/// `2026-01-31T12:00:00.123456789Z container die 0123456789ab (exitCode=3, name=shop-web-1)`.
fn human(happening: &Happening) -> String {
    let attributes: Vec<String> =
        happening.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let id: String = happening.id.chars().take(12).collect();
    let line = format!("{} container {} {id} ({})", happening.at, happening.action, attributes.join(", "));
    plain(&line).replace('\n', " ")
}

/// The keys are those of Docker Compose.
fn json(happening: &Happening) -> String {
    serde_json::json!({
        "time": happening.at.to_string(),
        "type": "container",
        "service": happening.service,
        "id": happening.id,
        "action": happening.action,
        "attributes": happening.attributes,
    })
    .to_string()
}
