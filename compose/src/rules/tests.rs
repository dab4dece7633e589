//! The examples of every rule are its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::*;
use crate::finding::{Finding, Report, Severity};
use crate::host::{Kind, Look, MemoryHost};
use crate::model::Date;
use crate::policy::Call;
use crate::source::Source;
use crate::{Policy, Request};

/// The host that the examples stand on: `/srv/stack` is the stack's folder.
pub(crate) fn host() -> MemoryHost {
    let mut host = MemoryHost::default();
    for file in [
        "site",
        "app.env",
        "open.env",
        "token.txt",
        "open.txt",
        "password.txt",
        "db_password.txt",
        "Caddyfile",
    ] {
        host.files.insert(PathBuf::from("/srv/stack").join(file), Vec::new());
    }
    host.files.insert("/srv/elsewhere/app.env".into(), Vec::new());
    for (name, text) in
        [("ranges", "# as published\n173.245.48.0/20\n2400:cb00::/32\n"), ("near", "10.0.0.0/8 # <-\n")]
    {
        host.files.insert(format!("/srv/stack/{name}.txt").into(), text.into());
    }
    for (name, call) in [("web", "accept4"), ("misspelled", "accpet4"), ("beyond", "ptrace")] {
        let text = format!("base: generic\nsyscalls:\n  - read\n  - write\n  - {call} # <-\n");
        host.files.insert(format!("/srv/stack/profiles/{name}.yaml").into(), text.into_bytes());
    }
    let look = |resolved: &str, kind| Look {
        resolved: resolved.into(),
        links: Vec::new(),
        kind: Some(kind),
        sockets: Vec::new(),
        identity: None,
        mode: Some(0o600),
        owner: Some((0, 0)),
    };
    let mut looks = BTreeMap::from([
        (
            "/srv/link/site",
            Look { links: vec!["/srv/link".into()], ..look("/srv/real/site", Kind::Directory) },
        ),
        (
            "/srv/link/engine",
            Look { links: vec!["/srv/link".into()], ..look("/run/docker.sock", Kind::Socket) },
        ),
        ("/srv/link/etc", Look { links: vec!["/srv/link".into()], ..look("/etc", Kind::Directory) }),
        (
            "/srv/holds",
            Look { sockets: vec!["/srv/holds/a/my.sock".into()], ..look("/srv/holds", Kind::Directory) },
        ),
        ("/srv/renamed", look("/srv/renamed", Kind::Socket)),
        ("/srv/alias", Look { identity: Some((7, 9)), ..look("/srv/alias", Kind::File) }),
        (
            "/run/docker.sock",
            Look { identity: Some((7, 9)), owner: Some((0, 998)), ..look("/run/docker.sock", Kind::Socket) },
        ),
        ("/srv/disk", look("/srv/disk", Kind::Device)),
        ("/srv/real/site", look("/srv/real/site", Kind::Directory)),
    ]);
    for (name, mode) in [("open.env", 0o644), ("open.txt", 0o644)] {
        let path: &'static str =
            if name == "open.env" { "/srv/stack/open.env" } else { "/srv/stack/open.txt" };
        looks.insert(path, Look { mode: Some(mode), ..look(path, Kind::File) });
    }
    host.looks = looks.into_iter().map(|(path, look)| (path.into(), look)).collect();
    host
}

/// Loads and judges one text.
pub(crate) fn judge(text: &str) -> (Option<crate::Admitted>, Report) {
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: "/srv/stack".into(),
        project_name: Some("example".into()),
        environment: [("TOKEN".into(), "t".into())].into(),
    };
    let host = host();
    let today = Date { year: 2026, month: 11, day: 22 };
    crate::admit(
        crate::load(request, &host),
        &Policy { today, strict: false, calls, notes: crate::Notes::Told },
        &host,
    )
}

/// A small part of the table that the policy is given.
fn calls(_: &crate::Service, name: &str) -> Call {
    match name {
        "accept4" | "read" | "write" => Call::Granted,
        "ptrace" => Call::Beyond { base: "generic", why: "another process", others: &[] },
        _ => Call::Unknown { near: Some("accept4") },
    }
}

fn line(report: &Report, finding: &Finding) -> u32 {
    finding
        .span
        .and_then(|span| Some(report.sources.get(span.source)?.position(span.start).line))
        .unwrap_or(0)
}

/// The line where a rule speaks up.
fn mark(text: &str) -> Option<u32> {
    text.lines().position(|line| line.ends_with("# <-")).map(|n| u32::try_from(n + 1).unwrap())
}

/// The recorded profiles that an example names: the mark may be in one of them.
fn profiles_of(text: &str) -> impl Iterator<Item = String> {
    let files = host().files.into_iter();
    let named = files.filter(|(path, _)| {
        text.contains(&format!(
            "./{}",
            path.strip_prefix("/srv/stack").map_or("?".into(), |p| p.display().to_string())
        ))
    });
    named.map(|(_, bytes)| String::from_utf8(bytes).unwrap())
}

/// What nearly every short example leaves out; spoken of only where the example is about it.
const USUAL: [&str; 4] = ["SV100", "SV210", "SV240", "SV260"];

#[test]
fn ids_are_unique_ascending_and_from_100() {
    let ids: Vec<&str> = all().map(|rule| rule.id).collect();
    let sorted: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids, sorted.into_iter().collect::<Vec<_>>());
    assert!(ids.iter().all(|id| id.len() == 5 && *id >= "SV100" && id.starts_with("SV")));
    assert!(all().all(|rule| find(rule.id).is_some_and(|found| found.id == rule.id)));
    assert!(["", "SV000", "SV105x", "SV999"].iter().all(|id| find(id).is_none()));
}

#[test]
fn rows_are_sentences_without_a_full_stop() {
    for rule in all() {
        for text in [rule.title, rule.reason, rule.fix] {
            assert!(text.len() > 8 && !text.ends_with('.'), "{}: {text}", rule.id);
        }
    }
}

#[test]
fn each_bad_example_gives_its_rule_at_its_line_and_nothing_else() {
    let mut failures = Vec::new();
    for rule in all() {
        let (_, report) = judge(rule.bad);
        let marked = mark(rule.bad).or_else(|| profiles_of(rule.bad).find_map(|text| mark(&text)));
        let loud = |f: &&Finding| f.severity != Severity::Note && !USUAL.contains(&f.rule);
        let own = report.findings.iter().find(|f| f.rule == rule.id && Some(line(&report, f)) == marked);
        let others: Vec<String> = report
            .findings
            .iter()
            .filter(loud)
            .filter(|f| f.rule != rule.id || Some(line(&report, f)) != marked)
            .map(|f| format!("{} at {}: {}", f.rule, line(&report, f), f.message))
            .collect();
        if own.is_none_or(|own| own.severity != rule.severity) || !others.is_empty() {
            failures.push(format!("{}: expected at {marked:?}: {own:?}; also {others:#?}", rule.id));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_good_example_is_admitted_and_does_not_break_its_rule() {
    let mut failures = Vec::new();
    for rule in all() {
        let (admitted, report) = judge(rule.good);
        let broken: Vec<String> = report
            .findings
            .iter()
            .filter(|f| {
                (f.rule == rule.id && !f.message.contains("exempt until") && !USUAL.contains(&f.rule)
                    || f.severity != Severity::Note && !USUAL.contains(&f.rule))
                    && (f.severity != Severity::Note || rule.severity == Severity::Note)
            })
            .map(|f| format!("{} at {}: {}", f.rule, line(&report, f), f.message))
            .collect();
        let own = report.findings.iter().any(|f| f.rule == rule.id && f.severity != Severity::Note);
        if admitted.is_none() || !broken.is_empty() || own {
            failures.push(format!("{}: {broken:#?}", rule.id));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
