//! Every runc of Debian's suites under every profile: does it get from its filter to the program, and does an `exec`?
//!
//! What runc needs between the two changes from version to version, and a profile that lacks one call of it starts
//! nothing. Deliberately absent: an engine; runc is started as one starts it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use profiles::seccomp::{self, Profile};
use profiles::{Arch, Base, Kernel};
use serde_json::{Value, json};

use crate::engine::unpack;
use crate::shell::{command, output, quiet, require_root, say};
use crate::{cache, debian};

/// Debian's suites, from the oldest.
const SUITES: [&str; 4] = ["bookworm", "trixie", "forky", "sid"];
const PACKAGES: [&str; 3] = ["runc", "libc6", "libseccomp2"];
/// What a recorded profile of a service that does next to nothing has: a sleeping `busybox`.
const NEXT_TO_NOTHING: [&str; 2] = ["clock_nanosleep", "uname"];

/// Options of `runc`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often each is started and executed in
    #[arg(long, default_value_t = 10)]
    times: u32,
}

/// Starts them all, and prints one line a runc and profile. The first failure ends it.
pub(crate) fn run(args: &Args) -> Result<()> {
    require_root("to start containers")?;
    debian::install(&[("/bin/busybox", "busybox-static"), ("patchelf", "patchelf"), ("dpkg-deb", "dpkg")])?;
    let bed = Bed::new()?;
    for suite in SUITES {
        let runc = unpacked(suite)?;
        let version = output(&mut command(&runc, ["--version"]))?;
        let version =
            version.lines().next().unwrap_or_default().trim_start_matches("runc version ").to_owned();
        for (name, profile) in profiles() {
            // Filter flags came with runc 1.2.
            let profile = if version.starts_with("1.1.") { profile.without_flags() } else { profile };
            bed.config(&runc, &profile)?;
            for turn in 0..args.times {
                bed.starts(&runc, turn).with_context(|| format!("runc {version} of {suite} under {name}"))?;
            }
            bed.executes(&runc, args.times)
                .with_context(|| format!("an exec of runc {version} of {suite} under {name}"))?;
            let allowed = profile.allowed().len();
            println!(
                "runc {version:<12} {suite:<9} {name:<8} {allowed:>3} calls: {0} starts, {0} execs",
                args.times
            );
        }
    }
    Ok(())
}

/// Every base, and the least that can be recorded.
fn profiles() -> Vec<(&'static str, Profile)> {
    let arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };
    let kernel = Kernel { arch, version: (7, 0), apparmor: false, landlock: 0 };
    let none = BTreeSet::new();
    let bases = Base::ALL.into_iter().map(|base| (base.name(), seccomp::profile(base, &none, &kernel)));
    let calls = NEXT_TO_NOTHING.into_iter().collect();
    bases.chain([("recorded", seccomp::narrowed(Base::Go, &calls, &none, &kernel))]).collect()
}

/// The suite's runc, with the C library that it was built for.
fn unpacked(suite: &str) -> Result<PathBuf> {
    let name = format!("runc-{}", cache::key(&[suite, &PACKAGES.join(" "), include_str!("runc.rs")]));
    let place = cache::root()?.join(&name);
    cache::entry(&name, |folder| {
        say(format!("unpacking runc of Debian's suite {suite}"));
        let (debs, root) = (folder.join("debs"), folder.join("root"));
        fs::create_dir_all(&debs)?;
        debian::download_of(suite, &debs, &PACKAGES)?;
        for package in PACKAGES {
            debian::unpack(&debs, package, &root)?;
        }
        let multiarch = unpack::multiarch()?;
        // Older suites have the C library in `/lib`.
        let folders = ["usr/lib", "lib"].map(|lib| format!("root/{lib}/{multiarch}"));
        let libraries: Vec<&String> = folders.iter().filter(|path| folder.join(path).is_dir()).collect();
        let loader = libraries.iter().find_map(|library| {
            let mut names = fs::read_dir(folder.join(library))
                .ok()?
                .filter_map(|e| e.ok()?.file_name().into_string().ok());
            names.find(|name| name.starts_with("ld-linux")).map(|name| place.join(library).join(name))
        });
        let paths: Vec<String> =
            libraries.iter().map(|library| place.join(library).display().to_string()).collect();
        let loader = loader.context("no dynamic loader in libc6")?;
        let set = ["--set-interpreter".into(), loader, "--set-rpath".into(), paths.join(":").into()];
        quiet(command("patchelf", set).arg(root.join("usr/sbin/runc")))
    })?;
    Ok(place.join("root/usr/sbin/runc"))
}

/// A bundle: a root with a static shell and the engine's init.
pub(crate) struct Bed {
    pub(crate) folder: PathBuf,
}

impl Bed {
    pub(crate) fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("supervisor-runc-{}", std::process::id()));
        let root = folder.join("rootfs");
        for name in ["bin", "dev", "proc", "sys"] {
            fs::create_dir_all(root.join(name))?;
        }
        fs::copy("/bin/busybox", root.join("bin/busybox"))?;
        fs::copy(unpack::unpacked()?.join("root/usr/bin/docker-init"), root.join("bin/init"))?;
        Ok(Self { folder })
    }

    /// Confined as the product confines: another user, no capability, no new privileges, the root read-only.
    pub(crate) fn config(&self, runc: &Path, profile: &Profile) -> Result<()> {
        let file = self.folder.join("config.json");
        let _ = fs::remove_file(&file);
        quiet(command(runc, ["spec"]).current_dir(&self.folder))?;
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let sets = ["bounding", "effective", "permitted", "inheritable", "ambient"]
            .map(|set| (set.to_owned(), json!([])));
        let process = json!({
            "terminal": false,
            "args": ["/bin/init", "--", "/bin/busybox", "sleep", "1000"],
            "user": {"uid": 1000, "gid": 1000},
            "noNewPrivileges": true,
            "capabilities": sets.into_iter().collect::<serde_json::Map<_, _>>(),
        });
        let process = process.as_object().cloned().unwrap_or_default();
        config.get_mut("process").and_then(Value::as_object_mut).context("no process")?.extend(process);
        let linux = config.get_mut("linux").and_then(Value::as_object_mut).context("no linux")?;
        linux.insert("seccomp".to_owned(), json!(profile));
        fs::write(&file, config.to_string())?;
        Ok(())
    }

    fn starts(&self, runc: &Path, turn: u32) -> Result<()> {
        let id = format!("start-{}-{turn}", std::process::id());
        let started = self.run(runc, &id).and_then(|()| is_executed(runc, &id));
        let _ = quiet(&mut command(runc, ["delete", "--force", &id]));
        started
    }

    fn executes(&self, runc: &Path, times: u32) -> Result<()> {
        let id = format!("exec-{}", std::process::id());
        let outcome = self.run(runc, &id).and_then(|()| {
            for _ in 0..times {
                let said = output(&mut command(runc, ["exec", &id, "/bin/busybox", "echo", "here"]))?;
                ensure!(said.trim() == "here", "it said `{said}`");
            }
            Ok(())
        });
        let _ = quiet(&mut command(runc, ["delete", "--force", &id]));
        outcome
    }

    fn run(&self, runc: &Path, id: &str) -> Result<()> {
        let mut run = command(runc, ["run", "--detach", "--bundle"]);
        let null = || fs::File::options().write(true).open("/dev/null");
        let status = run.arg(&self.folder).arg(id).stdout(null()?).stderr(null()?).status()?;
        ensure!(status.success(), "`runc run` ended with {status}");
        Ok(())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until process 1 is the init that was to be executed, and its child the service.
fn is_executed(runc: &Path, id: &str) -> Result<()> {
    for _ in 0..100 {
        let state: Value = serde_json::from_str(&output(&mut command(runc, ["state", id]))?)?;
        let pid = state.get("pid").and_then(Value::as_u64).unwrap_or(0);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let child = children.split_whitespace().next().unwrap_or("0");
        if fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim() == "busybox") {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bail!("the service was not executed within 5 s")
}
