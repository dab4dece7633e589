//! Text to a tree of spanned nodes, with every limit that keeps a hostile text cheap.
//!
//! The only place that names the YAML crate. Anchors, aliases and `<<` are resolved here, so that no later phase
//! knows of them. Deliberately absent: what any key means.

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::budget::Budget;
use crate::node::{Node, Scalar, Value};
use crate::problem::{self, Problems};
use crate::source::{Source, SourceId, Span};

mod builder;
mod fit;
pub(crate) mod outline;
mod places;
mod tabs;

use builder::Builder;
use fit::is_fit;
use places::Places;
use tabs::Tabs;

/// Reads one text. `None` where nothing can be said of it; the problems say why.
pub(crate) fn parse(
    source: &Source,
    id: SourceId,
    budget: &mut Budget,
    problems: &mut Problems,
) -> Option<Node> {
    if !is_fit(source, id, problems) {
        return None;
    }
    let places = Places::new(source.text(), id);
    let mut builder = Builder::new(budget, problems);
    let mut documents = 0;
    let mut tabs = Tabs::new(source.text());
    let mut parser = Parser::new_from_str(source.text());
    while let Some(next) = parser.next_event() {
        let (event, mark) = match next {
            Ok(next) => next,
            Err(error) => {
                let span = places.at(error.marker().index());
                builder.problems.add(
                    &problem::NOT_YAML,
                    span,
                    error.info().to_owned(),
                    "mend the syntax here or just above",
                );
                return None;
            }
        };
        if let Some(tabs) = &mut tabs {
            tabs.event(&event, places.whole(mark), mark.start.col());
        }
        let span = places.of(&event, mark);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    builder.problems.add(
                        &problem::MANY_DOCUMENTS,
                        span,
                        "a second document starts here",
                        "keep one document a file, and give further files with `-f`",
                    );
                    return None;
                }
            }
            Event::StreamEnd => break,
            event => builder.event(event, span),
        }
        if builder.gave_up {
            return None;
        }
    }
    if let Some(at) = tabs.and_then(|tabs| tabs.first()) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let message = "a tab that Docker Compose does not take for a blank";
        builder.problems.add(&problem::NOT_YAML, Span::new(id, at, at + 1), message, "write spaces");
        return None;
    }
    builder.root.or_else(|| Some(Node::plain("", places.at(0))))
}

/// What a text begins with, where that is this key and a plain value of it: no tag, no anchor, no alias. Nothing after it is read.
pub(crate) fn first(source: &Source, id: SourceId, key: &str) -> Option<Node> {
    if !is_fit(source, id, &mut Problems::default()) {
        return None;
    }
    let places = Places::new(source.text(), id);
    let events = Parser::new_from_str(source.text());
    for (place, event) in events.enumerate() {
        let (event, mark) = event.ok()?;
        let span = places.of(&event, mark);
        match (place, event) {
            (0, Event::StreamStart) | (1, Event::DocumentStart(_)) | (2, Event::MappingStart(0, None)) => {}
            (3, Event::Scalar(text, _, 0, None)) if text == key => {}
            (4, Event::Scalar(text, style, 0, None)) => {
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                let value = Node::new(Value::Scalar(scalar), span);
                return value.as_text().is_some().then_some(value);
            }
            _ => return None,
        }
    }
    None
}

/// A key for a message: its beginning, so that a message stays one line.
pub(crate) fn shown(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests;
