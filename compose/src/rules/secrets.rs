//! Where credentials are and who can read them: environment, arguments, secret and environment files.

use std::path::Path;

use crate::finding::Severity;
use crate::host::Kind;
use crate::model::{ContentSource, EnvValue, FileObject, HealthTest, Service};
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};
use crate::source::At;

use super::filesystem::{in_stack_folder, link_on_the_way, socket_by_name};
use super::place;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV280",
        title: "no credential in the environment",
        reason: "the environment is readable in `docker inspect`, in `/proc` and by every child process, and lands in crash reports",
        severity: Severity::Warning,
        fix: "give it as a file under `secrets`, and name the file where the program allows it",
        bad: "services:\n  web:\n    image: app:1\n    environment:\n      DB_PASSWORD: correct-horse # <-\n",
        good: "services:\n  web:\n    image: app:1\n    environment:\n      DB_PASSWORD_FILE: /run/secrets/db_password\n    secrets: [db_password]\nsecrets:\n  db_password:\n    file: ./db_password.txt\n",
        place: place("1.1", "", "12"),
        exempt: Exempt::Possible,
        check: Check::Service(environment),
        repair: Repair::Author,
    },
    Rule {
        id: "SV281",
        title: "no credential on a command line",
        reason: "arguments are readable by every process of the host, and in `docker inspect`",
        severity: Severity::Warning,
        fix: "give it as a file under `secrets`",
        bad: "services:\n  web:\n    image: app:1\n    command: [serve, --password=correct-horse] # <-\n",
        good: "services:\n  web:\n    image: app:1\n    command: [serve, --password-file=/run/secrets/password]\n    secrets: [password]\nsecrets:\n  password:\n    file: ./password.txt\n",
        place: place("1.1", "", "12"),
        exempt: Exempt::Possible,
        check: Check::Service(arguments),
        repair: Repair::Author,
    },
    Rule {
        id: "SV282",
        title: "no engine behind a variable",
        reason: "`DOCKER_HOST` and its kin give a service an engine over the network: it is root on that host",
        severity: Severity::Error,
        fix: "remove it; no service of a stack needs the engine",
        bad: "services:\n  web:\n    image: app:1\n    environment:\n      DOCKER_HOST: tcp://10.0.0.5:2375 # <-\n",
        good: "services:\n  web:\n    image: app:1\n    environment:\n      API_HOST: api.example.org\n",
        place: place("5.4", "5.32", "1"),
        exempt: Exempt::Never,
        check: Check::Service(engine_variables),
        repair: Repair::Author,
    },
    Rule {
        id: "SV283",
        title: "a secret comes from a file",
        reason: "a secret that is taken from the environment of whoever starts the stack is in that environment too",
        severity: Severity::Warning,
        fix: "use `file`, with mode 0600",
        bad: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    environment: TOKEN # <-\n",
        good: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    file: ./token.txt\n",
        place: place("1.1", "", "12"),
        exempt: Exempt::Possible,
        check: Check::Stack(secret_from_environment),
        repair: Repair::Author,
    },
    Rule {
        id: "SV284",
        title: "secrets and configs lie in the stack's folder",
        reason: "a path elsewhere, or through a link, hands any file of the host to a service",
        severity: Severity::Error,
        fix: "move the file into the stack's folder",
        bad: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    file: /srv/elsewhere/token # <-\n",
        good: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    file: ./token.txt\n",
        place: place("5.4", "5.6", "12"),
        exempt: Exempt::Possible,
        check: Check::Stack(objects_elsewhere),
        repair: Repair::Author,
    },
    Rule {
        id: "SV285",
        title: "a secret is readable by its owner alone",
        reason: "what every user of the host can read is no secret",
        severity: Severity::Warning,
        fix: "`chmod 600` the file",
        bad: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    file: ./open.txt # <-\n",
        good: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    file: ./token.txt\n",
        place: place("2.4", "", "12"),
        exempt: Exempt::Possible,
        check: Check::Stack(open_secrets),
        repair: Repair::Author,
    },
    Rule {
        id: "SV286",
        title: "secrets and configs are files that this host has",
        reason: "external ones need Swarm, and drivers and templates run programs that no rule sees",
        severity: Severity::Error,
        fix: "use `file`, and for a config `file` or `content`",
        bad: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    external: true # <-\n",
        good: "services:\n  web:\n    image: app:1\n    secrets: [token]\nsecrets:\n  token:\n    file: ./token.txt\n",
        place: place("", "", "12"),
        exempt: Exempt::Never,
        check: Check::Stack(objects_outside),
        repair: Repair::Author,
    },
    Rule {
        id: "SV287",
        title: "environment files lie in the stack's folder",
        reason: "a path elsewhere, or through a link, hands the content of any file of the host to a service",
        severity: Severity::Error,
        fix: "move the file into the stack's folder",
        bad: "services:\n  web:\n    image: app:1\n    env_file: /srv/elsewhere/app.env # <-\n",
        good: "services:\n  web:\n    image: app:1\n    env_file: ./app.env\n",
        place: place("5.4", "5.6", "12"),
        exempt: Exempt::Possible,
        check: Check::Service(env_files_elsewhere),
        repair: Repair::Author,
    },
    Rule {
        id: "SV288",
        title: "environment files are not readable by everyone",
        reason: "what every user of the host can read is no secret",
        severity: Severity::Warning,
        fix: "`chmod 640` the file",
        bad: "services:\n  web:\n    image: app:1\n    env_file: ./open.env # <-\n",
        good: "services:\n  web:\n    image: app:1\n    env_file: ./app.env\n",
        place: place("2.4", "", "12"),
        exempt: Exempt::Possible,
        check: Check::Service(open_env_files),
        repair: Repair::Author,
    },
];

/// Whether a variable's or option's name says that its value is a credential.
fn names_credential(name: &str) -> bool {
    const WORDS: &[&str] =
        &["PASSWORD", "PASSWD", "PASS", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "CREDENTIALS"];
    const PAIRS: &[&str] =
        &["API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "SECRET_KEY", "ENCRYPTION_KEY", "AUTH_KEY", "SIGNING_KEY"];
    let name = name.trim().trim_start_matches('-').replace(['-', '.'], "_").to_ascii_uppercase();
    let last = name.rsplit('_').next().unwrap_or_default();
    WORDS.contains(&last)
        || PAIRS
            .iter()
            .any(|pair| name.strip_suffix(pair).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
        || ["PASSWORD", "PASSWD"].iter().any(|word| last.ends_with(word))
}

/// Whether a value looks like a credential whatever it is called.
fn is_credential(value: &str) -> bool {
    const STARTS: &[(&str, usize)] = &[
        ("sk-", 20),
        ("sk_live_", 16),
        ("ghp_", 30),
        ("github_pat_", 30),
        ("glpat-", 20),
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("AKIA", 20),
        ("AIza", 30),
        ("-----BEGIN", 20),
    ];
    STARTS.iter().any(|(start, least)| value.starts_with(start) && value.len() >= *least)
        || has_password(value)
}

/// `scheme://user:password@host`.
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

/// Whether a value under such a name is a credential at all, and not a path, a switch or a number.
fn could_be_credential(value: &str) -> bool {
    let value = value.trim();
    let plain = value.is_empty()
        || value.starts_with('/')
        || value.parse::<f64>().is_ok_and(|_| value.len() < 6)
        || ["true", "false", "yes", "no", "on", "off", "none"]
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word));
    !plain
}

/// Whether a variable looks like a credential by its name or its value.
pub(crate) fn looks_secret(name: &str, value: &str) -> bool {
    names_credential(name) && could_be_credential(value) || is_credential(value)
}

/// The variables of a service and of its hooks.
fn variables(service: &Service) -> impl Iterator<Item = (&String, &At<Option<EnvValue>>)> {
    service.environment.iter().chain(service.hooks().flat_map(|hook| &hook.value.environment))
}

fn environment(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = variables(service).filter_map(|(name, at)| {
        let value = at.value.as_ref()?;
        looks_secret(name, &value.0).then(|| Hit::at(at, format!("`{name}` looks like a credential")))
    });
    hits.collect()
}

fn arguments(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let lines = service.command.iter().chain(&service.entrypoint);
    let mut hits: Vec<Hit> = lines
        .filter_map(|at| {
            Some(Hit::at(at, format!("`{}` looks like a credential", credential_in(&at.value)?)))
        })
        .collect();
    if let Some(check) = &service.healthcheck {
        let found = match &check.value.test {
            HealthTest::Exec(arguments) => credential_in(arguments),
            HealthTest::Shell(line) => {
                credential_in(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            }
            HealthTest::Inherit | HealthTest::Disabled => None,
        };
        hits.extend(found.map(|name| Hit::at(check, format!("`{name}` looks like a credential"))));
    }
    hits.extend(service.hooks().filter_map(|at| {
        let name = credential_in(&at.value.command)?;
        Some(Hit::at(at, format!("`{name}` looks like a credential")))
    }));
    hits
}

/// Whether a value is written out, and not read by the shell from a variable or a file.
fn is_literal(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    could_be_credential(value) && !value.starts_with(['$', '`', '<'])
}

/// The name of the first option whose value is a credential.
fn credential_in(arguments: &[String]) -> Option<String> {
    let mut words = arguments.iter().peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => {
                (word.as_str(), words.peek().map(|next| next.as_str()).filter(|next| !next.starts_with('-')))
            }
        };
        let option = name.starts_with('-') || word.contains('=');
        if option && names_credential(name) && value.is_some_and(is_literal) {
            return Some(name.to_owned());
        }
        if is_credential(word) {
            return Some("an argument".to_owned());
        }
    }
    None
}

fn engine_variables(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const ENGINES: &[&str] = &[
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "CONTAINER_HOST",
        "BUILDKIT_HOST",
        "CONTAINERD_ADDRESS",
        "DOCKER_CERT_PATH",
    ];
    let hits = variables(service).filter_map(|(name, at)| {
        let value = &at.value.as_ref()?.0;
        let named = ENGINES.contains(&name.to_ascii_uppercase().as_str()) && !value.trim().is_empty();
        let tcp = value.starts_with("tcp://")
            && [":2375", ":2376", ":1234"].iter().any(|port| value.contains(port));
        let socket = value.starts_with("unix://") && value.contains("docker.sock");
        (named || tcp || socket).then(|| Hit::at(at, format!("`{name}` points at an engine")))
    });
    hits.collect()
}

fn objects<'a>(stack: &Stack<'a>) -> impl Iterator<Item = &'a FileObject> {
    stack.project.secrets.values().chain(stack.project.configs.values())
}

fn secret_from_environment(stack: &Stack<'_>) -> Vec<Hit> {
    let inline = stack
        .project
        .secrets
        .values()
        .filter(|s| matches!(s.content.value, ContentSource::Inline(_) | ContentSource::Unset(_)));
    inline.map(|s| Hit::at(&s.content, format!("secret `{}` comes from the environment", s.key))).collect()
}

fn objects_elsewhere(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = objects(stack).filter_map(|object| match &object.content.value {
        ContentSource::File(path) => {
            Some(Hit::at(&object.content, format!("`{}` {}", path.display(), elsewhere(stack, path)?)))
        }
        _ => None,
    });
    hits.collect()
}

/// Why a file is not one of the stack's own. Sockets have a rule of their own.
fn elsewhere(stack: &Stack<'_>, path: &Path) -> Option<String> {
    let look = stack.look(path)?;
    match look.kind {
        Some(Kind::Socket) => return None,
        Some(Kind::Directory) => return Some("is a folder".into()),
        Some(Kind::Device | Kind::Other) => return Some("is not a regular file".into()),
        Some(Kind::File) | None => {}
    }
    if let Some(link) = link_on_the_way(stack, path) {
        return Some(format!("leads through the link `{}` to `{}`", link.display(), look.resolved.display()));
    }
    (!in_stack_folder(stack, path) && socket_by_name(path).is_none())
        .then(|| "is not in the stack's folder".into())
}

fn is_open(stack: &Stack<'_>, path: &Path) -> Option<u32> {
    let look = stack.look(path)?;
    look.mode.filter(|mode| look.kind == Some(Kind::File) && mode & 0o007 != 0)
}

fn open_secrets(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.secrets.values().filter_map(|secret| match &secret.content.value {
        ContentSource::File(path) => {
            let mode = is_open(stack, path)?;
            Some(Hit::at(&secret.content, format!("secret `{}` has mode {mode:04o}", secret.key)))
        }
        _ => None,
    });
    hits.collect()
}

fn objects_outside(stack: &Stack<'_>) -> Vec<Hit> {
    let external = objects(stack).filter(|object| object.content.value == ContentSource::External);
    let external =
        external.map(|object| Hit::at(&object.content, format!("`{}` is made elsewhere", object.key)));
    let keys = objects(stack).flat_map(|object| &object.refused);
    external.chain(keys.map(|(key, span)| Hit::on(*span, format!("`{key}` is not allowed")))).collect()
}

fn env_files_elsewhere(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.env_file.iter().filter_map(|file| {
        Some(Hit::at(file, format!("`{}` {}", file.value.display(), elsewhere(stack, &file.value)?)))
    });
    hits.collect()
}

fn open_env_files(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.env_file.iter().filter_map(|file| {
        let mode = is_open(stack, &file.value)?;
        Some(Hit::at(file, format!("`{}` has mode {mode:04o}", file.value.display())))
    });
    hits.collect()
}
