//! `healthcheck`.
//!
//! Deliberately absent: `x-supervisor.probe`, and bounds on times.

use crate::model::{HealthTest, Healthcheck};
use crate::node::Node;
use crate::problem::Problems;
use crate::source::At;

use super::read;

pub(super) fn healthcheck(node: &Node, problems: &mut Problems) -> Option<At<Healthcheck>> {
    node.as_map()?;
    let disabled = node.get("disable").and_then(read::flag).is_some_and(|f| f.value);
    let test = match node.get("test") {
        _ if disabled => HealthTest::Disabled,
        None => HealthTest::Inherit,
        Some(test) => health_test(test, problems)?,
    };
    let mut time = |key| node.get(key).and_then(|n| read::duration(n, key, problems)).map(|d| d.value);
    let healthcheck = Healthcheck {
        test,
        interval: time("interval"),
        timeout: time("timeout"),
        start_period: time("start_period"),
        start_interval: time("start_interval"),
        retries: node.get("retries").and_then(|n| read::small(n, "retries", problems)).map(|n| n.value),
    };
    Some(At::file(healthcheck, node.span))
}

fn health_test(node: &Node, problems: &mut Problems) -> Option<HealthTest> {
    let items = node.as_list()?;
    let words: Vec<String> = items.iter().filter_map(Node::as_text).collect();
    let test = match words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        None => Some(HealthTest::Inherit),
        Some(("NONE", _)) => Some(HealthTest::Disabled),
        Some(("CMD", rest)) if !rest.is_empty() => Some(HealthTest::Exec(rest.to_vec())),
        Some(("CMD-SHELL", [line])) => Some(HealthTest::Shell(line.clone())),
        Some(("CMD-SHELL", rest)) if !rest.is_empty() => Some(HealthTest::Shell(rest.join(" "))),
        _ => None,
    };
    if test.is_none() {
        read::bad(
            items.first().unwrap_or(node),
            "healthcheck.test",
            "`CMD`, `CMD-SHELL` or `NONE` and what is run",
            problems,
        );
    }
    test
}
