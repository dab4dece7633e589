//! The real stack, started by `up`: it answers, it is confined, it holds against attacks, it changes only when told.
//!
//! One stack for all steps: OpenClaw takes its time to start. Deliberately absent: hangs, kills and restarts
//! (`stack_heals`).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::attack::{self, Answers};
use tests::proxy::Recorded;
use tests::stack::{HTTP, HTTPS, SITE, Stack};
use tests::steps::Steps;
use tests::{image, wait};

#[test]
fn the_real_stack_stands() {
    let stack = Stack::new("stands");
    let mut steps = Steps::default();
    stack.bed.supervisor(&["check"]).expect(0);
    stack.bed.supervisor(&["up", "--wait"]).expect(0);
    // Caddy asks OpenClaw every 2 s by itself, and sends nobody on before it has had a good answer.
    wait::until("caddy to see openclaw", || stack.is_healthy().then_some(()));

    steps.step("https answers with openclaw's health and the security headers", || answers(&stack));
    steps.step("a websocket is upgraded", || upgrades(&stack));
    steps.step("an unknown host does not reach openclaw", || unknown_host(&stack));
    steps.step("attest passes for both", || attested(&stack));
    steps.step("nothing listens beyond loopback, and no container sees an engine socket", || closed(&stack));
    for (service, image, writable) in [
        ("caddy", image::caddy(), &["/data", "/tmp"][..]),
        ("openclaw", image::openclaw(), &["/home/node/.cache", "/home/node/.openclaw", "/tmp"]),
    ] {
        steps.step(&format!("{service} writes nowhere but to its places"), || {
            writes(&stack, service, writable);
        });
        steps.step(&format!("{service} withstands the attacks"), || withstands(&stack, service, &image));
    }
    steps.step("openclaw's everyday tools work", || tools(&stack));
    steps.step("up again asks little and changes nothing", || nothing_to_do(&stack));
    steps.step("a refused or unreadable file touches nothing", || refused(&stack));
    steps.step("a container started by hand under the label fails the attestation", || by_hand(&stack));
    steps.step("a changed Caddyfile is told to caddy alone, without a restart", || caddy_is_told(&stack));
    steps.step("error pages have the security headers, and tell nothing", || error_page(&stack));
    steps.step("down removes it all but the data", || down(&stack));
    steps.finish();
}

const HEADERS: [&str; 4] = [
    "strict-transport-security: max-age=",
    "x-content-type-options: nosniff",
    "x-frame-options: deny",
    "referrer-policy: ",
];

#[track_caller]
fn has_security_headers(answer: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
    for header in HEADERS {
        assert!(head.contains(header), "no `{header}` in\n{head}");
    }
    assert!(!head.contains("\nserver:") && !head.contains("x-powered-by"), "{head}");
}

fn answers(stack: &Stack) {
    let answer = stack.https("/healthz", &[]).expect(0).out;
    assert!(answer.starts_with("HTTP/2 200"), "{answer}");
    assert!(answer.contains(r#"{"ok":true,"status":"live"}"#), "{answer}");
    has_security_headers(&answer);
    let plain = tests::http::get_with(&format!("127.0.0.1:{HTTP}"), "/", &[("Host", SITE)]).unwrap();
    assert_eq!(
        (plain.status, plain.header("location")),
        (308, Some(format!("https://{SITE}:{HTTPS}/").as_str()))
    );
}

fn upgrades(stack: &Stack) {
    let answer = stack.websocket();
    assert!(answer.out.starts_with("HTTP/1.1 101"), "{answer:?}");
}

fn unknown_host(stack: &Stack) {
    let reaches = |text: &str| text.contains(r#""ok":true"#) || text.to_lowercase().contains("openclaw");
    let by_header = stack.https("/healthz", &["--http1.1", "--header", "Host: other.test"]).expect(0).out;
    assert!(by_header.starts_with("HTTP/1.1 421") && !reaches(&by_header), "{by_header}");
    has_security_headers(&by_header);
    let plain =
        tests::http::get_with(&format!("127.0.0.1:{HTTP}"), "/healthz", &[("Host", "other.test")]).unwrap();
    assert!(plain.status == 421 && !reaches(&plain.text()), "{plain:?}");
    let by_address = format!("https://127.0.0.1:{HTTPS}/healthz");
    let curl = ["--silent", "--insecure", "--max-time", "10", &by_address];
    let by_address = tests::bed::ran(std::process::Command::new("curl").args(curl));
    assert!(!reaches(&by_address.out), "{by_address:?}");
}

fn attested(stack: &Stack) {
    let report = stack.bed.supervisor(&["attest", "--format", "json"]).expect(0).json();
    let services: Vec<&str> =
        report["containers"].as_array().unwrap().iter().map(|c| c["service"].as_str().unwrap()).collect();
    assert_eq!((services.as_slice(), &report["holds"]), (&["caddy", "openclaw"][..], &json!(true)));
}

fn closed(stack: &Stack) {
    // The test runs in the engine's network namespace, where nothing but the engine and its containers lives.
    let sockets = supervisor::observe::kernel::listening().unwrap();
    let open: Vec<String> = sockets.iter().filter(|s| s.beyond_loopback()).map(ToString::to_string).collect();
    assert_eq!(open, Vec::<String>::new());
    let published: BTreeSet<String> = ["caddy", "openclaw"]
        .iter()
        .flat_map(|service| {
            let ports =
                stack.bed.engine.inspect(&stack.bed.container(service))["NetworkSettings"]["Ports"].clone();
            let rows = ports.as_object().cloned().unwrap_or_default();
            rows.into_iter().flat_map(|(_, bound)| bound.as_array().cloned().unwrap_or_default())
        })
        .map(|bound| format!("{}:{}", bound["HostIp"].as_str().unwrap(), bound["HostPort"].as_str().unwrap()))
        .collect();
    assert_eq!(published, [format!("127.0.0.1:{HTTP}"), format!("127.0.0.1:{HTTPS}")].into());
    for service in ["caddy", "openclaw"] {
        let pid = stack.bed.engine.pid(&stack.bed.container(service));
        let seen = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        assert!(!seen.contains(".sock"), "{seen}");
    }
}

fn writes(stack: &Stack, service: &str, promised: &[&str]) {
    let (code, output) = stack.bed.engine.exec(&stack.bed.container(service), &["/attack", "writable"]);
    assert_eq!(code, 0, "{output}");
    // Shared memory and message queues of its own IPC namespace: memory, bounded, gone with the container.
    let ipc = ["/dev/mqueue", "/dev/shm"];
    let below = |folder: &str, top: &str| folder == top || folder.starts_with(&format!("{top}/"));
    let strange: Vec<&str> =
        output.lines().filter(|folder| !promised.iter().chain(&ipc).any(|top| below(folder, top))).collect();
    assert_eq!(strange, Vec::<&str>::new());
    for place in promised {
        assert!(output.lines().any(|folder| folder == *place), "`{place}` is not writable:\n{output}");
    }
}

/// Of the attempts, those that succeed in the same image with every right; the suite (`attacks`) looks at all of them.
const APPLICABLE: usize = 70;

fn withstands(stack: &Stack, service: &str, image: &str) {
    let (engine, project) = (&stack.bed.engine, &stack.bed.project);
    let program = stack.bed.folder().join("attack");
    let everything = attack::with_every_right(engine, project, image, &program);
    let nothing_set = attack::with_nothing_set(engine, project, image, &program);
    // As an intruder in the service would: under what the engine was told to execute before it. A command that the engine
    // executes beside the service has the rest of its confinement, and no Landlock.
    let container = stack.bed.container(service);
    let before = before_the_service(&engine.inspect(&container));
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let command = [&before[..], &["/attack"], &attack::GENTLY].concat();
    let (code, output) = engine.exec(&container, &command);
    assert_eq!(code, 0, "{output}");
    let ours = attack::answers(&output);
    let through = |answers: &Answers| {
        let through = answers.iter().filter(|(_, answer)| *answer == "done");
        through.map(|(attempt, _)| attempt.clone()).collect::<Vec<_>>()
    };
    let [everything, nothing_set, ours] = [&everything, &nothing_set, &ours].map(through);
    eprintln!(
        "    went through: every right {}, nothing set {}, ours {}",
        everything.len(),
        nothing_set.len(),
        ours.len()
    );
    assert!(everything.len() >= APPLICABLE, "only {everything:?} can succeed in this image");
    assert_eq!(ours, Vec::<String>::new());
}

/// The program that confines a service and its rules, to the `--` that ends them; empty where there is none.
fn before_the_service(inspected: &Value) -> Vec<String> {
    let words = std::iter::once(&inspected["Path"]).chain(inspected["Args"].as_array().into_iter().flatten());
    let words: Vec<String> = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
    let end = words.iter().position(|word| word == "--").map_or(0, |dashes| dashes + 1);
    words[..end].to_vec()
}

fn tools(stack: &Stack) {
    // What fails in a container that nobody hardened fails for another reason.
    let name = format!("{}-tools", stack.bed.project);
    let script = format!("{}:/tools.sh:ro", stack.bed.folder().join("tools.sh").display());
    let body = json!({
        "Image": image::openclaw(),
        "Entrypoint": ["bash", "/tools.sh"],
        "Labels": {"com.docker.compose.project": stack.bed.project},
        "HostConfig": {"Binds": [script]},
    });
    stack.bed.engine.run(&name, &body);
    let control = (stack.bed.engine.wait(&name), stack.bed.engine.logs(&name));
    stack.bed.engine.remove(&name);
    assert_eq!((control.0, control.1.trim()), (0, "done, 0 failed"));
    let (code, output) = stack.bed.engine.exec(&stack.bed.container("openclaw"), &["bash", "/tools.sh"]);
    assert_eq!((code, output.trim()), (0, "done, 0 failed"));
}

/// What must stay the same while nothing is to be done: every container with its last start.
#[track_caller]
fn standing(stack: &Stack) -> Vec<(String, String)> {
    let of = |service| {
        let seen = stack.bed.engine.inspect(&stack.bed.container(service));
        (seen["Id"].as_str().unwrap().to_owned(), seen["State"]["StartedAt"].as_str().unwrap().to_owned())
    };
    ["caddy", "openclaw"].map(of).into()
}

fn mutating(requests: &[Recorded]) -> Vec<&Recorded> {
    requests.iter().filter(|request| request.mutates()).collect()
}

fn nothing_to_do(stack: &Stack) {
    let before = standing(stack);
    let (ran, requests) = stack.bed.asked(&["up", "--wait"]);
    ran.expect(0);
    assert_eq!(mutating(&requests), Vec::<&Recorded>::new());
    assert!(requests.len() <= 5, "{requests:#?}");
    assert_eq!(standing(stack), before);
    stack.bed.supervisor(&["plan"]).expect(0);
}

fn refused(stack: &Stack) {
    let before = standing(stack);
    let written = std::fs::read_to_string(stack.bed.folder().join("compose.override.yaml")).unwrap();
    for (change, code) in [
        ("  openclaw:\n    privileged: true\n", 1),
        ("  openclaw:\n    volumes: ['/var/run/docker.sock:/sock']\n", 1),
        ("  openclaw:\n    pivileged: true\n", 2),
        ("  openclaw: [\n", 2),
    ] {
        stack.bed.write("compose.override.yaml", &format!("services:\n{change}"));
        for command in [&["up", "--wait"][..], &["plan"], &["check"]] {
            let (ran, requests) = stack.bed.asked(command);
            assert!([1, 2].contains(&ran.code), "{command:?} with {change}: {ran:?}");
            if command == ["check"] {
                assert_eq!(ran.code, code, "{ran:?}");
            }
            assert_eq!(mutating(&requests), Vec::<&Recorded>::new());
        }
        assert_eq!(standing(stack), before);
    }
    stack.bed.write("compose.override.yaml", &written);
    assert!(stack.is_healthy());
}

fn by_hand(stack: &Stack) {
    let name = format!("{}-openclaw-2", stack.bed.project);
    let labels = stack.bed.engine.inspect(&stack.bed.container("openclaw"))["Config"]["Labels"].clone();
    let body = json!({
        "Image": image::busybox(&stack.bed.engine),
        "Labels": labels,
        "HostConfig": {"CapAdd": ["SYS_ADMIN"], "Binds": ["/var/run:/harmless"]},
    });
    stack.bed.engine.run(&name, &body);
    let report = stack.bed.supervisor(&["attest", "--format", "json"]).expect(5).json();
    stack.bed.engine.remove(&name);
    let foreign: Vec<&Value> =
        report["containers"].as_array().unwrap().iter().filter(|c| c["holds"] == json!(false)).collect();
    assert_eq!(foreign.len(), 1, "{report}");
    assert_eq!(foreign[0]["name"], json!(name));
}

fn caddy_is_told(stack: &Stack) {
    let before = standing(stack);
    let path = stack.bed.folder().join("Caddyfile");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n# changed\n")).unwrap();
    stack.bed.supervisor(&["plan"]).expect(3);
    stack.bed.supervisor(&["up", "--wait"]).expect(0);
    let after = standing(stack);
    assert_eq!(after[0], before[0], "caddy was made anew, or started again");
    assert_eq!(after[1], before[1], "openclaw was touched");
    wait::until("caddy to see openclaw again", || stack.is_healthy().then_some(()));
    stack.bed.supervisor(&["attest"]).expect(0);
}

fn error_page(stack: &Stack) {
    stack.bed.supervisor(&["stop", "openclaw"]).expect(0);
    let answer = stack.https("/", &[]).expect(0).out;
    assert!(answer.starts_with("HTTP/2 50"), "{answer}");
    has_security_headers(&answer);
    assert!(!answer.to_lowercase().contains("openclaw:"), "{answer}");
}

fn down(stack: &Stack) {
    stack.bed.supervisor(&["down"]).expect(0);
    let label = format!("supervisor.project={}", stack.bed.project);
    assert_eq!(stack.bed.engine.containers(&label), Vec::<Value>::new());
    let filter = tests::engine::escape(&format!(r#"{{"label":["{label}"]}}"#));
    assert_eq!(stack.bed.engine.get(&format!("/networks?filters={filter}")), json!([]));
    let volumes = stack.bed.engine.get(&format!("/volumes?filters={filter}"))["Volumes"].clone();
    assert_eq!(volumes.as_array().map(Vec::len), Some(1), "{volumes}");
}
