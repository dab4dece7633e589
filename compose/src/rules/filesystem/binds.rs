//! Bind mounts: how they propagate, what they may create, and where they lie in the container.

use std::path::Path;

use crate::host::Kind;
use crate::model::{Bind, MountSource, Service};
use crate::policy::{Change, Hit, Site, Stack};
use crate::rules::is_any;
use crate::source::Span;

use super::paths::{in_stack_folder, normal, sensitive};
use super::sockets::socket_by_name;

/// Each bind mount with its place.
pub(super) fn binds(service: &Service) -> impl Iterator<Item = (&Bind, Span)> {
    service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Bind(bind) => Some((bind, mount.span().unwrap_or(service.span))),
        _ => None,
    })
}

pub(super) fn propagation(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let mode = bind.propagation.as_deref().filter(|mode| !is_any(mode, &["", "private", "rprivate"]))?;
        Some(Hit::on(span, format!("mounts propagate: `{mode}`")).fix("propagation: rprivate"))
    });
    hits.collect()
}

pub(super) fn private_mount(site: &Site<'_>) -> Vec<Change> {
    const PROPAGATIONS: &[&str] = &["shared", "rshared", "slave", "rslave"];
    if site.get(&["bind", "propagation"]).is_some() {
        return vec![Change::Set(&["bind", "propagation"], "rprivate".into())];
    }
    site.text(|mount| {
        let (front, options) = mount.rsplit_once(':')?;
        let kept: Vec<&str> = options.split(',').filter(|option| !PROPAGATIONS.contains(option)).collect();
        Some(Change::Text(if kept.is_empty() {
            front.to_owned()
        } else {
            format!("{front}:{}", kept.join(","))
        }))
    })
}

pub(super) fn bind_options(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (bind, span) in binds(service) {
        if bind.create_host_path == Some(true) {
            hits.push(
                Hit::on(span, format!("`{}` would be created by the engine, as root", bind.written))
                    .fix("create_host_path: false"),
            );
        }
        if bind.recursive.as_deref().is_some_and(|mode| is_any(mode, &["writable"])) {
            hits.push(Hit::on(span, format!("mounts below `{}` stay writable", bind.written)));
        }
        if bind.selinux.is_some() && !in_stack_folder(stack, &bind.path) {
            hits.push(Hit::on(
                span,
                format!("`{}` would get another SELinux label on the host", bind.written),
            ));
        }
    }
    hits
}

/// What creates nothing and keeps what is below read-only. A label may be meant: the author has to say.
pub(super) fn nothing_created(site: &Site<'_>) -> Vec<Change> {
    let created = site.get(&["bind", "create_host_path"]).is_some_and(|flag| is_any(&flag, &["true"]));
    let writable = site.get(&["bind", "recursive"]).is_some_and(|mode| is_any(&mode, &["writable"]));
    let created = created.then(|| Change::Set(&["bind", "create_host_path"], "false".into()));
    created.into_iter().chain(writable.then_some(Change::Drop(&["bind", "recursive"]))).collect()
}

pub(super) fn targets(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mounts = service.mounts.iter().map(|m| (m.value.target.as_str(), m.span()));
    let grants = service.secrets.iter().chain(&service.configs).map(|g| (g.value.target.as_str(), g.span()));
    let hits = mounts.chain(grants).filter_map(|(target, span)| {
        let why = bad_target(target)?;
        Some(Hit::on(span.unwrap_or(service.span), format!("`{target}` {why}")))
    });
    hits.collect()
}

/// Why nothing may be mounted there.
pub(super) fn bad_target(target: &str) -> Option<&'static str> {
    const SYSTEM: &[&str] =
        &["/proc", "/sys", "/dev", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.cache"];
    if !target.starts_with('/') {
        return Some("is not an absolute path");
    }
    if target.split('/').any(|part| part == "..") {
        return Some("goes up with `..`");
    }
    let path = normal(Path::new(target));
    if path == Path::new("/") {
        return Some("is the root itself");
    }
    SYSTEM.iter().any(|system| path.starts_with(system)).then_some("belongs to the system of the container")
}

pub(super) fn kinds(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Other { kind } => Some(Hit::at(mount, format!("a mount of type `{kind}`"))),
        MountSource::Image { image, .. } if image.value.trim().is_empty() => {
            Some(Hit::at(mount, "a mount of an image that has no name"))
        }
        _ => None,
    });
    hits.collect()
}

pub(super) fn missing(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let look = stack.look(&bind.path)?;
        let judged = socket_by_name(&bind.path).is_some()
            || sensitive(stack, &bind.path).is_some()
            || bind.path.starts_with("/dev");
        (look.kind.is_none() && !judged).then(|| Hit::on(span, format!("`{}` is not there", bind.written)))
    });
    hits.collect()
}

pub(super) fn device_mounts(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let look = stack.look(&bind.path);
        let what = match look.and_then(|look| look.kind) {
            _ if [Some(&bind.path), look.map(|look| &look.resolved)]
                .iter()
                .flatten()
                .any(|p| p.starts_with("/dev")) =>
            {
                "shows devices"
            }
            Some(Kind::Device) => "is a device",
            Some(Kind::Other) => "is a pipe or a special file",
            _ => return None,
        };
        let judged = sensitive(stack, &bind.path).is_some();
        (!judged).then(|| Hit::on(span, format!("`{}` {what} of the host", bind.written)))
    });
    hits.collect()
}
