//! The containers that the attempts are made in, side by side, of one image and one shape: a service with a place in
//! memory, a named volume, a network and a token.
//!
//! Each stack has the service twice, as a user of its own and as root, for an intruder may have found a way to be root;
//! a neighbour, which is there to be attacked; and one that logs without end. Deliberately absent: the attempts.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bed::{Bed, Ran, ran};
use crate::engine::Engine;
use crate::{image, wait};

use super::{Answers, answers};

/// The service by the user that it runs as.
pub const USERS: [&str; 2] = ["user", "root"];
/// The service that logs without end.
pub const FLOOD: &str = "flood";

/// What the service answered, as a user of its own and as root.
#[derive(Clone, Debug)]
pub struct Column {
    /// As user 1000.
    pub user: Answers,
    /// As user 0.
    pub root: Answers,
}

/// The services of a Compose file, each with these further keys, and the rest of the file.
fn stack(image: &str, keys: &str, rest: &str) -> String {
    let service = |name: &str, user: &str, command: &str| {
        format!(
            "  {name}:\n    image: {image}\n    user: '{user}'\n    command: [/attack, {command}]\n{keys}"
        )
    };
    let services = [
        service("neighbour", "1000:1000", "neighbour"),
        service("user", "1000:1000", "stand, try"),
        service("root", "0:0", "stand, try"),
        service(FLOOD, "1000:1000", "flood"),
    ];
    format!("services:\n{}volumes: {{data: {{}}}}\n{rest}", services.concat())
}

/// As Compose starts it that is told nothing.
pub fn nothing_set(image: &str) -> String {
    stack(image, SILENT, "")
}

/// The service as somebody writes it who says what it needs and no more.
pub const SILENT: &str = "    tmpfs: [/scratch]
    volumes: ['data:/data']
    environment: {API_TOKEN: canary}
";

/// As Compose starts it with what a hardening guide for this kind of stack says: section 5 of the guide that the rules
/// name. What it sets for the whole engine is set for the container, where that can be said of one; user namespaces
/// cannot, and AppArmor is not in every kernel.
pub fn by_the_guide(image: &str, seccomp: &Path) -> String {
    stack(image, &guide_keys(seccomp), "networks: {backend: {internal: true}}\n")
}

/// The keys that the guide sets for a service of the size of Caddy.
pub fn guide_keys(seccomp: &Path) -> String {
    format!(
        "    read_only: true
    tmpfs: ['/tmp:size=64M,mode=1777', '/scratch:size=64M,mode=1777']
    volumes: ['data:/data']
    environment: {{API_TOKEN: canary}}
    networks: [backend]
    deploy: {{resources: {{limits: {{cpus: '0.5', memory: 256M, pids: 100}}, reservations: {{memory: 64M}}}}}}
    ulimits: {{nofile: {{soft: 8192, hard: 16384}}, nproc: {{soft: 2048, hard: 4096}}}}
    logging: {{driver: json-file, options: {{max-size: 10m, max-file: '5'}}}}
    security_opt: ['no-new-privileges:true', 'seccomp={}']
",
        seccomp.display()
    )
}

/// Ours: the silent file, but that its network has a name, as the policy wants it, and its token is a secret.
pub fn ours(image: &str) -> String {
    stack(image, OURS, OUR_REST)
}

const OURS: &str = "    tmpfs: [/scratch]
    volumes: ['data:/data']
    networks: [inner]
    secrets: [token]
";
const OUR_REST: &str = "networks: {inner: {}}\nsecrets: {token: {file: ./token}}\n";

/// Ours with a recorded profile: of the calls that its base grants, those that the service was heard to use.
pub fn recorded(image: &str) -> String {
    stack(image, &format!("{OURS}    x-supervisor: {{seccomp: ./recorded.yaml}}\n"), OUR_REST)
}

/// The service as it is recorded: at work, and making no attempt.
pub fn to_record(image: &str) -> String {
    format!(
        "services:\n  user:\n    image: {image}\n    user: '1000:1000'\n    command: [/attack, work]\n{OURS}\
         volumes: {{data: {{}}}}\n{OUR_REST}"
    )
}

/// Docker Compose on a bed's project.
#[track_caller]
pub fn compose(bed: &Bed, file: &str, arguments: &[&str]) -> Ran {
    let program = std::env::var_os("DOCKER_COMPOSE")
        .expect("DOCKER_COMPOSE names no `docker-compose` to compare with; `cargo xtask test` sets it");
    let mut command = Command::new(program);
    command
        .current_dir(bed.folder())
        .env("DOCKER_HOST", format!("unix://{}", bed.engine.socket().display()))
        .args(["--project-name", &bed.project, "--file", file]);
    ran(command.args(arguments))
}

/// The answers of a stack that was started, and how much was kept of what it logged without end.
#[track_caller]
pub fn answered(bed: &Bed) -> Column {
    let [user, root] = USERS.map(|service| finished(&bed.engine, &bed.container(service)));
    Column { user, root }
}

/// The attempts in containers that may do everything. What no container here is weak to is made weak there, so that
/// each attempt is seen to succeed.
#[track_caller]
pub fn control(bed: &Bed, image: &str) -> Column {
    let [user, root] = [("user", "1000:1000"), ("root", "0:0")].map(|(name, user)| {
        let body = json!({
            "Image": image,
            "User": user,
            "Cmd": ["/attack", "stand", "force"],
            "Env": ["API_TOKEN=canary"],
            "Volumes": {"/data": {}},
            "Labels": {"com.docker.compose.project": bed.project},
            "HostConfig": {
                "Privileged": true,
                "SecurityOpt": ["seccomp=unconfined"],
                "Tmpfs": {"/scratch": ""},
            },
        });
        let name = bed.container(&format!("control-{name}"));
        bed.engine.run(&name, &body);
        let answers = finished(&bed.engine, &name);
        bed.engine.remove(&name);
        answers
    });
    Column { user, root }
}

/// What a container printed, once it has made every attempt.
#[track_caller]
pub fn finished(engine: &Engine, container: &str) -> Answers {
    let output = wait::until(&format!("the attempts in `{container}`"), || {
        let output = engine.logs(container);
        let runs = engine.inspect(container)["State"]["Running"] == json!(true);
        assert!(runs, "`{container}` ended: {output}");
        output.lines().any(|line| line == "END").then_some(output)
    });
    answers(&output)
}

/// The bytes that the engine keeps of a container's output, rotated files among them.
#[track_caller]
pub fn kept(engine: &Engine, container: &str) -> u64 {
    engine.wait(container);
    let seen = engine.inspect(container);
    let path = Path::new(seen["LogPath"].as_str().expect("a path of a log"));
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let files = std::fs::read_dir(path.parent().expect("a folder")).expect("the engine's folder");
    let files = files.flatten().filter(|file| file.file_name().to_string_lossy().starts_with(&name));
    files.map(|file| file.metadata().expect("a file").len()).sum()
}

/// The image of the suite: this program, twice more with rights of its own, and a file of another user.
#[track_caller]
pub fn image(engine: &Engine, program: &Path) -> String {
    let program = std::fs::read(program).expect("the attack program");
    image::attack(engine, &program)
}

/// What the engine says of itself, for the head of the table.
#[track_caller]
pub fn versions(engine: &Engine) -> String {
    let info = engine.get("/info");
    let version = engine.get("/version");
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let runc = version["Components"].as_array().into_iter().flatten().find(|part| part["Name"] == "runc");
    let kernel = text(&info["KernelVersion"]);
    let kernel: Vec<&str> = kernel.split(['.', '-']).take(2).collect();
    let engine = text(&info["ServerVersion"]);
    let engine = engine.split('+').next().unwrap_or_default();
    let runc = runc.map_or_else(|| "?".to_owned(), |part| text(&part["Version"]));
    let runc = runc.split(['+', '-']).next().unwrap_or_default();
    let apparmor = info["SecurityOptions"].to_string().contains("apparmor");
    let groups = text(&info["CgroupVersion"]);
    let with = if apparmor { "with AppArmor" } else { "without AppArmor" };
    format!("Linux {} {with}, cgroup v{groups}, Docker Engine {engine}, runc {runc}", kernel.join("."))
}
