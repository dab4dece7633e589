//! Reading what the audit judges: files, modes, and what programs of the host print.
//!
//! Programs are started without a shell, by their name on a fixed path, and are ended after a while. Deliberately absent:
//! judging, the engine, and which sources there are (`audit`).

use std::fmt::Write as _;

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::audit::evidence::{Mode, Placed, Read, Source};
use crate::hardened::sysctl::SYSCTLS;

/// Where programs of the system are; whoever started this may have others in front.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// A program that says nothing for so long is ended. `systemd-analyze security` takes some seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that is kept of a text.
const LIMIT: u64 = 4 << 20;

/// Reads a text; sources that are no texts are not there.
pub fn read(source: Source) -> Read {
    match source {
        Source::File(path) => told(text(Path::new(path))),
        Source::Folder(path) => told(folder(Path::new(path))),
        Source::Output(words) => told(output(words)),
        Source::Mode(path) => match mode(Path::new(path)) {
            Ok(Some(Mode { bits, uid, gid })) => Read::Text(format!("{bits:04o} {uid} {gid}")),
            Ok(None) => Read::Missing,
            Err(error) => Read::Unreadable(error.to_string()),
        },
        Source::Sysctls => Read::Text(sysctls()),
        Source::Engine | Source::Containers | Source::Metadata | Source::Stack | Source::Attestation => {
            Read::Missing
        }
    }
}

/// A file of a stack, with its mode.
pub fn placed(path: &Path, secret: bool) -> Placed {
    let mode = mode(path).ok().flatten();
    Placed { path: path.display().to_string(), secret, mode }
}

/// A text from `/proc` about one process.
pub fn of_process(pid: u32, file: &str) -> Read {
    told(text(&Path::new("/proc").join(pid.to_string()).join(file)))
}

fn told(text: io::Result<String>) -> Read {
    match text {
        Ok(text) => Read::Text(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Read::Missing,
        Err(error) => Read::Unreadable(error.to_string()),
    }
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn folder(path: &Path) -> io::Result<String> {
    let mut files: Vec<_> =
        fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut all = String::new();
    for file in files.into_iter().filter(|file| file.is_file()) {
        let _ = writeln!(all, "# {}", file.display());
        all.push_str(&text(&file)?);
        all.push('\n');
    }
    Ok(all)
}

fn mode(path: &Path) -> io::Result<Option<Mode>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(Mode { bits: found.mode() & 0o7777, uid: found.uid(), gid: found.gid() })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `KEY = VALUE` a line, for those that the kernel has and lets be read.
fn sysctls() -> String {
    let mut all = String::new();
    for row in SYSCTLS {
        if let Ok(value) = text(Path::new(&row.file())) {
            let _ = writeln!(all, "{} = {}", row.key, value.trim());
        }
    }
    all
}

/// What a program prints; its errors where it prints nothing else.
fn output(words: &[&str]) -> io::Result<String> {
    let (program, arguments) = words.split_first().ok_or(ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let out = std::thread::spawn(move || drain(out));
    let err = std::thread::spawn(move || drain(err));
    let ended = wait(&mut child);
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    ended?;
    Ok(if out.trim().is_empty() { err } else { out })
}

fn drain(stream: Option<impl io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What came until then counts.
        let _ = stream.take(LIMIT).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(child: &mut Child) -> io::Result<()> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("no answer in {} s", PATIENCE.as_secs()),
            ));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_heard_whatever_it_ends_with() {
        assert_eq!(output(&["sh", "-c", "echo out; echo err >&2; exit 3"]).unwrap(), "out\n");
        assert_eq!(output(&["sh", "-c", "echo err >&2"]).unwrap(), "err\n");
        assert_eq!(read(Source::Output(&["no-such-program"])), Read::Missing);
    }

    #[test]
    fn files_and_folders_are_read_with_their_names() {
        assert!(matches!(read(Source::File("/proc/version")), Read::Text(text) if text.contains("Linux")));
        assert_eq!(read(Source::File("/no/such/file")), Read::Missing);
        assert!(matches!(read(Source::File("/proc")), Read::Unreadable(_)));
        let bed = tempfile::tempdir().unwrap();
        fs::write(bed.path().join("b"), "two").unwrap();
        fs::write(bed.path().join("a"), "one").unwrap();
        let place = bed.path().display();
        assert_eq!(folder(bed.path()).unwrap(), format!("# {place}/a\none\n# {place}/b\ntwo\n"));
    }
}
