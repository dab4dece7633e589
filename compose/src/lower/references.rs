//! Names that refer to other entries: they must exist, and what waits must not wait for itself.
//!
//! Adds the network `default` where a service names none, as Compose does.

use std::collections::BTreeMap;

use crate::model::{Condition, Dependency, Link, MountSource, Network, Project};
use crate::node::Node;
use crate::order;
use crate::problem::{self, Problems};
use crate::shape;
use crate::source::{At, Span};
use crate::yaml::shown;

use super::{entries, read, whole};

pub(super) fn depends_on(node: &Node, problems: &mut Problems) -> BTreeMap<String, At<Dependency>> {
    entries(Some(node))
        .filter_map(|entry| {
            let flag = |key| entry.value.get(key).and_then(read::flag).map(|f| f.value);
            let what = format!("the dependency on `{}`", shown(&entry.key));
            let condition = read::required(&entry.value, "condition", &what, problems)?;
            let condition = match condition.as_text()?.as_str() {
                "service_started" => Condition::Started,
                "service_healthy" => Condition::Healthy,
                "service_completed_successfully" => Condition::Completed,
                _ => {
                    let wanted = "`service_started`, `service_healthy` or `service_completed_successfully`";
                    read::bad(condition, "condition", wanted, problems);
                    return None;
                }
            };
            let dependency = Dependency {
                condition,
                restart: flag("restart").unwrap_or(false),
                required: flag("required").unwrap_or(true),
            };
            Some((entry.key.clone(), At::file(dependency, whole(entry))))
        })
        .collect()
}

/// `SERVICE` or `SERVICE:ALIAS`.
pub(super) fn links(node: &Node) -> Vec<At<Link>> {
    let link = |text: At<String>| {
        // Of more parts, Compose takes all for the name.
        let parts = text.value.split_once(':').filter(|(_, alias)| !alias.contains(':'));
        let (service, alias) = parts.unwrap_or((&text.value, &text.value));
        let link = Link { service: service.to_owned(), alias: alias.to_owned() };
        At { value: link, origin: text.origin }
    };
    read::texts(node).into_iter().map(link).collect()
}

/// A link waits for the other service, and is a name of it on every network that both are on. Docker Compose keeps that
/// name to the one who links; on a network of their own there is nobody else to keep it from.
fn follow_links(project: &mut Project) {
    let mut names: Vec<(String, String, String)> = Vec::new();
    for service in project.services.values_mut() {
        for link in &service.links {
            let wait = Dependency { condition: Condition::Started, restart: true, required: true };
            let wait = At { value: wait, origin: link.origin };
            service.depends_on.entry(link.value.service.clone()).or_insert(wait);
            if link.value.alias != link.value.service {
                let on = |network: &String| {
                    (link.value.service.clone(), network.clone(), link.value.alias.clone())
                };
                names.extend(service.networks.keys().map(on));
            }
        }
    }
    for (service, network, alias) in names {
        let place = project.services.get_mut(&service).and_then(|service| service.networks.get_mut(&network));
        if let Some(place) = place.filter(|place| !place.value.aliases.contains(&alias)) {
            place.value.aliases.push(alias);
        }
    }
}

/// Reports names that nothing declares and services that wait for each other.
pub(super) fn check(project: &mut Project, file: &Node, problems: &mut Problems) {
    add_default_network(project);
    follow_links(project);
    for service in project.services.values() {
        problems.service = Some(service.name.clone());
        for (name, at) in &service.depends_on {
            if name == &service.name {
                say(problems, &problem::CYCLE, at.span(), format!("`{name}` waits for itself"), "remove it");
            } else if !project.services.contains_key(name) {
                unknown("service", name, at.span(), project.services.keys(), problems);
            }
        }
        for (name, at) in &service.networks {
            if !project.networks.contains_key(name) {
                unknown("network", name, at.span(), project.networks.keys(), problems);
            }
        }
        for mount in &service.mounts {
            if let MountSource::Volume { name: Some(name), .. } = &mount.value.source
                && !project.volumes.contains_key(name)
            {
                unknown("volume", name, mount.span(), project.volumes.keys(), problems);
            }
        }
        for grant in &service.secrets {
            if !declares(file, "secrets", &grant.value.source) {
                unknown("secret", &grant.value.source, grant.span(), project.secrets.keys(), problems);
            }
        }
        for grant in &service.configs {
            if !declares(file, "configs", &grant.value.source) {
                unknown("config", &grant.value.source, grant.span(), project.configs.keys(), problems);
            }
        }
        for (mode, what) in
            [(&service.network_mode, "network_mode"), (&service.ipc, "ipc"), (&service.pid, "pid")]
        {
            let Some(at) = mode else { continue };
            if let Some(name) = at.value.strip_prefix("service:")
                && !project.services.contains_key(name)
            {
                let _ = what;
                unknown("service", name, at.span(), project.services.keys(), problems);
            }
        }
    }
    problems.service = None;
    for cycle in order::cycles(&project.services) {
        let span = cycle.first().zip(cycle.get(1)).and_then(|(from, to)| {
            project.services.get(from).and_then(|s| s.depends_on.get(to)).and_then(At::span)
        });
        let message = format!("services wait for each other: {}", cycle.join(" → "));
        say(problems, &problem::CYCLE, span, message, "remove one of the dependencies");
    }
}

/// Declared in the file, even if its entry was reported and did not make it into the model.
fn declares(file: &Node, section: &str, name: &str) -> bool {
    file.get(section).is_some_and(|s| s.get(name).is_some())
}

/// A service that names no network is on `default`, which is declared for whoever is on it.
fn add_default_network(project: &mut Project) {
    let mut first: Option<Span> = None;
    for service in project.services.values_mut() {
        if service.networks.is_empty() && service.network_mode.is_none() {
            let nothing = At::file(crate::model::Attachment::default(), service.span);
            service.networks.insert("default".to_owned(), nothing);
        }
        if let Some(span) = service.networks.get("default").and_then(At::span) {
            first = Some(first.map_or(span, |s| s.min(span)));
        }
    }
    if let Some(span) = first {
        let network = || Network::new("default".to_owned(), span);
        project.networks.entry("default".to_owned()).or_insert_with(network);
    }
}

fn unknown<'a>(
    what: &str,
    name: &str,
    span: Option<Span>,
    known: impl Iterator<Item = &'a String>,
    problems: &mut Problems,
) {
    if problems.is_full() {
        return;
    }
    let near = shape::nearest(name, known.map(String::as_str));
    let next = near
        .map_or_else(|| format!("declare the {what}, or remove it here"), |n| format!("did you mean `{n}`?"));
    let message = format!("the {what} `{}` is not declared", shown(name));
    say(problems, &problem::UNKNOWN_NAME, span, message, &next);
}

fn say(problems: &mut Problems, row: &problem::Problem, span: Option<Span>, message: String, next: &str) {
    match span {
        Some(span) => problems.add(row, span, message, next),
        None => problems.add_nowhere(row, message, next),
    };
}
