//! Host paths in a tree: which keys hold them, and making them absolute from the folder of their file.
//!
//! Lexical only. Deliberately absent: what is at a path, which is the policy's question to the host.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::node::{Node, Value};

/// A path as written, from a folder, without `.` and `..`; a leading `~` is the caller's home. As Compose has it, what
/// follows `~` lies in it: `~a` is `a` there, and nobody else's home.
pub(crate) fn absolute(directory: &Path, written: &str, environment: &BTreeMap<String, String>) -> PathBuf {
    let home = |rest: &str| {
        let home = environment.get("HOME").filter(|h| !h.is_empty())?;
        Some(Path::new(home).join(rest.trim_start_matches('/')))
    };
    let expanded = written.strip_prefix('~').and_then(home);
    normal(&directory.join(expanded.unwrap_or_else(|| PathBuf::from(written))))
}

/// A path without `.` and `..`, lexically.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !matches!(out.components().next_back(), None | Some(Component::RootDir)) {
                    out.pop();
                }
            }
            part => out.push(part),
        }
    }
    out
}

/// A path in the form in which Compose prints it: what is absolute stays as it is written.
pub(crate) fn as_written(folder: &Path, written: &str, environment: &BTreeMap<String, String>) -> String {
    let is_windows = matches!(written.as_bytes(), [_, b':', b'\\' | b'/', ..]);
    if written.is_empty() || written.starts_with('/') || is_windows || is_remote(written) {
        return written.to_owned();
    }
    absolute(folder, written, environment).display().to_string()
}

/// Whether a word names something that Compose would fetch: a URL, a git repository, an image.
pub(crate) fn is_remote(written: &str) -> bool {
    written.contains("://") || written.starts_with("git@") || written.starts_with("github.com/")
}

/// Makes every host path of a canonical file absolute.
pub(crate) fn make_absolute(file: &mut Node, folder: &Path, environment: &BTreeMap<String, String>) {
    let change = |node: &mut Node| {
        if let Some(written) = node.as_text() {
            *node = Node::text(as_written(folder, &written, environment), node.span).along(&node.trail);
        }
    };
    entries(field(file, "services"), |service| {
        items(field(service, "env_file"), |row| field(row, "path").into_iter().for_each(change));
        items(field(service, "label_file"), change);
        items(field(service, "volumes"), |mount| {
            if mount.get("type").and_then(Node::as_text).as_deref() == Some("bind") {
                field(mount, "source").into_iter().for_each(change);
            }
        });
        field(service, "extends").and_then(|e| field(e, "file")).into_iter().for_each(change);
        if let Some(build) = field(service, "build") {
            field(build, "context").into_iter().for_each(change);
        }
        field(service, "x-supervisor").and_then(|x| field(x, "seccomp")).into_iter().for_each(change);
        items(field(service, "develop").and_then(|d| field(d, "watch")), |row| {
            field(row, "path").into_iter().for_each(change);
        });
    });
    for section in ["configs", "secrets"] {
        entries(field(file, section), |object| field(object, "file").into_iter().for_each(change));
    }
    entries(field(file, "volumes"), |volume| {
        let Some(options) = field(volume, "driver_opts") else { return };
        if options.get("o").and_then(Node::as_text).is_some_and(|o| o.split(',').any(|w| w == "bind")) {
            field(options, "device").into_iter().for_each(change);
        }
    });
    items(field(file, "include"), |row| {
        items(field(row, "path"), change);
        items(field(row, "env_file"), change);
        field(row, "project_directory").into_iter().for_each(change);
    });
}

fn field<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    match &mut node.value {
        Value::Map(map) => map.entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.value),
        _ => None,
    }
}

fn items(node: Option<&mut Node>, change: impl FnMut(&mut Node)) {
    if let Some(Value::List(items)) = node.map(|n| &mut n.value) {
        items.iter_mut().for_each(change);
    }
}

fn entries(node: Option<&mut Node>, mut change: impl FnMut(&mut Node)) {
    if let Some(Value::Map(map)) = node.map(|n| &mut n.value) {
        map.entries.iter_mut().for_each(|e| change(&mut e.value));
    }
}
