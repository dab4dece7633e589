//! What the two sides of a copy mean, and under which name something lands: the rules of `docker cp`, as functions.
//!
//! Deliberately absent: looking at either side.

use std::path::Path;

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// A tar stream on standard input or output.
    Stream,
    /// A path on this machine.
    Here(String),
    /// A path in a service.
    Service {
        /// Its name.
        service: String,
        /// As it was written.
        path: String,
    },
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// Its last part; empty for the root.
    pub(super) name: String,
    /// It is a folder.
    pub(super) folder: bool,
    /// What is in it is copied, and not the folder itself: it ends with `/.`.
    pub(super) content: bool,
}

/// What is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Missing,
    /// A folder.
    Folder,
    /// A file, or anything else.
    File,
}

/// Where something lands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Landing {
    /// The folder.
    pub(super) folder: String,
    /// Its name there; empty is the folder itself.
    pub(super) name: String,
}

/// A side: absolute paths, and those that begin with a dot, are never taken for a service.
pub(super) fn side(text: &str) -> Side {
    match text.split_once(':') {
        _ if text == "-" => Side::Stream,
        Some((service, path)) if !text.starts_with(['/', '.']) && !service.contains('/') => {
            Side::Service { service: service.to_owned(), path: path.to_owned() }
        }
        _ => Side::Here(text.to_owned()),
    }
}

/// A path in a container starts at its root.
pub(super) fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Where a link at `path` leads that says `to`.
pub(super) fn joined(path: &str, to: &str) -> String {
    if to.starts_with('/') {
        return to.to_owned();
    }
    let folder = path.trim_end_matches('/').rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{to}")
}

impl Copied {
    /// What is at an absolute path of a container.
    pub(super) fn of_container(path: &str, folder: bool) -> Self {
        let content = path.ends_with("/.");
        let bare = path.trim_end_matches('.').trim_end_matches('/');
        let bare = if content { bare } else { path.trim_end_matches('/') };
        let name = bare.rsplit('/').next().unwrap_or_default().to_owned();
        Self { name, folder, content }
    }

    /// What is at a path of this machine, whose last part may be `.` or `..`.
    pub(super) fn of_host(path: &str, folder: bool) -> std::io::Result<Self> {
        let content = path == "." || path.ends_with("/.");
        let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = match last(Path::new(path)) {
            Some(name) if !content && !path.ends_with("..") => name,
            _ => last(&std::fs::canonicalize(path)?).unwrap_or_default(),
        };
        Ok(Self { name, folder, content })
    }

    /// Whether it is the root, whose archive has no name of its own before each name.
    pub(super) const fn is_root(&self) -> bool {
        self.name.is_empty()
    }
}

/// Where it lands at `target`.
///
/// # Errors
/// It does not fit there; why.
pub(super) fn landing(copied: &Copied, target: &str, found: Found) -> Result<Landing, String> {
    let inside = |name: &str| Landing { folder: target.to_owned(), name: name.to_owned() };
    let slash = target.ends_with('/') || target.ends_with("/.");
    match (found, copied.folder) {
        (Found::Folder, true) if copied.content => Ok(inside("")),
        (Found::Folder, _) => Ok(inside(&copied.name)),
        (Found::File, true) => Err("it is a file, and a folder is to be copied".into()),
        (Found::File, false) if slash => Err("it ends with a slash and is no folder".into()),
        (Found::Missing, false) if slash => Err("there is no such folder".into()),
        (Found::File | Found::Missing, _) => {
            let target = target.trim_end_matches("/.").trim_end_matches('/');
            let (folder, name) = target
                .rsplit_once('/')
                .map_or((".", target), |(folder, name)| (if folder.is_empty() { "/" } else { folder }, name));
            Ok(Landing { folder: folder.to_owned(), name: name.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn sides_are_told_apart_as_docker_tells_them() {
        let service =
            |service: &str, path: &str| Side::Service { service: service.into(), path: path.into() };
        assert_eq!(side("-"), Side::Stream);
        assert_eq!(side("web:/data"), service("web", "/data"));
        assert_eq!(side("web:a:b"), service("web", "a:b"));
        assert_eq!(side("./web:x"), Side::Here("./web:x".into()));
        assert_eq!(side("/tmp/web:x"), Side::Here("/tmp/web:x".into()));
        assert_eq!(side("sub/web:x"), Side::Here("sub/web:x".into()));
        assert_eq!(side("file"), Side::Here("file".into()));
    }

    #[test]
    fn links_lead_from_the_folder_that_they_are_in() {
        assert_eq!(joined("/data/link", "/etc/x"), "/etc/x");
        assert_eq!(joined("/data/link", "../x"), "/data/../x");
        assert_eq!(joined("/link", "x"), "/x");
    }

    #[track_caller]
    fn check(path: &str, folder: bool, expect: Expect) {
        let copied = Copied::of_container(path, folder);
        let rows = ["out", "out/", "/", "deep/out"].into_iter().flat_map(|target| {
            let found = [Found::Missing, Found::Folder, Found::File];
            let copied = &copied;
            found.into_iter().map(move |found| {
                let landed = match landing(copied, target, found) {
                    Ok(Landing { folder, name }) => format!("`{name}` in `{folder}`"),
                    Err(why) => why,
                };
                format!("{target} {found:?}: {landed}\n")
            })
        });
        expect.assert_eq(&rows.collect::<String>());
    }

    #[test]
    fn a_file_takes_its_name_along_into_a_folder_and_gets_a_new_one_elsewhere() {
        check(
            "/data/a",
            false,
            expect![[r#"
                out Missing: `out` in `.`
                out Folder: `a` in `out`
                out File: `out` in `.`
                out/ Missing: there is no such folder
                out/ Folder: `a` in `out/`
                out/ File: it ends with a slash and is no folder
                / Missing: there is no such folder
                / Folder: `a` in `/`
                / File: it ends with a slash and is no folder
                deep/out Missing: `out` in `deep`
                deep/out Folder: `a` in `deep/out`
                deep/out File: `out` in `deep`
            "#]],
        );
    }

    #[test]
    fn a_folder_goes_into_a_folder_or_becomes_the_one_that_is_missing() {
        check(
            "/data/",
            true,
            expect![[r#"
                out Missing: `out` in `.`
                out Folder: `data` in `out`
                out File: it is a file, and a folder is to be copied
                out/ Missing: `out` in `.`
                out/ Folder: `data` in `out/`
                out/ File: it is a file, and a folder is to be copied
                / Missing: `` in `.`
                / Folder: `data` in `/`
                / File: it is a file, and a folder is to be copied
                deep/out Missing: `out` in `deep`
                deep/out Folder: `data` in `deep/out`
                deep/out File: it is a file, and a folder is to be copied
            "#]],
        );
    }

    #[test]
    fn a_dot_at_the_end_means_what_is_inside() {
        assert_eq!(Copied::of_container("/data/.", true).name, "data");
        assert!(Copied::of_container("/.", true).is_root());
        assert!(Copied::of_container("/", true).is_root());
        check(
            "/data/.",
            true,
            expect![[r#"
                out Missing: `out` in `.`
                out Folder: `` in `out`
                out File: it is a file, and a folder is to be copied
                out/ Missing: `out` in `.`
                out/ Folder: `` in `out/`
                out/ File: it is a file, and a folder is to be copied
                / Missing: `` in `.`
                / Folder: `` in `/`
                / File: it is a file, and a folder is to be copied
                deep/out Missing: `out` in `deep`
                deep/out Folder: `` in `deep/out`
                deep/out File: it is a file, and a folder is to be copied
            "#]],
        );
    }
}
