//! YAML text as JSON, as an editor's schema checker sees it: anchors and `<<` resolved, scalars by YAML 1.2's core schema.
//!
//! Written apart from the product's own reading, so that a mistake there is not made here too. Deliberately absent: problems; what
//! is read here has to be well-formed.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// The document as JSON.
pub fn to_json(text: &str) -> Value {
    let mut parser = Parser::new_from_str(text);
    let mut anchors = BTreeMap::new();
    while let Some(event) = parser.next_event() {
        let (event, _) = event.expect("well-formed YAML");
        if !matches!(event, Event::StreamStart | Event::DocumentStart(_)) {
            return node(event, &mut parser, &mut anchors);
        }
    }
    Value::Null
}

type Words<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

fn next<'a>(parser: &mut Words<'a>) -> Event<'a> {
    parser.next_event().expect("an event").expect("well-formed YAML").0
}

fn node<'a>(event: Event<'a>, parser: &mut Words<'a>, anchors: &mut BTreeMap<usize, Value>) -> Value {
    let (value, anchor) = match event {
        Event::Alias(anchor) => (anchors[&anchor].clone(), 0),
        Event::Scalar(text, style, anchor, _) => (scalar(&text, style == ScalarStyle::Plain), anchor),
        Event::SequenceStart(anchor, _) => {
            let mut items = Vec::new();
            loop {
                match next(parser) {
                    Event::SequenceEnd => break,
                    event => items.push(node(event, parser, anchors)),
                }
            }
            (Value::Array(items), anchor)
        }
        Event::MappingStart(anchor, _) => {
            let (mut map, mut merged) = (Map::new(), Vec::new());
            loop {
                let key = match next(parser) {
                    Event::MappingEnd => break,
                    Event::Scalar(text, ..) => text.into_owned(),
                    other => panic!("{other:?} as a key"),
                };
                let event = next(parser);
                let value = node(event, parser, anchors);
                if key == "<<" {
                    merged.push(value);
                } else {
                    map.insert(key, value);
                }
            }
            for from in
                merged.iter().flat_map(|m| m.as_array().map_or(std::slice::from_ref(m), Vec::as_slice))
            {
                for (key, value) in from.as_object().into_iter().flatten() {
                    map.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            (Value::Object(map), anchor)
        }
        other => panic!("{other:?} where a value stands"),
    };
    if anchor != 0 {
        anchors.insert(anchor, value.clone());
    }
    value
}

fn scalar(text: &str, plain: bool) -> Value {
    let number = || serde_json::from_str::<Value>(text).ok().filter(Value::is_number);
    match text {
        _ if !plain => Value::String(text.to_owned()),
        "" | "~" | "null" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number().unwrap_or_else(|| Value::String(text.to_owned())),
    }
}
