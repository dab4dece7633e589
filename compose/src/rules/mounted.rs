//! How a mount may be taken of an image, which part of an image or a volume, and what a volume is called.
//!
//! Deliberately absent: which image (`image`), and what may be mounted at all (`filesystem`).

use crate::finding::Severity;
use crate::model::{MountSource, Service};
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};

use super::{is_engine_name, place, told_name};

/// `read_only: true` of an image's mount is filled in under this id.
pub(crate) const IMAGE_READ_ONLY: &str = "SV171";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: IMAGE_READ_ONLY,
        title: "an image is mounted read-only",
        reason: "the files of an image are those that its digest names: no engine lets a service write them, whatever the file says",
        severity: Severity::Error,
        fix: "write `read_only: true`, or nothing; what is written to goes into a volume",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: image # <-\n        source: site@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n        target: /srv\n        read_only: false\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: image\n        source: site@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n        target: /srv\n",
        place: place("5.3", "5.13", "8"),
        exempt: Exempt::Never,
        check: Check::Service(writable_images),
        repair: Repair::By(read_only),
    },
    Rule {
        id: "SV172",
        title: "a subpath lies inside of what is mounted",
        reason: "a path that goes up would show other files of the host; the engine refuses it, at the launch",
        severity: Severity::Error,
        fix: "name a folder without a leading `/` and without `..`",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: volume # <-\n        source: data\n        target: /srv\n        volume: {subpath: ../../etc}\nvolumes:\n  data:\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: volume\n        source: data\n        target: /srv\n        volume: {subpath: site/public}\nvolumes:\n  data:\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Service(subpaths),
        repair: Repair::Author,
    },
    Rule {
        id: "SV173",
        title: "a volume's name is a name",
        reason: "a path in the place of a volume's name is a folder of the host to whoever writes both in one word",
        severity: Severity::Error,
        fix: "remove `name`, or choose one of letters, digits, `_`, `.` and `-`",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n    name: /etc # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n    name: shop-data\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Stack(volume_names),
        repair: Repair::Author,
    },
];

fn writable_images(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Image { image, read_only: Some(false), .. } => {
            let message = format!("the files of image `{}` are to be writable", image.value);
            Some(Hit::at(mount, message).fix("read_only: true"))
        }
        _ => None,
    });
    hits.collect()
}

fn read_only(_: &Site<'_>) -> Vec<Change> {
    vec![Change::Set(&["read_only"], "true".into())]
}

fn volume_names(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.volumes.values().filter_map(|volume| {
        let (name, span) = told_name(&volume.key, volume.name.as_ref(), volume.external.as_ref())?;
        let message = format!("`{name}` is no name for a volume");
        (!is_engine_name(name)).then(|| Hit::on(span.unwrap_or(volume.span), message))
    });
    hits.collect()
}

fn subpaths(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.mounts.iter().filter_map(|mount| {
        let (MountSource::Volume { subpath, .. } | MountSource::Image { subpath, .. }) = &mount.value.source
        else {
            return None;
        };
        let subpath = subpath.as_ref()?;
        let outside = subpath.starts_with('/') || subpath.split('/').any(|part| part == "..");
        outside.then(|| Hit::at(mount, format!("`{subpath}` is no folder inside of what is mounted")))
    });
    hits.collect()
}
