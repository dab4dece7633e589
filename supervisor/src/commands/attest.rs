//! `attest`: the kernel's evidence for every running container beside its promise.
//!
//! Deliberately absent: stopping what is not as promised; `up` and `run` do that after a start.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use compose::Admitted;

use crate::args::GlobalArgs;
use crate::attest::{Check, Sockets, Verdict, guarded, listening};
use crate::decide::seen::{Seen, State as Running};
use crate::decide::spec::ContainerSpec;
use crate::decide::wanted::Restarts;
use crate::engine::{Engine as _, EngineError, Inspected};
use crate::exit::{Exit, Failure};
use crate::observe::attested::{Attested, attest_running};
use crate::observe::kernel;
use crate::privileged::Rights;
use crate::render::attestation::{self, Attestation, Container, State};
use crate::session::Session;
use crate::{input, pipeline, session};

/// Options of `attest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run it as root: the kernel tells others little, and what cannot be read counts as broken.

Exit codes: 0 as promised, 5 not, 4 nothing runs."
)]
pub struct Args {
    /// Services to look at; all of them by default
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    #[default]
    Human,
    /// One JSON value
    Json,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let session = session::open(global).await?;
    let attestation = attestation(global, &session, stack, &args.services).await?;
    print(global, args.format, &attestation)?;
    Ok(exit(&attestation))
}

/// Looks at the containers of these services, or at the whole stack.
///
/// # Errors
/// The engine fails, or there is no such service.
pub(crate) async fn attestation(
    global: &GlobalArgs,
    session: &Session,
    stack: Admitted,
    services: &[String],
) -> Result<Attestation, Failure> {
    let wish = pipeline::Wish { counts: true, ..session::wish(global, Restarts::Engine) };
    let prepared = pipeline::prepare(&session.engine, stack, &wish).await?;
    let asked = |service: &str| services.is_empty() || services.iter().any(|name| name == service);
    if let Some(unknown) = services.iter().find(|name| !prepared.wanted.services.contains_key(*name)) {
        return Err(Failure::new(Exit::Unreadable, format!("there is no service `{unknown}` in this stack"))
            .help("`supervisor config` lists its services; one of an inactive profile needs `--profile`"));
    }

    let mut containers = Vec::new();
    let mut running = BTreeMap::new();
    let wanted = prepared.wanted.services.values().filter(|service| asked(&service.service));
    for spec in wanted.flat_map(|service| &service.containers) {
        let (container, inspected) = look(session, spec, &prepared.seen).await?;
        containers.push(container);
        running.extend(inspected.map(|inspected| (spec.name.clone(), inspected)));
    }
    if services.is_empty() {
        containers.extend(foreign(&prepared.wanted.project, &prepared.seen, &containers));
    }
    let stack = if running.is_empty() || !services.is_empty() {
        Vec::new()
    } else {
        let sockets = Sockets { listening: kernel::listening(), owners: kernel::owners::owners() };
        let kept_by = session::restarts(global, &prepared.wanted.project);
        let mut checks = guarded(&prepared.wanted, &prepared.seen);
        checks.extend(listening(&prepared.wanted, &running, &sockets, kept_by));
        checks
    };
    let held = |state| matches!(state, State::Gone | State::NotRunning);
    Ok(Attestation {
        project: prepared.wanted.project.clone(),
        holds: containers.iter().any(|c| c.state == State::Running)
            && containers.iter().all(|c| c.holds || held(c.state))
            && stack.iter().all(Check::holds),
        containers,
        stack,
    })
}

fn exit(attestation: &Attestation) -> Exit {
    let nothing_runs =
        attestation.containers.iter().all(|c| matches!(c.state, State::Gone | State::NotRunning));
    match (attestation.holds, nothing_runs) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Failed,
        (false, false) => Exit::NotAsPromised,
    }
}

/// Looks at the container of this name, if it runs.
async fn look(
    session: &Session,
    spec: &ContainerSpec,
    seen: &Seen,
) -> Result<(Container, Option<Inspected>), EngineError> {
    let of = |state, checks| Container::new(&spec.service, &spec.name, state, checks);
    let there = seen.containers.iter().find(|c| c.name == spec.name && is_running(c.state));
    let Some(there) = there else { return Ok((of(State::NotRunning, Vec::new()), None)) };
    let inspected = match session.engine.inspect(&there.id).await {
        Ok(inspected) => inspected,
        Err(EngineError::NotFound { .. }) => return Ok((of(State::Gone, Vec::new()), None)),
        Err(error) => return Err(error),
    };
    Ok(match attest_running(&Rights::Own, spec, &inspected, Some(&session.socket)).await {
        Attested::Running(checks) => (of(State::Running, checks), Some(inspected)),
        Attested::Gone => (of(State::Gone, Vec::new()), None),
    })
}

/// What runs under the project's label, although the file makes no such container: nobody promised anything of it.
fn foreign(project: &str, seen: &Seen, known: &[Container]) -> Vec<Container> {
    let of_project =
        seen.containers.iter().filter(|c| c.project.as_deref() == Some(project) && is_running(c.state));
    of_project
        .filter(|c| !known.iter().any(|known| known.name == c.name))
        .map(|c| {
            let check = Check {
                item: "made from".to_owned(),
                promised: "this file".to_owned(),
                seen: "no container of this file, under the project's label".to_owned(),
                verdict: Verdict::Broken,
            };
            Container::new(c.service.as_deref().unwrap_or("no service"), &c.name, State::Foreign, vec![check])
        })
        .collect()
}

const fn is_running(state: Running) -> bool {
    matches!(state, Running::Running | Running::Paused)
}

fn print(global: &GlobalArgs, format: Format, attestation: &Attestation) -> Result<(), Failure> {
    let stdout = std::io::stdout();
    let terminal = stdout.is_terminal();
    let text = match format {
        Format::Json => attestation::json(attestation),
        Format::Human => attestation::human(attestation, width(terminal), global.colours(terminal)),
    };
    stdout.lock().write_all(text.as_bytes())?;
    if format == Format::Human && all_checks(attestation).any(|check| check.verdict == Verdict::Unread) {
        eprintln!(
            "help: what could not be read counts as broken; run `supervisor attest` as root, on the engine's own machine"
        );
    }
    Ok(())
}

fn all_checks(attestation: &Attestation) -> impl Iterator<Item = &Check> {
    attestation.containers.iter().flat_map(|container| &container.checks).chain(&attestation.stack)
}

/// Columns of the terminal; a pipe has room for everything.
fn width(terminal: bool) -> usize {
    const PIPE: usize = 400;
    if !terminal {
        return PIPE;
    }
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .filter(|size| size.ws_col > 0)
        .map_or(100, |size| usize::from(size.ws_col))
}
