//! The JSON Schema of what is accepted, for editors: the format's keys and `x-supervisor`, from the rows that loading checks by.
//!
//! A key that is refused may only say nothing, and tells why. Deliberately absent: rules that need more than one key; a file that
//! fits the schema is still for `check` to judge.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::keys::{self, Class, Key};
use crate::lower::supervisor;
use crate::shape::{Entries, Scalars, Shape};

/// A boolean in quotes, or one that a variable gives.
const FLAG: &str = r"^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$|\$";
/// A name that is not an extension's.
const NAME: &str = "^(x|x[A-Za-z0-9._][A-Za-z0-9._-]*|[A-WYZa-wyz0-9._-][A-Za-z0-9._-]*)$";
/// An extension.
const EXTENSION: &str = "^x-";

/// The schema, draft 7, which editors know best.
pub fn schema() -> String {
    let mut file = shape(&keys::FILE);
    own(&mut file, shape(&supervisor::STACK));
    let services = file.get_mut("properties").and_then(|p| p.get_mut("services"));
    if let Some(service) = services.and_then(|s| s.get_mut("patternProperties")).and_then(|p| p.get_mut(NAME))
    {
        own(service, shape(&supervisor::OPTIONS));
    }
    set(&mut file, "$schema", text("http://json-schema.org/draft-07/schema#"));
    set(&mut file, "title", text("A Compose file for supervisor"));
    let mut out = String::new();
    file.write(&mut out, 0);
    out + "\n"
}

/// The stack's own key, beside those of the format.
fn own(schema: &mut Json, value: Json) {
    if let Some(properties) = schema.get_mut("properties") {
        set(properties, "x-supervisor", value);
    }
}

fn shape(shape: &Shape) -> Json {
    let mut schema = Json::Map(BTreeMap::new());
    if matches!(shape.entries, Entries::Free) {
        return schema;
    }
    let Scalars { names, is_flag } = shape.scalars();
    let mut types = names;
    if is_flag {
        set(&mut schema, "pattern", text(FLAG));
    }
    if let Some(items) = shape.items {
        types.push("array");
        set(&mut schema, "items", self::shape(items));
    }
    if !matches!(shape.entries, Entries::None) {
        types.push("object");
    }
    match shape.entries {
        Entries::None | Entries::Free => {}
        Entries::Any(values) => set(&mut schema, "additionalProperties", self::shape(values)),
        Entries::Names(values) => {
            let patterns = [(NAME, self::shape(values)), (EXTENSION, Json::Map(BTreeMap::new()))];
            set(&mut schema, "patternProperties", map(patterns));
            set(&mut schema, "additionalProperties", Json::Bool(false));
        }
        Entries::Keys(keys) => {
            set(&mut schema, "properties", map(keys.iter().map(|key| (key.name, row(key)))));
            set(&mut schema, "patternProperties", map([(EXTENSION, Json::Map(BTreeMap::new()))]));
            set(&mut schema, "additionalProperties", Json::Bool(false));
        }
    }
    set(&mut schema, "type", Json::List(types.into_iter().map(text).collect()));
    schema
}

fn row(key: &Key) -> Json {
    let mut schema = shape(key.shape);
    if key.class == Class::Refused {
        let nothing = [Json::Null, Json::Bool(false), Json::List(Vec::new())];
        schema = map([("enum", Json::List(nothing.into()))]);
        set(&mut schema, "description", text(&format!("Refused: {}.", key.why)));
    } else if !key.why.is_empty() {
        set(&mut schema, "description", text(&format!("{}.", key.why)));
    }
    schema
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    Json::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn set(schema: &mut Json, key: &str, value: Json) {
    if let Json::Map(map) = schema {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_its_documentation() {
        expect_test::expect_file!["../../docs/compose.schema.json"].assert_eq(&schema());
    }
}
