//! Every error and warning points at the text that has to be edited, and names the other places that explain it.
//!
//! Texts in, places out: a finding's own bytes first, then what is related to it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Report, Request, Severity, Source, Span};
use expect_test::{Expect, expect};

/// What nearly every short stack leaves out.
const USUAL: [&str; 4] = ["SV100", "SV210", "SV240", "SV260"];

fn place(report: &Report, span: Span) -> String {
    let source = report.sources.get(span.source).unwrap();
    let at = source.position(span.start);
    let text = source.text().get(span.start as usize..span.end as usize).unwrap();
    format!("{}:{}:{} {text:?}", source.name(), at.line, at.column)
}

/// Several texts in one, each after a line `--- NAME`: those named `-f NAME` are given, `env NAME` holds variables, others
/// lie in the folder.
#[track_caller]
fn check(texts: &str, expect: Expect) {
    let (mut files, mut variables, mut host) = (Vec::new(), Vec::new(), MemoryHost::default());
    for (name, text) in texts.split("--- ").skip(1).map(|file| file.split_once('\n').unwrap()) {
        match name.split_once(' ') {
            Some(("-f", name)) => files.push(Source::new(name, text)),
            Some((_, name)) => variables.push(Source::new(name, text)),
            None => drop(host.files.insert(format!("/srv/stack/{name}").into(), text.as_bytes().to_vec())),
        }
    }
    let caller = BTreeMap::from([("CALLER".to_owned(), "host".to_owned())]);
    let (environment, _) = compose::environment(variables, caller);
    let request =
        Request { files, directory: "/srv/stack".into(), project_name: Some("stack".into()), environment };
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: compose::policy::no_calls,
        notes: compose::Notes::Told,
    };
    let (_, report) = compose::admit(compose::load(request, &host), &policy, &host);
    let mut out = String::new();
    let loud = report.findings.iter().filter(|f| f.severity != Severity::Note && !USUAL.contains(&f.rule));
    for finding in loud {
        let service = finding.service.as_deref().unwrap_or("-");
        writeln!(out, "{} {service}: {}", finding.rule, place(&report, finding.span.unwrap())).unwrap();
        for (span, what) in &finding.related {
            writeln!(out, "  {what}: {}", place(&report, *span)).unwrap();
        }
    }
    expect.assert_eq(&out);
}

#[test]
fn through_an_anchor_a_merge_key_and_a_merge_of_a_merge() {
    check(
        "--- -f a.yaml\nx-t: &t true\nservices:\n  web: {image: a, privileged: *t}\n",
        expect![[r#"
        SV105 web: a.yaml:1:6 "&t true"
          used here, through its anchor: a.yaml:3:31 "*t"
    "#]],
    );
    check(
        "--- -f a.yaml\nx-a: &a {pid: host}\nx-b: &b {<<: *a, tty: true}\nservices:\n  web:\n    <<: [*b]\n    image: a\n  \
         db:\n    <<: *a\n    image: b\n",
        expect![[r#"
            SV125 db: a.yaml:1:15 "host"
              used here, through its anchor: a.yaml:8:9 "*a"
            SV125 web: a.yaml:1:15 "host"
              used here, through its anchor: a.yaml:2:14 "*a"
              used here, through its anchor: a.yaml:5:10 "*b"
            SV267 web: a.yaml:2:23 "true"
              used here, through its anchor: a.yaml:5:10 "*b"
        "#]],
    );
    check(
        "--- -f a.yaml\nx-o: &o\n  - seccomp:unconfined\nx-p: &p \"8080:80\"\nx-e: &e \"DOCKER_HOST=tcp://a:2375\"\nx-m: &m /etc:/e\n\
         services:\n  web:\n    image: a\n    security_opt: *o\n    ports: [*p]\n    environment: [*e]\n    volumes: [*m]\n",
        expect![[r#"
            SV120 web: a.yaml:2:5 "seccomp:unconfined"
              used here, through its anchor: a.yaml:9:19 "*o"
            SV180 web: a.yaml:3:6 "&p \"8080:80\""
              used here, through its anchor: a.yaml:10:13 "*p"
            SV282 web: a.yaml:4:6 "&e \"DOCKER_HOST=tcp://a:2375\""
              used here, through its anchor: a.yaml:11:19 "*e"
            SV154 web: a.yaml:5:6 "&m /etc:/e"
              used here, through its anchor: a.yaml:12:15 "*m"
        "#]],
    );
    check(
        "--- -f a.yaml\nx-d: &d [/dev/sda]\nservices:\n  web:\n    image: a\n    devices: *d\n",
        expect![[r#"
        SV131 web: a.yaml:5:5 "devices"
          its value is written here: a.yaml:1:6 "&d [/dev/sda]"
    "#]],
    );
}

#[test]
fn through_extends_of_the_same_and_of_another_file() {
    check(
        "--- -f a.yaml\nservices:\n  web:\n    extends: {file: base.yaml, service: root}\n  db:\n    extends: web\n    ipc: host\n\
         --- base.yaml\nservices:\n  root:\n    image: a\n    privileged: true\n    cap_add: [ALL]\n",
        expect![[r#"
            SV126 db: a.yaml:6:10 "host"
            SV105 db: base.yaml:4:17 "true"
              extended here: a.yaml:3:14 "{file: base.yaml, service: root}"
              extended here: a.yaml:5:14 "web"
            SV105 web: base.yaml:4:17 "true"
              extended here: a.yaml:3:14 "{file: base.yaml, service: root}"
            SV102 db: base.yaml:5:15 "ALL"
              extended here: a.yaml:3:14 "{file: base.yaml, service: root}"
              extended here: a.yaml:5:14 "web"
            SV102 web: base.yaml:5:15 "ALL"
              extended here: a.yaml:3:14 "{file: base.yaml, service: root}"
        "#]],
    );
}

#[test]
fn through_include_and_in_an_override() {
    check(
        "--- -f a.yaml\ninclude: [more.yaml]\nservices:\n  web: {image: a, privileged: false, cap_add: [KILL]}\n\
         --- -f b.yaml\nservices:\n  web: {privileged: true, cap_add: [ALL]}\n\
         --- more.yaml\nservices:\n  db:\n    image: a\n    pid: host\nnetworks: {n: {driver: host}}\n",
        expect![[r#"
            SV103 web: a.yaml:3:48 "KILL"
            SV105 web: b.yaml:2:21 "true"
              written over this: a.yaml:3:31 "false"
            SV102 web: b.yaml:2:37 "ALL"
            SV125 db: more.yaml:4:10 "host"
              included here: a.yaml:1:11 "more.yaml"
            SV186 -: more.yaml:5:24 "host"
              included here: a.yaml:1:11 "more.yaml"
        "#]],
    );
    check(
        "--- -f a.yaml\nservices:\n  web: {image: a, ports: [\"127.0.0.1:1:1\"]}\n\
         --- -f b.yaml\nservices:\n  web: {ports: !override [\"8080:80\"]}\n",
        expect![[r#"
            SV180 web: b.yaml:2:27 "\"8080:80\""
              written over this: a.yaml:2:26 "[\"127.0.0.1:1:1\"]"
        "#]],
    );
}

#[test]
fn through_a_variable_with_a_default_from_a_file_and_from_the_caller() {
    check(
        "--- -f a.yaml\nservices:\n  web:\n    image: a\n    privileged: ${FLAG:-false}\n    pid: ${UNSET:-host}\n    ipc: $CALLER\n    \
         ports: [\"${IP}:8080:80\"]\n--- env .env\nFLAG=true\nIP=0.0.0.0\n--- env more.env\n# later wins\nIP=0.0.0.0\nCALLER=none\n",
        expect![[r#"
            SV105 web: a.yaml:4:17 "${FLAG:-false}"
              `FLAG` is set here: .env:1:1 "FLAG=true"
            SV125 web: a.yaml:5:10 "${UNSET:-host}"
              `UNSET` has no value, so that its default holds: a.yaml:5:19 "host"
            SV126 web: a.yaml:6:10 "$CALLER"
              `CALLER` is set in the environment of the caller: a.yaml:6:10 "$CALLER"
            SV180 web: a.yaml:7:13 "\"${IP}:8080:80\""
              `IP` is set here: more.env:2:1 "IP=0.0.0.0"
        "#]],
    );
    check(
        "--- -f a.yaml\nx-f: &f ${FLAG}\nservices:\n  web: {image: a, privileged: *f}\n--- env .env\nFLAG=true\n",
        expect![[r#"
            SV105 web: a.yaml:1:6 "&f ${FLAG}"
              used here, through its anchor: a.yaml:3:31 "*f"
              `FLAG` is set here: .env:1:1 "FLAG=true"
        "#]],
    );
}

#[test]
fn a_variable_of_an_included_file_is_set_in_its_own_environment_file() {
    check(
        "--- -f a.yaml\ninclude:\n  - {path: inc/b.yaml, env_file: inc/b.env}\n  - inc/deep/c.yaml\nservices:\n  web: {image: a, pid: \"${MODE}\"}\n\
         --- inc/b.yaml\nservices:\n  db: {image: b, pid: \"${MODE}\", ipc: \"${OWN}\", uts: \"${CALLER}\"}\n\
         --- inc/b.env\nMODE=container:x\nOWN=host\nCALLER=x\n\
         --- inc/deep/c.yaml\nservices:\n  c: {image: c, ipc: \"${OWN}\"}\n--- inc/deep/.env\n# its own\nOWN=shareable\n\
         --- env .env\nMODE=host\n",
        expect![[r#"
            SV125 web: a.yaml:5:24 "\"${MODE}\""
              `MODE` is set here: .env:1:1 "MODE=host"
            SV125 db: inc/b.yaml:2:23 "\"${MODE}\""
              included here: a.yaml:2:12 "inc/b.yaml"
              `MODE` is set here: .env:1:1 "MODE=host"
            SV126 db: inc/b.yaml:2:39 "\"${OWN}\""
              included here: a.yaml:2:12 "inc/b.yaml"
              `OWN` is set here: inc/b.env:2:1 "OWN=host"
            SV127 db: inc/b.yaml:2:54 "\"${CALLER}\""
              included here: a.yaml:2:12 "inc/b.yaml"
              `CALLER` is set in the environment of the caller: inc/b.yaml:2:54 "\"${CALLER}\""
            SV126 c: inc/deep/c.yaml:2:22 "\"${OWN}\""
              included here: a.yaml:3:5 "inc/deep/c.yaml"
              `OWN` is set here: inc/deep/.env:2:1 "OWN=shareable"
        "#]],
    );
}

#[test]
fn what_an_environment_file_of_a_service_says_is_where_it_is_said_and_names_who_reads_it() {
    check(
        "--- -f a.yaml\nservices:\n  web: {image: a, env_file: app.env}\n  db:\n    image: a\n    env_file:\n      - {path: app.env, format: raw}\n      \
         - app.env\n--- app.env\nDOCKER_HOST=tcp://a:2375\n",
        expect![[r#"
            SV282 db: app.env:1:1 "DOCKER_HOST=tcp://a:2375"
              read from here: a.yaml:7:9 "app.env"
            SV282 web: app.env:1:1 "DOCKER_HOST=tcp://a:2375"
              read from here: a.yaml:2:29 "app.env"
        "#]],
    );
}

#[test]
fn what_cannot_be_read_names_both_places_too() {
    check(
        "--- -f a.yaml\nx-m: &m ${MEM}\nservices:\n  web: {image: a, mem_limit: *m, cpus: \"${CPUS:-many}\"}\n--- env .env\nMEM=lots\n",
        expect![[r#"
            SV015 web: a.yaml:1:6 "&m ${MEM}"
              used here, through its anchor: a.yaml:3:30 "*m"
              `MEM` is set here: .env:1:1 "MEM=lots"
            SV015 web: a.yaml:3:40 "\"${CPUS:-many}\""
              `CPUS` has no value, so that its default holds: a.yaml:3:49 "many"
        "#]],
    );
}

#[test]
fn through_every_way_at_once() {
    check(
        "--- -f a.yaml\ninclude: [inc/b.yaml]\n--- -f over.yaml\nservices:\n  web: {privileged: false}\n\
         --- inc/b.yaml\nx-f: &f {privileged: \"${FLAG}\", ports: [\"${IP:-0.0.0.0}:80:80\"]}\nservices:\n  \
         web: {extends: {file: base.yaml, service: root}}\n  db:\n    <<: *f\n    extends: {file: base.yaml, service: root}\n\
         --- inc/base.yaml\nx-d: &d /etc\nservices:\n  root:\n    image: a\n    volumes: [{type: bind, source: *d, target: /e}]\n\
         --- env .env\nFLAG=true\n",
        expect![[r#"
            SV105 db: inc/b.yaml:1:22 "\"${FLAG}\""
              used here, through its anchor: inc/b.yaml:5:9 "*f"
              included here: a.yaml:1:11 "inc/b.yaml"
              `FLAG` is set here: .env:1:1 "FLAG=true"
            SV180 db: inc/b.yaml:1:41 "\"${IP:-0.0.0.0}:80:80\""
              used here, through its anchor: inc/b.yaml:5:9 "*f"
              included here: a.yaml:1:11 "inc/b.yaml"
              `IP` has no value, so that its default holds: inc/b.yaml:1:48 "0.0.0.0"
            SV154 db: inc/base.yaml:5:15 "{type: bind, source: *d, target: /e}"
              extended here: inc/b.yaml:6:14 "{file: base.yaml, service: root}"
            SV154 web: inc/base.yaml:5:15 "{type: bind, source: *d, target: /e}"
              extended here: inc/b.yaml:3:18 "{file: base.yaml, service: root}"
        "#]],
    );
}
