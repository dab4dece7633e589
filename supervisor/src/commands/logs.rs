//! `logs`: what services write, in the order in which they wrote it.
//!
//! While it follows, containers that are started later or made anew join. Deliberately absent: keeping logs.

mod line;
mod merge;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;

use self::line::Printer;
pub(crate) use self::line::Style;
use self::merge::{Heads, Release};
use self::source::{Line, Source};
use super::chosen::nothing;
use super::when;
use crate::args::GlobalArgs;
use crate::engine::{Docker, Engine as _, EngineError, EngineEvent, EventKind, LogQuery, Scope};
use crate::exit::{Exit, Failure};
use crate::{input, session};

/// Options of `logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor logs --tail 20              the last 20 lines of each container
  supervisor logs -f caddy openclaw      both, in the order in which they come, until ^C
  supervisor logs --since 10m --until 5m -t

On a terminal control characters are shown, not sent: what a container writes does not drive it. In a pipe bytes pass
as they are.")]
pub struct Args {
    /// Compose file; in this command `-f` is `--follow`, as in Docker Compose
    #[arg(id = "file", long = "file", value_name = "FILE")]
    pub file: Vec<std::path::PathBuf>,
    /// Go on printing what comes, also of containers that are started later
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Which replica; all of them without
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,
    /// The last so many lines of each container, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all")]
    pub tail: String,
    /// From then on: a time, such as 2026-01-31T12:00:00Z, or how long ago, such as 10m
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Each line with its time
    #[arg(short, long)]
    pub timestamps: bool,
    /// Without the container's name before each line
    #[arg(long)]
    pub no_log_prefix: bool,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let query = LogQuery {
        follow: args.follow,
        tail: tail(&args.tail)?,
        since: when::maybe(args.since.as_ref(), now)?,
        until: when::maybe(args.until.as_ref(), now)?,
        // Lines are put in order by them.
        timestamps: true,
    };
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let style = Style::new(global, args.no_log_prefix, args.timestamps);
    let wish = Wish { project: &project, services: &args.services, index: args.index, query };
    print(&session.engine, &wish, style).await
}

/// Whose output, and which part of it.
pub(crate) struct Wish<'a> {
    pub(crate) project: &'a str,
    /// All of them if there are none.
    pub(crate) services: &'a [String],
    pub(crate) index: Option<u32>,
    pub(crate) query: LogQuery,
}

impl Wish<'_> {
    fn wants(&self, service: Option<&String>, number: Option<u32>) -> bool {
        let named =
            self.services.is_empty() || service.is_some_and(|service| self.services.contains(service));
        named && self.index.is_none_or(|index| number == Some(index))
    }
}

/// Prints the logs of a project's containers, in order.
pub(crate) async fn print(engine: &Docker, wish: &Wish<'_>, style: Style) -> Result<Exit, Failure> {
    let began = Timestamp::now();
    let seen = engine.observe(&Scope::project(wish.project)).await?;
    let chosen = seen.containers.iter().filter(|c| wish.wants(c.service.as_ref(), c.number));
    let mut reading = Reading::new(engine, wish.query.clone());
    let mut printer = Printer::new(wish.project, style);
    for container in chosen {
        printer.expect(&container.name);
        reading.open(&container.id, &container.name, wish.query.since);
    }
    if reading.is_empty() && !wish.query.follow {
        return Err(nothing(wish.project, wish.services));
    }
    let mut events = engine.events(wish.project, Some(began));
    let mut out = io::stdout().lock();
    loop {
        while let Some((container, line)) = reading.released(Instant::now(), Timestamp::now()) {
            printer.print(&mut out, &container, &line)?;
        }
        out.flush()?;
        if reading.is_empty() && !wish.query.follow {
            return Ok(Exit::Done);
        }
        tokio::select! {
            news = reading.news() => news?,
            event = events.next(), if wish.query.follow => match event {
                Some(event) => {
                    let event = event?;
                    let number = seen.containers.iter().find(|c| c.id == event.id).and_then(|c| c.number);
                    if event.kind == EventKind::Start && wish.wants(event.service.as_ref(), number.or(wish.index)) {
                        reading.started(&event);
                    }
                }
                None => return Ok(Exit::Done),
            },
        }
    }
}

type Next = std::pin::Pin<Box<dyn Future<Output = (Source, Option<Result<Line, EngineError>>)>>>;

/// Every container's output, of which one line each is looked at.
struct Reading<'a> {
    engine: &'a Docker,
    query: LogQuery,
    /// Those whose next line has not come yet.
    waiting: FuturesUnordered<Next>,
    /// Since when each of them is waited for, by container id.
    since: BTreeMap<String, Instant>,
    /// The next line of each of the others.
    heads: Heads<Source>,
    /// Containers by id that were started while their output before that was still being read.
    again: BTreeSet<String>,
    /// Containers by id whose output has ended, and when its last line was written.
    ended: BTreeMap<String, Timestamp>,
    /// When the reading began.
    began: Timestamp,
}

impl<'a> Reading<'a> {
    fn new(engine: &'a Docker, query: LogQuery) -> Self {
        Self {
            engine,
            query,
            waiting: FuturesUnordered::new(),
            since: BTreeMap::new(),
            heads: Heads::default(),
            again: BTreeSet::new(),
            ended: BTreeMap::new(),
            began: Timestamp::now(),
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.heads.is_empty()
    }

    fn open(&mut self, id: &str, name: &str, after: Option<Timestamp>) {
        let stream = self.engine.logs(id, &LogQuery { since: after, ..self.query.clone() });
        self.wait_for(Source::new(id, name, stream, after));
    }

    fn wait_for(&mut self, mut source: Source) {
        self.since.insert(source.id().to_owned(), Instant::now());
        self.waiting.push(Box::pin(async move {
            let line = source.next().await;
            (source, line)
        }));
    }

    /// A container was started: its output goes on where it was left, or begins. The time of the start is of no use:
    /// the first line may have been written before the engine told of it.
    fn started(&mut self, event: &EngineEvent) {
        if self.since.contains_key(&event.id) || self.heads.iter().any(|source| source.id() == event.id) {
            self.again.insert(event.id.clone());
        } else {
            self.query.tail = None;
            let after = self.ended.remove(&event.id).or(self.query.since);
            self.open(&event.id, &event.name, after);
        }
    }

    /// The next line that is certain to be the earliest.
    fn released(&mut self, now: Instant, clock: Timestamp) -> Option<(String, Line)> {
        let waits = self.since.values().map(|since| now.duration_since(*since));
        if self.heads.release(waits, clock, self.query.follow) != Release::Now {
            return None;
        }
        let (source, line) = self.heads.pop()?;
        let name = source.name().to_owned();
        self.wait_for(source);
        Some((name, line))
    }

    /// Waits until something changes: a line comes, an output ends, or enough time has passed for the next line.
    async fn news(&mut self) -> Result<(), EngineError> {
        let now = Instant::now();
        let waits = self.since.values().map(|since| now.duration_since(*since));
        let patience = match self.heads.release(waits, Timestamp::now(), self.query.follow) {
            Release::Now => return Ok(()),
            Release::After(patience) => Some(patience),
            Release::OnNews => None,
        };
        let passed = async {
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((source, line)) = self.waiting.next() => self.arrived(source, line),
            () = passed => Ok(()),
        }
    }

    fn arrived(
        &mut self,
        source: Source,
        line: Option<Result<Line, EngineError>>,
    ) -> Result<(), EngineError> {
        self.since.remove(source.id());
        match line {
            Some(Ok(line)) => self.heads.push(source, line),
            // A container that is removed meanwhile ends its own output alone.
            None | Some(Err(EngineError::NotFound { .. } | EngineError::Conflict { .. })) => {
                let last = source.last().unwrap_or(self.began);
                if self.again.remove(source.id()) {
                    self.query.tail = None;
                    self.open(source.id(), source.name(), Some(last));
                } else {
                    self.ended.insert(source.id().to_owned(), last);
                }
            }
            Some(Err(error)) => return Err(error),
        }
        Ok(())
    }
}

fn tail(text: &str) -> Result<Option<u64>, Failure> {
    if text == "all" {
        return Ok(None);
    }
    let lines = text.parse().map_err(|_| {
        Failure::new(Exit::Unreadable, format!("`--tail {text}` is neither a number of lines nor `all`"))
    })?;
    Ok(Some(lines))
}
