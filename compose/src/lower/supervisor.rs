//! `x-supervisor`, at the top of a file and in a service. Unknown keys in it are errors, as everywhere.
//!
//! Deliberately absent: whether a named rule exists and may be exempted, which is the policy's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::keys::{Class, Key};
use crate::model::{
    Date, Destination, Exemption, Guard, Landlock, OnExit, Probe, Reload, Runtime, ServiceOptions, Stack,
    TcpPorts,
};
use crate::node::Node;
use crate::problem::{self, Problems};
use crate::scalar::Kind;
use crate::shape::{self, DATE, NUMBER, Shape, TEXT, TEXTS, WHOLE};
use crate::source::At;
use crate::units::Port;

use super::{Context, edge, entries, read, recorded, whole};

const fn key(name: &'static str, shape: &'static Shape) -> Key {
    Key { name, class: Class::Accepted, why: "the stack's own key", shape }
}

pub(crate) const STACK: Shape = Shape::keys_only(&[
    key("edge", &TEXT),
    key("edge_from", &TEXT),
    key("egress", &Shape::entries_only(&TEXTS)),
    key("registries", &TEXTS),
    key("guard", &TEXT),
    key(
        "exempt",
        &Shape::list_only(&Shape::keys_only(&[
            key("rule", &TEXT),
            key("service", &TEXT),
            key("reason", &TEXT),
            key("until", &DATE),
        ])),
    ),
]);

pub(crate) const OPTIONS: Shape = Shape::keys_only(&[
    key(
        "probe",
        &Shape::keys_only(&[
            key("http", &TEXT),
            key("port", &WHOLE),
            key("body", &TEXT),
            key("startup", &TEXT),
            key("interval", &NUMBER),
            key("timeout", &NUMBER),
            key("retries", &WHOLE),
            key("start_period", &NUMBER),
        ]),
    ),
    // Exit codes are numbers; quotes around them make no difference.
    key("on_exit", &shape::FREE),
    key("runtime", &TEXT),
    key("exec_from", &TEXTS),
    key("seccomp", &TEXT),
    key("landlock", &TEXT),
    key("tcp", &Shape::keys_only(&[key("bind", &PORTS), key("connect", &PORTS)])),
    key(
        "reload",
        &Shape::keys_only(&[
            key("signal", &TEXT),
            key("on", &TEXTS),
            key("check", &TEXTS),
            key("logs", &TEXT),
        ]),
    ),
]);

const PORTS: Shape = Shape::list_only(&WHOLE);

/// The top-level `x-supervisor`.
pub(super) fn stack(node: &Node, context: &mut Context<'_>) -> Stack {
    shape::check(node, &STACK, "x-supervisor", context.problems);
    let edge_from = node.get("edge_from").and_then(|node| edge::from(node, context));
    let problems = &mut *context.problems;
    let mut egress = BTreeMap::new();
    for entry in entries(node.get("egress")) {
        let rows = entry.value.as_list().unwrap_or_default();
        egress.insert(entry.key.clone(), rows.iter().filter_map(|row| destination(row, problems)).collect());
    }
    let registries = node.get("registries").and_then(Node::as_list).map(|rows| registries(rows, problems));
    let exempt = node.get("exempt").and_then(Node::as_list).unwrap_or_default();
    Stack {
        edge: node.get("edge").and_then(read::text),
        edge_from,
        egress,
        registries,
        guard: node.get("guard").and_then(|n| guard(n, problems)),
        exempt: exempt.iter().filter_map(|row| exemption(row, problems)).collect(),
    }
}

fn guard(node: &Node, problems: &mut Problems) -> Option<At<Guard>> {
    either(node, "x-supervisor.guard", [("on", Guard::On), ("off", Guard::Off)], problems)
}

/// One of two words.
fn either<T>(node: &Node, key: &str, words: [(&str, T); 2], problems: &mut Problems) -> Option<At<T>> {
    let text = node.as_text()?;
    let wanted = format!("`{}` or `{}`", words[0].0, words[1].0);
    let found = words.into_iter().find(|(word, _)| *word == text.as_str());
    if found.is_none() {
        read::bad(node, key, &wanted, problems);
    }
    found.map(|(_, value)| At::file(value, node.span))
}

/// `name:port`, the name perhaps with a leading `*.`.
fn destination(row: &Node, problems: &mut Problems) -> Option<At<Destination>> {
    let parsed = row.as_text()?.parse::<Destination>().ok();
    if parsed.is_none() {
        read::bad(row, "x-supervisor.egress", "a name and a port such as `api.example.com:443`", problems);
    }
    parsed.map(|d| At::file(d, row.span))
}

/// Most registries: each image is held against all of them.
const REGISTRIES: usize = 100;

fn registries(rows: &[Node], problems: &mut Problems) -> Vec<At<String>> {
    if let Some(row) = rows.get(REGISTRIES) {
        let message = format!("more than {REGISTRIES} registries");
        problems.add(&problem::TOO_MUCH, row.span, message, "name folders that are further up");
    }
    rows.iter().take(REGISTRIES).filter_map(|row| registry(row, problems)).collect()
}

/// A registry's name with its domain, perhaps with a port and a folder in it.
fn registry(row: &Node, problems: &mut Problems) -> Option<At<String>> {
    let text = row.as_text()?;
    let of_a_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let mut parts = text.split('/');
    let host = parts.next().unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let named = name.contains('.') || name == "localhost" || host.contains(':');
    let is_part = |part: &str| !part.is_empty() && part.chars().all(of_a_part);
    if !(named && is_part(name) && port.parse::<Port>().is_ok() && parts.all(is_part)) {
        let wanted = "a registry or a folder in it, such as `registry.example` or `registry.example/team`";
        read::bad(row, "x-supervisor.registries", wanted, problems);
        return None;
    }
    Some(At::file(text, row.span))
}

fn exemption(row: &Node, problems: &mut Problems) -> Option<At<Exemption>> {
    row.as_map()?;
    let mut text = |key| read::required(row, key, "the exemption", problems).and_then(Node::as_text);
    let (rule, reason, until) = (text("rule"), text("reason"), text("until"));
    let date = until.as_deref().and_then(Date::parse);
    if let Some(node) = row.get("until").filter(|_| until.is_some() && date.is_none()) {
        read::bad(node, "until", "a day such as `2027-01-31`", problems);
    }
    let service = row.get("service").and_then(Node::as_text);
    Some(At::file(Exemption { rule: rule?, service, reason: reason?, until: date? }, row.span))
}

/// A service's `x-supervisor`.
pub(super) fn options(node: &Node, context: &mut Context<'_>) -> ServiceOptions {
    shape::check(node, &OPTIONS, "x-supervisor", context.problems);
    let seccomp = node.get("seccomp").and_then(|n| recorded::profile(n, context));
    let problems = &mut *context.problems;
    let mut on_exit = BTreeMap::new();
    for entry in entries(node.get("on_exit")) {
        let code = entry.key.parse::<u8>().ok();
        if code.is_none() {
            let key = Node::text(entry.key.clone(), entry.key_span);
            read::bad(&key, "on_exit", "an exit code from 0 to 255", problems);
        }
        let action = match entry.value.as_text().as_deref() {
            Some("restart") => Some(OnExit::Restart),
            Some("stop") => Some(OnExit::Stop),
            _ => None,
        };
        if action.is_none() {
            read::bad(&entry.value, "on_exit", "`restart` or `stop`", problems);
        }
        on_exit.extend(code.zip(action).map(|(code, action)| (code, At::file(action, whole(entry)))));
    }
    let runtime = node.get("runtime").and_then(|n| runtime(n, "x-supervisor.runtime", problems));
    let exec_from = node.get("exec_from").and_then(Node::as_list).unwrap_or_default();
    ServiceOptions {
        probe: node.get("probe").and_then(|n| probe(n, problems)),
        on_exit,
        runtime,
        seccomp,
        exec_from: exec_from.iter().filter_map(|row| place(row, problems)).collect(),
        landlock: node.get("landlock").and_then(|n| landlock(n, problems)),
        tcp: node.get("tcp").map(|n| At::file(tcp(n, problems), n.span)),
        reload: node.get("reload").and_then(|n| reload(n, problems)),
    }
}

fn reload(node: &Node, problems: &mut Problems) -> Option<At<Reload>> {
    node.as_map()?;
    let signal = read::required(node, "signal", "the reload", problems).and_then(read::text)?;
    let texts = |key: &str| node.get(key).map(read::texts).unwrap_or_default();
    let check = texts("check").into_iter().map(|word| word.value).collect();
    let logs = node.get("logs").and_then(Node::as_text).filter(|text| !text.is_empty());
    Some(At::file(Reload { signal, on: texts("on"), check, logs }, node.span))
}

fn landlock(node: &Node, problems: &mut Problems) -> Option<At<Landlock>> {
    either(
        node,
        "x-supervisor.landlock",
        [("required", Landlock::Required), ("off", Landlock::Off)],
        problems,
    )
}

fn tcp(node: &Node, problems: &mut Problems) -> TcpPorts {
    let mut ports = |key: &str| {
        let rows = node.get(key)?.as_list()?;
        let name = format!("x-supervisor.tcp.{key}");
        Some(rows.iter().filter_map(|row| tcp_port(row, &name, problems)).collect())
    };
    TcpPorts { bind: ports("bind"), connect: ports("connect") }
}

fn tcp_port(node: &Node, name: &str, problems: &mut Problems) -> Option<Port> {
    let port = Port::new(read::small::<u16>(node, name, problems)?.value);
    if port.is_none() {
        read::bad(node, name, "a port from 1 to 65535", problems);
    }
    port
}

/// A path in the container that no profile's language can read as more than a path: absolute, without empty parts,
/// `.` and `..`.
fn place(row: &Node, problems: &mut Problems) -> Option<At<String>> {
    let text = row.as_text().filter(|_| row.kind() == Some(Kind::Text))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let part = |part: &str| !["", ".", ".."].contains(&part) && part.chars().all(plain);
    let path = text.strip_suffix('/').unwrap_or(&text);
    let good = path.strip_prefix('/').is_some_and(|parts| parts.split('/').all(part));
    if !good {
        let expected = "an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`";
        read::bad(row, "x-supervisor.exec_from", expected, problems);
    }
    good.then(|| At::file(path.to_owned(), row.span))
}

/// The name of a base.
pub(super) fn runtime(node: &Node, key: &str, problems: &mut Problems) -> Option<At<Runtime>> {
    let text = node.as_text()?;
    let runtime = Runtime::ALL.into_iter().find(|runtime| runtime.name() == text);
    if runtime.is_none() {
        read::bad(node, key, "`generic`, `node` or `go`", problems);
    }
    runtime.map(|runtime| At::file(runtime, node.span))
}

fn probe(node: &Node, problems: &mut Problems) -> Option<At<Probe>> {
    node.as_map()?;
    let http = read::required(node, "http", "the probe", problems).and_then(|n| path(n, "http", problems));
    let port = read::required(node, "port", "the probe", problems)
        .and_then(|n| read::small::<u16>(n, "port", problems).map(|p| (n, p.value)))
        .and_then(|(n, port)| {
            let port = Port::new(port);
            if port.is_none() {
                read::bad(n, "port", "a port from 1 to 65535", problems);
            }
            port
        });
    let mut time = |key: &str, default: u64| {
        let given = node.get(key).and_then(|n| read::duration(n, key, problems).map(|d| (n, d.value)));
        match given {
            None => Duration::from_secs(default),
            Some((n, value)) if value.is_zero() => {
                read::bad(n, key, "longer than nothing", problems);
                Duration::from_secs(default)
            }
            Some((_, value)) => value,
        }
    };
    let (interval, timeout, start_period) =
        (time("interval", 10), time("timeout", 2), time("start_period", 300));
    let retries = node.get("retries").and_then(|n| {
        let number = read::small::<u32>(n, "retries", problems)?.value;
        if !(1..=10).contains(&number) {
            read::bad(n, "retries", "a number from 1 to 10", problems);
        }
        Some(number)
    });
    let probe = Probe {
        http: http?,
        port: port?,
        body: node.get("body").and_then(Node::as_text),
        startup: node.get("startup").and_then(|n| path(n, "startup", problems)),
        interval,
        timeout,
        retries: retries.unwrap_or(3),
        start_period,
    };
    Some(At::file(probe, node.span))
}

/// The path of a request: from `/` on, without blanks, since it goes into the first line of a request.
fn path(node: &Node, key: &str, problems: &mut Problems) -> Option<String> {
    let text = node.as_text()?;
    let ok = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic());
    if !ok {
        read::bad(node, &format!("probe.{key}"), "a path such as `/healthz`", problems);
    }
    ok.then_some(text)
}
