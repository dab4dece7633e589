//! `logs`: what services write, in the order in which it comes.
//!
//! On a terminal control characters are shown, not sent: what a container writes must not drive it. In a pipe bytes
//! pass as they are. Deliberately absent: keeping logs.

use std::io::{self, IsTerminal as _, Write as _};

use futures_util::stream::{SelectAll, StreamExt as _};
use jiff::Timestamp;

use crate::args::GlobalArgs;
use crate::decide::seen::SeenContainer;
use crate::engine::{Docker, Engine as _, EngineError, EngineStream, EventKind, LogChunk, LogQuery, Scope};
use crate::exit::{Exit, Failure};
use crate::render::plain;
use crate::{input, session};

use super::shared::nothing;
use super::when;

/// Colours of the prefixes, in turn.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 96];
/// Longer lines are cut into pieces of this, in bytes.
const LINE: usize = 64 * 1024;

/// Options of `logs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Compose file; in this command `-f` is `--follow`, as in Docker Compose
    #[arg(id = "file", long = "file", value_name = "FILE")]
    pub file: Vec<std::path::PathBuf>,
    /// Go on printing what comes
    #[arg(short = 'f', long)]
    pub follow: bool,
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
        timestamps: args.timestamps,
    };
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let style = Style::new(global, args.no_log_prefix, false);
    print(&session.engine, &project, &args.services, &query, style).await
}

/// How lines are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    terminal: bool,
    colours: bool,
    prefix: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn new(global: &GlobalArgs, no_prefix: bool, raw: bool) -> Self {
        let terminal = io::stdout().is_terminal() && !raw;
        Self { terminal, colours: global.colours(terminal), prefix: !no_prefix }
    }
}

/// Prints the logs of a project's containers; while following, those that are started later join.
pub(crate) async fn print(
    engine: &Docker,
    project: &str,
    services: &[String],
    query: &LogQuery,
    style: Style,
) -> Result<Exit, Failure> {
    let chosen =
        |service: Option<&String>| services.is_empty() || service.is_some_and(|s| services.contains(s));
    let began = Timestamp::now();
    let seen = engine.observe(&Scope::project(project)).await?;
    let containers: Vec<&SeenContainer> =
        seen.containers.iter().filter(|container| chosen(container.service.as_ref())).collect();
    if containers.is_empty() && !query.follow {
        return Err(nothing(project, services));
    }
    let mut printer = Lines { style, open: Vec::new(), width: 0 };
    let mut streams: SelectAll<Tagged> = SelectAll::new();
    for container in &containers {
        streams.push(tagged(engine, &container.name, query));
        printer.width = printer.width.max(container.name.chars().count());
    }
    let mut events = engine.events(project, Some(began));
    loop {
        tokio::select! {
            piece = streams.next(), if !streams.is_empty() => match piece {
                Some((name, Ok(chunk))) => printer.print(&name, &chunk)?,
                // A container that is removed meanwhile ends its own stream alone.
                Some((_, Err(EngineError::NotFound { .. } | EngineError::Conflict { .. }))) | None => {}
                Some((_, Err(error))) => return Err(error.into()),
            },
            event = events.next(), if query.follow => match event {
                Some(Ok(event)) if event.kind == EventKind::Start && chosen(event.service.as_ref()) => {
                    let query = LogQuery { since: Some(event.at), tail: None, ..query.clone() };
                    streams.push(tagged(engine, &event.name, &query));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => break,
            },
            else => break,
        }
        if streams.is_empty() && !query.follow {
            break;
        }
    }
    printer.finish()?;
    Ok(Exit::Done)
}

type Tagged = std::pin::Pin<Box<dyn futures_util::Stream<Item = (String, Result<LogChunk, EngineError>)>>>;

fn tagged(engine: &Docker, name: &str, query: &LogQuery) -> Tagged {
    let name = name.to_owned();
    let chunks: EngineStream<LogChunk> = engine.logs(&name, query);
    Box::pin(chunks.map(move |chunk| (name.clone(), chunk)))
}

/// Lines that have begun, one a container: pieces of different containers are never mixed in a line.
struct Lines {
    style: Style,
    open: Vec<(String, Vec<u8>)>,
    width: usize,
}

impl Lines {
    fn print(&mut self, name: &str, chunk: &LogChunk) -> io::Result<()> {
        let place = self.place(name);
        let mut ready = Vec::new();
        if let Some((_, open)) = self.open.get_mut(place) {
            open.extend_from_slice(&chunk.bytes);
            while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
                ready.push(open.drain(..=end).collect::<Vec<u8>>());
            }
            if open.len() > LINE {
                ready.push(std::mem::take(open));
            }
        }
        let mut out = io::stdout().lock();
        for line in ready {
            self.line(&mut out, name, place, &line)?;
        }
        out.flush()
    }

    fn finish(mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for (place, (name, rest)) in std::mem::take(&mut self.open).into_iter().enumerate() {
            if !rest.is_empty() {
                self.line(&mut out, &name, place, &rest)?;
            }
        }
        out.flush()
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.open.iter().position(|(open, _)| open == name) {
            return place;
        }
        self.width = self.width.max(name.chars().count());
        self.open.push((name.to_owned(), Vec::new()));
        self.open.len() - 1
    }

    fn line(&self, out: &mut impl io::Write, name: &str, place: usize, line: &[u8]) -> io::Result<()> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if self.style.prefix {
            let (name, width) = (plain(name), self.width);
            match COLOURS.get(place % COLOURS.len()) {
                Some(colour) if self.style.colours => {
                    write!(out, "\u{1b}[{colour}m{name:<width$} |\u{1b}[0m ")?;
                }
                _ => write!(out, "{name:<width$} | ")?,
            }
        }
        if self.style.terminal {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            writeln!(out, "{}", plain(&String::from_utf8_lossy(line)))
        } else {
            out.write_all(line)?;
            out.write_all(b"\n")
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_containers_are_never_mixed() {
        let mut lines = Lines {
            style: Style { terminal: true, colours: false, prefix: true },
            open: Vec::new(),
            width: 0,
        };
        let (first, second) = (lines.place("a"), lines.place("bb"));
        let mut out = Vec::new();
        lines.line(&mut out, "a", first, b"one\x1b[2J\r\n").unwrap();
        lines.line(&mut out, "bb", second, b"two").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a  | one\\u{1b}[2J\nbb | two\n");
    }
}
