//! `plan`: what `up` would change and why; changes nothing.
//!
//! Deliberately absent: the plan itself (`decide`), and its words (`render::plan`).

use std::collections::BTreeSet;
use std::io::Write as _;

use clap::ValueEnum;

use crate::args::GlobalArgs;
use crate::decide::plan::{Choice, Dependencies, Orphans, Plan, Recreate, again, plan_with};
use crate::decide::relay::not_served;
use crate::decide::wanted::Restarts;
use crate::exit::{Exit, Failure};
use crate::{input, pipeline, render, session};

/// Options of `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor plan                     what `supervisor up` would do now
  supervisor plan web --no-deps       for one service, without those that it depends on
  supervisor plan --format json | jq -r '.changes[] | \"\\(.action) \\(.name): \\(.reason)\"'

Exit codes: 0 nothing to do, 3 changes, 1 the file is refused, 2 it cannot be read, 4 something is in the way.")]
pub struct Args {
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Leave the services that these depend on as they are
    #[arg(long)]
    pub no_deps: bool,
    /// Replace containers although nothing of them changed
    #[arg(long, conflicts_with = "no_recreate")]
    pub force_recreate: bool,
    /// Replace no container, whatever changed
    #[arg(long)]
    pub no_recreate: bool,
    /// Remove containers of services that the file no longer has
    #[arg(long)]
    pub remove_orphans: bool,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

impl Args {
    fn choice(&self) -> Choice {
        Choice {
            services: (!self.services.is_empty())
                .then(|| self.services.iter().cloned().collect::<BTreeSet<_>>()),
            dependencies: if self.no_deps { Dependencies::Left } else { Dependencies::Included },
            recreate: match (self.force_recreate, self.no_recreate) {
                (true, _) => Recreate::All,
                (false, true) => Recreate::None,
                (false, false) => Recreate::Changed,
            },
            orphans: if self.remove_orphans { Orphans::Remove } else { Orphans::Keep },
            ..Choice::default()
        }
    }
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let session = session::open(global).await?;
    let wish = session::compare(global, &stack.project().name);
    let prepared = pipeline::prepare(&session.engine, stack, &wish).await?;
    let mut plan = plan_with(&prepared.wanted, &prepared.seen, &args.choice());
    if wish.restarts == Restarts::Engine {
        plan.warnings.extend(not_served(&prepared.wanted, &args.services.iter().cloned().collect()));
    }
    let text = match args.format {
        Format::Human => render::plan::human(&plan, again(&plan, wish.restarts)),
        Format::Json => render::plan::json(&prepared.wanted.project, &plan, again(&plan, wish.restarts)),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(exit(&plan))
}

fn exit(plan: &Plan) -> Exit {
    match plan {
        plan if !plan.blocked.is_empty() => Exit::Failed,
        plan if plan.steps.is_empty() => Exit::Done,
        _ => Exit::Changes,
    }
}
