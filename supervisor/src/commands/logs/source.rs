//! One container's output: pieces of the engine's stream, joined to lines with their times.
//!
//! Deliberately absent: the order among containers (`merge`).

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use jiff::Timestamp;

use crate::engine::{Channel, EngineError, EngineStream, LogChunk};

/// Longer lines are cut into pieces of this, in bytes.
const LONGEST: usize = 64 * 1024;

/// A line of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// When it was written; `None` where the engine did not say.
    pub(super) at: Option<Timestamp>,
    /// As it was written, without its end.
    pub(super) bytes: Vec<u8>,
}

/// A container's output.
pub(super) struct Source {
    id: String,
    name: String,
    stream: EngineStream<LogChunk>,
    /// Lines up to then have been printed already: the engine counts in seconds.
    after: Option<Timestamp>,
    lines: Lines,
    ended: bool,
}

impl Source {
    pub(super) fn new(
        id: &str,
        name: &str,
        stream: EngineStream<LogChunk>,
        after: Option<Timestamp>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            stream,
            after,
            lines: Lines::default(),
            ended: false,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// When the last line was written.
    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.after
    }

    /// The next line; `None` once the output has ended.
    pub(super) async fn next(&mut self) -> Option<Result<Line, EngineError>> {
        loop {
            while let Some(line) = self.lines.ready.pop_front() {
                let known = line.at.is_some_and(|at| self.after.is_some_and(|after| at <= after));
                if !known {
                    self.after = line.at.or(self.after);
                    return Some(Ok(line));
                }
            }
            if self.ended {
                return None;
            }
            match self.stream.next().await {
                Some(Ok(chunk)) => self.lines.add(&chunk),
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.ended = true;
                    self.lines.finish();
                }
            }
        }
    }
}

/// Lines that have begun and lines that are whole. Standard output and error are never mixed in one.
#[derive(Default)]
struct Lines {
    out: Line,
    err: Line,
    ready: VecDeque<Line>,
}

impl Lines {
    /// Takes a piece. The engine puts a time before each, also before the further pieces of a long line.
    fn add(&mut self, chunk: &LogChunk) {
        let open = match chunk.channel {
            Channel::Out => &mut self.out,
            Channel::Err => &mut self.err,
        };
        let (at, mut rest) = timed(&chunk.bytes);
        open.at = open.at.or(at);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            open.bytes.extend_from_slice(line);
            let whole = std::mem::take(open);
            rest = after.get(1..).unwrap_or_default();
            let (next, text) = timed(rest);
            (open.at, rest) = (next.or(whole.at).filter(|_| !rest.is_empty()), text);
            self.ready.push_back(whole);
        }
        open.bytes.extend_from_slice(rest);
        if open.bytes.len() > LONGEST {
            self.ready.push_back(std::mem::take(open));
        }
    }

    /// What was begun is whole now.
    fn finish(&mut self) {
        let rests = [std::mem::take(&mut self.out), std::mem::take(&mut self.err)];
        self.ready.extend(rests.into_iter().filter(|line| !line.bytes.is_empty()));
    }
}

/// A time at the beginning, and what follows it; all of it where there is none.
fn timed(bytes: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let split = || {
        // The longest that RFC 3339 gives with nanoseconds and an offset has 35 characters.
        let end = bytes.iter().take(36).position(|byte| *byte == b' ')?;
        let (time, rest) = bytes.split_at_checked(end)?;
        let at = std::str::from_utf8(time).ok()?.parse().ok()?;
        Some((Some(at), rest.get(1..)?))
    };
    split().unwrap_or((None, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[(Channel, &str)], expect: &str) {
        let mut lines = Lines::default();
        for (channel, text) in pieces {
            lines.add(&LogChunk { channel: *channel, bytes: text.as_bytes().to_vec() });
        }
        lines.finish();
        let rows = lines.ready.iter().map(|line| {
            let at = line.at.map(Timestamp::as_second).unwrap_or_default();
            format!("{at} {}\n", String::from_utf8_lossy(&line.bytes))
        });
        assert_eq!(rows.collect::<String>(), expect);
    }

    #[test]
    fn a_line_has_the_time_of_its_first_piece() {
        check(
            &[
                (Channel::Out, "1970-01-01T00:00:01.000000000Z one, "),
                (Channel::Err, "1970-01-01T00:00:02.000000000Z problem\n"),
                (Channel::Out, "1970-01-01T00:00:03.000000000Z and on\n"),
                (Channel::Out, "1970-01-01T00:00:04.000000000Z no end"),
            ],
            "2 problem\n1 one, and on\n4 no end\n",
        );
    }

    #[test]
    fn several_lines_in_one_piece_are_several() {
        check(&[(Channel::Out, "1970-01-01T00:00:01Z a\n1970-01-01T00:00:02Z b\nc\n")], "1 a\n2 b\n2 c\n");
    }

    #[test]
    fn a_text_without_a_time_stays_whole() {
        check(&[(Channel::Out, "no time here\n"), (Channel::Out, "\n")], "0 no time here\n0 \n");
    }
}
