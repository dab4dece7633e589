//! The policy's machinery: what a rule is, how its hits become findings, and how an exemption takes one back.
//!
//! Deliberately absent: any rule (see `rules`) and any filling in (see `harden`).

pub(crate) mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::finding::{Finding, Severity};
use crate::host::{Host, Look};
use crate::model::{Date, Exemption, MountSource, Project, Service};
use crate::rules;
use crate::source::{At, Span};

pub(crate) use repair::{Change, Repair, Site};

/// One rule: what it forbids, why, and what to write instead. Its examples are its test.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable id: `SV` and three digits from 100. Never reused.
    pub id: &'static str,
    /// What it asks for, in a few words.
    pub title: &'static str,
    /// Why it matters, in one sentence without a full stop.
    pub reason: &'static str,
    /// Its weight; `--strict` makes errors of warnings.
    pub severity: Severity,
    /// What to do, in one sentence without a full stop.
    pub fix: &'static str,
    /// A Compose file that the rule speaks up about, on the line that ends with `# <-`.
    pub bad: &'static str,
    /// The same, put right.
    pub good: &'static str,
    /// Where it stands in the guide, the CIS Docker Benchmark and the OWASP cheat sheet.
    pub place: Place,
    /// Whether `x-supervisor.exempt` can take it back for one service.
    pub exempt: Exempt,
    /// How it is checked.
    pub(crate) check: Check,
    /// What `check --fix` writes instead.
    pub(crate) repair: Repair,
}

impl Rule {
    /// Whether `check --fix` ever writes something for it.
    pub const fn is_repaired(&self) -> bool {
        !matches!(self.repair, Repair::Author)
    }
}

/// Where else a rule is written down; empty where it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Section of the infrastructure hardening guide.
    pub guide: &'static str,
    /// Number in section 5 of the CIS Docker Benchmark 1.6.
    pub cis: &'static str,
    /// Rule of the OWASP Docker Security Cheat Sheet.
    pub owasp: &'static str,
}

/// Whether a rule can be exempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exempt {
    /// With a reason and an end, for one service.
    Possible,
    /// Never: what it forbids gives the host away, or could not be launched.
    Never,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Each service by itself.
    Service(fn(&Stack<'_>, &Service) -> Vec<Hit>),
    /// The stack as a whole.
    Stack(fn(&Stack<'_>) -> Vec<Hit>),
    /// Keys of a service or of the top that are refused whatever they say.
    Keys(&'static [&'static str]),
    /// Nothing to refuse: `harden` fills it in and says so under this id.
    Fill,
    /// The exemptions, checked here.
    Exemption,
}

/// What is known of a system call that a service's recorded profile names. The table is elsewhere: the caller brings it.
pub type Calls = fn(&Service, &str) -> Call;

/// The word on one system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The service's base grants it, or a capability of the service does.
    Granted,
    /// It exists, and is beyond the service's base.
    Beyond {
        /// The base that was asked.
        base: &'static str,
        /// Why it is not granted.
        why: &'static str,
        /// Bases that do grant it.
        others: &'static [&'static str],
    },
    /// Linux has no such call.
    Unknown {
        /// A call that is spelled nearly so.
        near: Option<&'static str>,
    },
}

/// For stacks without recorded profiles: no call is known, so that a profile that is there is refused.
pub const fn no_calls(_: &Service, _: &str) -> Call {
    Call::Unknown { near: None }
}

/// What a rule is shown.
pub(crate) struct Stack<'a> {
    /// The model as written.
    pub(crate) project: &'a Project,
    /// What is known of system calls.
    pub(crate) calls: Calls,
    /// What is at each host path that the model names, asked for once.
    looks: BTreeMap<PathBuf, Look>,
    /// Where the stack's own folder really is, and the links on the way to it.
    pub(crate) folder: (PathBuf, Vec<PathBuf>),
    /// Device and inode number of the engine sockets of this host.
    pub(crate) engines: BTreeSet<(u64, u64)>,
    /// Groups that own them.
    pub(crate) engine_groups: BTreeSet<u32>,
}

/// One place at which a rule is broken.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    span: Option<Span>,
    message: String,
    fix: Option<String>,
    severity: Option<Severity>,
}

impl Hit {
    /// At a value that a file says.
    pub(crate) fn at<T>(value: &At<T>, message: impl Into<String>) -> Self {
        Self { span: value.span(), message: message.into(), fix: None, severity: None }
    }

    /// At a place.
    pub(crate) fn on(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), fix: None, severity: None }
    }

    /// The text to write instead.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Weighs less than the rule says.
    pub(crate) fn only(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Shorthand for rules with one place at most.
    pub(crate) fn if_some(hit: Option<Self>) -> Vec<Self> {
        hit.into_iter().collect()
    }
}

impl<'a> Stack<'a> {
    /// Asks the host about every path of the model.
    pub(crate) fn new(project: &'a Project, calls: Calls, host: &dyn Host) -> Self {
        let mut looks = BTreeMap::new();
        let paths = paths(project);
        let mut known = BTreeSet::new();
        let mut groups = BTreeSet::new();
        if !paths.is_empty() || project.services.values().any(|s| !s.group_add.is_empty()) {
            for socket in rules::filesystem::SOCKETS {
                let look = host.look(Path::new(socket));
                known.extend(look.identity);
                groups.extend(look.owner.map(|(_, group)| group));
            }
        }
        for path in paths {
            let look = host.look(&path);
            looks.insert(path, look);
        }
        let folder = host.resolve(&project.directory);
        Self { project, calls, looks, folder, engines: known, engine_groups: groups }
    }

    /// What is at a path of the model.
    pub(crate) fn look(&self, path: &Path) -> Option<&Look> {
        self.looks.get(path)
    }

    /// Whether a service is the one that may be reached from outside.
    pub(crate) fn is_edge(&self, service: &str) -> bool {
        self.project.stack.edge.as_ref().is_some_and(|edge| edge.value == service)
    }
}

/// Every host path that the model names.
fn paths(project: &Project) -> BTreeSet<PathBuf> {
    let services = project.services.values();
    let binds = services.clone().flat_map(|s| &s.mounts).filter_map(|mount| match &mount.value.source {
        MountSource::Bind(bind) => Some(bind.path.clone()),
        _ => None,
    });
    let env_files = services.flat_map(|s| &s.env_file).map(|file| file.value.clone());
    let objects = project.secrets.values().chain(project.configs.values());
    let objects = objects.filter_map(|object| match &object.content.value {
        crate::model::ContentSource::File(path) => Some(path.clone()),
        _ => None,
    });
    let devices = project.volumes.values().filter_map(|volume| volume.driver_opts.get("device"));
    let devices = devices.map(|device| PathBuf::from(&device.value)).filter(|path| path.is_absolute());
    binds.chain(env_files).chain(objects).chain(devices).collect()
}

/// Asks every rule, of one service after the other. In no order yet.
pub(crate) fn judge(stack: &Stack<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in stack.project.services.values() {
        for rule in rules::all() {
            let hits = match rule.check {
                Check::Service(check) => check(stack, service),
                Check::Keys(keys) => refused(&service.refused, keys),
                Check::Stack(_) | Check::Fill | Check::Exemption => continue,
            };
            findings.extend(hits.into_iter().map(|hit| finding(rule, hit, Some(service))));
        }
    }
    for rule in rules::all() {
        let hits = match rule.check {
            Check::Stack(check) => check(stack),
            Check::Keys(keys) => refused(&stack.project.refused, keys),
            Check::Service(_) | Check::Fill | Check::Exemption => continue,
        };
        findings.extend(hits.into_iter().map(|hit| finding(rule, hit, None)));
    }
    findings
}

/// Keys that are among those which a rule refuses.
fn refused(said: &[(&'static str, Span)], keys: &[&str]) -> Vec<Hit> {
    let refused = said.iter().filter(|(key, _)| keys.contains(key));
    refused.map(|(key, span)| Hit::on(*span, format!("`{key}` is not allowed"))).collect()
}

/// A hit in the words of its rule.
pub(crate) fn finding(rule: &Rule, hit: Hit, service: Option<&Service>) -> Finding {
    Finding {
        rule: rule.id,
        severity: hit.severity.unwrap_or(rule.severity),
        message: hit.message,
        span: hit.span.or_else(|| service.map(|s| s.span)),
        related: Vec::new(),
        service: service.map(|s| s.name.clone()),
        help: format!("{}; {}", rule.reason, rule.fix),
        fix: hit.fix,
        unfixed: None,
    }
}

/// Takes back what an exemption covers, and says which exemptions cover nothing.
pub(crate) fn exempt(findings: &mut Vec<Finding>, exemptions: &[At<Exemption>], today: Date) {
    let mut own = Vec::new();
    for exemption in exemptions {
        if let Err((rule, hit)) = apply(findings, exemption, today) {
            own.extend(rules::find(rule).map(|rule| finding(rule, hit, None)));
        }
    }
    findings.extend(own);
}

fn apply(
    findings: &mut [Finding],
    exemption: &At<Exemption>,
    today: Date,
) -> Result<(), (&'static str, Hit)> {
    let Exemption { rule: id, service, reason, until } = &exemption.value;
    let Some(rule) = rules::find(id) else {
        return Err((rules::exemptions::UNKNOWN, Hit::at(exemption, format!("there is no rule `{id}`"))));
    };
    if rule.exempt == Exempt::Never {
        let message = format!("`{id}`, {}, cannot be exempted", rule.title);
        return Err((rules::exemptions::IMPOSSIBLE, Hit::at(exemption, message)));
    }
    if reason.trim().chars().count() < 8 {
        let message = format!("the exemption of `{id}` says no reason");
        return Err((rules::exemptions::NO_REASON, Hit::at(exemption, message)));
    }
    if *until < today {
        let message = format!("the exemption of `{id}` ended on {until}");
        return Err((rules::exemptions::ENDED, Hit::at(exemption, message)));
    }
    let mut covered = false;
    for finding in findings.iter_mut() {
        if finding.rule == rule.id && finding.service == *service && finding.severity != Severity::Note {
            covered = true;
            finding.severity = Severity::Note;
            finding.message = format!("{}; exempt until {until}: {reason}", finding.message);
            finding.fix = None;
        }
    }
    if covered {
        return Ok(());
    }
    let whom = service.as_ref().map_or_else(|| "the stack".to_owned(), |s| format!("service `{s}`"));
    let message = format!("the exemption of `{id}` for {whom} covers nothing");
    Err((rules::exemptions::UNUSED, Hit::at(exemption, message)))
}
