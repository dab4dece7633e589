//! How far a plan is, for whoever watches: live lines on a terminal, plain lines in a pipe, JSON, or nothing.
//!
//! Deliberately absent: results and failures; a command prints those when it ends.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use crate::engine::PullProgress;
use crate::render::plain;

/// How wide the column of subjects is, where there is room for it.
const SUBJECT: usize = 40;

/// News of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its index in the plan.
    pub step: usize,
    /// What it is about.
    pub subject: Subject,
    /// How far it is.
    pub phase: Phase,
}

/// What a step is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `container`, `network`, `volume`, `image`, `service`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Begun: `Creating`.
    Working(&'static str),
    /// Going on, with what is known meanwhile.
    Note(String),
    /// Ended well: `Created`.
    Done(&'static str),
    /// Ended badly, and passed over.
    Passed(String),
    /// Failed.
    Failed(String),
    /// Given up, since another step failed.
    Left,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Lines that change in place; with colours if they are wanted.
    Live {
        /// Colours.
        colours: bool,
        /// Rows that fit on the terminal.
        rows: usize,
        /// Columns: a line that wraps would be two rows.
        columns: usize,
    },
    /// One line a change.
    Plain,
    /// One JSON object a change.
    Json,
    /// Nothing.
    Quiet,
}

/// Shows progress on a stream, each piece of news in one write: what others write at the same time does not come between.
pub struct Printer<W: Write> {
    out: BufWriter<W>,
    style: Style,
    rows: BTreeMap<usize, Row>,
    drawn: usize,
}

struct Row {
    subject: Subject,
    text: String,
    mark: Mark,
    began: Instant,
    took: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Working,
    Done,
    Passed,
    Failed,
    Left,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl fmt::Display for PullProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.layer.is_empty() {
            write!(f, "{} ", self.layer)?;
        }
        f.write_str(&self.status)?;
        match self.bytes {
            Some((done, all)) => write!(f, " {} of {} MB", done / 1_000_000, all / 1_000_000),
            None => Ok(()),
        }
    }
}

impl<W: Write> Printer<W> {
    /// Shows progress on a stream in this style.
    pub fn new(out: W, style: Style) -> Self {
        Self { out: BufWriter::new(out), style, rows: BTreeMap::new(), drawn: 0 }
    }

    /// Shows one piece of news. A stream that is closed is no reason to stop working: errors are passed over.
    pub fn show(&mut self, progress: &Progress) {
        let shown = match self.style {
            Style::Quiet => Ok(()),
            Style::Plain => self.plain(progress),
            Style::Json => self.json(progress),
            Style::Live { colours, rows, columns } => self.live(progress, colours, rows, columns),
        };
        let _ = shown.and_then(|()| self.out.flush());
    }

    fn plain(&mut self, progress: &Progress) -> io::Result<()> {
        let text = match &progress.phase {
            // Notes come often, and say nothing about the outcome.
            Phase::Note(_) => return Ok(()),
            phase => text(phase),
        };
        writeln!(self.out, "{} {}", progress.subject, plain(&text))
    }

    fn json(&mut self, progress: &Progress) -> io::Result<()> {
        let line = serde_json::json!({
            "step": progress.step,
            "kind": progress.subject.kind,
            "name": progress.subject.name,
            "phase": phase_name(&progress.phase),
            "text": text(&progress.phase),
        });
        writeln!(self.out, "{line}")
    }

    fn live(&mut self, progress: &Progress, colours: bool, room: usize, width: usize) -> io::Result<()> {
        let row = self.rows.entry(progress.step).or_insert_with(|| Row {
            subject: progress.subject.clone(),
            text: String::new(),
            mark: Mark::Working,
            began: Instant::now(),
            took: None,
        });
        row.text = plain(&text(&progress.phase)).replace('\n', " ");
        row.mark = mark(&progress.phase);
        row.took = (row.mark != Mark::Working).then(|| row.began.elapsed());
        if self.rows.len() > room {
            return self.overflow(progress, colours, width);
        }
        if self.drawn > 0 {
            write!(self.out, "\u{1b}[{}A", self.drawn)?;
        }
        for row in self.rows.values() {
            writeln!(self.out, "\r\u{1b}[2K{}", line(row, colours, width))?;
        }
        self.drawn = self.rows.len();
        Ok(())
    }

    /// More rows than the terminal has: from here on each end is a line of its own.
    fn overflow(&mut self, progress: &Progress, colours: bool, width: usize) -> io::Result<()> {
        match self.rows.get(&progress.step) {
            Some(row) if row.mark != Mark::Working => writeln!(self.out, "{}", line(row, colours, width)),
            _ => Ok(()),
        }
    }
}

/// A row, cut to the terminal's width: sign, subject, text, time.
fn line(row: &Row, colours: bool, width: usize) -> String {
    let (sign, colour) = match row.mark {
        Mark::Working => ('\u{2026}', "36"),
        Mark::Done => ('\u{2714}', "32"),
        Mark::Passed => ('!', "33"),
        Mark::Failed => ('\u{2718}', "31"),
        Mark::Left => ('-', "2"),
    };
    let took = row.took.map(|took| format!("  {:.1}s", took.as_secs_f64())).unwrap_or_default();
    let room = width.saturating_sub(5 + took.chars().count());
    let subject: String = row.subject.to_string().chars().take(room).collect();
    let subject = format!("{subject:<width$}", width = SUBJECT.min(room));
    let text: String = row.text.chars().take(room.saturating_sub(subject.chars().count())).collect();
    if colours {
        format!(" \u{1b}[{colour}m{sign}\u{1b}[0m {subject} \u{1b}[{colour}m{text}\u{1b}[0m{took}")
    } else {
        format!(" {sign} {subject} {text}{took}")
    }
}

const fn mark(phase: &Phase) -> Mark {
    match phase {
        Phase::Working(_) | Phase::Note(_) => Mark::Working,
        Phase::Done(_) => Mark::Done,
        Phase::Passed(_) => Mark::Passed,
        Phase::Failed(_) => Mark::Failed,
        Phase::Left => Mark::Left,
    }
}

const fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Working(_) => "working",
        Phase::Note(_) => "note",
        Phase::Done(_) => "done",
        Phase::Passed(_) => "passed",
        Phase::Failed(_) => "failed",
        Phase::Left => "left",
    }
}

fn text(phase: &Phase) -> String {
    match phase {
        Phase::Working(word) | Phase::Done(word) => (*word).to_owned(),
        Phase::Note(text) => text.clone(),
        Phase::Passed(why) => format!("Passed over: {why}"),
        Phase::Failed(why) => format!("Failed: {why}"),
        Phase::Left => "Given up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Everything that was written, write by write.
    #[derive(Default)]
    struct Written(Vec<String>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[track_caller]
    fn check(style: Style, expect: Expect) {
        let news = |step, name: &str, phase| Progress {
            step,
            subject: Subject { kind: "container", name: name.to_owned() },
            phase,
        };
        let mut out = Written::default();
        let mut printer = Printer::new(&mut out, style);
        printer.show(&news(0, "shop-web-1", Phase::Working("Creating")));
        printer.show(&news(1, "shop-db-1", Phase::Note("GET /: status 503\u{1b}[2J".into())));
        printer.show(&news(1, "shop-db-1", Phase::Failed("out of luck".into())));
        drop(printer);
        assert!(out.0.iter().all(|piece| piece.ends_with('\n')), "{:?}", out.0);
        let text = out.0.concat();
        expect.assert_eq(&text.replace('\r', "CR").replace('\u{1b}', "ESC").replace("  0.0s", "  TIME"));
    }

    #[test]
    fn a_pipe_gets_a_line_a_change() {
        check(
            Style::Plain,
            expect![[r"
                container shop-web-1 Creating
                container shop-db-1 Failed: out of luck
            "]],
        );
    }

    #[test]
    fn a_machine_gets_an_object_a_change() {
        check(
            Style::Json,
            expect![[r#"
                {"kind":"container","name":"shop-web-1","phase":"working","step":0,"text":"Creating"}
                {"kind":"container","name":"shop-db-1","phase":"note","step":1,"text":"GET /: status 503\u001b[2J"}
                {"kind":"container","name":"shop-db-1","phase":"failed","step":1,"text":"Failed: out of luck"}
            "#]],
        );
    }

    #[test]
    fn a_terminal_gets_lines_that_change_in_place() {
        check(
            Style::Live { colours: false, rows: 20, columns: 100 },
            expect![[r#"
            CRESC[2K … container shop-web-1                     Creating
            ESC[1ACRESC[2K … container shop-web-1                     Creating
            CRESC[2K … container shop-db-1                      GET /: status 503\u{1b}[2J
            ESC[2ACRESC[2K … container shop-web-1                     Creating
            CRESC[2K ✘ container shop-db-1                      Failed: out of luck  TIME
        "#]],
        );
    }

    #[test]
    fn a_narrow_terminal_gets_no_line_that_wraps() {
        let row = Row {
            subject: Subject { kind: "container", name: "shop-a-service-of-a-long-name-1".into() },
            text: "Failed: for a reason that takes many words".into(),
            mark: Mark::Failed,
            began: Instant::now(),
            took: Some(Duration::from_millis(1500)),
        };
        for width in [10, 30, 60, 200] {
            let line = line(&row, false, width);
            assert!(line.chars().count() <= width && line.ends_with("1.5s"), "{line}");
        }
    }

    #[test]
    fn quiet_is_quiet() {
        check(Style::Quiet, expect![[""]]);
    }
}
