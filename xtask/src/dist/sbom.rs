//! What is in the binary: every crate that it is linked of, as `CycloneDX` 1.5 in JSON.
//!
//! From Cargo's own word and the lock file. Deliberately absent: what only builds or tests it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::product::{cargo, workspace};
use crate::shell::{command, output};

/// The document. Its time is the commit's, so that it is the same twice.
pub(super) fn cyclonedx(version: &str, epoch: u64) -> Result<String> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", &target];
    let metadata: Value =
        serde_json::from_str(&output(command(cargo(), arguments).current_dir(workspace()))?)?;
    let checksums = checksums(&std::fs::read_to_string(workspace().join("Cargo.lock"))?);
    let time =
        output(&mut command("date", ["--utc", "--date", &format!("@{epoch}"), "+%Y-%m-%dT%H:%M:%SZ"]))?;
    let bom = document(&metadata, &checksums, version, time.trim())?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&bom)?))
}

/// Checksum of each crate by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|p| Some(((value(p, "name")?, value(p, "version")?), value(p, "checksum")?)))
        .collect()
}

fn document(
    metadata: &Value,
    checksums: &BTreeMap<(String, String), String>,
    version: &str,
    time: &str,
) -> Result<Value> {
    let list = |pointer: &str| {
        metadata.pointer(pointer).and_then(Value::as_array).context("cargo's answer lacks a list")
    };
    let packages: BTreeMap<&str, &Value> =
        list("/packages")?.iter().filter_map(|p| Some((p["id"].as_str()?, p))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list("/resolve/nodes")?.iter().filter_map(|n| Some((n["id"].as_str()?, n))).collect();
    let named = |name: &str| {
        packages.iter().find(|(_, p)| p["name"] == name && p["source"].is_null()).map(|(id, _)| *id)
    };
    let root = named("supervisor").context("cargo knows no package `supervisor`")?;
    // What is linked: normal dependencies, and theirs. `confine` is carried as a program.
    let mut linked = BTreeSet::new();
    let mut todo = vec![root];
    let mut edges = Vec::new();
    while let Some(id) = todo.pop() {
        if !linked.insert(id) {
            continue;
        }
        let deps = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        let is_normal = |dep: &&Value| {
            dep["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        };
        let found: BTreeSet<&str> = deps.filter(is_normal).filter_map(|dep| dep["pkg"].as_str()).collect();
        todo.extend(&found);
        edges.push((id, found));
    }
    edges.sort();
    let purl = |id: &str| {
        let package = packages.get(id).copied().unwrap_or(&Value::Null);
        format!(
            "pkg:cargo/{}@{}",
            package["name"].as_str().unwrap_or_default(),
            package["version"].as_str().unwrap_or_default()
        )
    };
    let component = |id: &&str| {
        let package = packages.get(id).copied().unwrap_or(&Value::Null);
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let mut component = json!({
            "type": "library",
            "bom-ref": purl(id),
            "name": text("name"),
            "version": text("version"),
            "purl": purl(id),
            "licenses": [{"expression": text("license").replace('/', " OR ")}],
        });
        let sum = checksums.get(&(text("name"), text("version")));
        if let (Some(sum), Some(object)) = (sum, component.as_object_mut()) {
            object.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": sum}]));
        }
        component
    };
    let mut components: Vec<Value> = linked.iter().filter(|id| **id != root).map(component).collect();
    components.sort_by_key(|component| component["bom-ref"].as_str().unwrap_or_default().to_owned());
    let mut dependencies: Vec<Value> = edges
        .iter()
        .map(|(id, on)| {
            let mut on: Vec<String> = on.iter().map(|id| purl(id)).collect();
            on.sort();
            json!({"ref": purl(id), "dependsOn": on})
        })
        .collect();
    dependencies.sort_by_key(|row| row["ref"].as_str().unwrap_or_default().to_owned());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {
                "type": "application",
                "bom-ref": purl(root),
                "name": "supervisor",
                "version": version,
                "purl": purl(root),
                "licenses": [{"expression": "Apache-2.0"}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}
