//! What comes along for Prometheus and Grafana: it names metrics that are there, and loads.
//!
//! Deliberately absent: when an alert is right; that is for whoever keeps the stack.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use supervisor::serve::metrics::{METRICS, Metric};
use tests::bed::ran;

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs").join(name)
}

/// Every word of a text that could be a metric of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("supervisor_")).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_are_there() {
    let known: BTreeSet<String> = METRICS.iter().map(Metric::full_name).collect();
    for name in ["prometheus-alerts.yaml", "grafana-dashboard.json"] {
        let text = std::fs::read_to_string(document(name)).unwrap();
        let named = named(&text);
        assert!(named.len() > 8, "{name} names only {named:?}");
        let unknown: Vec<_> = named.into_iter().filter(|metric| !known.contains(*metric)).collect();
        assert!(unknown.is_empty(), "{name} names metrics that are not there: {unknown:?}");
    }
}

#[test]
fn the_dashboard_is_one() {
    let text = std::fs::read_to_string(document("grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels of one id");
    for panel in panels {
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{panel}");
    }
}

#[test]
fn prometheus_loads_the_alerts() {
    let promtool = std::env::var_os("SUPERVISOR_PROMTOOL")
        .expect("SUPERVISOR_PROMTOOL names Prometheus's tool; `cargo xtask test` sets it");
    let checked =
        ran(Command::new(promtool).args(["check", "rules"]).arg(document("prometheus-alerts.yaml")))
            .expect(0);
    let text = std::fs::read_to_string(document("prometheus-alerts.yaml")).unwrap();
    let alerts = text.lines().filter(|line| line.trim_start().starts_with("- alert:")).count();
    assert!(
        alerts > 10 && checked.out.contains(&format!("SUCCESS: {alerts} rules found")),
        "{}",
        checked.out
    );
}
