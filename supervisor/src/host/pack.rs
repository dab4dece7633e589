//! Packs a file or a folder of this machine into a tar stream, as the engine unpacks it.
//!
//! Links are packed as links, but for the one that is named if it is to be followed; set-user-ID bits stay here.
//! Deliberately absent: deciding where it goes; `commands/cp` does.

use std::fs::Metadata;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// What is packed.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file or folder.
    pub path: PathBuf,
    /// Its name in the archive; empty packs what is in the folder alone.
    pub name: PathBuf,
    /// Whether a link at the end of `path` is followed.
    pub follow: bool,
    /// Whose it is in the archive: user and group by number. `None` is as it is here.
    pub owner: Option<(u32, u32)>,
}

/// Packs it; what is no file, folder or link is left out and named.
///
/// # Errors
/// A file cannot be read, or nobody takes the archive.
pub fn pack(source: &Source, out: impl Write) -> io::Result<Vec<PathBuf>> {
    let mut builder = tar::Builder::new(out);
    let mut left_out = Vec::new();
    let seen = metadata(&source.path, source.follow)?;
    // Depth first, in the order of names, so that the same folder packs the same twice.
    let mut open = vec![(source.path.clone(), source.name.clone(), seen)];
    while let Some((path, name, seen)) = open.pop() {
        let mut header = header(&seen, source.owner);
        let kind = seen.file_type();
        if kind.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, &name, std::fs::read_link(&path).map_err(at(&path))?)?;
        } else if kind.is_dir() {
            if !name.as_os_str().is_empty() {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, &name, io::empty())?;
            }
            open.extend(inside(&path, &name).map_err(at(&path))?);
        } else if kind.is_file() {
            header.set_size(seen.len());
            builder.append_data(&mut header, &name, content(&path, source.follow, seen.len())?)?;
        } else {
            left_out.push(path);
        }
    }
    builder.into_inner()?.flush()?;
    Ok(left_out)
}

fn metadata(path: &Path, follow: bool) -> io::Result<Metadata> {
    let seen = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    seen.map_err(at(path))
}

/// What is in a folder, last name first, for a stack.
fn inside(path: &Path, name: &Path) -> io::Result<Vec<(PathBuf, PathBuf, Metadata)>> {
    let mut names = std::fs::read_dir(path)?.map(|e| Ok(e?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable_by(|a, b| b.cmp(a));
    let rows = names.into_iter().map(|file| {
        let path = path.join(&file);
        let seen = metadata(&path, false)?;
        Ok((path, name.join(file), seen))
    });
    rows.collect()
}

fn header(seen: &Metadata, owner: Option<(u32, u32)>) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let (uid, gid) = owner.unwrap_or((seen.uid(), seen.gid()));
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    header.set_mode(seen.permissions().mode() & 0o777);
    header.set_mtime(u64::try_from(seen.mtime()).unwrap_or_default());
    header
}

/// As many bytes as were announced, whatever becomes of the file meanwhile. A link that has taken the file's place is
/// not followed.
fn content(path: &Path, follow: bool, length: u64) -> io::Result<impl io::Read> {
    let flags = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(at(path))?;
    Ok(file.chain(io::repeat(0)).take(length))
}

/// Which file it was: the operating system does not say.
fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    let path = path.display().to_string();
    move |error| io::Error::new(error.kind(), format!("`{path}`: {error}"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::os::unix::fs::symlink;

    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(name: &str, follow: bool, expect: Expect) {
        let bed = tempfile::tempdir().unwrap();
        let folder = bed.path().join("here");
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        std::fs::write(folder.join("deep/b"), "two").unwrap();
        std::fs::write(folder.join("a"), "one").unwrap();
        std::fs::set_permissions(folder.join("a"), std::fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("a", folder.join("z")).unwrap();
        symlink(&folder, bed.path().join("there")).unwrap();
        let long = "n".repeat(150);
        std::fs::write(folder.join(&long), "").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let path = if follow { bed.path().join("there") } else { folder };
        let source = Source { path, name: name.into(), follow, owner: Some((1000, 1001)) };
        let mut bytes = Vec::new();
        let left = pack(&source, &mut bytes).unwrap();
        assert_eq!(left.len(), 1, "the pipe");
        let mut text = String::new();
        for entry in tar::Archive::new(&*bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let link =
                entry.link_name().unwrap().map(|to| format!(" -> {}", to.display())).unwrap_or_default();
            let (path, head) = (entry.path().unwrap().display().to_string(), entry.header());
            let (mode, uid, gid) = (head.mode().unwrap(), head.uid().unwrap(), head.gid().unwrap());
            let mode = if link.is_empty() { format!(" {mode:o}") } else { String::new() };
            let path = path.replace(&long, "nnn");
            writeln!(text, "{path}{link}{mode} {uid}:{gid} {content}").unwrap();
        }
        expect.assert_eq(&text);
    }

    #[test]
    fn a_folder_is_packed_under_its_name_with_links_as_links() {
        check(
            "data",
            false,
            expect![[r#"
                data 755 1000:1001 
                data/a 755 1000:1001 one
                data/deep 755 1000:1001 
                data/deep/b 644 1000:1001 two
                data/nnn 644 1000:1001 
                data/z -> a 1000:1001 
            "#]],
        );
    }

    #[test]
    fn the_content_of_a_folder_has_no_name_before_it_and_a_link_to_it_is_followed() {
        check(
            "",
            true,
            expect![[r#"
                a 755 1000:1001 one
                deep 755 1000:1001 
                deep/b 644 1000:1001 two
                nnn 644 1000:1001 
                z -> a 1000:1001 
            "#]],
        );
    }
}
