//! What holds of every judgement: order, repeatability, exemptions, and that hardening takes nothing back.
//!
//! The stacks are the examples of the rules.

use std::collections::BTreeSet;

use compose::emit::{self, Credentials};
use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Admitted, Loaded, Notes, Policy, Report, Request, Severity, Source, rules};

const TODAY: Date = Date { year: 2026, month: 11, day: 22 };

fn load(text: &str) -> Loaded {
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment: compose::Environment::default(),
    };
    compose::load(request, &MemoryHost::default())
}

fn policy(today: Date) -> Policy {
    Policy { today, strict: false, calls: compose::policy::no_calls, notes: Notes::Told }
}

fn admit(text: &str, today: Date) -> (Option<Admitted>, Report) {
    compose::admit(load(text), &policy(today), &MemoryHost::default())
}

fn examples() -> impl Iterator<Item = &'static str> {
    rules::all().flat_map(|rule| [rule.bad, rule.good])
}

/// Rule and severity of what is found, notes of hardening left out.
fn found(text: &str, today: Date) -> Vec<(&'static str, Severity)> {
    let (_, report) = admit(text, today);
    let rules = report.findings.iter().map(|finding| (finding.rule, finding.severity));
    rules
        .filter(|(rule, _)| ["SV150", "SV151", "SV300", "SV301", "SV302", "SV303", "SV304"].contains(rule))
        .collect()
}

#[test]
fn findings_are_in_file_order_and_none_is_there_twice() {
    for text in examples() {
        let (_, report) = admit(text, TODAY);
        assert!(report.findings.is_sorted_by_key(|finding| finding.span), "{text}");
        let once: BTreeSet<String> = report.findings.iter().map(|finding| format!("{finding:?}")).collect();
        assert_eq!(once.len(), report.findings.len(), "{text}");
    }
}

#[test]
fn the_same_text_gets_the_same_judgement() {
    for text in examples() {
        assert_eq!(admit(text, TODAY).1.findings, admit(text, TODAY).1.findings, "{text}");
    }
}

#[test]
fn notes_that_are_counted_alone_change_nothing_else() {
    let mut untold = 0;
    for text in examples() {
        let (told, all) = admit(text, TODAY);
        let counting = Policy { notes: Notes::Counted, ..policy(TODAY) };
        let (counted, short) = compose::admit(load(text), &counting, &MemoryHost::default());
        assert_eq!(format!("{told:?}"), format!("{counted:?}"), "{text}");
        assert_eq!(all.count(Severity::Note), short.count(Severity::Note), "{text}");
        let left: Vec<_> = all.findings.iter().filter(|finding| short.findings.contains(finding)).collect();
        assert_eq!(left.len(), short.findings.len(), "{text}");
        let gone = all.findings.iter().filter(|finding| !short.findings.contains(finding));
        assert!(gone.clone().all(|finding| finding.severity == Severity::Note), "{text}");
        untold += gone.count();
    }
    assert!(untold > 1000, "{untold}");
}

#[test]
fn nothing_is_admitted_that_has_an_error_and_everything_else_is() {
    for text in examples() {
        let (admitted, report) = admit(text, TODAY);
        assert_eq!(admitted.is_none(), report.count(Severity::Error) > 0 || report.unreadable, "{text}");
    }
}

#[test]
fn hardening_keeps_what_the_file_says() {
    for text in examples() {
        let (Some(admitted), Some(written)) = (admit(text, TODAY).0, load(text).project) else { continue };
        let hardened = emit::yaml(admitted.project(), Credentials::Shown);
        let hardened: BTreeSet<&str> =
            hardened.lines().map(|line| line.split("  # ").next().unwrap_or(line)).collect();
        for line in emit::yaml(&written, Credentials::Shown).lines() {
            let line = line.split("  # ").next().unwrap_or(line);
            // A tmpfs keeps its options and gets more of them; an empty mapping is filled.
            let kept = hardened.contains(line)
                || hardened
                    .iter()
                    .any(|other| other.trim_end_matches('"').starts_with(line.trim_end_matches('"')))
                || line.ends_with("{}");
            assert!(kept, "`{line}` of\n{text}is not in {hardened:#?}");
        }
    }
}

#[test]
fn what_is_filled_in_is_marked() {
    let mut marked = 0;
    for text in examples() {
        let (Some(admitted), Some(written)) = (admit(text, TODAY).0, load(text).project) else { continue };
        let written = emit::yaml(&written, Credentials::Shown);
        let written: BTreeSet<&str> = written.lines().collect();
        let hardened = emit::yaml(admitted.project(), Credentials::Shown);
        let lines: Vec<&str> = hardened.lines().collect();
        let depth = |line: &str| line.len() - line.trim_start().len();
        for (at, line) in lines.iter().enumerate() {
            if line.contains("  # SV") {
                marked += 1;
                continue;
            }
            // What opens a collection needs no mark of its own: what is in it has one.
            let opens = line.ends_with(':');
            assert!(
                written.contains(line)
                    || opens
                    || lines[..at].iter().rev().any(|l| depth(l) < depth(line) && l.contains("  # SV")),
                "`{line}` is filled in and not marked:\n{hardened}"
            );
        }
    }
    assert!(marked > 1000, "{marked}");
}

#[test]
fn a_hardened_stack_has_nothing_left_to_harden() {
    for text in examples() {
        let Some(admitted) = admit(text, TODAY).0 else { continue };
        let once = emit::yaml(admitted.project(), Credentials::Shown);
        let Some(again) = admit(&once, TODAY).0 else { panic!("{once}") };
        assert!(!emit::yaml(again.project(), Credentials::Shown).contains("  # SV"), "{once}");
    }
}

fn writable(exempt: &str) -> String {
    format!(
        "x-supervisor:\n  exempt:\n    - {exempt}\nservices:\n  web:\n    image: a\n    read_only: false\n"
    )
}

#[test]
fn an_exemption_holds_for_its_rule_and_service_until_its_last_day() {
    let text = writable("{rule: SV150, service: web, reason: writes beside its binary, until: 2026-11-22}");
    assert_eq!(found(&text, TODAY), [("SV150", Severity::Note)]);
    let tomorrow = Date { day: 23, ..TODAY };
    assert_eq!(found(&text, tomorrow), [("SV303", Severity::Error), ("SV150", Severity::Error)]);
    let other = "{rule: SV150, service: other, reason: writes beside its binary, until: 2030-01-01}";
    assert_eq!(found(&writable(other), TODAY), [("SV304", Severity::Warning), ("SV150", Severity::Error)]);
}

/// An example with one more exemption, of this rule for the service that it speaks of.
fn with_exemption(example: &str, rule: &str, service: Option<&str>) -> String {
    let service = service.map(|name| format!("service: {name}, ")).unwrap_or_default();
    let row = format!("    - {{rule: {rule}, {service}reason: as agreed in March, until: 2030-01-01}}\n");
    if example.contains("  exempt:\n") {
        return example.replacen("  exempt:\n", &format!("  exempt:\n{row}"), 1);
    }
    if example.contains("x-supervisor:\n") && example.starts_with("x-supervisor:\n") {
        return example.replacen("x-supervisor:\n", &format!("x-supervisor:\n  exempt:\n{row}"), 1);
    }
    format!("x-supervisor:\n  exempt:\n{row}{example}")
}

#[test]
fn each_rule_is_exempted_as_its_row_says_and_strict_does_not_bring_it_back() {
    let (mut possible, mut never) = (0, 0);
    for rule in rules::all() {
        let (_, before) = admit(rule.bad, TODAY);
        let Some(found) = before.findings.iter().find(|f| f.rule == rule.id && f.severity != Severity::Note)
        else {
            continue;
        };
        let text = with_exemption(rule.bad, rule.id, found.service.as_deref());
        let policy = Policy { strict: true, ..policy(TODAY) };
        let (_, after) = compose::admit(load(&text), &policy, &MemoryHost::default());
        let loud = after.findings.iter().filter(|f| f.severity != Severity::Note);
        let loud: BTreeSet<&str> =
            loud.filter(|f| f.service == found.service || f.rule == "SV301").map(|f| f.rule).collect();
        match rule.exempt {
            compose::policy::Exempt::Possible => {
                possible += 1;
                assert!(!loud.contains(rule.id) && !loud.contains("SV304"), "{text}\n{loud:?}");
                let told = after
                    .findings
                    .iter()
                    .any(|f| f.rule == rule.id && f.message.contains("as agreed in March"));
                assert!(told, "{text}");
            }
            compose::policy::Exempt::Never => {
                never += 1;
                assert!(loud.contains(rule.id) && loud.contains("SV301"), "{text}\n{loud:?}");
            }
        }
    }
    assert!(possible >= 15 && never >= 30, "{possible} {never}");
}

#[test]
fn an_exemption_says_all_of_it() {
    for (missing, row) in [
        ("reason", "{rule: SV150, service: web, until: 2030-01-01}"),
        ("until", "{rule: SV150, service: web, reason: writes beside its binary}"),
        ("rule", "{service: web, reason: writes beside its binary, until: 2030-01-01}"),
    ] {
        let (admitted, report) = admit(&writable(row), TODAY);
        let said = report.findings.iter().find(|f| f.rule == "SV016").unwrap_or_else(|| panic!("{missing}"));
        assert!(said.message.contains(missing), "{}", said.message);
        assert!(admitted.is_none());
    }
    for bad in ["2030-02-30", "someday", "2030"] {
        let row = format!("{{rule: SV150, service: web, reason: writes beside its binary, until: {bad}}}");
        assert!(admit(&writable(&row), TODAY).1.refuses(), "{bad}");
    }
}

#[test]
fn an_engine_socket_cannot_be_exempted() {
    let text = "x-supervisor:\n  exempt:\n    - {rule: SV151, service: web, reason: needs the engine, until: 2030-01-01}\n\
                services:\n  web:\n    image: a\n    volumes: [/run/docker.sock:/s]\n";
    let found = found(text, TODAY);
    assert!(
        found.contains(&("SV301", Severity::Error)) && found.contains(&("SV151", Severity::Error)),
        "{found:?}"
    );
}

#[test]
fn an_exempted_file_is_admitted_as_it_says() {
    let text = writable("{rule: SV150, service: web, reason: writes beside its binary, until: 2030-01-01}");
    let (admitted, report) = admit(&text, TODAY);
    let admitted = admitted.unwrap_or_else(|| panic!("{:?}", report.findings));
    let service = admitted.project().services.get("web").and_then(|web| web.read_only.as_ref());
    assert_eq!(service.map(|read_only| read_only.value), Some(false));
}

#[test]
fn models_at_the_top_are_refused_with_and_without_a_service_of_theirs() {
    for models in ["models:\n  m: {model: ai/small}\n", "models: {m: {model: ai/small}}\n"] {
        let (admitted, report) = admit(&format!("services:\n  web:\n    image: a\n{models}"), TODAY);
        let found: Vec<_> = report.findings.iter().filter(|finding| finding.rule == "SV132").collect();
        assert!(admitted.is_none() && found.len() == 1, "{found:?}");
        let place = report.sources.get(found[0].span.unwrap().source).unwrap();
        assert_eq!(place.position(found[0].span.unwrap().start).line, 4);
    }
    let (admitted, _) = admit("services:\n  web:\n    image: a\nmodels: {}\n", TODAY);
    assert!(admitted.is_some());
}
