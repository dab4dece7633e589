//! The real stack under recorded profiles: Caddy and OpenClaw are recorded at work, and then work on what was recorded.
//!
//! One stack for all steps. Deliberately absent: what recording does to a service that is not real (`record`).

use std::fs;

use profiles::seccomp::{Action, Profile};
use tests::bed::signal;
use tests::stack::Stack;
use tests::steps::Steps;
use tests::wait;

/// What is mounted and named besides, once both are recorded.
const RECORDED: &str = "services:
  caddy:
    volumes: ['./attack:/attack:ro']
    x-supervisor: {seccomp: ./profiles/caddy.yaml}
  openclaw:
    volumes: ['./attack:/attack:ro', './tools.sh:/tools.sh:ro']
    x-supervisor: {seccomp: ./profiles/openclaw.yaml}
";

#[test]
fn the_real_stack_works_on_what_was_recorded() {
    let stack = Stack::new("recorded");
    let mut steps = Steps::default();
    stack.bed.supervisor(&["up", "--wait"]).expect(0);
    healthy(&stack);
    steps.step("caddy is recorded from start to stop, at work", || {
        recorded(&stack, "caddy", &[], || {
            uses_the_site(&stack);
            asks_caddy_itself(&stack);
        });
    });
    steps.step("openclaw is recorded from start to stop, at its own work", || {
        recorded(&stack, "openclaw", &[], || {
            uses_the_site(&stack);
            asks_openclaw_itself(&stack);
        });
    });
    stack.bed.write("compose.override.yaml", RECORDED);
    steps.step("both are recreated under what was recorded, and are healthy", || {
        stack.bed.supervisor(&["up", "--wait"]).expect(0);
        healthy(&stack);
    });
    for (service, most) in [("caddy", 90), ("openclaw", 130)] {
        steps.step(&format!("{service} may make at most {most} calls"), || {
            allows(&stack, service, most, most);
        });
    }
    steps.step("the site is used under them", || uses_the_site(&stack));
    steps.step("openclaw is recorded again, with the tools that an agent runs", || {
        recorded(&stack, "openclaw", &["--without-attributes"], || tools(&stack));
        stack.bed.supervisor(&["up", "--wait"]).expect(0);
        healthy(&stack);
    });
    steps.step("with them it may make at most 130 calls", || allows(&stack, "openclaw", 150, 130));
    steps.step("the file says what was left out, and what its callers do", || says_what_was_left_out(&stack));
    steps.step("the site is used", || uses_the_site(&stack));
    steps.step("openclaw's everyday tools work", || tools(&stack));
    steps.step("caddy answers an exec", || asks_caddy_itself(&stack));
    steps.step("both stop gracefully, and start again", || stops_and_starts(&stack));
    steps.step("both come back from a kill", || comes_back(&stack));
    steps.step("attest holds, and nothing that they need was denied", || nothing_denied(&stack));
    steps.finish();
}

/// Prints what is allowed and what falls away, and holds against a bound what is allowed, and what is so whatever its arguments
/// are: as the engine's 361 are counted.
fn allows(stack: &Stack, service: &str, most: usize, most_always: usize) {
    let profile = profile(stack, service);
    let always = profile.syscalls.iter().filter(|rule| rule.action == Action::Allow && rule.args.is_empty());
    let always: Vec<&String> = always.flat_map(|rule| &rule.names).collect();
    eprintln!("    {service}: {} calls allowed, {} of them always", profile.allowed().len(), always.len());
    eprint!("{}", stack.bed.supervisor(&["profile", "diff", service]).expect(0).out);
    assert!(profile.allowed().len() <= most, "{:?}", profile.allowed());
    assert!(always.len() <= most_always, "{always:?}");
}

fn says_what_was_left_out(stack: &Stack) {
    let text = fs::read_to_string(stack.bed.folder().join("profiles/openclaw.yaml")).unwrap();
    let (_, left_out) = text.split_once("\nleft_out:\n").unwrap();
    let (left_out, granted) = left_out.split_once("\nsyscalls:\n").unwrap();
    eprintln!("{left_out}");
    for name in ["copy_file_range", "fadvise64", "rseq", "getxattr"] {
        let line = left_out.lines().find(|line| line.starts_with(&format!("  - {name} #"))).unwrap();
        assert!(line.contains("; without: "), "{line}");
        assert!(!granted.contains(&format!("- {name} ")), "{granted}");
    }
}

#[track_caller]
fn healthy(stack: &Stack) {
    wait::until("openclaw's health through caddy", || stack.is_healthy().then_some(()));
}

/// Records a service while it is used, until an interrupt.
fn recorded(stack: &Stack, service: &str, further: &[&str], work: impl Fn()) {
    let arguments = [&["profile", "record", service], further].concat();
    let recorder = stack.bed.spawn(&format!("record-{service}"), &arguments);
    wait::until("a recording", || {
        let output = recorder.output();
        assert!(!output.contains("error:"), "{output}");
        output.contains("ends it").then_some(())
    });
    healthy(stack);
    work();
    recorder.signal("INT");
    wait::until("the end of the recording", || {
        let output = recorder.output();
        assert!(!output.contains("error:"), "{output}");
        output.contains("written to").then_some(())
    });
    healthy(stack);
    eprintln!("{}", recorder.output());
}

fn uses_the_site(stack: &Stack) {
    for arguments in [&[][..], &["--http1.1"], &["--head"]] {
        stack.https("/healthz", arguments).expect(0);
        stack.https("/", arguments).expect(0);
    }
    let websocket = stack.websocket();
    assert!(websocket.out.starts_with("HTTP/1.1 101"), "{websocket:?}");
}

fn tools(stack: &Stack) {
    let (code, output) = stack.bed.engine.exec(&stack.bed.container("openclaw"), &["bash", "/tools.sh"]);
    assert_eq!((code, output.trim()), (0, "done, 0 failed"));
}

fn asks_caddy_itself(stack: &Stack) {
    let validate = ["caddy", "validate", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"];
    let (code, output) = stack.bed.engine.exec(&stack.bed.container("caddy"), &validate);
    assert_eq!(code, 0, "{output}");
}

fn asks_openclaw_itself(stack: &Stack) {
    let ask = ["curl", "--silent", "--fail", "http://127.0.0.1:18789/healthz"];
    let (code, output) = stack.bed.engine.exec(&stack.bed.container("openclaw"), &ask);
    assert_eq!(code, 0, "{output}");
}

/// The filter that the engine was given.
fn profile(stack: &Stack, service: &str) -> Profile {
    let inspected = stack.bed.engine.inspect(&stack.bed.container(service));
    let options = inspected["HostConfig"]["SecurityOpt"].as_array().unwrap().clone();
    let text = options.iter().find_map(|option| option.as_str()?.strip_prefix("seccomp=")).unwrap();
    serde_json::from_str(text).unwrap()
}

fn stops_and_starts(stack: &Stack) {
    for service in ["openclaw", "caddy"] {
        stack.bed.supervisor(&["stop", service]).expect(0);
        let state = stack.bed.engine.inspect(&stack.bed.container(service))["State"].clone();
        assert_eq!(state["ExitCode"], 0, "{service}: {state}");
    }
    stack.bed.supervisor(&["up", "--wait"]).expect(0);
    healthy(stack);
}

fn comes_back(stack: &Stack) {
    for service in ["openclaw", "caddy"] {
        let container = stack.bed.container(service);
        let before = stack.bed.engine.inspect(&container)["State"]["StartedAt"].clone();
        signal(stack.bed.engine.pid(&container), "KILL");
        wait::until("a restart", || {
            let state = stack.bed.engine.inspect(&container)["State"].clone();
            (state["Running"] == true && state["StartedAt"] != before).then_some(())
        });
    }
    stack.bed.supervisor(&["up", "--wait"]).expect(0);
    healthy(stack);
}

fn nothing_denied(stack: &Stack) {
    let report = stack.bed.supervisor(&["attest", "--format", "json"]).expect(0).json();
    for container in report["containers"].as_array().unwrap() {
        let checks = container["checks"].as_array().unwrap();
        let denied = checks.iter().find(|check| check["item"] == "denied calls").unwrap();
        assert_eq!(denied["seen"], "none was seen", "{}", container["service"]);
    }
}
