//! Unpacks a tar stream that nobody vouches for: never outside its folder, no devices, no set-user-ID, through no link.
//!
//! Every name is opened with openat2(2), `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`, so that neither the archive nor
//! somebody who changes the folder meanwhile leads it astray. What cannot be unpacked safely is left out and named.
//! Deliberately absent: deciding where an archive goes; `commands/cp` does.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

/// Beneath the folder, and through no link of any kind.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// The permissions that are taken over: neither set-user-ID, set-group-ID nor sticky.
const PERMISSIONS: u32 = 0o777;

/// Where an archive goes.
#[derive(Debug)]
pub struct Target {
    /// The folder that nothing leaves.
    pub folder: OwnedFd,
    /// How many leading parts of each name are cut off.
    pub strip: usize,
    /// What comes in their place; empty is the folder itself.
    pub prefix: PathBuf,
    /// Whose the files are.
    pub owners: Owners,
}

/// Whose unpacked files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// The caller's.
    Caller,
    /// Those of the numbers in the archive.
    Archive,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, folders and links that were made.
    pub made: usize,
    /// What was left out, and why.
    pub left_out: Vec<(PathBuf, &'static str)>,
}

/// Unpacks a whole archive.
///
/// # Errors
/// The archive is broken, or the folder cannot be written to.
pub fn unpack(archive: impl Read, target: &Target) -> io::Result<Unpacked> {
    let mut work = Work { target, done: Unpacked::default(), files: BTreeSet::new(), folders: Vec::new() };
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        match work.entry(&mut entry) {
            Err(error) if leads_astray(&error) => {
                let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
                work.leave_out(path, "its name leads through a link or a file")?;
            }
            other => other?,
        }
    }
    work.finish()
}

struct Work<'a> {
    target: &'a Target,
    done: Unpacked,
    /// Files that this archive made: the only ones that a hard link of it may name.
    files: BTreeSet<PathBuf>,
    /// Folders that this archive made, and what they get once they are full.
    folders: Vec<(PathBuf, Facts)>,
}

/// What an archive says of an entry, but for its name and content.
#[derive(Clone, Copy)]
struct Facts {
    mode: Mode,
    owner: Option<(u32, u32)>,
    modified: i64,
}

impl Work<'_> {
    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> io::Result<()> {
        use tar::EntryType as Kind;
        let kind = entry.header().entry_type();
        if matches!(kind, Kind::XGlobalHeader | Kind::XHeader) {
            return Ok(());
        }
        let written = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
        let Some(path) = self.place(&written) else {
            return self.leave_out(written, "its name leads elsewhere");
        };
        let facts = self.facts(entry.header())?;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        match kind {
            Kind::Regular | Kind::Continuous | Kind::GNUSparse => self.file(path, facts, entry),
            Kind::Directory => self.folder(path, facts),
            Kind::Symlink | Kind::Link => {
                let points = entry.link_name_bytes().unwrap_or_default().into_owned();
                let points = PathBuf::from(OsStr::from_bytes(&points));
                if kind == Kind::Link { self.hard_link(path, &points) } else { self.link(path, &points) }
            }
            Kind::Char | Kind::Block => self.leave_out(written, "it is a device"),
            _ => self.leave_out(written, "it is neither a file, a folder nor a link"),
        }
    }

    /// Where an entry goes, beneath the folder; `None` where its name would lead elsewhere.
    fn place(&self, written: &Path) -> Option<PathBuf> {
        let mut parts = Vec::new();
        for part in written.components() {
            match part {
                Component::Normal(name) if name.as_bytes().contains(&0) => return None,
                Component::Normal(name) => parts.push(name),
                Component::CurDir | Component::RootDir => {}
                Component::ParentDir | Component::Prefix(_) => return None,
            }
        }
        let mut path = self.target.prefix.clone();
        path.extend(parts.get(self.target.strip..).unwrap_or_default());
        Some(path)
    }

    fn facts(&self, header: &tar::Header) -> io::Result<Facts> {
        let number = |id: u64| u32::try_from(id).map_err(io::Error::other);
        let owner = match self.target.owners {
            Owners::Caller => None,
            Owners::Archive => Some((number(header.uid()?)?, number(header.gid()?)?)),
        };
        Ok(Facts {
            mode: Mode::from_raw_mode(header.mode()? & PERMISSIONS),
            owner,
            modified: i64::try_from(header.mtime()?).unwrap_or_default(),
        })
    }

    fn file(&mut self, path: PathBuf, facts: Facts, content: &mut impl Read) -> io::Result<()> {
        let (folder, name) = self.parent(&path)?;
        if !self.clear(&folder, &name, &path)? {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(file);
        io::copy(content, &mut file)?;
        settle(&file, facts)?;
        self.files.insert(path);
        self.done.made += 1;
        Ok(())
    }

    fn folder(&mut self, path: PathBuf, facts: Facts) -> io::Result<()> {
        let (parent, name) = self.parent(&path)?;
        match rustix::fs::mkdirat(&parent, &name, Mode::RWXU) {
            Ok(()) => {
                self.folders.push((path, facts));
                self.done.made += 1;
                Ok(())
            }
            Err(Errno::EXIST) if is_folder(&parent, &name) => Ok(()),
            Err(Errno::EXIST) => self.leave_out(path, "something that is no folder has its name already"),
            Err(error) => Err(error.into()),
        }
    }

    /// A link is made where it stays among what is unpacked, by its text alone: `..` may only lead it.
    fn link(&mut self, path: PathBuf, points: &Path) -> io::Result<()> {
        let own = path.strip_prefix(&self.target.prefix).unwrap_or(&path);
        let depth = own.components().count().saturating_sub(1);
        if !stays_within(points, depth) {
            return self.leave_out(path, "it links to something outside");
        }
        let (folder, name) = self.parent(&path)?;
        if self.clear(&folder, &name, &path)? {
            rustix::fs::symlinkat(points, &folder, &name)?;
            self.done.made += 1;
        }
        Ok(())
    }

    fn hard_link(&mut self, path: PathBuf, points: &Path) -> io::Result<()> {
        let Some(first) = self.place(points).filter(|first| self.files.contains(first)) else {
            return self.leave_out(path, "it is another name of a file that is not in the archive");
        };
        let (folder, name) = self.parent(&path)?;
        let (other, other_name) = self.parent(&first)?;
        if first != path && self.clear(&folder, &name, &path)? {
            rustix::fs::linkat(&other, &other_name, &folder, &name, AtFlags::empty())?;
            self.files.insert(path);
            self.done.made += 1;
        }
        Ok(())
    }

    /// The folder that a path is in, made where it is missing, and the path's last part.
    fn parent(&self, path: &Path) -> io::Result<(OwnedFd, OsString)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let parent = path.parent().unwrap_or(Path::new(""));
        let mut folder = self.target.folder.try_clone()?;
        for part in parent.components() {
            folder = match step_into(&folder, part.as_os_str()) {
                Err(Errno::NOENT) => {
                    rustix::fs::mkdirat(&folder, part.as_os_str(), Mode::from_raw_mode(0o755))?;
                    step_into(&folder, part.as_os_str())?
                }
                other => other?,
            };
        }
        Ok((folder, name))
    }

    /// Makes room for a name; a folder that has it stays, and what was to come is left out.
    fn clear(&mut self, folder: &OwnedFd, name: &OsStr, path: &Path) -> io::Result<bool> {
        match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::ISDIR | Errno::PERM) if is_folder(folder, name) => {
                self.leave_out(path.to_path_buf(), "a folder has its name already")?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "reads as the end of each arm")]
    fn leave_out(&mut self, path: PathBuf, why: &'static str) -> io::Result<()> {
        self.done.left_out.push((path, why));
        Ok(())
    }

    /// Folders get their permissions last, inner ones first: a closed one could not be filled.
    fn finish(self) -> io::Result<Unpacked> {
        for (path, facts) in self.folders.iter().rev() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::openat2(&self.target.folder, path, flags, Mode::empty(), BENEATH)?;
            settle(&folder, *facts)?;
        }
        Ok(self.done)
    }
}

/// What openat2(2) says to a name on whose way there is a link, or something that is no folder.
fn leads_astray(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::LOOP | Errno::NOTDIR | Errno::XDEV))
}

fn step_into(folder: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(folder, name, flags, Mode::empty(), BENEATH)
}

fn is_folder(parent: &OwnedFd, name: &OsStr) -> bool {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}

/// Owner before permissions: a change of owner would take rights away again.
fn settle(file: impl AsFd, facts: Facts) -> io::Result<()> {
    if let Some((uid, gid)) = facts.owner {
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        rustix::fs::fchown(&file, Some(uid), Some(gid))?;
    }
    rustix::fs::fchmod(&file, facts.mode)?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: facts.modified, tv_nsec: 0 },
    };
    Ok(rustix::fs::futimens(&file, &times)?)
}

/// Whether a link's text stays beneath a root from `depth` folders below it, whatever else is linked in between.
fn stays_within(points: &Path, depth: usize) -> bool {
    let mut up = 0;
    let mut down = false;
    for part in points.components() {
        match part {
            Component::ParentDir if !down => up += 1,
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    up <= depth
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use expect_test::{Expect, expect};

    use super::*;

    /// One entry: its name as raw bytes of the header, kind, mode, and link target or content.
    type Row<'a> = (&'a str, u8, u32, &'a str);

    fn archive(rows: &[Row<'_>]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, mode, text) in rows {
            let mut header = tar::Header::new_gnu();
            // By hand: the crate's own setters refuse the names that matter here.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(tar::EntryType::new(*kind));
            header.set_mode(*mode);
            header.set_uid(12345);
            header.set_gid(12345);
            header.set_mtime(1_000_000_000);
            let links = matches!(kind, b'1' | b'2');
            if links {
                header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
            }
            let content = if links { "" } else { text };
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn target(folder: &Path, strip: usize, prefix: &str, owners: Owners) -> Target {
        let folder = std::fs::File::open(folder).unwrap().into();
        Target { folder, strip, prefix: prefix.into(), owners }
    }

    /// What was left out, and everything in the folder: name, mode, and content or target.
    fn told(unpacked: &Unpacked, folder: &Path) -> String {
        let left =
            unpacked.left_out.iter().map(|(path, why)| format!("left out: {}: {why}\n", path.display()));
        let mut rows = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(inside) = folders.pop() {
            for entry in std::fs::read_dir(inside).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(folder).unwrap().display();
                let seen = path.symlink_metadata().unwrap();
                let mode = seen.permissions().mode() & 0o7777;
                if seen.is_symlink() {
                    rows.push(format!("{name} -> {}\n", std::fs::read_link(&path).unwrap().display()));
                } else if seen.is_dir() {
                    rows.push(format!("{name}/ {mode:o}\n"));
                    folders.push(path);
                } else {
                    rows.push(format!("{name} {mode:o} {}\n", std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
        rows.sort();
        left.chain(rows).collect()
    }

    #[track_caller]
    fn check(rows: &[Row<'_>], expect: Expect) {
        let bed = tempfile::tempdir().unwrap();
        std::fs::write(bed.path().join("outside"), "outside").unwrap();
        let folder = bed.path().join("target");
        std::fs::create_dir(&folder).unwrap();
        let unpacked = unpack(&*archive(rows), &target(&folder, 1, "", Owners::Caller)).unwrap();
        expect.assert_eq(&told(&unpacked, &folder));
        assert_eq!(std::fs::read_to_string(bed.path().join("outside")).unwrap(), "outside");
        assert_eq!(std::fs::read_dir(bed.path()).unwrap().count(), 2, "something came to be outside");
    }

    #[test]
    fn files_folders_and_links_come_out_as_they_went_in() {
        check(
            &[
                ("data/", b'5', 0o750, ""),
                ("data/a", b'0', 0o640, "one"),
                ("data/deep/er/b", b'0', 0o755, "two"),
                ("data/again", b'1', 0o644, "data/a"),
                ("data/deep/up", b'2', 0o777, "../a"),
                ("data/shut/", b'5', 0o500, ""),
                ("data/shut/c", b'0', 0o400, "three"),
            ],
            expect![[r#"
                a 640 one
                again 640 one
                deep/ 755
                deep/er/ 755
                deep/er/b 755 two
                deep/up -> ../a
                shut/ 500
                shut/c 400 three
            "#]],
        );
    }

    #[test]
    fn no_name_leads_outside() {
        check(
            &[
                ("data/../../outside", b'0', 0o644, "bad"),
                ("data/x/../../../outside", b'0', 0o644, "bad"),
                ("/data/rooted", b'0', 0o644, "inside"),
                ("data/../outside/", b'5', 0o755, ""),
            ],
            expect![[r#"
                left out: data/../../outside: its name leads elsewhere
                left out: data/x/../../../outside: its name leads elsewhere
                left out: data/../outside/: its name leads elsewhere
                rooted 644 inside
            "#]],
        );
    }

    #[test]
    fn no_link_leads_outside_and_none_is_written_through() {
        check(
            &[
                ("data/a", b'2', 0o777, "/"),
                ("data/b", b'2', 0o777, "../outside"),
                ("data/x/c", b'2', 0o777, "../../outside"),
                ("data/x/up", b'2', 0o777, ".."),
                ("data/d", b'2', 0o777, "x/up/../outside"),
                ("data/x/up/through", b'0', 0o644, "bad"),
                ("data/e", b'1', 0o777, "data/../outside"),
                ("data/f", b'1', 0o777, "data/never"),
                ("data/g", b'1', 0o777, "data/x/up"),
            ],
            expect![[r#"
                left out: a: it links to something outside
                left out: b: it links to something outside
                left out: x/c: it links to something outside
                left out: d: it links to something outside
                left out: data/x/up/through: its name leads through a link or a file
                left out: e: it is another name of a file that is not in the archive
                left out: f: it is another name of a file that is not in the archive
                left out: g: it is another name of a file that is not in the archive
                x/ 755
                x/up -> ..
            "#]],
        );
    }

    #[test]
    fn no_device_and_no_set_user_id_comes_out() {
        check(
            &[
                ("data/sh", b'0', 0o6755, "root"),
                ("data/dir/", b'5', 0o3777, ""),
                ("data/disk", b'4', 0o666, ""),
                ("data/null", b'3', 0o666, ""),
                ("data/pipe", b'6', 0o666, ""),
            ],
            expect![[r#"
                left out: data/disk: it is a device
                left out: data/null: it is a device
                left out: data/pipe: it is neither a file, a folder nor a link
                dir/ 777
                sh 755 root
            "#]],
        );
    }

    #[test]
    fn what_is_there_is_replaced_and_never_written_through() {
        let bed = tempfile::tempdir().unwrap();
        let folder = bed.path().join("target");
        std::fs::create_dir_all(folder.join("kept")).unwrap();
        std::fs::write(bed.path().join("outside"), "outside").unwrap();
        symlink("../outside", folder.join("a")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        std::fs::hard_link(bed.path().join("outside"), folder.join("b")).unwrap();
        let rows = [
            ("data/a", b'0', 0o644, "new"),
            ("data/b", b'0', 0o644, "new"),
            ("data/up/outside", b'0', 0o644, "bad"),
            ("data/kept", b'0', 0o644, "bad"),
        ];
        let unpacked = unpack(&*archive(&rows), &target(&folder, 1, "", Owners::Caller)).unwrap();
        expect![[r#"
            left out: data/up/outside: its name leads through a link or a file
            left out: kept: a folder has its name already
            a 644 new
            b 644 new
            kept/ 755
            up -> ..
        "#]]
        .assert_eq(&told(&unpacked, &folder));
        assert_eq!(std::fs::read_to_string(bed.path().join("outside")).unwrap(), "outside");
    }

    #[test]
    fn a_single_file_takes_the_name_that_it_is_given() {
        let bed = tempfile::tempdir().unwrap();
        let rows = [("a.conf", b'0', 0o600, "x")];
        unpack(&*archive(&rows), &target(bed.path(), 1, "b.conf", Owners::Caller)).unwrap();
        let seen = std::fs::metadata(bed.path().join("b.conf")).unwrap();
        assert_eq!((seen.mode() & 0o7777, seen.mtime()), (0o600, 1_000_000_000));
        assert_eq!(seen.uid(), rustix::process::geteuid().as_raw());
    }

    #[test]
    fn a_broken_archive_is_an_error() {
        let bed = tempfile::tempdir().unwrap();
        let mut bytes = archive(&[("data/a", b'0', 0o644, "some text")]);
        bytes.truncate(515);
        unpack(&*bytes, &target(bed.path(), 1, "", Owners::Caller)).unwrap_err();
        unpack(&[7; 2048][..], &target(bed.path(), 1, "", Owners::Caller)).unwrap_err();
    }
}
