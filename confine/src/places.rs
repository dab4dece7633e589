//! Which right is given below which place of a container's file system.
//!
//! Landlock only ever adds: what is given below a folder is given below everything in it, mounts included. So that
//! nothing is executed from a writable place, execution is given beside the writable places and never above them: to
//! every entry of every folder on the way down to one. Deliberately absent: Landlock itself (`restrict`).

use std::path::{Path, PathBuf};

use crate::rules::Rules;

/// What may be done below a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Files are read and folders are listed.
    Read,
    /// Files are executed.
    Execute,
    /// Devices that are there already are written to and commanded.
    Device,
    /// Files, folders, links, pipes and sockets are made, changed, moved and removed; devices are not made.
    Write,
}

/// A right below a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// No symbolic link on the way.
    pub place: PathBuf,
    /// A folder, and not a file.
    pub folder: bool,
    /// What may be done there.
    pub right: Right,
}

/// File systems of the kernel and of the runtime: nothing in them is a program.
const NO_PROGRAMS: [&str; 3] = ["/dev", "/proc", "/sys"];
/// What a runtime mounts writable beside what was promised, with what it is for: the container's devices, shared
/// memory and message queues. The kernel's own checks and the engine's read-only mounts hold there as before.
///
/// `/proc` is not among them. A process that may write there may write any other's memory by `/proc/PID/mem`, if only they
/// have one user; and a rule for the harmless entries would hold for files that the kernel makes anew at each look. What
/// programs write about themselves there (`oom_score_adj`, `comm`, `coredump_filter`) they do without where it is denied.
const RUNTIME: [(&str, Right); 3] =
    [("/dev", Right::Device), ("/dev/shm", Right::Write), ("/dev/mqueue", Right::Write)];

/// Every grant of these rules on the file system below `root`, which is `/` but for tests.
///
/// What is not there, or cannot be looked at by the service's user, gets nothing.
pub fn grants(root: &Path, rules: &Rules) -> Vec<Grant> {
    // A mount's target may be named by a link of the image; the kernel follows it, and so does its rule.
    let write: Vec<PathBuf> = rules.write.iter().filter_map(|path| resolve(root, path)).collect();
    let closed = NO_PROGRAMS.iter().map(|path| inside(root, Path::new(path))).chain(write.iter().cloned());
    let closed: Vec<PathBuf> = closed.filter(|path| path != root).collect();
    let mut grants = Vec::new();
    let mut grant = |place: &Path, right| {
        if let Ok(found) = std::fs::symlink_metadata(place)
            && !found.is_symlink()
        {
            grants.push(Grant { place: place.to_path_buf(), folder: found.is_dir(), right });
        }
    };
    grant(root, Right::Read);
    for (path, right) in RUNTIME {
        grant(&inside(root, Path::new(path)), right);
    }
    for place in &write {
        grant(place, Right::Write);
    }
    for place in beside(root, &closed) {
        grant(&place, Right::Execute);
    }
    for path in &rules.execute {
        // Whoever writes there could lead the name elsewhere: a link opens nothing.
        let place = inside(root, path);
        if resolve(root, path).is_some_and(|resolved| resolved == place) {
            grant(&place, Right::Execute);
        }
    }
    grants
}

/// The entries of the folders that lead to these places, without the places and what leads to them.
fn beside(folder: &Path, closed: &[PathBuf]) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if closed.contains(&entry) {
            continue;
        }
        if closed.iter().any(|place| place.starts_with(&entry)) {
            found.extend(beside(&entry, closed));
        } else {
            found.push(entry);
        }
    }
    found
}

fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(inside(root, path)).ok()
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix("/").map_or_else(|_| path.to_path_buf(), |below| root.join(below))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use expect_test::{Expect, expect};

    use super::*;

    /// A small container: what is granted in it, place by place.
    #[track_caller]
    fn check(write: &[&str], execute: &[&str], expect: Expect) {
        let bed = tempfile::tempdir().unwrap();
        let root = bed.path().canonicalize().unwrap();
        for folder in
            ["usr/bin", "dev/shm", "proc", "sys", "tmp", "home/node/.cache", "home/node/app", "data/bin"]
        {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("init"), "").unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        symlink("tmp", root.join("scratch")).unwrap();
        symlink("/", root.join("data/out")).unwrap();
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        let rules = Rules { abi: 6, write: paths(write), execute: paths(execute), ..Rules::default() };
        let rows = grants(&root, &rules).into_iter().map(|grant| {
            let place = Path::new("/").join(grant.place.strip_prefix(&root).unwrap());
            let file = if grant.folder { "" } else { " (a file)" };
            format!("{:?} {}{file}\n", grant.right, place.display())
        });
        expect.assert_eq(&rows.collect::<String>());
    }

    #[test]
    fn programs_run_from_beside_the_writable_places_alone() {
        check(
            &["/tmp", "/home/node/.cache", "/data"],
            &[],
            expect![[r#"
            Read /
            Device /dev
            Write /dev/shm
            Write /tmp
            Write /home/node/.cache
            Write /data
            Execute /home/node/app
            Execute /init (a file)
            Execute /usr
        "#]],
        );
    }

    #[test]
    fn a_place_below_a_writable_one_is_opened_by_name_and_never_through_a_link() {
        check(
            &["/data"],
            &["/data/bin", "/data/out", "/data/later"],
            expect![[r#"
            Read /
            Device /dev
            Write /dev/shm
            Write /data
            Execute /home
            Execute /init (a file)
            Execute /tmp
            Execute /usr
            Execute /data/bin
        "#]],
        );
    }

    #[test]
    fn a_mount_that_is_named_by_a_link_is_meant_where_the_link_leads() {
        check(
            &["/scratch"],
            &[],
            expect![[r#"
            Read /
            Device /dev
            Write /dev/shm
            Write /tmp
            Execute /data
            Execute /home
            Execute /init (a file)
            Execute /usr
        "#]],
        );
    }

    #[test]
    fn a_writable_root_still_runs_what_is_there_at_the_start() {
        check(
            &["/"],
            &[],
            expect![[r#"
            Read /
            Device /dev
            Write /dev/shm
            Write /
            Execute /data
            Execute /home
            Execute /init (a file)
            Execute /tmp
            Execute /usr
        "#]],
        );
    }
}
