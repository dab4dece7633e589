//! A service as Compose prints it: one line a key, and what Compose fills in.
//!
//! Deliberately absent: keys of the policy and of hardening.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical;
use crate::model::Service;
use crate::node::Node;
use crate::paths;

use super::objects::is_empty;
use super::values::{
    as_is, bytes, duration, each, fields, flag, labels, nothing, number, pairs, text, text_of, texts,
    with_defaults,
};
use super::{Tree, Used, entries};
use crate::json::Json;

pub(super) fn service(node: &Node, model: &Service, tree: &Tree, used: &mut Used) -> Json {
    let mut out = BTreeMap::new();
    for entry in entries(Some(node)) {
        let value = key(&entry.key, &entry.value, tree, used);
        if is_printed(&entry.key, &value) {
            out.insert(entry.key.clone(), value);
        }
    }
    out.remove("env_file");
    out.remove("label_file");
    out.remove("pull_refresh_after");
    resolved(&mut out, model);
    for key in ["command", "entrypoint"] {
        out.entry(key.to_owned()).or_insert(Json::Null);
    }
    if node.get("network_mode").is_none()
        && out.get("networks").is_none_or(is_empty)
        && !out.contains_key("provider")
    {
        let default = BTreeMap::from([("default".to_owned(), Json::Null)]);
        out.insert("networks".to_owned(), Json::Map(default));
        used.networks.insert("default".to_owned());
    } else if out.get("networks").is_some_and(is_empty) {
        out.remove("networks");
    }
    implied(node, &mut out);
    Json::Map(out)
}

/// Compose leaves out what is empty or false, but where that says something of its own.
fn is_printed(key: &str, value: &Json) -> bool {
    match key {
        "command" | "entrypoint" | "networks" | "healthcheck" => true,
        "init" | "attach" | "scale" => *value != Json::Null,
        // A zero is as good as nothing, but of how many there are.
        _ if *value == Json::Number("0".to_owned()) => false,
        _ => !is_empty(value) && *value != Json::Bool(false),
    }
}

/// `environment` and `labels` with their files in them.
fn resolved(out: &mut BTreeMap<String, Json>, model: &Service) {
    let variables: BTreeMap<String, Json> = model
        .environment
        .iter()
        .map(|(name, at)| (name.clone(), at.value.as_ref().map_or(Json::Null, |v| text_of(&v.0))))
        .collect();
    if !variables.is_empty() {
        out.insert("environment".to_owned(), Json::Map(variables));
    }
    let found: BTreeMap<String, Json> =
        model.labels.iter().map(|(name, at)| (name.clone(), text_of(&at.value))).collect();
    if !found.is_empty() {
        out.insert("labels".to_owned(), Json::Map(found));
    }
}

/// Keys that make a service wait for another.
fn implied(node: &Node, out: &mut BTreeMap<String, Json>) {
    // The flag says whether a restart of the other is followed.
    let mut names: Vec<(String, bool)> = Vec::new();
    let list = |key| node.get(key).and_then(Node::as_list).unwrap_or_default();
    for item in list("links") {
        names.extend(item.as_text().and_then(|t| t.split(':').next().map(|n| (n.to_owned(), true))));
    }
    for item in list("volumes_from") {
        names.extend(
            item.as_text()
                .filter(|t| !t.starts_with("container:"))
                .and_then(|t| t.split(':').next().map(|n| (n.to_owned(), false))),
        );
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let service = node.get(key).and_then(Node::as_text);
        names.extend(service.and_then(|t| t.strip_prefix("service:").map(|n| (n.to_owned(), true))));
    }
    // One that is followed in any way is followed.
    names.sort_by_key(|(_, restart)| !restart);
    for (name, restart) in names {
        let wait = [("condition", text_of("service_started")), ("required", Json::Bool(true))];
        let mut wait: BTreeMap<String, Json> = wait.map(|(k, v)| (k.to_owned(), v)).into();
        if restart {
            wait.insert("restart".to_owned(), Json::Bool(true));
        }
        let wait = Json::Map(wait);
        if let Json::Map(map) = out.entry("depends_on".to_owned()).or_insert_with(nothing) {
            map.entry(name).or_insert(wait);
        }
    }
}

fn key(key: &str, node: &Node, tree: &Tree, used: &mut Used) -> Json {
    match key {
        "mem_limit" | "memswap_limit" | "mem_reservation" | "mem_swappiness" | "shm_size" => bytes(node),
        "cpus" | "cpu_count" | "cpu_percent" | "cpu_period" | "cpu_quota" | "cpu_rt_period"
        | "cpu_rt_runtime" | "cpu_shares" | "oom_score_adj" | "pids_limit" | "scale" => number(node),
        "privileged" | "read_only" | "init" | "tty" | "stdin_open" | "attach" | "oom_kill_disable"
        | "use_api_socket" => flag(node),
        "stop_grace_period" => duration(node),
        "environment" => pairs(node),
        "labels" | "annotations" | "sysctls" | "storage_opt" => labels(node),
        "cap_add"
        | "cap_drop"
        | "dns"
        | "dns_opt"
        | "dns_search"
        | "expose"
        | "group_add"
        | "links"
        | "external_links"
        | "security_opt"
        | "tmpfs"
        | "profiles"
        | "volumes_from"
        | "device_cgroup_rules" => texts(node),
        "command" | "entrypoint" => {
            if node.is_null() {
                Json::Null
            } else {
                texts(node)
            }
        }
        "build" => build(node, tree, used),
        "blkio_config" => blkio(node),
        "configs" => grants(node, &mut used.configs, false),
        "secrets" => grants(node, &mut used.secrets, true),
        "depends_on" => each(node, |row| {
            let row = fields(row, |key, value| if key == "condition" { text(value) } else { flag(value) });
            without_false(with_defaults(row, [("required", Json::Bool(true))]), "restart")
        }),
        "deploy" => deploy(node),
        "devices" => rows(node, |row| match row.as_text() {
            Some(text) => device(&text),
            None => fields(row, |_, v| text(v)),
        }),
        "extra_hosts" => hosts(node),
        "healthcheck" => healthcheck(node),
        "logging" => fields(node, |key, value| if key == "options" { labels(value) } else { text(value) }),
        "networks" => networks(node, used),
        "ports" => rows(node, |row| {
            fields(row, |key, value| if key == "target" { number(value) } else { text(value) })
        }),
        "ulimits" => each(node, |row| match row.as_map() {
            Some(_) => each(row, number),
            None => number(row),
        }),
        "volumes" => rows(node, |row| mount(row, tree, used)),
        "post_start" | "pre_stop" | "pre_start" => rows(node, |row| {
            fields(row, |key, value| match key {
                "command" => texts(value),
                "environment" => pairs(value),
                "privileged" | "per_replica" => flag(value),
                _ => text(value),
            })
        }),
        "provider" => fields(node, |key, value| match key {
            "options" => each(value, texts),
            _ => text(value),
        }),
        "develop" => fields(node, |_, rules| rows(rules, |row| watch(row, tree))),
        "pull_policy" if node.as_text().as_deref() == Some("if_not_present") => {
            Json::Text("missing".to_owned())
        }
        "gpus" if node.as_text().as_deref() == Some("all") => {
            let every = BTreeMap::from([("count".to_owned(), Json::Number("-1".to_owned()))]);
            Json::List(vec![Json::Map(every)])
        }
        "gpus" | "models" | "credential_spec" => as_is(node),
        _ if key.starts_with("x-") => as_is(node),
        _ => text(node),
    }
}

fn rows(node: &Node, change: impl FnMut(&Node) -> Json) -> Json {
    node.as_list().map_or_else(|| as_is(node), |items| Json::List(items.iter().map(change).collect()))
}

fn without_false(json: Json, key: &str) -> Json {
    match json {
        Json::Map(mut map) => {
            if map.get(key) == Some(&Json::Bool(false)) {
                map.remove(key);
            }
            Json::Map(map)
        }
        other => other,
    }
}

/// As [`fields`], for a change that remembers.
fn each_field(node: &Node, mut change: impl FnMut(&str, &Node) -> Json) -> Json {
    match node.as_map() {
        Some(map) => {
            Json::Map(map.entries.iter().map(|e| (e.key.clone(), change(&e.key, &e.value))).collect())
        }
        None => as_is(node),
    }
}

fn path(node: &Node, tree: &Tree) -> Json {
    match node.as_text() {
        Some(written) => text_of(&paths::as_written(&tree.directory, &written, &tree.environment)),
        None => text(node),
    }
}

fn build(node: &Node, tree: &Tree, used: &mut Used) -> Json {
    let mut built = BTreeSet::new();
    let out = each_field(node, |key, value| match key {
        "context" => path(value, tree),
        "args" => pairs(value),
        "labels" => labels(value),
        "additional_contexts" => each(value, |v| match v.as_text() {
            Some(text) if text.contains(':') => text_of(&text),
            _ => path(v, tree),
        }),
        "no_cache" | "pull" | "privileged" => flag(value),
        "shm_size" => bytes(value),
        "extra_hosts" => hosts(value),
        "secrets" => grants(value, &mut built, false),
        "ulimits" => each(value, |row| if row.as_map().is_some() { each(row, number) } else { number(row) }),
        "ssh" => Json::List(
            entries(Some(value))
                .map(|e| match e.value.as_text().filter(|t| !t.is_empty()) {
                    Some(path) => text_of(&format!("{}={path}", e.key)),
                    None => text_of(&e.key),
                })
                .collect(),
        ),
        "cache_from" | "cache_to" | "entitlements" | "platforms" | "tags" => texts(value),
        _ => text(value),
    });
    used.secrets.extend(built);
    let Json::Map(mut map) = out else { return out };
    map.retain(|_, value| !is_empty(value) && *value != Json::Bool(false));
    // The file may say an empty name, which is no name.
    if node.get("dockerfile_inline").is_none() && node.get("dockerfile").is_none() {
        map.insert("dockerfile".to_owned(), text_of("Dockerfile"));
    }
    Json::Map(map)
}

fn watch(row: &Node, tree: &Tree) -> Json {
    let out = fields(row, |key, value| if key == "path" { path(value, tree) } else { as_is(value) });
    let nothing = BTreeMap::from([("command".to_owned(), Json::Null)]);
    let Json::Map(mut map) = with_defaults(out, [("exec", Json::Map(nothing))]) else { return Json::Null };
    map.retain(|key, _| !key.starts_with("x-"));
    Json::Map(map)
}

fn blkio(node: &Node) -> Json {
    let rate = |row: &Node| {
        let part = |key| row.get(key).map_or(Json::Null, |n| if key == "path" { text(n) } else { bytes(n) });
        Json::Map([("Path".to_owned(), part("path")), ("Rate".to_owned(), part("rate"))].into())
    };
    let weight = |row: &Node| {
        let part = |key| row.get(key).map_or(Json::Null, |n| if key == "path" { text(n) } else { number(n) });
        Json::Map([("Path".to_owned(), part("path")), ("Weight".to_owned(), part("weight"))].into())
    };
    fields(node, |key, value| match key {
        "weight" => number(value),
        "weight_device" => rows(value, weight),
        _ => rows(value, rate),
    })
}

fn grants(node: &Node, used: &mut BTreeSet<String>, secret: bool) -> Json {
    rows(node, |row| {
        let source = row.get("source").and_then(Node::as_text).unwrap_or_default();
        used.insert(source.clone());
        let out = fields(row, |key, value| if key == "mode" { mode(value) } else { text(value) });
        if secret {
            with_defaults(out, [("target", text_of(&format!("/run/secrets/{source}")))])
        } else {
            out
        }
    })
}

/// Permission bits as a string of octal digits.
fn mode(node: &Node) -> Json {
    match (node.kind(), node.as_text()) {
        (Some(crate::scalar::Kind::Int(bits)), _) => Json::Text(format!("0{bits:o}")),
        (_, Some(text)) => match u32::from_str_radix(&text, 8) {
            Ok(bits) => Json::Text(format!("0{bits:o}")),
            Err(_) => text_of(&text),
        },
        _ => as_is(node),
    }
}

fn deploy(node: &Node) -> Json {
    let update = |node: &Node| {
        fields(node, |key, value| match key {
            "parallelism" | "max_failure_ratio" => number(value),
            "delay" | "monitor" => duration(value),
            _ => text(value),
        })
    };
    let out = fields(node, |key, value| match key {
        "labels" => labels(value),
        "replicas" => number(value),
        "update_config" | "rollback_config" => update(value),
        "restart_policy" => fields(value, |key, value| match key {
            "max_attempts" => number(value),
            "delay" | "window" => duration(value),
            _ => text(value),
        }),
        "resources" => each(value, |part| {
            fields(part, |key, value| match key {
                "cpus" | "pids" => number(value),
                "memory" => bytes(value),
                "devices" => rows(value, |row| {
                    let all = row.get("count").is_none() && row.get("device_ids").is_none();
                    let row = as_is(row);
                    if all { with_defaults(row, [("count", Json::Number("-1".to_owned()))]) } else { row }
                }),
                _ => as_is(value),
            })
        }),
        "mode" | "endpoint_mode" => text(value),
        _ => as_is(value),
    });
    with_defaults(out, [("placement", nothing()), ("resources", nothing())])
}

fn device(text: &str) -> Json {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source, target, permissions] => (*source, *target, *permissions),
        [source, target] if target.starts_with('/') => (*source, *target, "rwm"),
        [source, permissions] => (*source, *source, *permissions),
        _ => (text, text, "rwm"),
    };
    let row = [("source", source), ("target", target), ("permissions", permissions)];
    Json::Map(row.map(|(k, v)| (k.to_owned(), text_of(v))).into())
}

fn hosts(node: &Node) -> Json {
    let mut rows = Vec::new();
    for entry in entries(Some(node)) {
        for address in entry.value.as_list().unwrap_or_default() {
            rows.push(format!("{}={}", entry.key, address.as_text().unwrap_or_default()));
        }
    }
    rows.sort();
    Json::List(rows.iter().map(|r| text_of(r)).collect())
}

fn healthcheck(node: &Node) -> Json {
    let out = fields(node, |key, value| match key {
        "test" => texts(value),
        "retries" => number(value),
        "disable" => flag(value),
        _ => duration(value),
    });
    let Json::Map(mut map) = without_false(out, "disable") else { return Json::Null };
    map.retain(|_, value| !is_empty(value));
    Json::Map(map)
}

fn networks(node: &Node, used: &mut Used) -> Json {
    let Some(map) = node.as_map() else { return as_is(node) };
    let row = |value: &Node| match value.as_map() {
        None => Json::Null,
        Some(_) => fields(value, |key, value| match key {
            "aliases" | "link_local_ips" => texts(value),
            "priority" | "gw_priority" => number(value),
            "driver_opts" => labels(value),
            _ => text(value),
        }),
    };
    used.networks.extend(map.entries.iter().map(|e| e.key.clone()));
    Json::Map(map.entries.iter().map(|e| (e.key.clone(), row(&e.value))).collect())
}

fn mount(node: &Node, tree: &Tree, used: &mut Used) -> Json {
    let kind = node.get("type").and_then(Node::as_text).unwrap_or_default();
    if kind == "volume" {
        used.volumes.extend(node.get("source").and_then(Node::as_text).filter(|s| !s.is_empty()));
    }
    let is_short = canonical::is_short(node);
    let out = fields(node, |key, value| match key {
        "source" if kind == "bind" => path(value, tree),
        "read_only" => flag(value),
        "bind" => {
            fields(value, |key, value| if key == "create_host_path" { flag(value) } else { text(value) })
        }
        "volume" => fields(value, |key, value| match key {
            "nocopy" => flag(value),
            "labels" => labels(value),
            _ => text(value),
        }),
        "tmpfs" => fields(value, |key, value| if key == "size" { bytes(value) } else { number(value) }),
        "image" => fields(value, |_, value| text(value)),
        _ => text(value),
    });
    let mut out = without_false(out, "read_only");
    if let Json::Map(map) = &mut out {
        let says = |_: &String, value: &mut Json| *value != Json::Text(String::new());
        map.retain(says);
        for options in map.values_mut() {
            if let Json::Map(options) = options {
                options.retain(says);
            }
        }
    }
    match (out, is_short) {
        (Json::Map(mut map), true) if kind == "bind" => {
            let bind = map.remove("bind").unwrap_or_else(nothing);
            map.insert("bind".to_owned(), with_defaults(bind, [("create_host_path", Json::Bool(true))]));
            Json::Map(map)
        }
        (out, _) => out,
    }
}
