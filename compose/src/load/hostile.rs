//! Texts made to hurt: each gets an answer, and quickly enough that the tests need no patience.

use std::fmt::Write as _;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::tests::{loaded, problems};
use crate::host::MemoryHost;
use crate::{Request, Source, load};

/// The first problem's id, message, and how many there are; nothing unreadable yields a model that is admitted.
#[track_caller]
fn check(text: &str, expect: Expect) {
    let loaded = loaded(&format!("--- compose.yaml\n{text}"));
    let all = problems(&loaded);
    let first: String = all.lines().next().unwrap_or("nothing").chars().take(160).collect();
    expect.assert_eq(&format!(
        "{first} ({} in all, unreadable: {})",
        all.lines().count(),
        loaded.report.unreadable
    ));
}

#[test]
fn an_alias_bomb() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let last = format!("*a{}, ", i - 1).repeat(10);
        writeln!(text, "x-a{i}: &a{i} [{}]", last.trim_end_matches(", ")).unwrap();
    }
    check(
        &text,
        expect![[
            r#"SV004 compose.yaml:5:27 "*a3" aliases repeat more text than is read (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn an_alias_that_repeats_a_long_text() {
    let text =
        format!("x-a: &a {}\nx-b: [{}]\n", "y".repeat(100_000), "*a, ".repeat(1000).trim_end_matches(", "));
    check(
        &text,
        expect![[
            r#"SV004 compose.yaml:2:167 "*a" aliases repeat more text than is read (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn an_anchor_within_itself() {
    check(
        "x-a: &a [*a]\n",
        expect![[
            r#"SV005 compose.yaml:1:10 "*a" the alias is inside its own anchor (1 in all, unreadable: true)"#
        ]],
    );
    check(
        "x-a: *a\n",
        expect![[
            r#"SV003 compose.yaml:1:6 "" while parsing node, found unknown anchor (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn brackets_braces_and_dashes() {
    check(
        &"[".repeat(20_000),
        expect![[r#"SV003 compose.yaml:1:256 "" recursion limit exceeded (1 in all, unreadable: true)"#]],
    );
    check(
        &"{a: ".repeat(20_000),
        expect![[r#"SV003 compose.yaml:1:1021 "" recursion limit exceeded (1 in all, unreadable: true)"#]],
    );
    check(
        &"- ".repeat(20_000),
        expect![[
            r#"SV004 compose.yaml:1:201 "" nested deeper than 100 levels (1 in all, unreadable: true)"#
        ]],
    );
    check(
        &"? ".repeat(20_000),
        expect![[
            r#"SV004 compose.yaml:1:201 "" nested deeper than 100 levels (1 in all, unreadable: true)"#
        ]],
    );
    let nested = (0..1000).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<Vec<_>>().concat();
    check(
        &nested,
        expect![[
            r#"SV004 compose.yaml:101:101 "" nested deeper than 100 levels (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn ten_mebibytes() {
    check(
        &"a".repeat(10 * 1024 * 1024),
        expect![[
            r#"SV004 compose.yaml:1:1 "" the file has 10485760 bytes, more than 1048576 (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn as_many_values_as_fit() {
    check(
        &"- a\n".repeat(260_000),
        expect![[r#"SV004 compose.yaml:64001:3 "a" more than 64000 values (1 in all, unreadable: true)"#]],
    );
    check(
        &format!("services:\n{}", "  a: {}\n".repeat(20_000)),
        expect![[r#"SV006 compose.yaml:3:3 "a" `a` is written twice (1001 in all, unreadable: true)"#]],
    );
}

#[test]
fn more_between_brackets_than_is_kept() {
    check(
        &format!("x-a: [a, b]\nservices: {{{}}}\n", "a: b, ".repeat(60_000)),
        expect![[
            r#"SV004 compose.yaml:2:192010 "" more than 64000 marks between one pair of brackets (1 in all, unreadable: true)"#
        ]],
    );
    let lines = "x-a: [a, {b: c}]\n".repeat(40_000);
    assert!(!problems(&loaded(&lines)).contains("brackets"), "each line has its own");
}

#[test]
fn environment_files_that_give_too_much_are_said_once() {
    let services =
        (0..40).fold(String::new(), |text, i| text + &format!("  a{i}: {{image: x, env_file: a.env}}\n"));
    let text = format!("services:\n{services}--- a.env\nA={}\n", "v".repeat(500_000));
    check(
        &text,
        expect![[
            r#"SV004 compose.yaml:10:28 "a.env" environment files give more text than is read (1 in all, unreadable: true)"#
        ]],
    );
    let files = (0..300).fold(String::new(), |text, i| text + &format!(", a{i}.env"));
    let services = (0..2).fold(String::new(), |text, i| {
        text + &format!(
            "  a{i}: {{image: x, env_file: [a.env{}]}}\n",
            files.replace(", a", &format!(", {i}a"))
        )
    });
    let given =
        (0..2).flat_map(|i| (0..300).map(move |k| format!("--- {i}a{k}.env\nA=1\n"))).collect::<String>();
    check(
        &format!("services:\n{services}--- a.env\nA=1\n{given}"),
        expect![[
            r#"SV004 compose.yaml:3:2115 "1a199.env" more than 500 files lead to each other (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn a_large_base_is_copied_a_few_times_only() {
    let labels = (0..300).map(|i| format!("l{i}: v")).collect::<Vec<_>>().join(", ");
    let services = (0..1900).fold(String::new(), |text, i| text + &format!("  a{i}: {{extends: base}}\n"));
    check(
        &format!("services:\n  base: {{image: x, labels: {{{labels}}}}}\n{services}"),
        expect![[
            r#"SV004 compose.yaml:187:19 "base" services extend each other to more than is read (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn more_services_than_a_host_runs() {
    let services = (0..2001).fold(String::new(), |text, i| text + &format!("  a{i}: {{image: x}}\n"));
    check(
        &format!("services:\n{services}"),
        expect![[
            r#"SV004 compose.yaml:2002:3 "a2000" more than 2000 services (1 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn bytes_that_are_no_text() {
    check(
        "a: \0\n",
        expect![[r#"SV002 compose.yaml:1:4 "" a control character, U+0000 (1 in all, unreadable: true)"#]],
    );
    check(
        "a: \u{1b}[2J\n",
        expect![[r#"SV002 compose.yaml:1:4 "" a control character, U+001B (1 in all, unreadable: true)"#]],
    );
    let source = Source::from_bytes("compose.yaml", b"a: \xff\xfe\n".to_vec());
    let request = Request {
        files: vec![source],
        directory: PathBuf::from("/srv"),
        project_name: None,
        environment: crate::Environment::default(),
    };
    let loaded = load(request, &MemoryHost::default());
    expect![[r#"
        SV002 compose.yaml:1:4 "" a byte that is not UTF-8
    "#]]
    .assert_eq(&problems(&loaded));
}

#[test]
fn numbers_beyond_every_type() {
    let huge = "9".repeat(400);
    let text = format!(
        "services:\n  a:\n    image: x\n    mem_limit: {huge}\n    cpus: {huge}\n    pids_limit: {huge}\n    ports: ['{huge}:{huge}', '1-65535:1-65535']\n    stop_grace_period: {huge}h\n    healthcheck: {{retries: 1e400}}\n    tmpfs: '/a:size={huge}'\n",
    );
    let loaded = loaded(&text);
    let ids: Vec<_> = loaded.report.findings.iter().map(|f| f.rule).collect();
    expect!["SV015 SV015 SV015 SV015 SV015 SV015 SV015 SV015"].assert_eq(&ids.join(" "));
}

#[test]
fn variables_within_variables() {
    check(
        &format!("x-a: \"{}\"\n", "${A:-".repeat(30_000)),
        expect![[
            r#"SV017 compose.yaml:1:7 "${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-$ (1 in all, unreadable: true)"#
        ]],
    );
    check(
        &format!("x-a: \"{}x{}\"\n", "${A:-".repeat(5000), "}".repeat(5000)),
        expect![[
            r#"SV004 compose.yaml:1:107 "${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A: (1 in all, unreadable: true)"#
        ]],
    );
    check(
        &format!("x-a: \"{}\"\n", "${A-{}".repeat(20_000)),
        expect![[
            r#"SV004 compose.yaml:1:127 "${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${A-{}${ (20 in all, unreadable: true)"#
        ]],
    );
}

#[test]
fn a_thousand_wrong_lines() {
    let text = (0..3000).map(|i| format!("key{i}: x\n")).collect::<Vec<_>>().concat();
    check(
        &text,
        expect![[
            r#"SV013 compose.yaml:1:1 "key0" unknown key `key0` in `the file` (1001 in all, unreadable: true)"#
        ]],
    );
}

fn request(texts: &[String]) -> Request {
    Request {
        files: texts.iter().enumerate().map(|(i, t)| Source::new(format!("{i}.yaml"), t.as_str())).collect(),
        directory: PathBuf::from("/srv/app"),
        project_name: None,
        environment: [("A".to_owned(), "1".to_owned())].into(),
    }
}

/// Text of the letters that the format is made of, so that some of it gets past the parser.
fn words() -> impl Strategy<Value = String> {
    let keys: Vec<&str> = crate::keys::SERVICE.iter().map(|k| k.name).collect();
    let value = prop_oneof![
        Just("x".to_owned()),
        Just("1".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("[a, b]".to_owned()),
        Just("{a: b}".to_owned()),
        Just("{a: {b: c}}".to_owned()),
        Just("['1:2', /a:/b:ro]".to_owned()),
        Just("${A:-${B}}".to_owned()),
        Just("!reset null".to_owned()),
        Just("!override [x]".to_owned()),
        Just("[{target: 1, source: q, type: bind}]".to_owned()),
        Just("&a {x: 1}".to_owned()),
        Just("yes".to_owned()),
        Just("-1".to_owned()),
        Just("1g".to_owned()),
        "[ -~]{0,20}",
    ];
    proptest::collection::vec((proptest::sample::select(keys), value), 0..12).prop_map(|rows| {
        let rows = rows.into_iter().map(|(k, v)| format!("    {k}: {v}\n")).collect::<Vec<_>>().concat();
        format!("services:\n  a:\n{rows}  b: {{image: y}}\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_loads_the_same_twice(text in "[-a-z:{}\\[\\]&*!<>|?#'\"$ \n\t,0-9éß]{0,120}") {
        let once = load(request(std::slice::from_ref(&text)), &MemoryHost::default());
        let twice = load(request(&[text]), &MemoryHost::default());
        prop_assert_eq!(format!("{once:?}"), format!("{twice:?}"));
    }

    #[test]
    fn any_service_over_any_other_loads_the_same_twice(base in words(), over in words()) {
        let once = load(request(&[base.clone(), over.clone()]), &MemoryHost::default());
        let twice = load(request(&[base, over]), &MemoryHost::default());
        prop_assert_eq!(format!("{once:?}"), format!("{twice:?}"));
        for finding in &once.report.findings {
            if let Some(span) = finding.span {
                let text = once.report.sources.get(span.source).map(Source::text).unwrap_or_default();
                prop_assert!(text.get(span.start as usize..span.end as usize).is_some(), "{finding:?}");
            }
        }
    }
}
