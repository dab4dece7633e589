//! What a service may run: nothing that it can write, but in the places that its file opens by name.

use std::path::Path;

use crate::finding::Severity;
use crate::model::{Mount, MountSource, Service};
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};

use super::place;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV169",
        title: "nothing is run that the service can write",
        reason: "what an intruder, a model or an update downloads there can be executed, and stays there over restarts",
        severity: Severity::Warning,
        fix: "put the programs into the image; or exempt it with the reason, for the smallest folder that is enough",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\n    x-supervisor:\n      exec_from:\n        - /data/plugins # <-\nvolumes:\n  data:\n",
        good: "x-supervisor:\n  exempt:\n    - {rule: SV169, service: web, reason: plugins are native modules, until: 2027-01-31}\nservices:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\n    x-supervisor:\n      exec_from:\n        - /data/plugins\nvolumes:\n  data:\n",
        place: place("2.3", "5.2", "8"),
        exempt: Exempt::Possible,
        check: Check::Service(opened),
        repair: Repair::Author,
    },
    Rule {
        id: "SV170",
        title: "execution is opened where it is closed and can be opened",
        reason: "a path that opens nothing is a mistake, and a memory file system never holds programs",
        severity: Severity::Error,
        fix: "name a folder in a volume, or in a writable mount of the stack's own folder, or remove the path",
        bad: "services:\n  web:\n    image: caddy:2\n    tmpfs:\n      - /tmp:size=64m\n    x-supervisor:\n      exec_from:\n        - /tmp/build # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    tmpfs:\n      - /tmp:size=64m\n    x-supervisor:\n      exec_from: []\n",
        place: place("2.3", "", "8"),
        exempt: Exempt::Never,
        check: Check::Service(cannot_open),
        repair: Repair::Author,
    },
];

fn opened(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let paths =
        service.supervisor.exec_from.iter().filter(|path| why_not(stack, service, &path.value).is_none());
    let hit = |path: &crate::At<String>| {
        Hit::at(path, format!("`{}` can be written, and what is there can be run", path.value))
    };
    paths.map(hit).collect()
}

fn cannot_open(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let paths = service.supervisor.exec_from.iter();
    let hits = paths.filter_map(|path| Some(Hit::at(path, why_not(stack, service, &path.value)?)));
    hits.collect()
}

/// Why a path opens nothing, if so.
fn why_not(stack: &Stack<'_>, service: &Service, path: &str) -> Option<String> {
    let around = |mount: &&Mount| Path::new(path).starts_with(&mount.target);
    let mounts = service.mounts.iter().map(|mount| &mount.value);
    // The innermost mount is what is there.
    let Some(mount) = mounts.filter(around).max_by_key(|mount| Path::new(&mount.target).components().count())
    else {
        return Some(format!("`{path}` lies in no mount: what the image has there can be run already"));
    };
    let target = &mount.target;
    match &mount.source {
        MountSource::Tmpfs(_) => Some(format!("`{path}` lies in the memory file system on `{target}`")),
        _ if !stack.project.is_written(mount) => Some(format!(
            "`{path}` lies in `{target}`, which nobody writes: what is there can be run already"
        )),
        _ => None,
    }
}
