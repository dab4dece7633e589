//! The JSON Schema of what is accepted fits what is accepted, by a checker that is not ours.
//!
//! Deliberately absent: whether the schema is the one that the program gives, which a test beside it says.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use compose::keys::{self, Class};
use serde_json::{Value, json};
use tests::yaml::to_json;

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compose.schema.json");
        let text = std::fs::read_to_string(path).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("file:///compose.schema.json", serde_json::from_str(&text).unwrap()).unwrap();
        let index = compiler.compile("file:///compose.schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn check(&self, file: &Value) -> Result<(), String> {
        self.schemas.validate(file, self.index).map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn every_good_example_fits_the_schema() {
    let schema = Schema::read();
    for rule in compose::rules::all() {
        schema
            .check(&to_json(rule.good))
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", rule.id, rule.good));
    }
    schema.check(&to_json(supervisor::stack::COMPOSE)).unwrap();
}

#[test]
fn what_loading_calls_a_wrong_type_or_an_unknown_key_does_not_fit() {
    let schema = Schema::read();
    let service = |service: Value| json!({"services": {"web": service}});
    for file in [
        json!({"servces": {}}),
        json!({"services": []}),
        json!({"services": {"a b": {"image": "x"}}}),
        json!({"services": {}, "x-supervisor": {"egde": "web"}}),
        json!({"services": {}, "x-supervisor": {"exempt": [{"rule": 7}]}}),
        service(json!({"image": 7})),
        service(json!({"image": "x", "prots": []})),
        service(json!({"image": "x", "ports": "80"})),
        service(json!({"image": "x", "ports": [{"targt": 80}]})),
        service(json!({"image": "x", "init": "yes"})),
        service(json!({"image": "x", "init": 1})),
        service(json!({"image": "x", "cap_add": "ALL"})),
        service(json!({"image": "x", "scale": 1.5})),
        service(json!({"image": "x", "x-supervisor": {"probe": {"htp": "/"}}})),
    ] {
        assert!(schema.check(&file).is_err(), "{file}");
    }
    for good in [
        service(json!({"image": "x", "init": "true"})),
        service(json!({"image": "x", "init": "${INIT:-true}"})),
        service(json!({"image": "x", "x-mine": {"any": [1]}})),
        service(json!({"image": "x", "pids_limit": "${PIDS}"})),
        json!({"services": {"x-common": 5, "x": {"image": "y"}, "xx.1": {"image": "y"}}}),
    ] {
        schema.check(&good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

#[test]
fn what_is_refused_whatever_it_says_may_only_say_nothing() {
    let schema = Schema::read();
    for key in keys::SERVICE.iter().filter(|key| key.class == Class::Refused) {
        let says = |value: Value| json!({"services": {"web": {"image": "x", (key.name): value}}});
        assert!(schema.check(&says(json!("x"))).is_err(), "{}", key.name);
        assert!(schema.check(&says(json!(true))).is_err(), "{}", key.name);
        schema.check(&says(json!(false))).unwrap_or_else(|error| panic!("{}: {error}", key.name));
    }
}
