//! What a file leaves open is filled in, each value with a note under the id of the rule that asks for it.
//!
//! Nothing that a file says is changed but `cap_drop`, which is always all of them, and nothing is ever weakened.
//! Deliberately absent: refusing; that is the rules'.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::egress;
use crate::finding::{Finding, Severity};
use crate::model::{Attachment, Logging, Mount, MountSource, Network, Project, Service, Tmpfs, Ulimit};
use crate::policy::{Hit, finding};
use crate::rules::{self, filesystem, identity, isolation, lifecycle, network, resources};
use crate::source::{At, Span};
use crate::units::{Bytes, NanoCpus};

/// Memory of a service that does not say how much it needs. Said as a warning: it is a guess.
const MEMORY: Bytes = Bytes::mib(1024);
/// Processes and threads.
const PIDS: i64 = 256;
/// One core.
const CPUS: NanoCpus = NanoCpus(1_000_000_000);
/// A tmpfs without a size, and `/tmp`.
const TMPFS: Bytes = Bytes::mib(64);
/// Soft and hard. `nofile` is below the guide's, since an engine cannot give more than it has itself where it runs without
/// `CAP_SYS_RESOURCE` (20,000 is usual there); no core dumps, which hold memory. Not `nproc`: the kernel counts it for a
/// user over all containers and the host, so that others could use it up; `pids_limit` is this service's alone.
const ULIMITS: [(&str, i64, i64); 2] = [("core", 0, 0), ("nofile", 8192, 16_384)];
/// What the engine keeps of a log: three files of 10 MB.
const LOG_OPTIONS: [(&str, &str); 2] = [("max-file", "3"), ("max-size", "10m")];

/// What is to be said of what was filled in.
pub(crate) struct Filled {
    pub(crate) findings: Vec<Finding>,
    /// Notes on services that are not among them.
    pub(crate) untold: usize,
}

/// Fills in the whole stack and says what was filled in; notes on single services are told, or counted alone.
pub(crate) fn harden(project: &mut Project, told: bool) -> Filled {
    let mut filled = Filled { findings: egress::open(project), untold: 0 };
    for service in project.services.values_mut() {
        let mut notes = Notes { service, told, filled: &mut filled };
        for fill in FILLS {
            fill(&mut notes);
        }
    }
    filled.findings.extend(internal_networks(project));
    filled.findings.extend(edge_network(project));
    filled
}

/// One service, and where its notes go.
struct Notes<'a> {
    service: &'a mut Service,
    told: bool,
    filled: &'a mut Filled,
}

impl Notes<'_> {
    /// Notes a value under the rule that asks for it.
    fn say(&mut self, rule: &str, what: impl Display) {
        self.say_at(rule, self.service.span, what);
    }

    /// The same at a place of its own.
    fn say_at(&mut self, rule: &str, span: Span, what: impl Display) {
        let Self { service, told, filled } = self;
        let message = format_args!("`{what}` is filled in for `{}`", service.name);
        filled.note(*told, rule, span, message, service);
    }
}

impl Filled {
    /// A note, told or counted.
    fn note(&mut self, told: bool, rule: &str, span: Span, message: impl Display, service: &Service) {
        if told {
            self.push(rule, Hit::on(span, message.to_string()).only(Severity::Note), service);
        } else {
            self.untold += 1;
        }
    }

    fn push(&mut self, rule: &str, hit: Hit, service: &Service) {
        self.findings.extend(rules::find(rule).map(|rule| finding(rule, hit, Some(service))));
    }
}

/// In the order in which a service is read: what it may do, what it sees, what it uses up, how it lives.
const FILLS: &[fn(&mut Notes<'_>)] = &[
    drop_capabilities,
    no_new_privileges,
    namespaces,
    read_only,
    tmpfs_options,
    tmp,
    memory,
    processes,
    cpus,
    ulimits,
    shm,
    logging,
    init,
    hostname,
];

fn drop_capabilities(notes: &mut Notes<'_>) {
    let all = |cap: &At<String>| identity::capability(&cap.value) == "ALL";
    if notes.service.cap_drop.iter().any(all) {
        notes.service.cap_drop.retain(all);
        notes.service.cap_drop.truncate(1);
        return;
    }
    let place = notes.service.cap_drop.first().and_then(At::span);
    notes.service.cap_drop = vec![At::filled("ALL".into(), identity::DROP_ALL)];
    match place {
        None => notes.say(identity::DROP_ALL, "cap_drop: [ALL]"),
        Some(span) => {
            let name = &notes.service.name;
            let message = format_args!("every capability of `{name}` is dropped, not only these");
            notes.filled.note(notes.told, identity::DROP_ALL, span, message, notes.service);
        }
    }
}

fn no_new_privileges(notes: &mut Notes<'_>) {
    let options = &mut notes.service.security_opt;
    let is = |option: &At<String>| {
        isolation::option(&option.value).is_some_and(|(key, _)| key == "no-new-privileges")
    };
    if options.iter().any(is) {
        return;
    }
    options.push(At::filled("no-new-privileges:true".into(), identity::NO_NEW_PRIVILEGES));
    notes.say(identity::NO_NEW_PRIVILEGES, "security_opt: [no-new-privileges:true]");
}

fn namespaces(notes: &mut Notes<'_>) {
    if notes.service.ipc.is_none() {
        notes.service.ipc = Some(At::filled("private".into(), isolation::IPC));
        notes.say(isolation::IPC, "ipc: private");
    }
    if notes.service.cgroup.is_none() {
        notes.service.cgroup = Some(At::filled("private".into(), isolation::CGROUP));
        notes.say(isolation::CGROUP, "cgroup: private");
    }
}

fn read_only(notes: &mut Notes<'_>) {
    if notes.service.read_only.is_none() {
        notes.service.read_only = Some(At::filled(true, filesystem::READ_ONLY));
        notes.say(filesystem::READ_ONLY, "read_only: true");
    }
}

fn tmpfs_options(notes: &mut Notes<'_>) {
    let mut changed: Vec<(Option<Span>, String)> = Vec::new();
    for mount in &mut notes.service.mounts {
        let MountSource::Tmpfs(tmpfs) = &mut mount.value.source else { continue };
        let mut added = Vec::new();
        for option in ["noexec", "nosuid", "nodev"] {
            let weak = option.trim_start_matches("no");
            if !tmpfs.options.iter().any(|o| o == option || o == weak) {
                tmpfs.options.push(option.into());
                added.push(option.to_owned());
            }
        }
        if tmpfs.size.is_none() {
            tmpfs.size = Some(TMPFS);
            added.push(format!("size={}", resources::human(TMPFS.0)));
        }
        if !added.is_empty() {
            changed.push((mount.span(), format!("{}:{}", mount.value.target, added.join(","))));
            mount.origin = crate::source::Origin::Filled(filesystem::TMPFS);
        }
    }
    for (span, what) in changed {
        notes.say_at(filesystem::TMPFS, span.unwrap_or(notes.service.span), what);
    }
}

fn tmp(notes: &mut Notes<'_>) {
    let service = &mut *notes.service;
    let read_only = service.read_only.as_ref().is_some_and(|read_only| read_only.value);
    let covered = service.mounts.iter().any(|mount| {
        let target = filesystem::normal(std::path::Path::new(&mount.value.target));
        target.starts_with("/tmp") || std::path::Path::new("/tmp").starts_with(target)
    });
    if !read_only || covered {
        return;
    }
    let tmpfs = Tmpfs {
        size: Some(TMPFS),
        mode: Some(0o1777),
        options: ["noexec", "nosuid", "nodev"].map(String::from).to_vec(),
        ..Tmpfs::default()
    };
    let mount = Mount { source: MountSource::Tmpfs(tmpfs), target: "/tmp".into(), read_only: false };
    service.mounts.push(At::filled(mount, filesystem::TMP));
    notes.say(filesystem::TMP, "tmpfs: [/tmp:size=64m]");
}

fn memory(notes: &mut Notes<'_>) {
    let service = &mut *notes.service;
    if service.memory.is_none() {
        let bytes = i64::try_from(MEMORY.0).unwrap_or(i64::MAX);
        service.memory = Some(At::filled(bytes, resources::MEMORY));
        let message =
            format!("`{}` does not say how much memory it needs; `mem_limit: 1g` is filled in", service.name);
        let hit = Hit::on(service.span, message).only(Severity::Warning);
        notes.filled.push(resources::MEMORY, hit, service);
    }
    if notes.service.memory_swap.is_none() {
        let limit = notes.service.memory.as_ref().map(|memory| memory.value);
        notes.service.memory_swap = limit.map(|limit| At::filled(limit, resources::SWAP));
        notes.say(resources::SWAP, "memswap_limit");
    }
}

fn processes(notes: &mut Notes<'_>) {
    if notes.service.pids.is_none() {
        notes.service.pids = Some(At::filled(PIDS, resources::PIDS));
        notes.say(resources::PIDS, format_args!("pids_limit: {PIDS}"));
    }
}

fn cpus(notes: &mut Notes<'_>) {
    if notes.service.cpus.is_none() {
        notes.service.cpus = Some(At::filled(CPUS, resources::CPUS));
        notes.say(resources::CPUS, format_args!("cpus: {CPUS}"));
    }
}

fn ulimits(notes: &mut Notes<'_>) {
    for (name, soft, hard) in ULIMITS {
        if notes.service.ulimits.contains_key(name) {
            continue;
        }
        notes.service.ulimits.insert(name.into(), At::filled(Ulimit { soft, hard }, resources::ULIMITS));
        notes.say(resources::ULIMITS, format_args!("ulimits: {{{name}: {{soft: {soft}, hard: {hard}}}}}"));
    }
}

fn shm(notes: &mut Notes<'_>) {
    if notes.service.shm_size.is_none() {
        notes.service.shm_size = Some(At::filled(resources::SHM_SIZE, resources::SHM));
        notes.say(resources::SHM, format_args!("shm_size: {}", resources::human(resources::SHM_SIZE.0)));
    }
}

fn logging(notes: &mut Notes<'_>) {
    let mut logging = notes.service.logging.as_ref().map(|at| at.value.clone()).unwrap_or_default();
    let driver = logging.driver.get_or_insert_with(|| "json-file".into()).clone();
    if driver != "json-file" {
        return;
    }
    for (name, value) in LOG_OPTIONS {
        logging.options.entry(name.into()).or_insert_with(|| value.into());
    }
    if notes.service.logging.as_ref().is_some_and(|at| at.value == logging) {
        return;
    }
    let Logging { options, .. } = &logging;
    let bounds: BTreeMap<_, _> = LOG_OPTIONS.iter().map(|(name, _)| (name, options.get(*name))).collect();
    let bounds: Vec<String> =
        bounds.iter().map(|(k, v)| format!("{k}: {}", v.map_or("", |v| v.as_str()))).collect();
    let what = format!("logging: {{driver: json-file, options: {{{}}}}}", bounds.join(", "));
    notes.service.logging = Some(At::filled(logging, resources::LOGS));
    notes.say(resources::LOGS, what);
}

fn init(notes: &mut Notes<'_>) {
    if notes.service.init.is_none() {
        notes.service.init = Some(At::filled(true, lifecycle::INIT));
        notes.say(lifecycle::INIT, "init: true");
    }
}

fn hostname(notes: &mut Notes<'_>) {
    if notes.service.hostname.is_none() {
        let name = host_name(&notes.service.name);
        notes.say(lifecycle::HOSTNAME, format_args!("hostname: {name}"));
        notes.service.hostname = Some(At::filled(name, lifecycle::HOSTNAME));
    }
}

/// A service's name as a host name: Compose allows `_` and `.` in it, RFC 1123 does not.
fn host_name(service: &str) -> String {
    let name: String =
        service.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "service".into() } else { name.to_ascii_lowercase() }
}

/// Every network that carries a service other than the edge has no way out, unless the file says that it has.
fn internal_networks(project: &mut Project) -> Vec<Finding> {
    let inner: Vec<String> = project
        .networks
        .values()
        .filter(|network| network.internal.is_none() && network.external.as_ref().is_none_or(|e| !e.value))
        .filter(|network| network::inner_services(project, &network.key).next().is_some())
        .map(|network| network.key.clone())
        .collect();
    let mut findings = Vec::new();
    for key in inner {
        let Some(network) = project.networks.get_mut(&key) else { continue };
        network.internal = Some(At::filled(true, network::INTERNAL));
        let message = format!("`internal: true` is filled in for network `{key}`");
        let hit = Hit::on(network.span, message).only(Severity::Note);
        findings.extend(rules::find(network::INTERNAL).map(|rule| finding(rule, hit, None)));
    }
    findings
}

/// A network that leads out, made under a rule at the place of what needs it.
pub(crate) fn way_out(key: &str, span: Span, rule: &'static str) -> Network {
    Network { key: key.to_owned(), span, internal: Some(At::filled(false, rule)), ..Network::default() }
}

/// An edge on internal networks alone gets a network of its own, or its ports would be dropped.
fn edge_network(project: &mut Project) -> Vec<Finding> {
    let Some(edge) = project.stack.edge.as_ref().map(|edge| edge.value.clone()) else { return Vec::new() };
    let networks = &project.networks;
    let Some(service) = project.services.get_mut(&edge) else { return Vec::new() };
    let inside = |key: &String| {
        let network = networks.get(key);
        network.is_some_and(|network| network.internal.as_ref().is_some_and(|internal| internal.value))
    };
    if service.networks.is_empty() || service.network_mode.is_some() || !service.networks.keys().all(inside) {
        return Vec::new();
    }
    let mut key = "edge".to_owned();
    while project.networks.contains_key(&key) {
        key.push_str("-out");
    }
    // The way out has to be the default route, or the engine may choose an internal network for it.
    let attachment = Attachment { gw_priority: Some(1), ..Attachment::default() };
    service.networks.insert(key.clone(), At::filled(attachment, network::EDGE_NETWORK));
    let span = service.span;
    let message = format!("network `{key}` is made for `{edge}`, which would have none to the outside");
    let hit = Hit::on(span, message).only(Severity::Note);
    let found = rules::find(network::EDGE_NETWORK).map(|rule| finding(rule, hit, Some(&*service)));
    let network = way_out(&key, span, network::EDGE_NETWORK);
    project.networks.insert(key, network);
    found.into_iter().collect()
}
