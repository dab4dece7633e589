//! Files made to hurt, as folders on a disk: what to write, and how `check` is called there. One case answers one way to hurt.
//!
//! Deliberately absent: what has to come of them (`tests/tests/hostile.rs`), and measuring (`cargo xtask bench`).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One case.
pub struct Case {
    /// What hurts, in words of a file name.
    pub name: &'static str,
    /// Arguments of `check`, beside the format.
    pub arguments: &'static [&'static str],
    /// Writes its files into an empty folder.
    pub write: fn(&Path),
}

const NONE: &[&str] = &[];

/// Every case. Each cannot be read, so that the exit code is 2.
pub const CASES: &[Case] = &[
    Case { name: "alias-bomb", arguments: NONE, write: |at| compose(at, &alias_bomb()) },
    Case { name: "alias-of-long-text", arguments: NONE, write: |at| compose(at, &alias_of_long_text()) },
    Case { name: "nested-anchors", arguments: NONE, write: |at| compose(at, &nested_anchors()) },
    Case { name: "brackets", arguments: NONE, write: |at| compose(at, &"[".repeat(20_000)) },
    Case { name: "braces", arguments: NONE, write: |at| compose(at, &"{a: ".repeat(20_000)) },
    Case { name: "dashes", arguments: NONE, write: |at| compose(at, &"- ".repeat(20_000)) },
    Case { name: "questions", arguments: NONE, write: |at| compose(at, &"? ".repeat(20_000)) },
    Case { name: "indentation", arguments: NONE, write: |at| compose(at, &indentation()) },
    Case {
        name: "ten-mebibytes",
        arguments: NONE,
        write: |at| compose(at, &"a: b\n".repeat(2 * 1024 * 1024)),
    },
    Case {
        name: "one-mebibyte-of-values",
        arguments: NONE,
        write: |at| compose(at, &"- a\n".repeat(260_000)),
    },
    Case { name: "one-mebibyte-of-unknown-keys", arguments: NONE, write: |at| compose(at, &unknown_keys()) },
    Case {
        name: "one-mebibyte-in-one-line",
        arguments: NONE,
        write: |at| compose(at, &keys_in_line(80_000)),
    },
    Case {
        name: "as-much-in-one-line-as-is-read",
        arguments: NONE,
        write: |at| compose(at, &keys_in_line(31_900)),
    },
    Case {
        name: "tabs-after-a-scalar",
        arguments: NONE,
        write: |at| compose(at, &format!("a: b\n{}", "   \t\n".repeat(200_000))),
    },
    Case {
        name: "tabs-in-a-block-scalar",
        arguments: NONE,
        write: |at| compose(at, &format!("a: |\n{}  b\n{}", "\n".repeat(300_000), "  \tc\n".repeat(120_000))),
    },
    Case { name: "tabs-beside-brackets", arguments: NONE, write: |at| compose(at, &tabs_beside_brackets()) },
    Case {
        name: "registries-for-many-images",
        arguments: NONE,
        write: |at| compose(at, &registries_for_many_images()),
    },
    Case { name: "many-services", arguments: NONE, write: |at| compose(at, &many_services()) },
    Case { name: "many-services-extend", arguments: NONE, write: |at| compose(at, &extending(20_000)) },
    Case { name: "services-extend-a-large-one", arguments: NONE, write: |at| compose(at, &extending(1_900)) },
    Case { name: "merged-over-as-many-keys", arguments: NONE, write: |at| compose(at, &merged_over(12_000)) },
    Case {
        name: "not-utf-8",
        arguments: NONE,
        write: |at| bytes(at, "compose.yaml", b"services: {a: \xff\xfe}\n"),
    },
    Case { name: "nul", arguments: NONE, write: |at| bytes(at, "compose.yaml", b"services: {a: \0}\n") },
    Case { name: "huge-numbers", arguments: NONE, write: |at| compose(at, &huge_numbers()) },
    Case { name: "variables-in-variables", arguments: NONE, write: |at| compose(at, &variables()) },
    Case { name: "doubling-environment-file", arguments: NONE, write: doubling },
    Case { name: "long-variable-many-times", arguments: NONE, write: long_variable },
    Case { name: "shared-environment-file", arguments: NONE, write: shared_environment_file },
    Case { name: "cyclic-include", arguments: NONE, write: cyclic_include },
    Case { name: "cyclic-extends", arguments: NONE, write: cyclic_extends },
    Case { name: "include-tree", arguments: NONE, write: include_tree },
    Case { name: "fifo", arguments: NONE, write: |at| fifo(&at.join("compose.yaml")) },
    Case { name: "fifo-as-environment-file", arguments: NONE, write: fifo_as_environment_file },
    Case { name: "device", arguments: &["-f", "/dev/zero"], write: |_| {} },
    Case { name: "terminal", arguments: &["-f", "/dev/tty"], write: |_| {} },
    Case { name: "memory-of-a-process", arguments: &["-f", "/proc/self/mem"], write: |_| {} },
    Case { name: "folder-as-file", arguments: &["-f", "."], write: |_| {} },
    Case { name: "file-as-folder", arguments: &["-f", "a/compose.yaml"], write: |at| bytes(at, "a", b"") },
    Case {
        name: "device-as-include",
        arguments: NONE,
        write: |at| compose(at, "include: [/dev/zero]\nservices: {}\n"),
    },
    Case { name: "loop-of-links", arguments: NONE, write: loop_of_links },
    Case { name: "missing", arguments: &["-f", "missing.yaml"], write: |_| {} },
];

fn bytes(at: &Path, name: &str, bytes: &[u8]) {
    let path = at.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

fn compose(at: &Path, text: &str) {
    bytes(at, "compose.yaml", text.as_bytes());
}

fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
    (0..count).map(row).fold(String::new(), |text, row| text + &row)
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
}

fn alias_bomb() -> String {
    let mut text = String::from("x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let last = format!("*a{}, ", i - 1).repeat(10);
        let _ = writeln!(text, "x-a{i}: &a{i} [{}]", last.trim_end_matches(", "));
    }
    text
}

fn alias_of_long_text() -> String {
    format!("x-a: &a {}\nx-b: [{}]\n", "y".repeat(100_000), "*a, ".repeat(5000).trim_end_matches(", "))
}

/// Each anchor keeps a copy of all that is in it.
fn nested_anchors() -> String {
    let open = rows(90, |i| format!("&a{i} ["));
    format!("x-a: {open}{}{}\n", "y".repeat(900_000), "]".repeat(90))
}

fn indentation() -> String {
    rows(1000, |i| format!("{}a:\n", " ".repeat(i)))
}

fn unknown_keys() -> String {
    rows(80_000, |i| format!("key{i}: x\n"))
}

fn keys_in_line(count: usize) -> String {
    format!("{{{}}}\n", rows(count, |i| format!("k{i}: x, ")))
}

/// As many of both as fit.
fn registries_for_many_images() -> String {
    let services = rows(7000, |i| format!("  a{i}: {{image: x.example/{i}}}\n"));
    let registries = rows(28_000, |i| format!("  - x.example/r{i}\n"));
    format!("services:\n{services}x-supervisor:\n registries:\n{registries}")
}

/// Many lists that start far into a line.
fn tabs_beside_brackets() -> String {
    format!("a: [{}, {}]\t\n", "b".repeat(900_000), "[c],".repeat(9000))
}

/// A mapping that has itself all that is merged into it.
fn merged_over(count: usize) -> String {
    let keys = rows(count, |i| format!("  k{i}: x\n"));
    format!("x-a: &a\n{keys}x-b:\n  <<: *a\n{keys}unknown: x\n")
}

fn many_services() -> String {
    let services = rows(45_000, |i| format!("  a{i}: {{x: y}}\n"));
    format!("services:\n{services}")
}

/// More than there is room for, each a copy of a service with much in it.
fn extending(count: usize) -> String {
    let labels = rows(300, |i| format!("l{i}: v, "));
    let services = rows(count, |i| format!("  a{i}: {{extends: base}}\n"));
    format!("services:\n  base: {{image: x, labels: {{{labels}}}}}\n{services}")
}

fn huge_numbers() -> String {
    let huge = "9".repeat(100_000);
    format!(
        "services:\n  a:\n    image: x\n    mem_limit: {huge}\n    cpus: {huge}\n    pids_limit: {huge}\n    \
         ports: ['{huge}:{huge}', '1-65535:1-65535']\n    stop_grace_period: {huge}h\n    healthcheck: {{retries: 1e400}}\n"
    )
}

fn variables() -> String {
    format!("x-a: \"{}x{}\"\n", "${A:-".repeat(50_000), "}".repeat(50_000))
}

fn doubling(at: &Path) {
    bytes(at, ".env", format!("A=0123456789\n{}", "A=$A$A\n".repeat(60)).as_bytes());
    compose(at, "services: {a: {image: x}}\n");
}

fn long_variable(at: &Path) {
    bytes(at, ".env", format!("A={}\n", "v".repeat(1_000_000)).as_bytes());
    compose(at, &format!("x-a: \"{}\"\nx-b: \"{}\"\n", "$A".repeat(200_000), "${B:-$A$A}".repeat(50_000)));
}

fn shared_environment_file(at: &Path) {
    bytes(at, "a.env", format!("A={}\n", "v".repeat(1_000_000)).as_bytes());
    let services = rows(1500, |i| format!("  a{i}: {{image: x, env_file: a.env}}\n"));
    compose(at, &format!("services:\n{services}"));
}

fn cyclic_include(at: &Path) {
    compose(at, "include: [b.yaml]\n");
    bytes(at, "b.yaml", b"include: [compose.yaml]\n");
}

fn cyclic_extends(at: &Path) {
    compose(at, "services: {a: {extends: {file: b.yaml, service: a}}}\n");
    bytes(at, "b.yaml", b"services: {a: {extends: {file: compose.yaml, service: a}}}\n");
}

/// Twelve files that include the next one twice each: 4,096 in all.
fn include_tree(at: &Path) {
    compose(at, "include: [0.yaml]\nservices: {}\n");
    for i in 0..12 {
        let next = i + 1;
        bytes(
            at,
            &format!("{i}.yaml"),
            format!("include: [{next}.yaml, {next}.yaml]\nservices: {{}}\n").as_bytes(),
        );
    }
    bytes(at, "12.yaml", b"services: {}\n");
}

fn fifo_as_environment_file(at: &Path) {
    compose(at, "services: {a: {image: x, env_file: pipe}}\n");
    fifo(&at.join("pipe"));
}

fn loop_of_links(at: &Path) {
    for (name, target) in [("compose.yaml", "b.yaml"), ("b.yaml", "compose.yaml")] {
        std::os::unix::fs::symlink(target, at.join(name)).expect("a link");
    }
}
