//! The answers that user-data is made from: one row each, and all that is wrong with them at once.
//!
//! Deliberately absent: reading the file of answers, and the stack's file that one of them names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Its name, as it is answered: `NAME=VALUE`.
    pub name: &'static str,
    /// What it is about, for the command's help.
    pub help: &'static str,
    /// When it has to be answered.
    pub need: Need,
    /// What is wrong with a value, and what to write instead.
    check: fn(&str) -> Result<(), String>,
}

/// When a question has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Always,
    /// Without `compose`: the stack is that of `supervisor init` then.
    Stack,
    /// With `callback-url`.
    Callback,
    /// Where `package` is an address.
    Download,
    /// Never; it has this default, or none.
    Never(&'static str),
}

const fn ask(
    name: &'static str,
    need: Need,
    help: &'static str,
    check: fn(&str) -> Result<(), String>,
) -> Question {
    Question { name, help, need, check }
}

/// Every question.
pub const QUESTIONS: &[Question] = &[
    ask(
        "ssh-key",
        Need::Always,
        "public key of whoever looks after the machine, Ed25519; several times for several",
        ssh_key,
    ),
    ask(
        "ssh-port",
        Need::Never("22"),
        "port of the SSH server; another than 22 keeps the log quiet, and no more",
        port,
    ),
    ask("user", Need::Never("keeper"), "name of the one account that may log in", user),
    ask("domain", Need::Stack, "host name under which the stack is reached", domain),
    ask(
        "tls",
        Need::Stack,
        "e-mail address for public certificates, or `internal` for certificates of Caddy's own",
        tls,
    ),
    ask("caddy-image", Need::Stack, "Caddy's image, pinned by digest or id", image),
    ask("openclaw-image", Need::Stack, "OpenClaw's image, pinned by digest or id", image),
    ask(
        "allow-from",
        Need::Never(""),
        "address ranges that may pass Caddy, separated by spaces: those of a DNS proxy",
        ranges,
    ),
    ask("compose", Need::Never(""), "a Compose file, in place of the stack of `supervisor init`", anything),
    ask(
        "package",
        Need::Always,
        "the supervisor's .deb: an https:// address, or a path on the machine",
        package,
    ),
    ask("package-sha256", Need::Download, "its SHA-256, where it is downloaded", sha256),
    ask("instance-id", Need::Callback, "what the control plane calls the machine", instance),
    ask(
        "callback-url",
        Need::Never(""),
        "https:// address that is told once, when the stack is first healthy",
        https,
    ),
    ask("callback-secret", Need::Callback, "what proves to it who calls; in a file of answers alone", secret),
    ask(
        "userns-remap",
        Need::Never("no"),
        "`yes`: the engine maps container users to others of the host",
        yes_or_no,
    ),
    ask(
        "reboot-at",
        Need::Never(""),
        "`HH:MM` at which an update that asks for it reboots the machine",
        time,
    ),
    ask(
        "upgrade",
        Need::Never("yes"),
        "`no`: take the packages that are there, without asking a mirror for newer ones",
        yes_or_no,
    ),
];

/// An answer as it was given.
#[derive(Clone)]
pub struct Raw {
    /// Where: `the command line`, or `FILE:LINE`.
    pub place: String,
    /// It is on the command line, where others of the machine see it.
    pub exposed: bool,
    /// `NAME=VALUE`.
    pub text: String,
}

/// Something wrong with the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; empty where something is missing.
    pub place: String,
    /// What.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// Answers without a fault.
#[derive(Clone, PartialEq, Eq)]
pub struct Answers {
    /// Public keys.
    pub ssh_keys: Vec<String>,
    /// SSH's port.
    pub ssh_port: u16,
    /// Account.
    pub user: String,
    /// What runs.
    pub stack: Stack,
    /// Address or path.
    pub package: String,
    /// Of the package; empty for a path.
    pub package_sha256: String,
    /// Whom to tell.
    pub callback: Option<Callback>,
    /// The engine maps users.
    pub userns_remap: bool,
    /// `HH:MM`, or empty.
    pub reboot_at: String,
    /// Ask a mirror for newer packages.
    pub upgrade: bool,
}

/// What runs.
#[derive(Clone, PartialEq, Eq)]
pub enum Stack {
    /// The stack of `supervisor init`, by the variables that it is made with.
    Init(Vec<(&'static str, String)>),
    /// A Compose file's text.
    Compose(String),
}

/// Whom to tell that the stack is healthy.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Address.
    pub url: String,
    /// Instance.
    pub instance: String,
    /// Secret.
    pub secret: String,
}

/// Reads the answers; everything that is wrong with them, in order, and then what is missing.
///
/// # Errors
/// Problems, at least one.
pub fn read(raw: &[Raw]) -> Result<Answers, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut given: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for raw in raw {
        match one(raw, &given) {
            Ok((name, value)) => given.entry(name).or_default().push(value),
            Err((message, help)) => problems.push(Problem { place: raw.place.clone(), message, help }),
        }
    }
    let is_given = |name: &str| given.contains_key(name);
    let first = |name: &str| given.get(name).and_then(|values| values.first()).cloned();
    for question in QUESTIONS {
        let needed = match question.need {
            Need::Always => true,
            Need::Stack => !is_given("compose"),
            Need::Callback => is_given("callback-url"),
            Need::Download => first("package").is_some_and(|package| package.starts_with("https://")),
            Need::Never(_) => false,
        };
        // What was given and is wrong is not missing.
        let tried = raw
            .iter()
            .any(|raw| raw.text.split_once('=').is_some_and(|(name, _)| name.trim() == question.name));
        if needed && !tried {
            problems.push(Problem {
                place: String::new(),
                message: format!("`{}` is not answered", question.name),
                help: format!("{}=VALUE: {}", question.name, question.help),
            });
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let value = |name: &'static str| {
        let default = QUESTIONS.iter().find(|question| question.name == name).map(|question| question.need);
        first(name).unwrap_or(match default {
            Some(Need::Never(default)) => default.to_owned(),
            _ => String::new(),
        })
    };
    let stack = match first("compose") {
        Some(text) => Stack::Compose(text),
        None => Stack::Init(variables(&value)),
    };
    Ok(Answers {
        ssh_keys: given.get("ssh-key").cloned().unwrap_or_default(),
        ssh_port: value("ssh-port").parse().unwrap_or(22),
        user: value("user"),
        stack,
        package: value("package"),
        package_sha256: value("package-sha256").to_ascii_lowercase(),
        callback: first("callback-url").map(|url| Callback {
            url,
            instance: value("instance-id"),
            secret: value("callback-secret"),
        }),
        userns_remap: value("userns-remap") == "yes",
        reboot_at: value("reboot-at"),
        upgrade: value("upgrade") == "yes",
    })
}

/// What `supervisor init` is told.
fn variables(value: &dyn Fn(&'static str) -> String) -> Vec<(&'static str, String)> {
    let all = [
        ("SITE", "domain"),
        ("TLS", "tls"),
        ("CADDY_IMAGE", "caddy-image"),
        ("OPENCLAW_IMAGE", "openclaw-image"),
        ("ALLOW_FROM", "allow-from"),
    ];
    all.into_iter()
        .map(|(variable, name)| (variable, value(name)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// One answer, checked.
fn one(
    raw: &Raw,
    given: &BTreeMap<&'static str, Vec<String>>,
) -> Result<(&'static str, String), (String, String)> {
    let Some((name, value)) = raw.text.split_once('=') else {
        return Err(("this is no answer".to_owned(), "write NAME=VALUE".to_owned()));
    };
    let (name, value) = (name.trim(), value.trim());
    let Some(question) = QUESTIONS.iter().find(|question| question.name == name) else {
        let names: Vec<&str> = QUESTIONS.iter().map(|question| question.name).collect();
        return Err((format!("there is no question `{name}`"), format!("there are {}", names.join(", "))));
    };
    if question.name == "callback-secret" && raw.exposed {
        let help = "write it into a file with mode 0600, and name that with `--answers FILE`";
        return Err((
            "a secret on the command line is seen by everybody on this machine".to_owned(),
            help.to_owned(),
        ));
    }
    if question.name != "ssh-key" && given.contains_key(question.name) {
        return Err((format!("`{name}` is answered twice"), "leave one of them out".to_owned()));
    }
    (question.check)(value).map_err(|help| (format!("this is no answer to `{name}`"), help))?;
    Ok((question.name, value.to_owned()))
}

fn must(holds: bool, help: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(help.to_owned()) }
}

fn ssh_key(text: &str) -> Result<(), String> {
    let mut words = text.split(' ');
    let kind = words.next().unwrap_or_default();
    let body = words.next().unwrap_or_default();
    let base64 = body.len() >= 68 && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    let plain = text.chars().all(|c| !c.is_control());
    must(
        ["ssh-ed25519", "sk-ssh-ed25519@openssh.com"].contains(&kind) && base64 && plain,
        "the line of an Ed25519 key's `.pub` file, which `ssh-keygen -t ed25519` makes: other kinds are not let in",
    )
}

fn port(text: &str) -> Result<(), String> {
    let number = text.parse::<u16>().ok().filter(|number| ![0, 80, 443].contains(number));
    must(number.is_some(), "a number from 1 to 65535, and neither 80 nor 443, which are the edge's")
}

/// Names that Debian and Ubuntu give to users and groups of their own (base-passwd, and packages of the user-data): useradd
/// makes no user where there is such a group.
const TAKEN: &[&str] = &[
    "_apt",
    "_chrony",
    "adm",
    "admin",
    "audio",
    "backup",
    "bin",
    "cdrom",
    "crontab",
    "daemon",
    "dialout",
    "dip",
    "disk",
    "docker",
    "fax",
    "floppy",
    "games",
    "input",
    "irc",
    "kmem",
    "kvm",
    "list",
    "lp",
    "lxd",
    "mail",
    "man",
    "messagebus",
    "netdev",
    "news",
    "nobody",
    "nogroup",
    "operator",
    "plugdev",
    "polkitd",
    "prometheus",
    "proxy",
    "render",
    "root",
    "sasl",
    "sgx",
    "shadow",
    "src",
    "sshd",
    "staff",
    "sudo",
    "sync",
    "sys",
    "syslog",
    "tape",
    "tty",
    "users",
    "utmp",
    "uucp",
    "uuidd",
    "video",
    "voice",
    "www-data",
];

fn user(text: &str) -> Result<(), String> {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let taken = TAKEN.contains(&text) || text.starts_with("systemd-");
    must(
        begins && text.len() <= 32 && text.bytes().all(fine) && !taken,
        "up to 32 small letters, digits, `-` and `_`, a letter first, and no name that Debian or Ubuntu give to a user or \
         group of their own, such as `root`, `admin` or `operator`",
    )
}

fn domain(text: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    must(
        text.len() <= 253 && text.contains('.') && text.split('.').all(label),
        "a host name, such as openclaw.example.com",
    )
}

fn tls(text: &str) -> Result<(), String> {
    let plain = |part: &str| {
        part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b)) && !part.is_empty()
    };
    let mail = text.split_once('@').is_some_and(|(name, host)| plain(name) && domain(host).is_ok());
    must(text == "internal" || mail, "an e-mail address, or `internal`")
}

fn image(text: &str) -> Result<(), String> {
    let digest = text.rsplit_once("sha256:").map(|(_, digest)| digest);
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b));
    must(
        plain && digest.is_some_and(|digest| sha256(digest).is_ok()),
        "NAME:TAG@sha256:DIGEST, or sha256:ID of an image that is on the machine: a tag alone can be moved",
    )
}

fn ranges(text: &str) -> Result<(), String> {
    let range = |range: &str| {
        let (address, length) = range.split_once('/').unwrap_or((range, "0"));
        let most = if address.contains(':') { 128 } else { 32 };
        address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= most)
    };
    must(
        !text.is_empty() && text.split_whitespace().all(range),
        "ranges such as `192.0.2.0/24 2001:db8::/32`",
    )
}

fn package(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+~/:%?=&".contains(&b));
    must(
        plain && (text.starts_with("https://") || text.starts_with('/')) && text.len() > 8,
        "an https:// address, or an absolute path on the machine",
    )
}

fn sha256(text: &str) -> Result<(), String> {
    must(text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()), "64 hexadecimal digits")
}

fn instance(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    must(plain && (1..=64).contains(&text.len()), "up to 64 letters, digits, `.`, `_` and `-`")
}

fn https(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~/:%?=&".contains(&b));
    must(plain && text.starts_with("https://") && text.len() > 8, "an https:// address")
}

fn secret(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|b| b.is_ascii_graphic());
    must(plain && (16..=512).contains(&text.len()), "16 to 512 letters, digits and signs, without a space")
}

fn yes_or_no(text: &str) -> Result<(), String> {
    must(["yes", "no"].contains(&text), "`yes` or `no`")
}

fn time(text: &str) -> Result<(), String> {
    let number =
        |text: &str, most: u8| text.len() == 2 && text.parse::<u8>().is_ok_and(|number| number <= most);
    must(
        text.split_once(':').is_some_and(|(h, m)| number(h, 23) && number(m, 59)),
        "hours and minutes, such as 03:30",
    )
}

fn anything(text: &str) -> Result<(), String> {
    must(!text.is_empty(), "the path of a Compose file on this machine")
}

/// The questions for the command's help.
pub fn help() -> String {
    let mut out = String::from("Answers, NAME=VALUE each:\n");
    for question in QUESTIONS {
        let _ = writeln!(out, "  {:<16} {}{}", question.name, question.help, note(question.need));
    }
    out
}

/// When it has to be answered, in words.
pub(super) fn note(need: Need) -> String {
    match need {
        Need::Always => " (needed)".to_owned(),
        Need::Stack => " (needed without `compose`)".to_owned(),
        Need::Callback => " (needed with `callback-url`)".to_owned(),
        Need::Download => " (needed with an address)".to_owned(),
        Need::Never("") => String::new(),
        Need::Never(default) => format!(" (default `{default}`)"),
    }
}
