//! One service: every key of the schema to its field, or to the list of refused keys.
//!
//! Deliberately absent: keys that need more than a line (`mounts`, `ports`, `deploy` and the rest of this folder).

use crate::keys;
use crate::model::{Restart, Service, Ulimit};
use crate::node::{Entry, Map, Node, Value};
use crate::problem::{self, Problems};
use crate::source::{At, Span};
use crate::yaml::shown;

use super::{
    Context, deploy, environment, grants, healthcheck, hooks, mounts, network, ports, processor, read,
    supervisor, whole,
};

pub(super) fn service(entry: &Entry, context: &mut Context<'_>) -> Service {
    let mut service = Service::new(entry.key.clone(), entry.key_span);
    let Some(map) = entry.value.as_map() else { return service };
    for entry in map.entries.iter().filter(|e| !e.key.starts_with("x-")) {
        key(&mut service, entry, context);
    }
    // `deploy` and `scale` may contradict keys beside them, wherever those stand.
    processor::quota(&mut service, map, context.problems);
    if let Some(node) = map.get("deploy") {
        deploy::deploy(&mut service, node, context.problems);
    }
    // What `env_file` says holds under `environment`, wherever that stands.
    environment::environment(&mut service, map, context);
    read::bounded(&service.labels, context.problems);
    if let Some(node) = map.get("x-supervisor") {
        service.supervisor = supervisor::options(node, context);
    }
    let says = |key| map.get(key).is_some_and(|n| n.as_text().is_none_or(|t| !t.is_empty()) && !n.is_null());
    if !says("image") && !says("build") && !says("provider") {
        let message = format!("the service `{}` has no `image`", service.name);
        context.problems.add(&problem::MISSING_KEY, service.span, message, "add `image: NAME@sha256:DIGEST`");
    }
    both_network(map, context.problems);
    both_platforms(map, context.problems);
    service
}

/// One key. Unknown ones have been reported.
fn key(service: &mut Service, entry: &Entry, context: &mut Context<'_>) {
    let node = &entry.value;
    let name = entry.key.as_str();
    let problems = &mut *context.problems;
    match name {
        "image" => service.image = read::text(node),
        "command" => service.command = arguments(node),
        "entrypoint" => service.entrypoint = arguments(node),
        "user" => service.user = read::text(node),
        "group_add" => service.group_add = read::texts(node),
        "working_dir" => service.working_dir = read::text(node),
        "ports" => service.ports = ports::ports(node, problems),
        "expose" => service.expose = read::texts(node),
        "volumes" => {
            service.refused.extend(mounts::refused(node));
            service.mounts.extend(mounts::volumes(node, context));
        }
        "tmpfs" => service.mounts.extend(mounts::tmpfs(node, problems)),
        "networks" => {
            service.refused.extend(network::refused(node));
            service.networks = network::attachments(node, problems);
        }
        "network_mode" => service.network_mode = read::text(node),
        "depends_on" => service.depends_on = super::references::depends_on(node, problems),
        "links" => service.links = super::references::links(node),
        "healthcheck" => service.healthcheck = healthcheck::healthcheck(node, problems),
        "restart" => service.restart = restart(node, problems),
        "read_only" => service.read_only = read::flag(node),
        "privileged" => service.privileged = read::flag(node),
        "cap_add" => service.cap_add = read::texts(node),
        "cap_drop" => service.cap_drop = read::texts(node),
        "security_opt" => service.security_opt = read::texts(node),
        "pid" => service.pid = read::text(node),
        "ipc" => service.ipc = read::text(node),
        "uts" => service.uts = read::text(node),
        "cgroup" => service.cgroup = read::word(node, name, &["private", "host"], problems),
        "userns_mode" => service.userns_mode = read::text(node),
        "sysctls" => service.sysctls = read::pairs(node),
        "ulimits" => service.ulimits = ulimits(node, problems),
        "pids_limit" => service.pids = read::whole(node, name, problems),
        "mem_limit" => service.memory = read::amount(node, name, problems),
        "memswap_limit" => service.memory_swap = read::amount(node, name, problems),
        "mem_reservation" => service.memory_reservation = read::amount(node, name, problems),
        "cpus" => service.cpus = read::cpus(node, name, problems),
        "shm_size" => service.shm_size = read::size(node, name, problems),
        "cpu_shares" => service.cpu_shares = processor::shares(node, problems),
        "cpuset" => service.cpuset = processor::cores(node, problems),
        "blkio_config" => {
            service.blkio_weight = processor::blkio_weight(node, problems);
            service.refused.extend(processor::blkio_devices(node));
        }
        "mem_swappiness" => {
            read::amount(node, name, problems);
            refuse(service, entry);
        }
        // Windows has others; `default` is what there is.
        "isolation" if node.as_text().is_none_or(|text| text.is_empty() || text == "default") => {}
        "oom_score_adj" => service.oom_score_adj = oom_score_adj(node, problems),
        "logging" => service.logging = Some(logging(node)),
        "labels" => service.labels = read::pairs(node),
        "annotations" => service.annotations = read::pairs(node),
        "init" => service.init = read::flag(node),
        "hostname" => service.hostname = read::text(node),
        "domainname" => service.domainname = read::text(node),
        "container_name" => service.container_name = container_name(node, problems),
        "extra_hosts" => service.extra_hosts = hosts(node, problems),
        "dns" => service.dns = read::texts(node),
        "dns_search" => service.dns_search = words(node, name, problems),
        "dns_opt" => service.dns_opt = words(node, name, problems),
        "stop_signal" => service.stop_signal = read::text(node),
        "stop_grace_period" => service.stop_grace_period = read::duration(node, name, problems),
        "post_start" => service.post_start = hooks::hooks(node, name, context),
        "pre_stop" => service.pre_stop = hooks::hooks(node, name, context),
        "secrets" => service.secrets = grants::secrets(node, problems),
        "configs" => service.configs = grants::configs(node, problems),
        "profiles" => service.profiles = read::texts(node),
        "scale" => service.scale = read::small(node, name, problems),
        "tty" => service.tty = read::flag(node),
        "stdin_open" => service.stdin_open = read::flag(node),
        "platform" => service.platform = read::text(node),
        "pull_policy" => service.pull_policy = pull_policy(node, problems),
        "runtime" => service.runtime = read::text(node),
        // All but the last two are read with the whole service in view; `attach` says only whose logs `up` shows, and
        // `extends` was resolved by merging.
        "deploy" | "cpu_quota" | "cpu_period" | "environment" | "env_file" | "label_file" | "attach"
        | "extends" => {}
        _ => refuse(service, entry),
    }
}

/// A key that no field takes: kept with its place where it says anything.
fn refuse(service: &mut Service, entry: &Entry) {
    if !says_something(&entry.value) {
        return;
    }
    if let Some(key) = keys::service_key(&entry.key) {
        service.refused.push((key.name, whole(entry)));
    }
}

/// Whether a value is more than nothing, `false` or an empty collection.
fn says_something(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => !items.is_empty(),
        Value::Map(_) => true,
        Value::Scalar(_) => !node.is_null() && read::flag(node).is_none_or(|f| f.value),
    }
}

/// `Some` and empty where the file clears what the image says.
fn arguments(node: &Node) -> Option<At<Vec<String>>> {
    let items = node.as_list()?;
    Some(At::file(items.iter().filter_map(Node::as_text).collect(), node.span))
}

fn restart(node: &Node, problems: &mut Problems) -> Option<At<Restart>> {
    let text = node.as_text()?;
    let (policy, count) = text.split_once(':').map_or((text.as_str(), None), |(p, c)| (p, Some(c)));
    let restart = match (policy, count) {
        ("no", None) => Some(Restart::No),
        ("always", None) => Some(Restart::Always),
        ("unless-stopped", None) => Some(Restart::UnlessStopped),
        ("on-failure", None) => Some(Restart::OnFailure(None)),
        ("on-failure", Some(count)) => count.parse().ok().map(|n| Restart::OnFailure(Some(n))),
        _ => None,
    };
    if restart.is_none() {
        read::bad(node, "restart", "`no`, `always`, `unless-stopped` or `on-failure[:n]`", problems);
    }
    restart.map(|restart| At::file(restart, node.span))
}

/// As Compose has it: two characters of a name in a row, anywhere. Whether the whole is one is the policy's question.
fn container_name(node: &Node, problems: &mut Problems) -> Option<At<String>> {
    let name = read::text(node)?;
    let is_first = |byte: u8| byte.is_ascii_alphanumeric();
    let is_next = |byte: u8| is_first(byte) || matches!(byte, b'_' | b'.' | b'-');
    let bytes = name.value.as_bytes();
    if !bytes.iter().zip(bytes.iter().skip(1)).any(|(a, b)| is_first(*a) && is_next(*b)) {
        read::bad(node, "container_name", "a name of at least two letters or digits", problems);
    }
    Some(name)
}

/// Words of the resolver's file: a blank in one would make two of it, a line break another line.
fn words(node: &Node, key: &str, problems: &mut Problems) -> Vec<At<String>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    for item in node.as_list().unwrap_or_default() {
        if item.as_text().is_some_and(|text| text.is_empty() || !text.chars().all(is_word)) {
            read::bad(item, key, "a word of letters, digits, `-`, `_`, `.` and `:`", problems);
        }
    }
    read::texts(node)
}

/// A service runs on one of the platforms that it is built for.
fn both_platforms(map: &Map, problems: &mut Problems) {
    let built = map.get("build").and_then(|build| build.get("platforms")).and_then(Node::as_list);
    let Some((node, platform)) = map.get("platform").and_then(|node| Some((node, node.as_text()?))) else {
        return;
    };
    let Some(built) = built.filter(|built| !built.is_empty() && !platform.is_empty()) else { return };
    if !built.iter().any(|row| row.as_text().as_ref() == Some(&platform)) {
        let message = format!("`platform` is `{}`, and `build.platforms` has not", shown(&platform));
        problems.add(&problem::CONFLICT, node.span, message, "name it in both");
    }
}

fn oom_score_adj(node: &Node, problems: &mut Problems) -> Option<At<i64>> {
    let score = read::whole(node, "oom_score_adj", problems)?;
    if !(-1000..=1000).contains(&score.value) {
        read::bad(node, "oom_score_adj", "a number from -1000 to 1000", problems);
    }
    Some(score)
}

fn pull_policy(node: &Node, problems: &mut Problems) -> Option<At<String>> {
    let policy = read::text(node)?;
    let is_known = match policy.value.as_str() {
        "always" | "never" | "build" | "if_not_present" | "missing" | "refresh" | "daily" | "weekly" => true,
        other => other.strip_prefix("every_").is_some_and(|time| crate::spell::duration(time).is_some()),
    };
    if !is_known {
        read::bad(node, "pull_policy", "`missing`, `if_not_present` or `never`", problems);
    }
    Some(policy)
}

fn ulimits(node: &Node, problems: &mut Problems) -> std::collections::BTreeMap<String, At<Ulimit>> {
    let mut limits = std::collections::BTreeMap::new();
    for entry in super::entries(Some(node)) {
        let name = format!("ulimits.{}", entry.key);
        let limit = if entry.value.as_map().is_some() {
            let mut part = |key| {
                read::required(&entry.value, key, &format!("`{name}`"), problems)
                    .and_then(|n| read::whole(n, &name, problems))
            };
            part("soft").zip(part("hard")).map(|(soft, hard)| Ulimit { soft: soft.value, hard: hard.value })
        } else {
            read::whole(&entry.value, &name, problems)
                .map(|both| Ulimit { soft: both.value, hard: both.value })
        };
        limits.extend(limit.map(|limit| (entry.key.clone(), At::file(limit, whole(entry)))));
    }
    limits
}

fn logging(node: &Node) -> At<crate::model::Logging> {
    let options = node.get("options").map(read::pairs).unwrap_or_default();
    let logging = crate::model::Logging {
        driver: node.get("driver").and_then(Node::as_text),
        options: options.into_iter().map(|(k, v)| (k, v.value)).collect(),
    };
    At::file(logging, node.span)
}

fn hosts(node: &Node, problems: &mut Problems) -> Vec<At<(String, String)>> {
    let mut hosts = Vec::new();
    for entry in super::entries(Some(node)) {
        for address in entry.value.as_list().unwrap_or_default() {
            let text = address.as_text().unwrap_or_default();
            if text.is_empty() {
                let message = format!("the host `{}` has no address", crate::yaml::shown(&entry.key));
                problems.add(&problem::BAD_VALUE, address.span, message, "write `NAME=ADDRESS`");
            }
            hosts.push(At::file((entry.key.clone(), text), address.span));
        }
    }
    hosts
}

/// `network_mode` and `networks` contradict each other.
fn both_network(map: &crate::node::Map, problems: &mut Problems) {
    let span = |key| map.entry(key).filter(|e| says_something(&e.value)).map(|e| -> Span { e.key_span });
    if let Some((mode, networks)) = span("network_mode").zip(span("networks")) {
        let finding = problems.add(
            &problem::CONFLICT,
            mode,
            "`network_mode` and `networks` are both given",
            "keep `networks`",
        );
        finding.related.push((networks, "`networks` is here".to_owned()));
    }
}
