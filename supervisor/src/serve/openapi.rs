//! The endpoint in the words of `OpenAPI` (version 3.1.0), from the same rows that answer.
//!
//! Deliberately absent: serving it; it is `docs/openapi.json`.

use serde_json::{Map, Value, json};

use super::metrics;
use super::routes::{JSON, PATHS, TEXT};
use super::snapshot::ServiceState;

/// `docs/openapi.json`.
pub fn documentation() -> String {
    let paths: Map<String, Value> = PATHS
        .iter()
        .map(|(path, says)| ((*path).to_owned(), json!({"get": operation(path, says)})))
        .collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "supervisor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "How a stack is. Every answer is made from a snapshot; nothing here changes anything.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:9180"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "Asked for where the endpoint listens beyond this machine, or was given a token.",
            }},
            "responses": {
                "unauthorized": described("no token, or a wrong one", TEXT, &text()),
                "body": described("a request with a body", TEXT, &text()),
                "misdirected": described("without a token: a `Host` that is not this machine", TEXT, &text()),
                "method": described("another method than GET and HEAD", TEXT, &text()),
            },
        },
    });
    format!("{document:#}\n")
}

fn operation(path: &str, says: &str) -> Value {
    let mut responses = json!({
        "401": {"$ref": "#/components/responses/unauthorized"},
        "405": {"$ref": "#/components/responses/method"},
        "413": {"$ref": "#/components/responses/body"},
        "421": {"$ref": "#/components/responses/misdirected"},
    });
    let (kind, schema, may_fail) = match path {
        "/healthz" => (JSON, healthz(), true),
        "/status" => (JSON, status(), false),
        "/metrics" => (metrics::CONTENT_TYPE, text(), false),
        _ => (TEXT, text(), true),
    };
    if let Some(responses) = responses.as_object_mut() {
        responses.insert("200".to_owned(), described(says, kind, &schema));
        if may_fail {
            responses.insert("503".to_owned(), described("it is not so; the answer says why", kind, &schema));
        }
    }
    json!({"operationId": path.trim_start_matches('/'), "summary": says, "responses": responses})
}

fn described(what: &str, kind: &str, schema: &Value) -> Value {
    json!({"description": what, "content": {kind: {"schema": schema}}})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn strings() -> Value {
    json!({"type": "array", "items": {"type": "string"}})
}

fn phase() -> Value {
    json!({"enum": ["no_stack", "engine_away", "converging", "watching", "stopping"]})
}

fn state() -> Value {
    let names: Vec<&str> = ServiceState::ALL.iter().map(|state| state.name()).collect();
    json!({"enum": names})
}

fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn healthz() -> Value {
    object(&json!({
        "ok": {"type": "boolean"},
        "phase": phase(),
        "reasons": strings(),
        "warnings": strings(),
        "services": {"type": "object", "additionalProperties": state()},
    }))
}

fn guard() -> Value {
    let count = object(&json!({"packets": {"type": "integer"}, "bytes": {"type": "integer"}}));
    object(&json!({
        "state": {"enum": ["set", "missing", "unable", "off"]},
        "reason": {"type": ["string", "null"]},
        "counters": {"type": "object", "additionalProperties": count},
    }))
}

fn status() -> Value {
    let time = json!({"type": "string", "format": "date-time"});
    let service = object(&json!({
        "state": state(),
        "reason": text(),
        "wanted": {"type": "integer"},
        "containers": {"type": "array", "items": {"type": "object"}},
    }));
    let denial = object(&json!({
        "service": text(),
        "by": {"enum": ["seccomp", "apparmor"]},
        "what": text(),
        "target": text(),
        "count": {"type": "integer"},
        "first_at": time,
        "last_at": time,
        "program": text(),
        "remedy": text(),
    }));
    let process = object(&json!({
        "pid": {"type": "integer"},
        "uid": {"type": "integer"},
        "capabilities": text(),
        "no_new_privs": {"type": "boolean"},
        "seccomp": {"enum": ["none", "strict", "filter"]},
        "seccomp_filters": {"type": ["integer", "null"]},
        "landlock": {"enum": ["full", "partial", "none", null]},
    }));
    let kernel = object(&json!({
        "version": text(),
        "apparmor": {"type": "boolean"},
        "landlock_abi": {"type": "integer", "minimum": 0},
    }));
    object(&json!({
        "version": text(),
        "project": text(),
        "started_at": time,
        "at": time,
        "phase": phase(),
        "reasons": strings(),
        "warnings": strings(),
        "stack": {"type": "object"},
        "engine": {"type": "object"},
        "services": {"type": "object", "additionalProperties": service},
        "relays": {"type": "array", "items": {"type": "object"}},
        "egress": {"type": "array", "items": {"type": "object"}},
        "denials": object(&json!({
            "heard_by": {"type": "array", "items": {"enum": ["audit", "log"]}},
            "rows": {"type": "array", "items": denial},
        })),
        "guard": {"anyOf": [guard(), {"type": "null"}]},
        "control_plane": {"type": ["object", "null"]},
        "last_plan": {"type": ["object", "null"]},
        "totals": {"type": "object", "additionalProperties": {"type": "integer"}},
        "turn_seconds": {"type": "number"},
        "longest_turn_seconds": {"type": "number"},
        "kernel": {"anyOf": [kernel, {"type": "null"}]},
        "processes": {"type": "object", "additionalProperties": process},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::snapshot::Snapshot;

    #[test]
    fn the_documentation_of_the_endpoint_is_as_it_answers() {
        expect_test::expect_file!["../../../docs/openapi.json"].assert_eq(&documentation());
    }

    #[test]
    fn every_key_of_the_status_is_described() {
        let snapshot = serde_json::to_value(Snapshot::starting(jiff::Timestamp::UNIX_EPOCH)).unwrap();
        let described = status();
        let keys: Vec<&String> = described["properties"].as_object().unwrap().keys().collect();
        let mut there: Vec<&String> = snapshot.as_object().unwrap().keys().collect();
        there.sort();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, there);
    }
}
