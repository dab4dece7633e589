//! `egress`: what services asked the egress proxy for, and what the file would have to grant for it.
//!
//! With `--learn` the stack is brought up with nothing granted to anybody, and put back afterwards. Deliberately absent:
//! writing into the file; who reads the proposal decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use compose::Admitted;
use compose::destination::Destination;
use futures_util::future::OptionFuture;
use tokio::signal::unix::{SignalKind, signal};

use super::output::OutputArgs;
use super::shared;
use crate::apply::ThisMachine;
use crate::args::GlobalArgs;
use crate::decide::egress::{Proposal, Row, propose, yaml};
use crate::decide::plan::{Choice, plan_with};
use crate::decide::seen::State;
use crate::decide::wanted::Restarts;
use crate::engine::{Engine as _, Scope};
use crate::exit::{Exit, Failure};
use crate::observe::egress::counts;
use crate::privileged::Rights;
use crate::render::table::table;
use crate::session::{Session, Writer};
use crate::{input, pipeline, session};

/// Options of `egress`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor egress                      what was allowed and denied since the proxy started
  supervisor egress --learn --for 600    bring the stack up with nothing granted, use it for ten minutes, print the list
  supervisor egress --format json | jq -r '.rows[] | select(.outcome == \"denied\") | .name'

A service that is denied its first name may not come to ask for its second: learn, grant, and learn again.

Exit codes: 0, 1 the file is refused, 2 it cannot be read, 4 the engine failed or no proxy runs.")]
pub struct Args {
    /// Bring the stack up with everything denied and written down, and put it back at the end
    #[arg(long)]
    pub learn: bool,
    /// Learn for so long; without, until an interrupt
    #[arg(long = "for", value_name = "SECONDS", requires = "learn")]
    pub seconds: Option<u64>,
    /// For people, or JSON
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table, and the list as it is written into a file
    #[default]
    Human,
    /// One JSON object
    Json,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let (rows, granted) = if args.learn {
        learn(global, args.seconds).await?
    } else {
        let stack = input::admitted(global)?;
        let granted = granted(&stack);
        (asked(&session::open(global).await?, &stack.project().name).await?, granted)
    };
    let proposal = propose(&granted, &rows);
    match args.format {
        Format::Human => print!("{}", human(&rows, &granted, &proposal)),
        Format::Json => println!("{}", json(&rows, &proposal)),
    }
    Ok(Exit::Done)
}

type Granted = BTreeMap<String, BTreeSet<Destination>>;

fn granted(stack: &Admitted) -> Granted {
    let rows = stack.project().stack.egress.iter();
    rows.map(|(service, to)| (service.clone(), to.iter().map(|to| to.value.clone()).collect())).collect()
}

/// What the proxy that runs counted.
async fn asked(session: &Session, project: &str) -> Result<Vec<Row>, Failure> {
    let seen = session.engine.observe(&Scope::project(project)).await?;
    let mut proxies = seen.containers.iter().filter(|container| {
        container.service.as_deref() == Some(compose::egress::SERVICE) && container.state == State::Running
    });
    let Some(proxy) = proxies.next() else {
        return Err(Failure::new(Exit::Failed, format!("no egress proxy of project `{project}` runs")).help(
            "name services under `x-supervisor.egress` and run `supervisor up`, or learn with `--learn`",
        ));
    };
    // It tells on one of its networks alone: on the one that leads out.
    let mut why = "it has no address".to_owned();
    for address in proxy.networks.values().copied().flatten() {
        match counts(SocketAddr::new(address, compose::egress::PORT.get())).await {
            Ok(counted) => return Ok(counted.rows),
            Err(error) => why = error.to_string(),
        }
    }
    Err(Failure::new(Exit::Failed, format!("the egress proxy does not tell: {why}")))
}

/// Brings the stack up with nothing granted, waits, and puts it back as its file says, whatever happened meanwhile.
async fn learn(global: &GlobalArgs, seconds: Option<u64>) -> Result<(Vec<Row>, Granted), Failure> {
    let own = input::admitted(global)?;
    let project = own.project().name.clone();
    let (denied, granted) = input::admitted_with_nothing_granted(global)?;
    let session = session::open(global).await?;
    let writer = session::write(global, &project, "egress --learn")?;
    let learned = async {
        bring(global, &session, &writer, denied).await?;
        eprintln!("nothing is granted now: use the stack; {}", until(seconds));
        wait(seconds).await?;
        asked(&session, &project).await
    };
    let learned = learned.await;
    eprintln!("putting the stack back as its file says");
    bring(global, &session, &writer, own).await?;
    Ok((learned?, granted))
}

fn until(seconds: Option<u64>) -> String {
    seconds.map_or_else(
        || "an interrupt (^C) ends it".to_owned(),
        |s| format!("it ends after {s} s, or at an interrupt"),
    )
}

async fn wait(seconds: Option<u64>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let over = OptionFuture::from(seconds.map(|seconds| tokio::time::sleep(Duration::from_secs(seconds))));
    tokio::select! {
        Some(()) = over => Ok(()),
        _ = terminate.recv() => Ok(()),
        ended = tokio::signal::ctrl_c() => ended,
    }
}

async fn bring(
    global: &GlobalArgs,
    session: &Session,
    writer: &Writer,
    stack: Admitted,
) -> Result<(), Failure> {
    let wish = writer.wish(global, Restarts::Engine);
    let pipeline::Prepared { wanted, seen, contents, .. } =
        pipeline::prepare(&session.engine, stack, &wish).await?;
    let machine = ThisMachine::new(&Rights::Own, &contents, &writer.folder, &session.socket);
    let plan = plan_with(&wanted, &seen, &Choice::default());
    shared::announce(&plan)?;
    let output = OutputArgs::default();
    shared::carry_out_update(global, output, &session.engine, &machine, &wanted, &seen, &plan).await?;
    Ok(())
}

fn human(rows: &[Row], granted: &Granted, proposal: &Proposal) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|Row { asked, outcome, count }| {
            let to = format!("{}:{}", asked.name, asked.port);
            vec![asked.service.clone(), to, outcome.name().to_owned(), count.to_string()]
        })
        .collect();
    let mut text = table(&["SERVICE", "NAME", "OUTCOME", "COUNT"], &cells);
    if !proposal.left.is_empty() {
        text.push('\n');
    }
    for (asked, why) in &proposal.left {
        // Writing to a `String` does not fail.
        let _ = writeln!(text, "not proposed: {}:{} of {}: {why}", asked.name, asked.port, asked.service);
    }
    if proposal.grants == *granted {
        text.push_str("\nthe file grants all that was asked for and can be granted\n");
    } else {
        text.push_str("\nwith all of it granted, the file says:\n\n");
        text.push_str(&yaml(proposal));
    }
    text
}

fn json(rows: &[Row], proposal: &Proposal) -> serde_json::Value {
    let grants: BTreeMap<&String, Vec<String>> =
        proposal.grants.iter().map(|(s, to)| (s, to.iter().map(ToString::to_string).collect())).collect();
    let left = proposal.left.iter().map(|(asked, why)| serde_json::json!({"asked": asked, "why": why}));
    serde_json::json!({
        "rows": rows,
        "egress": grants,
        "left": left.collect::<Vec<_>>(),
    })
}
