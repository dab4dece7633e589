//! Text in, text out: what is written for each rule, in each style that a file may have.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::{Fixed, fix};
use crate::finding::Severity;
use crate::model::Date;
use crate::policy::Repair;
use crate::rules;
use crate::source::Source;
use crate::{Policy, Request};

const POLICY: Policy = Policy {
    today: Date { year: 2026, month: 11, day: 22 },
    strict: false,
    calls: crate::policy::no_calls,
    notes: crate::Notes::Told,
};

/// Several texts in one: each after a line `--- NAME`; those named `-f NAME` are given, others lie in the folder.
fn fixed(text: &str) -> Fixed {
    let mut request = Request {
        files: Vec::new(),
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment: [("ON".into(), "true".into())].into(),
    };
    let mut host = rules::tests::host();
    let mut files = text.split("--- ").skip(1).map(|file| file.split_once('\n').unwrap()).peekable();
    if files.peek().is_none() {
        request.files.push(Source::new("compose.yaml", text));
    }
    for (name, text) in files {
        match name.strip_prefix("-f ") {
            Some(name) => request.files.push(Source::new(name, text).at(format!("/srv/stack/{name}"))),
            None => drop(host.files.insert(format!("/srv/stack/{name}").into(), text.as_bytes().to_vec())),
        }
    }
    fix(request, &POLICY, &host)
}

/// The lines that differ, by a plain walk: what is not there any more, then what came.
fn difference(before: &str, after: &str) -> String {
    let (mut old, mut new) =
        (before.split_inclusive('\n').peekable(), after.split_inclusive('\n').peekable());
    let mut out = String::new();
    while old.peek().is_some() || new.peek().is_some() {
        if old.peek() == new.peek() {
            old.next();
            new.next();
            continue;
        }
        let ahead = |line: Option<&&str>, other: &mut dyn Iterator<Item = &str>| {
            line.is_none_or(|line| !other.take(40).any(|next| next == *line))
        };
        if old.peek().is_some() && ahead(old.peek(), &mut new.clone()) {
            writeln!(out, "-{:?}", old.next().unwrap()).unwrap();
        } else {
            writeln!(out, "+{:?}", new.next().unwrap()).unwrap();
        }
    }
    out
}

/// What changed, file by file, and what was considered and left.
fn said(fixed: &Fixed) -> String {
    let mut out = String::new();
    for file in &fixed.files {
        if fixed.files.len() > 1 {
            writeln!(out, "{}:", file.name).unwrap();
        }
        out.push_str(&difference(&file.before, &file.after));
    }
    for finding in &fixed.report.findings {
        if let Some(why) = &finding.unfixed {
            writeln!(out, "{} is left: {why}", finding.rule).unwrap();
        }
    }
    out
}

#[track_caller]
fn check(text: &str, expect: Expect) {
    expect.assert_eq(&said(&fixed(text)));
}

/// A service with these lines, each indented as they are.
fn service(lines: &str) -> String {
    format!("services:\n  web:\n    image: a\n{lines}")
}

#[test]
fn each_repair_puts_its_bad_example_right_and_keeps_its_comment() {
    let mut out = String::new();
    for rule in rules::all().filter(|rule| rule.is_repaired()) {
        let fixed = fixed(rule.bad);
        writeln!(out, "{}", rule.id).unwrap();
        let Some(file) = fixed.files.first() else {
            out.push_str(" the author's to say\n");
            continue;
        };
        let left = fixed.report.findings.iter().find(|f| f.rule == rule.id && f.severity != Severity::Note);
        assert_eq!(left, None, "{}", file.after);
        assert!(file.after.contains("# <-"), "{}:\n{}", rule.id, file.after);
        out.push_str(&difference(&file.before, &file.after));
    }
    expect![[r#"
        SV101
        -"    group_add:\n"
        -"      - docker # <-\n"
        +"    # <-\n"
        SV102
        -"    cap_add:\n"
        -"      - SYS_ADMIN # <-\n"
        +"    # <-\n"
        SV105
        -"    privileged: true # <-\n"
        +"    privileged: false # <-\n"
        SV106
        -"      - no-new-privileges:false # <-\n"
        +"      - no-new-privileges:true # <-\n"
        SV120
        -"    security_opt:\n"
        -"      - seccomp:unconfined # <-\n"
        +"    # <-\n"
        SV121
        -"    security_opt:\n"
        -"      - seccomp=./seccomp.json # <-\n"
        +"    # <-\n"
        SV122
        -"    security_opt:\n"
        -"      - apparmor=unconfined # <-\n"
        +"    # <-\n"
        SV123
        -"    security_opt:\n"
        -"      - systempaths=unconfined # <-\n"
        +"    # <-\n"
        SV125
        -"    pid: host # <-\n"
        +"    # <-\n"
        SV126
        -"    ipc: host # <-\n"
        +"    ipc: private # <-\n"
        SV127
        -"    uts: host # <-\n"
        +"    # <-\n"
        SV128
        -"    cgroup: host # <-\n"
        +"    cgroup: private # <-\n"
        SV129
        -"    userns_mode: host # <-\n"
        +"    # <-\n"
        SV131
        -"    devices: # <-\n"
        -"      - /dev/sda\n"
        +"    # <-\n"
        SV133
        -"    runtime: nvidia # <-\n"
        +"    # <-\n"
        SV134
        -"    sysctls:\n"
        -"      net.ipv4.ip_forward: \"1\" # <-\n"
        +"    # <-\n"
        SV135
        -"    cgroup_parent: system.slice # <-\n"
        +"    # <-\n"
        SV150
        -"    read_only: false # <-\n"
        +"    read_only: true # <-\n"
        SV153
        -"    use_api_socket: true # <-\n"
        +"    # <-\n"
        SV156
        -"        bind: {propagation: rshared}\n"
        +"        bind: {propagation: rprivate}\n"
        SV157
        -"        bind: {create_host_path: true}\n"
        +"        bind: {create_host_path: false}\n"
        SV159
        -"      - /tmp:exec,size=64m # <-\n"
        +"      - /tmp:noexec,size=64m # <-\n"
        SV171
        -"        read_only: false\n"
        +"        read_only: true\n"
        SV180
        -"      - \"8080:80\" # <-\n"
        +"      - \"127.0.0.1:8080:80\" # <-\n"
        SV182
         the author's to say
        SV184
        -"    internal: false # <-\n"
        +"    internal: true # <-\n"
        SV190
        -"    extra_hosts:\n"
        -"      - \"host.docker.internal:host-gateway\" # <-\n"
        +"    # <-\n"
        SV211
        -"    memswap_limit: -1 # <-\n"
        +"    # <-\n"
        SV212
        -"    pids_limit: -1 # <-\n"
        +"    pids_limit: 512 # <-\n"
        SV213
        -"    cpus: 0 # <-\n"
        +"    cpus: 1 # <-\n"
        SV216
        -"    oom_score_adj: -500 # <-\n"
        +"    oom_score_adj: 0 # <-\n"
        SV219
        -"    oom_kill_disable: true # <-\n"
        +"    # <-\n"
        SV221
        +"      options: {max-size: 10m, max-file: \"3\"}\n"
        SV242
        -"    pull_policy: always # <-\n"
        +"    pull_policy: missing # <-\n"
        SV243
        -"    pull_refresh_after: 24h # <-\n"
        +"    # <-\n"
        SV244
        -"    labels:\n"
        -"      com.docker.compose.project: other # <-\n"
        +"    # <-\n"
        SV246
        -"    annotations:\n"
        -"      run.oci.hooks.stderr: /dev/null # <-\n"
        +"    # <-\n"
        SV263
        -"    stop_signal: SIGKILL # <-\n"
        +"    stop_signal: SIGTERM # <-\n"
        SV267
        -"    tty: true # <-\n"
        +"    tty: false # <-\n"
    "#]]
    .assert_eq(&out);
}

#[test]
fn what_a_finding_says_to_write_is_what_is_written() {
    let written = |rule: &&crate::policy::Rule| rule.is_repaired() && !matches!(rule.repair, Repair::Remove);
    for rule in rules::all().filter(written) {
        let (_, report) = rules::tests::judge(rule.bad);
        let mut hints = report.findings.iter().filter(|finding| finding.rule == rule.id);
        let Some(hint) = hints.find_map(|finding| finding.fix.clone()) else { continue };
        let Some(file) = fixed(rule.bad).files.pop() else { continue };
        let after = file.after.replace('"', "");
        let bare = |text: &str| text.replace(['"', '{', '}'], "");
        let words: Vec<String> =
            bare(&hint).trim_start_matches("options:").split(", ").map(|w| w.trim().to_owned()).collect();
        assert!(words.iter().all(|word| after.contains(word.as_str())), "{}: {hint}\n{after}", rule.id);
    }
}

#[test]
fn a_value_is_replaced_in_the_style_of_its_file() {
    check(
        &service(
            "    privileged: true# no comment\n    tty:   \"true\"  # two\n    stdin_open: 'true'\n    \
             cpus:\n      0\n    \"read_only\": !!bool false\n    ipc: &a host\n",
        )
        .replace("true# no comment", "true"),
        expect![[r#"
            -"    privileged: true\n"
            -"    tty:   \"true\"  # two\n"
            -"    stdin_open: 'true'\n"
            +"    privileged: false\n"
            +"    tty:   \"false\"  # two\n"
            +"    stdin_open: 'false'\n"
            -"      0\n"
            -"    \"read_only\": !!bool false\n"
            -"    ipc: &a host\n"
            +"      1\n"
            +"    \"read_only\": !!bool true\n"
            +"    ipc: &a private\n"
        "#]],
    );
    check(
        "{services: {web: {image: a, privileged: true, ipc: \"host\", ports: [8080:80, '90:90']}}}",
        expect![[r#"
        -"{services: {web: {image: a, privileged: true, ipc: \"host\", ports: [8080:80, '90:90']}}}"
        +"{services: {web: {image: a, privileged: false, ipc: \"private\", ports: [127.0.0.1:8080:80, '127.0.0.1:90:90']}}}"
    "#]],
    );
    check(
        "{\"services\":{\"web\":{\"image\":\"a\",\"privileged\":true,\"logging\":{\"driver\":\"json-file\"}}}}",
        expect![[r#"
        -"{\"services\":{\"web\":{\"image\":\"a\",\"privileged\":true,\"logging\":{\"driver\":\"json-file\"}}}}"
        +"{\"services\":{\"web\":{\"image\":\"a\",\"privileged\":false,\"logging\":{\"driver\":\"json-file\", \"options\": {\"max-size\": \"10m\", \"max-file\": \"3\"}}}}}"
    "#]],
    );
    check(
        &format!(
            "\u{feff}{}",
            service("    privileged: true # ä\n    pid: host\n    tmpfs: /x:exec,suid\n")
                .replace('\n', "\r\n")
        ),
        expect![[r#"
            -"    privileged: true # ä\r\n"
            -"    pid: host\r\n"
            -"    tmpfs: /x:exec,suid\r\n"
            +"    privileged: false # ä\r\n"
            +"    tmpfs: /x:noexec,nosuid\r\n"
        "#]],
    );
    check(
        "\u{feff}services:\r\n  web: {image: a, logging: {driver: json-file, options: {max-size: \"-1\"}}}",
        expect![[r#"
        -"  web: {image: a, logging: {driver: json-file, options: {max-size: \"-1\"}}}"
        +"  web: {image: a, logging: {driver: json-file, options: {max-size: \"10m\", max-file: \"3\"}}}"
    "#]],
    );
}

#[test]
fn an_item_goes_with_its_line_and_the_list_with_its_last() {
    check(
        &service(
            "    cap_add:\n      # why\n      - SYS_ADMIN # one\n      - NET_BIND_SERVICE # two\n\n    \
             security_opt: # all\n      - seccomp:unconfined # browser\n      # deeper\n      - apparmor:unconfined\n    \
             group_add: [docker, \"1500\", 0]\n",
        ),
        expect![[r#"
            -"      - SYS_ADMIN # one\n"
            +"      # one\n"
            -"    security_opt: # all\n"
            -"      - seccomp:unconfined # browser\n"
            -"      # deeper\n"
            -"      - apparmor:unconfined\n"
            -"    group_add: [docker, \"1500\", 0]\n"
            +"    # all\n"
            +"    # browser\n"
            +"    # deeper\n"
            +"    group_add: [\"1500\"]\n"
        "#]],
    );
    check(
        &service(
            "    cap_add: [SYS_ADMIN, NET_BIND_SERVICE, NET_RAW]\n    group_add: [ \"1500\" , docker ]\n",
        ),
        expect![[r#"
            -"    cap_add: [SYS_ADMIN, NET_BIND_SERVICE, NET_RAW]\n"
            -"    group_add: [ \"1500\" , docker ]\n"
            +"    cap_add: [NET_BIND_SERVICE]\n"
            +"    group_add: [ \"1500\" ]\n"
        "#]],
    );
    check(
        &service(
            "    cap_add: [\n      SYS_ADMIN, # one\n      NET_BIND_SERVICE,\n      NET_RAW,\n    ]\n    sysctls: {a: 1, kernel.shm_rmid_forced: 1}\n",
        ),
        expect![[r#"
            -"      SYS_ADMIN, # one\n"
            +"      # one\n"
            -"      NET_RAW,\n"
            -"    sysctls: {a: 1, kernel.shm_rmid_forced: 1}\n"
            +"    sysctls: {kernel.shm_rmid_forced: 1}\n"
        "#]],
    );
    check(
        "services:\n  web:\n    pid: host # why\n    image: a",
        expect![[r#"
        -"    pid: host # why\n"
        +"    # why\n"
    "#]],
    );
    check(
        "services:\n  web:\n    image: a\n    cap_add:\n    - ALL",
        expect![[r#"
        -"    cap_add:\n"
        -"    - ALL"
    "#]],
    );
    check(
        "services: {web: {image: a, pid: host}}",
        expect![[r#"
        -"services: {web: {image: a, pid: host}}"
        +"services: {web: {image: a}}"
    "#]],
    );
    check(
        "services: {web: {pid: host, image: a, cap_add: [ALL]}}",
        expect![[r#"
        -"services: {web: {pid: host, image: a, cap_add: [ALL]}}"
        +"services: {web: {image: a}}"
    "#]],
    );
}

#[test]
fn a_long_form_gets_the_key_that_it_lacks() {
    check(
        &service(
            "    ports:\n      - target: 80\n        published: \"8080\" # here\n      - {target: 81, published: 8081, host_ip: 0.0.0.0}\n      \
             - target: 82\n        published: 8082\n        host_ip: '::'\n        mode: ingress\n    \
             logging:\n      driver: json-file\n",
        ),
        expect![[r#"
            -"      - {target: 81, published: 8081, host_ip: 0.0.0.0}\n"
            +"        host_ip: 127.0.0.1\n"
            +"      - {target: 81, published: 8081, host_ip: 127.0.0.1}\n"
            -"        host_ip: '::'\n"
            -"        mode: ingress\n"
            +"        host_ip: '::1'\n"
            +"        mode: host\n"
            +"      options: {max-size: 10m, max-file: \"3\"}\n"
        "#]],
    );
    check(
        &service(
            "    volumes:\n      - ./site:/a:rshared,ro\n      - ./site:/b:rslave\n      - type: bind\n        source: ./site\n        target: /c\n        \
             bind: {propagation: shared, create_host_path: true, recursive: writable}\n      \
             - {type: tmpfs, target: /d, tmpfs: {size: 0}}\n    mem_limit: 1g\n",
        ),
        expect![[r#"
            -"      - ./site:/a:rshared,ro\n"
            -"      - ./site:/b:rslave\n"
            +"      - ./site:/a:ro\n"
            +"      - ./site:/b\n"
            -"        bind: {propagation: shared, create_host_path: true, recursive: writable}\n"
            -"      - {type: tmpfs, target: /d, tmpfs: {size: 0}}\n"
            +"        bind: {propagation: rprivate, create_host_path: false}\n"
            +"      - {type: tmpfs, target: /d, tmpfs: {size: 64m}}\n"
        "#]],
    );
}

#[test]
fn what_is_reached_through_an_anchor_is_put_right_where_it_stands() {
    check(
        "x-a: &a {pid: host, privileged: true}\nservices:\n  web:\n    <<: *a\n    image: a\n",
        expect![[r#"
        -"x-a: &a {pid: host, privileged: true}\n"
        +"x-a: &a {privileged: false}\n"
    "#]],
    );
    check(
        "x-a: &a\n  pid: host # c\nservices:\n  web:\n    <<: *a\n    image: a\n",
        expect![[r#"
        -"x-a: &a\n"
        -"  pid: host # c\n"
        +"x-a: &a {}\n"
        +"  # c\n"
    "#]],
    );
    check(
        "x-a: &a\n  privileged: true\nservices:\n  web: {<<: *a, image: a}\n  db: {<<: [*a], image: b}\n",
        expect![[r#"
            -"  privileged: true\n"
            +"  privileged: false\n"
        "#]],
    );
    check(
        "x-a: &a [ALL]\nservices:\n  web: {image: a, cap_add: *a}\n",
        expect![[r#"
        -"x-a: &a [ALL]\n"
        +"x-a: &a []\n"
    "#]],
    );
}

#[test]
fn what_others_read_too_is_left() {
    check(
        "x-t: &t true\nservices:\n  web: {image: a, privileged: *t, init: *t}\n",
        expect![[r#"
        SV105 is left: other services or keys read the same text through an anchor or a base
    "#]],
    );
    check(
        "services:\n  web: {image: a, read_only: &f false}\n  db: {image: b, init: *f}\n",
        expect![[r#"
        SV150 is left: other services or keys read the same text through an anchor or a base
    "#]],
    );
    check(
        "x-supervisor:\n  exempt: [{rule: SV150, service: db, reason: writes beside its binary, until: 2030-01-01}]\n\
         x-a: &a {read_only: false}\nservices:\n  web: {<<: *a, image: a}\n  db: {<<: *a, image: b}\n",
        expect![[r#"
            SV150 is left: other services or keys read the same text through an anchor or a base
        "#]],
    );
    check(
        "x-p: &p host\nservices:\n  web: {image: a, pid: *p}\n",
        expect![[r#"
        SV125 is left: the file could not be read with that edit
    "#]],
    );
}

#[test]
fn each_file_is_edited_where_its_author_has_to() {
    check(
        "--- -f compose.yaml\ninclude: [more.yaml]\nservices:\n  web:\n    extends: {file: base.yaml, service: b}\n    image: a\n\
         --- -f over.yaml\nservices:\n  web:\n    privileged: true\n    pid: host\n\
         --- base.yaml\nservices:\n  b:\n    ipc: host\n\
         --- more.yaml\nservices:\n  db:\n    image: b\n    tty: true\n",
        expect![[r#"
            base.yaml:
            -"    ipc: host\n"
            +"    ipc: private\n"
            more.yaml:
            -"    tty: true\n"
            +"    tty: false\n"
            over.yaml:
            -"    privileged: true\n"
            -"    pid: host\n"
            +"    privileged: false\n"
        "#]],
    );
    check(
        "--- -f a.yaml\nservices:\n  web:\n    image: a\n    pid: host\n--- -f b.yaml\nservices:\n  web:\n    pid: host\n",
        expect![[r#"
        SV125 is left: the finding would still be there
    "#]],
    );
}

#[test]
fn what_only_the_author_can_say_is_left_with_the_reason() {
    check(
        &service("    privileged: ${ON}\n    ipc: ${MODE:-host}\n"),
        expect![[r#"
        SV105 is left: its value comes from a variable, which may have another one elsewhere
        SV126 is left: its value comes from a variable, which may have another one elsewhere
    "#]],
    );
    check(
        &service("    privileged: |-\n      true\n"),
        expect![[r#"
        SV105 is left: it is written as a block of text
    "#]],
    );
    check(
        &service(
            "    ports: [\"80\", \"8000-8010:80\"]\n    user: root\n    mem_limit: 0\n    shm_size: 8g\n",
        ),
        expect![[r#"
            SV180 is left: only its author can say what belongs there
            SV180 is left: SV181 would be found then
        "#]],
    );
    check(
        &service(
            "    networks: [n]\n    ports: [\"127.0.0.1:80:80\"]\nnetworks:\n  n:\n    internal: false\n",
        ),
        expect![[r#"
            -"    internal: false\n"
            +"    internal: true\n"
        "#]],
    );
    check("services: [", expect![""]);
    check(
        &service("    privileged: true\n    bad: key\n"),
        expect![[r#"
        SV105 is left: something in the stack cannot be read
    "#]],
    );
}

#[test]
fn an_item_of_a_list_that_is_not_indented_under_its_key_is_put_right_like_any_other() {
    let only = [
        "volumes:\n    - type: bind\n      source: ./site\n      target: /a\n      bind: {create_host_path: true}\n",
        "volumes:\n    - ./site:/a:rshared\n",
        "cap_add:\n    - ALL\n",
        "devices:\n    - source: /dev/kmsg\n",
        "ports:\n    - \"80:80\"\n",
        "ports:\n    - target: 80\n      published: 8080\n",
        "tmpfs:\n    - /a:exec\n",
    ];
    for written in only {
        for text in [written.to_owned(), written.replace("\n    ", "\n      ")] {
            let fixed = fixed(&service(&format!("    {text}")));
            let repaired = |rule| rules::find(rule).is_some_and(crate::policy::Rule::is_repaired);
            let left =
                fixed.report.findings.iter().find(|f| f.severity != Severity::Note && repaired(f.rule));
            assert_eq!(left, None, "{text}");
        }
    }
}
