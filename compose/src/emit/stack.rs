//! The top level: networks, volumes, secrets, configs and the stack's own keys around the services.
//!
//! Deliberately absent: what is in a service (`service`).

use super::Credentials;
use super::service;
use super::tree::Tree;
use crate::model::{ContentSource, FileObject, Guard, Network, Project, Stack, Volume};
use crate::source::At;

pub(super) fn stack(project: &Project, credentials: Credentials) -> Tree {
    let mut tree = Tree::map();
    tree.put("name", Tree::text(&project.name));
    let mut services = Tree::map();
    for (name, service) in &project.services {
        services.put(name, service::service(service, credentials));
    }
    tree.put("services", services);
    let mut networks = Tree::map();
    for (key, network) in &project.networks {
        networks.put(key, self::network(network));
    }
    tree.put_full("networks", networks);
    let mut volumes = Tree::map();
    for (key, volume) in &project.volumes {
        volumes.put(key, self::volume(volume));
    }
    tree.put_full("volumes", volumes);
    for (what, objects) in [("secrets", &project.secrets), ("configs", &project.configs)] {
        let mut map = Tree::map();
        for (key, object) in objects {
            map.put(key, self::object(object));
        }
        tree.put_full(what, map);
    }
    tree.put_full("x-supervisor", own(&project.stack));
    tree
}

/// A value as text, marked.
pub(super) fn text(at: &At<String>) -> Tree {
    Tree::text(&at.value).from(at)
}

/// A value as a number or boolean, marked.
pub(super) fn word<T: ToString>(at: &At<T>) -> Tree {
    Tree::word(at.value.to_string()).from(at)
}

/// A mapping of texts.
pub(super) fn pairs(pairs: &std::collections::BTreeMap<String, At<String>>) -> Tree {
    let mut tree = Tree::map();
    for (key, value) in pairs {
        tree.put(key, text(value));
    }
    tree
}

fn network(network: &Network) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("name", network.name.as_ref().map(text));
    tree.put_some("external", network.external.as_ref().map(word));
    tree.put_some("driver", network.driver.as_ref().map(text));
    tree.put_full("driver_opts", pairs(&network.driver_opts));
    tree.put_some("internal", network.internal.as_ref().map(word));
    tree.put_some("enable_ipv6", network.enable_ipv6.as_ref().map(word));
    tree.put_some("attachable", network.attachable.as_ref().map(word));
    let mut ipam = Tree::map();
    ipam.put_some("driver", network.ipam_driver.as_ref().map(text));
    let pools = network.ipam.iter().map(|pool| {
        let mut row = Tree::map();
        let keys = [
            ("subnet", &pool.value.subnet),
            ("ip_range", &pool.value.ip_range),
            ("gateway", &pool.value.gateway),
        ];
        for (key, value) in keys {
            row.put_some(key, value.as_ref().map(Tree::text));
        }
        row
    });
    ipam.put_full("config", Tree::list(pools));
    tree.put_full("ipam", ipam);
    tree.put_full("labels", pairs(&network.labels));
    tree
}

fn volume(volume: &Volume) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("name", volume.name.as_ref().map(text));
    tree.put_some("external", volume.external.as_ref().map(word));
    tree.put_some("driver", volume.driver.as_ref().map(text));
    tree.put_full("driver_opts", pairs(&volume.driver_opts));
    tree.put_full("labels", pairs(&volume.labels));
    tree
}

fn object(object: &FileObject) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("name", object.name.as_ref().map(text));
    match (&object.content.value, &object.from_environment) {
        (_, Some(variable)) => tree.put("environment", text(variable)),
        (ContentSource::File(path), None) => tree.put("file", Tree::text(path.to_string_lossy())),
        (ContentSource::Inline(content), None) => tree.put("content", Tree::text(content)),
        (ContentSource::Unset(variable), None) => tree.put("environment", Tree::text(variable)),
        (ContentSource::External, None) => tree.put("external", Tree::word(true)),
    }
    tree
}

fn own(stack: &Stack) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("edge", stack.edge.as_ref().map(text));
    let from = stack.edge_from.as_ref().map(|at| at.value.path.to_string_lossy());
    tree.put_some("edge_from", from.map(Tree::text));
    let mut egress = Tree::map();
    for (service, names) in &stack.egress {
        let rows = names.iter().map(|at| Tree::text(format!("{}:{}", at.value.name, at.value.port)));
        egress.put(service, Tree::list(rows));
    }
    tree.put_full("egress", egress);
    let registries = stack.registries.as_ref();
    tree.put_some("registries", registries.map(|rows| Tree::list(rows.iter().map(text))));
    tree.put_some(
        "guard",
        stack.guard.as_ref().map(|guard| match guard.value {
            Guard::On => Tree::text("on"),
            Guard::Off => Tree::text("off"),
        }),
    );
    let exempt = stack.exempt.iter().map(|at| {
        let mut row = Tree::map();
        row.put("rule", Tree::text(&at.value.rule));
        row.put_some("service", at.value.service.as_ref().map(Tree::text));
        row.put("reason", Tree::text(&at.value.reason));
        row.put("until", Tree::text(at.value.until.to_string()));
        row
    });
    tree.put_full("exempt", Tree::list(exempt));
    tree
}
