//! Booting: a jail with the machine's root, its kernel in it as an ordinary program, and an end that comes for sure.
//!
//! Deliberately absent: what runs in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::shell::{command, quiet};

use super::{Machine, disk, pulse};

/// Memory of the machine, kept in `/dev/shm` of the host while it runs.
const MEMORY: &str = "3G";

/// One boot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boot<'a> {
    /// For cloud-init; without it, cloud-init stays off.
    pub(crate) user_data: Option<&'a Path>,
    /// For cloud-init, besides: what the provider's image does.
    pub(crate) vendor_data: Option<&'a Path>,
    /// Seen, read-only, at `/mnt/payload`.
    pub(crate) payload: Option<&'a Path>,
    /// Seen at `/mnt/results`; gets `console.log`, `journal.txt` and `code`.
    pub(crate) results: Option<&'a Path>,
    /// What it is told besides, on its command line.
    pub(crate) told: &'a [&'a str],
    /// When it is ended, however far it is.
    pub(crate) limit: Option<Duration>,
    /// Ends it when it is set: nobody waits any more.
    pub(crate) given_up: Option<&'a AtomicBool>,
    /// Where its console is.
    pub(crate) console: Console,
}

/// Where the machine's console is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    /// `console.log` of the results, the whole journal in it.
    Log,
    /// This terminal, with a root shell.
    Terminal,
}

impl Machine {
    /// Boots with a disk whose changes are kept in `folder`, which is made if it is not there: a second boot goes on
    /// with them. Waits for the machine's end; the exit code of the payload's program.
    ///
    /// # Errors
    /// The machine does not end within its limit, or stands still, which is a [`Still`](pulse::Still), or its payload's program
    /// says no code: each with the console's end.
    pub(crate) fn boot(&self, folder: &Path, boot: &Boot<'_>) -> Result<i32> {
        let run = Run::new(folder, boot)?;
        let mut child = Ended(self.command(&run, boot)?.spawn().context("could not start the machine")?);
        let (start, started) = (Instant::now(), SystemTime::now());
        while child.0.try_wait()?.is_none() {
            if boot.given_up.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                bail!("the machine was ended, since nobody waits for it any more");
            }
            if boot.console == Console::Log {
                pulse::look(&run.results, &run.console(), started).with_context(|| run.last_words())?;
            }
            if boot.limit.is_some_and(|limit| start.elapsed() > limit) {
                let limit = boot.limit.unwrap_or_default().as_secs();
                bail!("the machine did not end within {limit} s; {}", run.last_words());
            }
            sleep(Duration::from_millis(200));
        }
        if boot.console == Console::Terminal {
            return Ok(0);
        }
        let code = fs::read_to_string(run.results.join("code")).ok();
        let code = code.and_then(|text| text.trim().parse().ok());
        code.with_context(|| format!("the machine ended without its payload's code; {}", run.last_words()))
    }

    fn command(&self, run: &Run, boot: &Boot<'_>) -> Result<Command> {
        let mut line = vec![
            "/mnt/machine/kernel/linux".to_owned(),
            format!("mem={MEMORY}"),
            format!("ubd0=/run/changes,/mnt/machine/disk/{}", disk::NAME),
            "root=/dev/ubda".to_owned(),
            "rw".to_owned(),
            "umid=machine".to_owned(),
            "uml_dir=/run/".to_owned(),
            "seccomp=auto".to_owned(),
        ];
        let words = |text: &'static str| text.split(' ').map(String::from);
        match boot.console {
            Console::Log => line.extend(words(
                "con0=null,fd:1 con=null ssl=null loglevel=4 systemd.show_status=error \
                 systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info",
            )),
            Console::Terminal => {
                line.extend(words("con0=fd:0,fd:1 con=null ssl=null loglevel=3 machine.shell quiet"));
            }
        }
        match boot.user_data {
            Some(_) => line.push("ubd1r=/run/seed.iso".to_owned()),
            None => line.push("cloud-init=disabled".to_owned()),
        }
        line.extend(boot.told.iter().map(ToString::to_string));
        // It ends with this process, however that ends.
        let mut command =
            command("setpriv", ["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]);
        command.args([
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "sh",
            "-c",
            include_str!("guest/jail.sh"),
            "jail",
        ]);
        command.args([
            &run.jail,
            &self.root,
            &self.disk,
            &self.kernel,
            &run.folder,
            &run.payload,
            &run.results,
        ]);
        command.args(line);
        if boot.console == Console::Log {
            let log = File::create(run.console())?;
            command.stderr(log.try_clone()?).stdout(log);
        } else {
            command.stdin(Stdio::inherit());
        }
        Ok(command)
    }
}

/// A process that is killed when it is no longer looked after.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folders of one boot.
struct Run {
    folder: PathBuf,
    jail: PathBuf,
    payload: PathBuf,
    results: PathBuf,
}

impl Run {
    fn new(folder: &Path, boot: &Boot<'_>) -> Result<Self> {
        for name in ["jail", "tmp", "nothing", "results"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let folder = fs::canonicalize(folder)?;
        if let Some(user_data) = boot.user_data {
            seed(&folder, user_data, boot.vendor_data)?;
        }
        let results = boot.results.map_or_else(|| folder.join("results"), Path::to_owned);
        fs::create_dir_all(&results)?;
        let results = fs::canonicalize(results)?;
        if results.join("code").exists() {
            fs::remove_file(results.join("code"))?;
        }
        let payload = boot.payload.map_or_else(|| folder.join("nothing"), Path::to_owned);
        Ok(Self { jail: folder.join("jail"), payload: fs::canonicalize(payload)?, results, folder })
    }

    fn console(&self) -> PathBuf {
        self.results.join("console.log")
    }

    fn last_words(&self) -> String {
        let text = fs::read(self.console()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
        format!("the end of `{}`:\n{last}", self.console().display())
    }
}

/// The disk from which cloud-init reads: an instance is a folder's.
fn seed(folder: &Path, user_data: &Path, vendor_data: Option<&Path>) -> Result<()> {
    let seed = folder.join("seed");
    fs::create_dir_all(&seed)?;
    fs::copy(user_data, seed.join("user-data")).context("could not read the user-data")?;
    if let Some(vendor_data) = vendor_data {
        fs::copy(vendor_data, seed.join("vendor-data")).context("could not read the vendor-data")?;
    }
    fs::write(seed.join("meta-data"), "instance-id: machine-1\nlocal-hostname: machine\n")?;
    let options = ["-quiet", "-volid", "cidata", "-joliet", "-rock", "-output"];
    quiet(command("genisoimage", options).arg(folder.join("seed.iso")).arg(&seed))
}
