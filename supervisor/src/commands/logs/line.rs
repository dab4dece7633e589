//! How a line of output is shown: the container's name before it, in a colour of its own, and its time.
//!
//! On a terminal control characters are shown, not sent: what a container writes must not drive it. In a pipe bytes
//! pass as they are. Deliberately absent: the order of lines.

use std::io::{self, IsTerminal as _, Write};

use super::source::Line;
use crate::args::GlobalArgs;
use crate::render::plain;

/// Colours of the names, in turn.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 96];

/// How lines are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    terminal: bool,
    colours: bool,
    prefix: bool,
    timestamps: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn new(global: &GlobalArgs, no_prefix: bool, timestamps: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { terminal, colours: global.colours(terminal), prefix: !no_prefix, timestamps }
    }
}

/// Prints lines; each container keeps its colour.
pub(super) struct Printer {
    style: Style,
    /// What every container's name begins with, and is left out.
    project: String,
    names: Vec<String>,
    width: usize,
}

impl Printer {
    pub(super) fn new(project: &str, style: Style) -> Self {
        Self { style, project: format!("{project}-"), names: Vec::new(), width: 0 }
    }

    /// Makes room for a name, and gives it the next colour.
    pub(super) fn expect(&mut self, container: &str) -> usize {
        let name = container.strip_prefix(&self.project).unwrap_or(container);
        if let Some(place) = self.names.iter().position(|known| known == name) {
            return place;
        }
        self.width = self.width.max(name.chars().count());
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    pub(super) fn print(&mut self, out: &mut impl Write, container: &str, line: &Line) -> io::Result<()> {
        let place = self.expect(container);
        if self.style.prefix {
            let name = self.names.get(place).map(|name| plain(name)).unwrap_or_default();
            let width = self.width;
            match COLOURS.get(place % COLOURS.len()) {
                Some(colour) if self.style.colours => {
                    write!(out, "\u{1b}[{colour}m{name:<width$} |\u{1b}[0m ")?;
                }
                _ => write!(out, "{name:<width$} | ")?,
            }
        }
        if let (true, Some(at)) = (self.style.timestamps, line.at) {
            write!(out, "{at:.9} ")?;
        }
        if self.style.terminal {
            let text = line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes);
            writeln!(out, "{}", plain(&String::from_utf8_lossy(text)))
        } else {
            out.write_all(&line.bytes)?;
            out.write_all(b"\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(colours: bool, timestamps: bool, expect: &str) {
        let style = Style { terminal: true, colours, prefix: true, timestamps };
        let mut printer = Printer::new("shop", style);
        printer.expect("shop-db-1");
        let mut out = Vec::new();
        let at = Some(jiff::Timestamp::from_second(1).unwrap());
        for (container, text) in [("shop-a-1", "one\u{1b}[2J\r"), ("shop-db-1", "two"), ("other", "three")] {
            printer.print(&mut out, container, &Line { at, bytes: text.into() }).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap().replace('\u{1b}', "ESC"), expect);
    }

    #[test]
    fn names_are_aligned_and_without_the_projects() {
        check(false, false, "a-1  | one\\u{1b}[2J\ndb-1 | two\nother | three\n");
    }

    #[test]
    fn each_container_has_its_colour_and_each_line_its_time() {
        check(
            true,
            true,
            "ESC[33ma-1  |ESC[0m 1970-01-01T00:00:01.000000000Z one\\u{1b}[2J\n\
             ESC[36mdb-1 |ESC[0m 1970-01-01T00:00:01.000000000Z two\n\
             ESC[32mother |ESC[0m 1970-01-01T00:00:01.000000000Z three\n",
        );
    }
}
