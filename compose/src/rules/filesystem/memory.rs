//! Mounts in memory: their options and their sizes.

use crate::model::{MountSource, Service, Tmpfs};
use crate::policy::{Change, Hit, Site, Stack};
use crate::rules::{is_any, resources};
use crate::source::Span;
use crate::spell;

/// Each tmpfs with its place.
pub(super) fn memory_mounts(service: &Service) -> impl Iterator<Item = (&Tmpfs, Span)> {
    service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Tmpfs(tmpfs) => Some((tmpfs, mount.span().unwrap_or(service.span))),
        _ => None,
    })
}

pub(super) fn tmpfs(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const KNOWN: &[&str] = &[
        "noexec",
        "nosuid",
        "nodev",
        "rw",
        "ro",
        "noatime",
        "nodiratime",
        "relatime",
        "private",
        "rprivate",
    ];
    let mut hits = Vec::new();
    for (tmpfs, span) in memory_mounts(service) {
        for option in &tmpfs.options {
            if is_any(option, &["exec", "suid", "dev"]) {
                hits.push(
                    Hit::on(span, format!("the tmpfs allows what `{option}` stands for"))
                        .fix(format!("no{option}")),
                );
            } else if !is_any(option, KNOWN) {
                hits.push(Hit::on(span, format!("tmpfs option `{option}` is not known")));
            }
        }
        if tmpfs.size.is_some_and(|size| size.0 == 0) {
            hits.push(Hit::on(span, "a tmpfs of size 0 has no bound").fix("size=64m"));
        }
    }
    hits
}

pub(super) fn bounded_tmpfs(site: &Site<'_>) -> Vec<Change> {
    let is_zero = |size: &str| spell::bytes(size) == Some(0);
    if site.get(&["tmpfs", "size"]).is_some_and(|size| is_zero(&size)) {
        return vec![Change::Set(&["tmpfs", "size"], "64m".into())];
    }
    site.text(|mount| {
        let (target, options) = mount.split_once(':')?;
        let strict = options.split(',').map(|option| match option.split_once('=') {
            _ if is_any(option, &["exec", "suid", "dev"]) => {
                format!("no{}", option.trim().to_ascii_lowercase())
            }
            Some(("size", size)) if is_zero(size) => "size=64m".to_owned(),
            _ => option.to_owned(),
        });
        Some(Change::Text(format!("{target}:{}", strict.collect::<Vec<_>>().join(","))))
    })
}

pub(super) fn tmpfs_sum(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(limit) = service.memory.as_ref().filter(|memory| memory.value > 0) else { return Vec::new() };
    let sizes = memory_mounts(service).filter_map(|(tmpfs, _)| tmpfs.size).map(|size| size.0);
    let sum = sizes.fold(0u64, u64::saturating_add);
    if u64::try_from(limit.value).is_ok_and(|limit| sum <= limit) {
        return Vec::new();
    }
    let message =
        format!("the tmpfs of `{}` may hold {}, more than the limit", service.name, resources::human(sum));
    vec![Hit::at(limit, message)]
}
