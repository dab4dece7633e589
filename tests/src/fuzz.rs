//! What is fuzzed: a load, the grammar of variables, merging, a whole judgement, and a repair; bytes in, or a panic out.
//!
//! `fuzz/` has one program each for these functions, and `tests/tests/fuzz.rs` replays the corpora that were kept.
//! Deliberately absent: time and memory, which the fuzzer bounds itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use compose::emit::{self, Credentials};
use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Admitted, Finding, Loaded, Policy, Report, Request, Severity, Source};
use supervisor::render::{github, human, json, sarif};

/// A fuzzed function by name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] =
    [("load", load), ("interpolate", interpolate), ("merge", merge), ("check", check), ("fix", fix)];

const FOLDER: &str = "/srv/app";
const POLICY: Policy = Policy {
    today: Date { year: 2026, month: 11, day: 22 },
    strict: false,
    calls: profiles::recorded::call,
    notes: compose::Notes::Told,
};

/// Files that begin with a line `--- NAME` each; what comes before the first is `compose.yaml`. Names that end in `.yaml` and
/// hold no `/` are given with `-f`, in order; `.env` is the environment file; the host has all of them. One path has one text: the
/// first of a name.
fn stack(data: &[u8]) -> (Request, MemoryHost) {
    let mut files = Vec::new();
    let mut dotenv = Vec::new();
    let mut host = MemoryHost::default();
    for (name, text) in parts(data) {
        let path = PathBuf::from(FOLDER).join(&name);
        if host.files.contains_key(&path) {
            continue;
        }
        host.files.insert(path.clone(), text.clone());
        if name == ".env" {
            dotenv.push(Source::from_bytes(name, text));
        } else if name.rsplit_once('.').is_some_and(|(stem, kind)| kind == "yaml" && !stem.contains('/')) {
            files.push(Source::from_bytes(name, text).at(path));
        }
    }
    let caller = [("SET", "val"), ("HOME", "/home/u")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let (environment, _) = compose::environment(dotenv, caller.into());
    (Request { files, directory: FOLDER.into(), project_name: None, environment }, host)
}

fn parts(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut parts = vec![("compose.yaml".to_owned(), Vec::new())];
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"--- ") {
            if parts.len() == 1 && parts[0].1.is_empty() {
                parts.clear();
            }
            parts.push((String::from_utf8_lossy(name.trim_ascii()).into_owned(), Vec::new()));
        } else if let Some((_, text)) = parts.last_mut() {
            text.extend_from_slice(line);
        }
    }
    parts
}

/// Any files load, and every problem points at text that is there.
pub fn load(data: &[u8]) {
    let (request, host) = stack(data);
    let loaded = compose::load(request, &host);
    places_are_there(&loaded.report);
    let _ = compose::as_written(&loaded, &every_profile(), Credentials::Shown);
}

/// A text with variables, after the first line a `.env` that it may use. What has its dollar signs doubled comes back as it was.
pub fn interpolate(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (text, variables) = text.split_once('\n').unwrap_or((&text, ""));
    let caller = BTreeMap::from([("SET".to_owned(), "val".to_owned()), ("EMPTY".to_owned(), String::new())]);
    let (environment, report) = compose::environment(vec![Source::new(".env", variables)], caller);
    places_are_there(&report);
    let with = |text: &str| {
        let quoted = serde_json::to_string(text).expect("a string");
        let file = format!("services: {{a: {{image: x, labels: {{k: {quoted}}}}}}}\n");
        let request = Request {
            files: vec![Source::new("compose.yaml", file)],
            directory: FOLDER.into(),
            project_name: Some("p".into()),
            environment: environment.clone(),
        };
        compose::load(request, &MemoryHost::default())
    };
    places_are_there(&with(text).report);
    let doubled = text.replace('$', "$$");
    if let Some(label) = label(&with(&doubled)) {
        assert_eq!(label, doubled, "a text without variables has to stay as it is");
    }
}

/// The label `k` of the service `a` as `config --as-written` prints it; `None` where nothing could be loaded.
fn label(loaded: &Loaded) -> Option<String> {
    let written = (!loaded.report.unreadable)
        .then(|| compose::as_written(loaded, &every_profile(), Credentials::Shown))??;
    let model: serde_json::Value = serde_json::from_str(&written).expect("what is written is JSON");
    model["services"]["a"]["labels"]["k"].as_str().map(str::to_owned)
}

/// Files over each other: the same twice, and the same again under a file that says nothing.
pub fn merge(data: &[u8]) {
    let (mut request, host) = stack(data);
    if request.files.is_empty() {
        return;
    }
    request.project_name = Some("p".into());
    let said = |request: Request| {
        let loaded = compose::load(request, &host);
        let written = compose::as_written(&loaded, &every_profile(), Credentials::Shown);
        (loaded.report.unreadable, format!("{:?}", loaded.report.findings), written)
    };
    let once = said(request.clone());
    assert_eq!(once, said(request.clone()), "the same files twice");
    if !once.0 {
        request.files.push(Source::new("silent.yaml", "services: {}\n"));
        let silent = said(request);
        assert_eq!((once.0, once.2), (silent.0, silent.2), "a file that says nothing changes something");
    }
}

/// A whole judgement, in every format; what is admitted is admitted again as it is printed, with nothing more to fill in.
pub fn check(data: &[u8]) {
    let (request, host) = stack(data);
    let name = request.project_name.clone();
    let (admitted, report) = judge(request, &host);
    places_are_there(&report);
    for text in [json::report(&report), sarif::report(&report)] {
        serde_json::from_str::<serde_json::Value>(&text).expect("a report is JSON");
    }
    let _ = (human::report(&report, true), human::summary(&report), github::report(&report));
    assert_eq!(admitted.is_some(), !report.refuses());
    let Some(admitted) = admitted else { return };
    let once = emit::yaml(admitted.project(), Credentials::Shown);
    serde_json::from_str::<serde_json::Value>(&emit::json(admitted.project(), Credentials::Hidden))
        .expect("a model is JSON");
    let request = Request {
        files: vec![Source::new("compose.yaml", once.as_str())],
        directory: FOLDER.into(),
        project_name: name,
        environment: compose::Environment::default(),
    };
    let (again, report) = judge(request, &host);
    let Some(again) = again else { panic!("not admitted again: {:?}\n{once}", report.findings) };
    let twice = emit::yaml(again.project(), Credentials::Shown);
    assert!(!twice.contains("  # SV"), "filled in twice:\n{once}\n{twice}");
}

/// A repair: what it writes loads, is judged as it says and no worse than before, has what it did no more, and needs no second one.
pub fn fix(data: &[u8]) {
    let (request, host) = stack(data);
    let fixed = compose::fix::fix(request.clone(), &POLICY, &host);
    places_are_there(&fixed.report);
    assert_eq!(fixed.report.unreadable, fixed.before.unreadable, "a repair decides what can be read");
    assert_eq!(fixed.files.is_empty(), fixed.done.is_empty(), "{:?} by {:?}", fixed.files, fixed.done);
    assert!(fixed.files.is_empty() || !fixed.before.unreadable, "what cannot be read is written");
    let (mut request, mut host) = (request, host);
    for changed in &fixed.files {
        let path = changed.path.as_ref().expect("every text has a path");
        assert_eq!(
            host.files.insert(path.clone(), changed.after.clone().into_bytes()).as_deref(),
            Some(changed.before.as_bytes())
        );
        for file in request.files.iter_mut().filter(|file| file.path() == Some(path)) {
            *file = Source::new(changed.name.as_str(), changed.after.as_str()).at(path);
        }
    }
    let (admitted, report) = judge(request.clone(), &host);
    assert_eq!(admitted.is_some(), fixed.admitted.is_some());
    let said = |report: &Report| -> Vec<Finding> {
        report.findings.iter().map(|finding| Finding { unfixed: None, ..finding.clone() }).collect()
    };
    assert_eq!(said(&report), said(&fixed.report), "what is written is judged otherwise than said");
    let mut allowed = loud(&fixed.before);
    for done in &fixed.done {
        let count = allowed.entry((done.rule, done.service.as_deref())).or_default();
        *count = count.saturating_sub(1);
    }
    for (what, count) in loud(&report) {
        assert!(
            count <= allowed.get(&what).copied().unwrap_or_default(),
            "{what:?} is new or still there: {:?}",
            fixed.files
        );
    }
    let twice = compose::fix::fix(request, &POLICY, &host);
    assert_eq!(twice.files, [], "twice is not once");
}

/// Errors and warnings by rule and service.
fn loud(report: &Report) -> BTreeMap<(&str, Option<&str>), usize> {
    let mut counts = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| finding.severity != Severity::Note) {
        *counts.entry((finding.rule, finding.service.as_deref())).or_default() += 1;
    }
    counts
}

fn judge(request: Request, host: &MemoryHost) -> (Option<Admitted>, Report) {
    compose::admit(compose::load(request, host), &POLICY, host)
}

fn places_are_there(report: &Report) {
    for finding in &report.findings {
        for span in finding.span.iter().chain(finding.related.iter().map(|(span, _)| span)) {
            let source = report.sources.get(span.source).expect("a source of the report");
            let range = span.start as usize..span.end as usize;
            assert!(source.text().get(range).is_some(), "{finding:?} points outside of its text");
        }
    }
}

fn every_profile() -> BTreeSet<String> {
    BTreeSet::from(["*".to_owned()])
}
