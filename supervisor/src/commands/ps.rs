//! `ps`: the stack's containers and their health.
//!
//! Shows what runs under the project's label, whatever the file says now. Deliberately absent: the kernel's word on
//! them (`attest`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::args::GlobalArgs;
use crate::decide::labels;
use crate::decide::seen::{Health, State};
use crate::decide::spec::PortSpec;
use crate::decide::wanted::Restarts;
use crate::engine::by_hand::Listed;
use crate::engine::{Docker, Engine as _, Inspected};
use crate::exit::{Exit, Failure};
use crate::observe::ending::{last_lines, understand};
use crate::render::plain;
use crate::render::table::table;
use crate::{input, pipeline, session};

use super::relayed::relayed;

/// Options of `ps`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor ps                                what is up
  supervisor ps -a --filter health=unhealthy   what says of itself that it is not well
  supervisor ps --status exited --status dead  what is down
  supervisor ps --format json | jq -r '.[] | select(.oom_killed) | .service'")]
pub struct Args {
    /// Those that do not run, too
    #[arg(short, long)]
    pub all: bool,
    /// A table, or JSON: an array with one object a container
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Print ids alone
    #[arg(short, long)]
    pub quiet: bool,
    /// Print the names of the services alone
    #[arg(long)]
    pub services: bool,
    /// Those in this state, whether it is up or not; repeatable
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    pub status: Vec<String>,
    /// The same as `--status`, written as `status=STATE`, or those of this health, `health=HEALTH`; repeatable
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// The services; all of them without
    #[arg(id = "service", value_name = "SERVICE")]
    pub service: Vec<String>,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns
    #[default]
    Table,
    /// JSON
    Json,
}

/// States that `--status` knows, in Docker Compose's words.
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "exited", "removing", "dead"];

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let filter = Filter::read(args)?;
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let mut containers = session.engine.listed(&project).await?;
    if containers.is_empty() {
        say_whose(&session.engine.composed(&project).await?);
    }
    containers.retain(|container| {
        (args.service.is_empty() || args.service.contains(&container.service)) && filter.lets(container)
    });
    if args.services {
        let names: BTreeSet<&str> = containers.iter().map(|container| container.service.as_str()).collect();
        for name in names {
            println!("{name}");
        }
        return Ok(Exit::Done);
    }
    if args.quiet {
        for container in containers {
            println!("{}", container.id);
        }
        return Ok(Exit::Done);
    }
    // The list does not say who was killed for its memory, nor why anybody ended.
    let ended =
        containers.iter().filter(|container| matches!(container.state, State::Exited(code) if code != 0));
    let ended = try_join_all(ended.map(|container| session.engine.inspect(&container.id))).await?;
    let reasons = reasons(global, &session.engine, &ended).await;
    let relayed = relayed(global, &project);
    match args.format {
        Format::Table => {
            let of_memory: BTreeSet<String> =
                ended.iter().filter(|seen| seen.oom_killed).map(|seen| seen.id.clone()).collect();
            let rows: Vec<Vec<String>> =
                containers.iter().map(|container| row(container, &of_memory, &relayed)).collect();
            print!("{}", table(&["NAME", "IMAGE", "SERVICE", "STATUS", "PORTS"], &rows));
            for (name, reason) in &reasons {
                println!("{name}: {}", plain(reason));
            }
        }
        Format::Json => {
            let inspected = try_join_all(containers.iter().map(|c| session.engine.inspect(&c.id))).await?;
            let rows: Vec<serde_json::Value> =
                inspected.iter().map(|container| json(container, &reasons, &relayed)).collect();
            println!("{}", serde_json::Value::Array(rows));
        }
    }
    Ok(Exit::Done)
}

/// A project that seems to have nothing may be Docker Compose's as yet, or again.
fn say_whose(composed: &[Listed]) {
    if composed.is_empty() {
        return;
    }
    let names: Vec<String> =
        composed.iter().map(|container| format!("`{}`", plain(&container.name))).collect();
    eprintln!(
        "note: these are Docker Compose's, and are neither confined, compared nor healed as a stack of the supervisor's is: {}; \
         `supervisor up` takes them over, and `supervisor up --dry-run` shows how",
        names.join(", ")
    );
}

/// Which containers are shown, besides those of which service.
struct Filter {
    /// In one of these states; in any that is up if there is none.
    states: Vec<String>,
    health: Option<String>,
    all: bool,
}

impl Filter {
    fn read(args: &Args) -> Result<Self, Failure> {
        let mut filter = Self { states: args.status.clone(), health: None, all: args.all };
        for text in &args.filter {
            match text.split_once('=') {
                Some(("status", state)) if STATES.contains(&state) => filter.states.push(state.to_owned()),
                Some(("health", health)) => filter.health = Some(health.to_owned()),
                _ => {
                    return Err(Failure::new(Exit::Unreadable, format!("`--filter {text}` is not known"))
                        .help(format!(
                            "write `status=` and one of {}, or `health=` and starting, healthy or unhealthy",
                            STATES.join(", ")
                        )));
                }
            }
        }
        Ok(filter)
    }

    fn lets(&self, container: &Listed) -> bool {
        let up = matches!(container.state, State::Running | State::Paused | State::Restarting);
        let state = match self.states.as_slice() {
            [] => up || self.all,
            states => states.iter().any(|state| state == state_name(container.state)),
        };
        state && self.health.as_deref().is_none_or(|wanted| container.health.map(health_name) == Some(wanted))
    }
}

/// Why these ended, by container. The file says what they were promised: without one, nothing is said.
async fn reasons(global: &GlobalArgs, engine: &Docker, ended: &[Inspected]) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    if ended.is_empty() {
        return reasons;
    }
    let wish = session::wish(global, Restarts::Engine);
    let admitted = input::load_and_admit(global, false).admitted;
    let Some(wanted) = admitted.and_then(|admitted| pipeline::order_only(admitted, &wish)) else {
        return reasons;
    };
    for seen in ended {
        let mut specs = wanted.services.values().flat_map(|service| &service.containers);
        let Some(spec) = specs.find(|spec| spec.name == seen.name) else { continue };
        let output = last_lines(engine, &seen.id).await;
        reasons.extend(understand(spec, seen, &output).map(|found| (seen.name.clone(), found.to_string())));
    }
    reasons
}

/// Ports that the supervisor listens on, by service.
type Relayed = BTreeMap<String, BTreeSet<PortSpec>>;

fn row(container: &Listed, out_of_memory: &BTreeSet<String>, relayed: &Relayed) -> Vec<String> {
    let relayed = relayed.get(&container.service).filter(|_| container.state == State::Running);
    let killed = if out_of_memory.contains(&container.id) { " (out of memory)" } else { "" };
    vec![
        container.name.clone(),
        container.image.clone(),
        container.service.clone(),
        format!("{}{killed}", container.status),
        ports(container.ports.iter().chain(relayed.into_iter().flatten())),
    ]
}

fn label(container: &Inspected, name: &str) -> String {
    container.labels.get(name).cloned().unwrap_or_default()
}

pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

const fn health_name(health: Health) -> &'static str {
    match health {
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Restarting => "restarting",
        State::Exited(_) => "exited",
        State::Removing => "removing",
        State::Dead => "dead",
    }
}

fn ports<'a>(ports: impl Iterator<Item = &'a PortSpec>) -> String {
    let ports = ports.map(|port| {
        let host = SocketAddr::new(port.host_ip, port.host_port);
        format!("{host}->{}/{}", port.container_port, port.protocol)
    });
    ports.collect::<Vec<_>>().join(", ")
}

fn json(container: &Inspected, reasons: &BTreeMap<String, String>, relayed: &Relayed) -> serde_json::Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    serde_json::json!({
        "id": container.id,
        "name": container.name,
        "project": label(container, labels::PROJECT),
        "service": label(container, labels::SERVICE),
        "image": label(container, labels::IMAGE),
        "image_id": container.image_id,
        "state": state_name(container.state),
        "health": container.health.map(health_name),
        "exit_code": container.exit_code,
        "oom_killed": container.oom_killed,
        "diagnosis": reasons.get(&container.name),
        "started_at": time(container.started_at),
        "finished_at": time(container.finished_at),
        "ports": container.ports,
        "relayed_ports": relayed.get(&label(container, labels::SERVICE)).cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_down_to_their_largest_unit() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let check = |at: &str, expect: &str| assert_eq!(ago(at.parse().unwrap(), now), expect);
        check("2026-01-31T11:59:59Z", "1 second");
        check("2026-01-31T11:58:01Z", "1 minute");
        check("2026-01-31T09:00:00Z", "3 hours");
        check("2026-01-01T12:00:00Z", "30 days");
        check("2026-01-31T13:00:00Z", "0 seconds");
    }
}
