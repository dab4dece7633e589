//! `ps`: the stack's containers and their health.
//!
//! Shows what runs under the project's label, whatever the file says now. Deliberately absent: the kernel's word on
//! them (`attest`).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::args::GlobalArgs;
use crate::decide::labels;
use crate::decide::seen::{Health, SeenContainer, State};
use crate::decide::spec::PortSpec;
use crate::engine::{Engine as _, Inspected, Scope};
use crate::exit::{Exit, Failure};
use crate::render::table::table;
use crate::{input, session};

/// Options of `ps`.
#[derive(Debug, clap::Args)]
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

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let seen = session.engine.observe(&Scope::project(project)).await?;
    let chosen = |container: &&SeenContainer| {
        let named = container.service.as_ref().is_some_and(|service| args.service.contains(service));
        let up = matches!(container.state, State::Running | State::Paused | State::Restarting);
        (args.service.is_empty() || named) && (args.all || up)
    };
    let containers: Vec<&SeenContainer> = seen.containers.iter().filter(chosen).collect();
    if args.services {
        let names: BTreeSet<&str> = containers.iter().filter_map(|c| c.service.as_deref()).collect();
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
    let inspected = try_join_all(containers.iter().map(|c| session.engine.inspect(&c.id))).await?;
    match args.format {
        Format::Table => {
            let now = Timestamp::now();
            let rows: Vec<Vec<String>> = inspected.iter().map(|container| row(container, now)).collect();
            print!("{}", table(&["NAME", "IMAGE", "SERVICE", "STATUS", "PORTS"], &rows));
        }
        Format::Json => {
            let rows: Vec<serde_json::Value> = inspected.iter().map(json).collect();
            println!("{}", serde_json::Value::Array(rows));
        }
    }
    Ok(Exit::Done)
}

fn row(container: &Inspected, now: Timestamp) -> Vec<String> {
    vec![
        container.name.clone(),
        label(container, labels::IMAGE),
        label(container, labels::SERVICE),
        status(container, now),
        ports(&container.ports),
    ]
}

fn label(container: &Inspected, name: &str) -> String {
    container.labels.get(name).cloned().unwrap_or_default()
}

/// `Up 3 minutes (healthy)`, as the docker command says it.
fn status(container: &Inspected, now: Timestamp) -> String {
    let ago = |at: Option<Timestamp>| at.map(|at| ago(at, now)).unwrap_or_default();
    match container.state {
        State::Created => "Created".into(),
        State::Running => {
            let health = container.health.map(|health| format!(" ({})", health_name(health)));
            format!("Up {}{}", ago(container.started_at), health.unwrap_or_default())
        }
        State::Paused => format!("Up {} (paused)", ago(container.started_at)),
        State::Restarting => {
            format!("Restarting ({}) {} ago", container.exit_code, ago(container.finished_at))
        }
        State::Exited(code) => {
            let killed = if container.oom_killed { ", out of memory" } else { "" };
            format!("Exited ({code}{killed}) {} ago", ago(container.finished_at))
        }
        State::Removing => "Removing".into(),
        State::Dead => "Dead".into(),
    }
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

fn ports(ports: &BTreeSet<PortSpec>) -> String {
    let ports = ports.iter().map(|port| {
        let host = SocketAddr::new(port.host_ip, port.host_port);
        format!("{host}->{}/{}", port.container_port, port.protocol)
    });
    ports.collect::<Vec<_>>().join(", ")
}

fn json(container: &Inspected) -> serde_json::Value {
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
        "started_at": time(container.started_at),
        "finished_at": time(container.finished_at),
        "ports": container.ports,
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
