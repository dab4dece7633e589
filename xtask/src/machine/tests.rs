//! The tests of the machine: what they need is put into a payload, and one boot runs them all.
//!
//! Each leaves what came of it in the results, where the test of the same name outside, one of the runner's, waits for
//! it. Deliberately absent: the tests (`tests/tests/machine`), and judging.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cache;
use crate::dist;
use crate::images;
use crate::product;
use crate::shell::{command, quiet, say};

use super::pulse::Still;
use super::{Boot, Console, Machine, server};

/// What Node's image says of how it is run.
const NODE_LINES: [&str; 3] = ["ENV PATH=/usr/local/bin", "USER 1000:1000", r#"CMD ["node"]"#];

/// The longest boot. By itself the machine that imports and starts OpenClaw ends after about eight minutes on two busy cores, the
/// server, which installs forty packages, after five.
const LIMIT: Duration = Duration::from_mins(25);

/// Options of `machine tests`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Parts of names of tests; without one, all
    names: Vec<String>,
    /// Those of the server that rendered user-data makes
    #[arg(long)]
    server: bool,
}

/// Boots, and shows what came of each.
pub(super) fn run(args: &Args) -> Result<()> {
    let supervisor = product::development()?;
    let kind = if args.server { Kind::Server } else { Kind::Plain };
    let name = format!("desk-{}", kind.folder());
    let _turn = cache::lock(&format!("machine-{name}"))?;
    let results = cache::root()?.join("machine-results").join(name);
    empty(&results)?;
    let bed = Bed::prepare(kind, &results, &supervisor, &args.names)?;
    let ended = bed.boot(None);
    for path in rows(&results)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        println!("{name}: {}", fs::read_to_string(&path)?);
    }
    say(format!("the logs are in `{}`", results.display()));
    ended.map(drop)
}

/// Machines that are booted beside the other tests.
#[derive(Debug)]
pub(crate) struct Beside {
    results: PathBuf,
    enough: Arc<AtomicBool>,
    boots: [JoinHandle<()>; 2],
    /// Held for as long as the results are in use.
    _turn: fs::File,
}

impl Beside {
    /// Boots each at once, or as soon as a test of it asks for it.
    pub(crate) fn start(supervisor: PathBuf, at_once: bool) -> Result<Self> {
        let turn = cache::lock("machine-test")?;
        let results = cache::root()?.join("machine-results/test");
        empty(&results)?;
        let enough = Arc::new(AtomicBool::new(false));
        let boots = [Kind::Plain, Kind::Server].map(|kind| {
            let (folder, stop) = (results.join(kind.folder()), Arc::clone(&enough));
            let supervisor = supervisor.clone();
            spawn(move || {
                let ended = fs::create_dir_all(&folder)
                    .map_err(Into::into)
                    .and_then(|()| boot_when_wanted(kind, &folder, &supervisor, at_once, &stop));
                let how = ended
                    .map_or_else(|error| format!("{error:#}"), |code| format!("its tests ended with {code}"));
                // A test that cannot read this fails by its own limit.
                let _ = fs::write(folder.join("over"), how);
            })
        });
        Ok(Self { results, enough, boots, _turn: turn })
    }

    /// Where the tests outside look, as a variable of their environment.
    pub(crate) fn variable(&self) -> (&'static str, &Path) {
        ("SUPERVISOR_MACHINE", &self.results)
    }

    /// Ends it: nobody waits for it any more.
    pub(crate) fn end(self) {
        self.enough.store(true, Ordering::Relaxed);
        for boot in self.boots {
            let _ = boot.join();
        }
    }
}

fn boot_when_wanted(
    kind: Kind,
    results: &Path,
    supervisor: &Path,
    at_once: bool,
    stop: &AtomicBool,
) -> Result<i32> {
    while !at_once && !results.join("wanted").exists() {
        if stop.load(Ordering::Relaxed) {
            return Ok(0);
        }
        sleep(Duration::from_millis(100));
    }
    Bed::prepare(kind, results, supervisor, &[])?.boot(Some(stop))
}

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With as little as the tests need, and a unit from a few lines of user-data.
    Plain,
    /// A server that rendered user-data makes of a provider's image.
    Server,
}

impl Kind {
    /// Where its results are among those of all.
    const fn folder(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Server => "server",
        }
    }

    /// What its kernel is told at the second boot, for what is there after a reboot: one of them has no IPv6 then.
    const fn told_later(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["ipv6.disable=1"],
            Self::Server => &[],
        }
    }

    /// How its tests are told from the others', for the test program.
    const fn filter(self) -> &'static str {
        match self {
            Self::Plain => "--skip server::",
            Self::Server => "server::",
        }
    }
}

/// A machine and what is run in it.
#[derive(Debug)]
struct Bed {
    kind: Kind,
    machine: Machine,
    payload: PathBuf,
    results: PathBuf,
    disk: PathBuf,
}

impl Bed {
    fn prepare(kind: Kind, results: &Path, supervisor: &Path, names: &[String]) -> Result<Self> {
        let machine = Machine::ensure()?;
        let (payload, disk) = (results.with_extension("payload"), results.with_extension("disk"));
        for folder in [&payload, &disk] {
            empty(folder)?;
        }
        copy(supervisor, &payload.join("supervisor"))?;
        copy(&product::test_program("machine")?, &payload.join("tests"))?;
        attack(&payload.join("attack"))?;
        put(&payload.join("run"), include_str!("guest/tests"))?;
        for (name, text) in [
            ("import", include_str!("guest/import")),
            ("import-all", include_str!("guest/import-all")),
            ("provider", include_str!("guest/provider")),
        ] {
            put(&payload.join(name), text)?;
        }
        let given = results.with_extension("dist");
        fs::rename(dist::pack_for_tests(supervisor, &given)?, payload.join("supervisor.deb"))?;
        fs::remove_dir_all(&given)?;
        match kind {
            Kind::Plain => {
                fs::write(payload.join("user-data.yaml"), include_str!("guest/user-data.yaml"))?;
                fs::write(payload.join("vendor-data.yaml"), "#cloud-config\n")?;
            }
            Kind::Server => server::provide(&payload, &machine.root, supervisor)?,
        }
        // Names are added up: those of the server's tests are its own already.
        let all = if kind == Kind::Server && !names.is_empty() { "" } else { kind.filter() };
        fs::write(payload.join("kind"), all)?;
        fs::write(payload.join("filter"), names.join(" "))?;
        image(&payload.join("images/caddy"), &images::caddy_root()?, &crate::recipes::CADDY_LINES)?;
        image(&payload.join("images/node"), &node()?, &NODE_LINES)?;
        if kind == Kind::Plain {
            let whole = images::openclaw_root()?;
            image(&payload.join("large/openclaw"), &whole, &crate::recipes::OPENCLAW_LINES)?;
        }
        Ok(Self { kind, machine, payload, results: results.to_owned(), disk })
    }

    /// As [`twice`](Self::twice). A machine that stands still is begun anew once: this kernel may, under load, whatever runs
    /// in it. What it said is kept.
    fn boot(&self, given_up: Option<&AtomicBool>) -> Result<i32> {
        let ended = self.twice(given_up);
        let Err(error) = ended else { return ended };
        if !error.is::<Still>() {
            return Err(error);
        }
        say(format!("booting another machine: {}", error.root_cause()));
        fs::rename(self.results.join("console.log"), self.results.join("still-console.log"))?;
        for path in rows(&self.results)? {
            fs::remove_file(path)?;
        }
        empty(&self.disk)?;
        self.twice(given_up)
    }

    /// Boots, and boots the same disk again; the worse of the two codes.
    fn twice(&self, given_up: Option<&AtomicBool>) -> Result<i32> {
        say("booting the machine");
        let boot = Boot {
            user_data: Some(&self.payload.join("user-data.yaml")),
            vendor_data: Some(&self.payload.join("vendor-data.yaml")),
            payload: Some(&self.payload),
            results: Some(&self.results),
            told: &[],
            limit: Some(LIMIT),
            given_up,
            console: Console::Log,
        };
        let first = self.machine.boot(&self.disk, &boot)?;
        for log in ["console.log", "journal.txt"] {
            fs::rename(self.results.join(log), self.results.join(format!("first-{log}")))?;
        }
        let second = self.machine.boot(&self.disk, &Boot { told: self.kind.told_later(), ..boot })?;
        for folder in [&self.payload, &self.disk] {
            fs::remove_dir_all(folder)?;
        }
        Ok(first.max(second))
    }
}

/// What came of each test, by name: a file each.
fn rows(results: &Path) -> Result<Vec<PathBuf>> {
    let mut rows: Vec<PathBuf> =
        fs::read_dir(results)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    rows.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
    rows.sort();
    Ok(rows)
}

/// A folder with nothing in it.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("could not copy `{}`", from.display()))
}

/// Writes a program.
fn put(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// An image as the machine imports it: its root, which is not copied where it need not be, and what is said of it.
fn image(folder: &Path, root: &Path, lines: &[&str]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let to = folder.join("root.tar");
    if fs::hard_link(root, &to).is_err() {
        copy(root, &to)?;
    }
    Ok(fs::write(folder.join("changes"), lines.join("\n") + "\n")?)
}

/// The attack program, linked statically: it runs in any image.
fn attack(to: &Path) -> Result<()> {
    let source = product::workspace().join("tests/src/bin/attack/main.rs");
    let options =
        ["--edition", "2024", "-C", "opt-level=1", "-C", "panic=abort", "-C", "target-feature=+crt-static"];
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    quiet(command(compiler, options).arg("-o").arg(to).arg(source))
}

/// Node.js with one native module, and nothing but what they are linked with: from OpenClaw's image.
fn node() -> Result<PathBuf> {
    let whole = images::openclaw_root()?;
    let key = cache::key(&[include_str!("tests.rs"), &whole.to_string_lossy()]);
    let entry = cache::entry(&format!("images/machine-node-{key}"), |folder| {
        say("building the image of Node.js alone");
        let root = folder.join("root");
        fs::create_dir_all(&root)?;
        let library = |name: &str| format!("./usr/lib/*-linux-gnu/{name}");
        let wanted = [
            "ld-linux-*",
            "libc.so.6",
            "libm.so.6",
            "libdl.so.2",
            "libpthread.so.0",
            "libgcc_s.so.1",
            "libstdc++.so.6*",
        ];
        let mut unpack = command("tar", ["--extract", "--wildcards", "--file"]);
        unpack.arg(&whole).arg("--directory").arg(&root).args(wanted.map(library));
        unpack.args(["./lib", "./lib64", "./usr/lib64", "./usr/local/bin/node"]);
        quiet(unpack.arg("./app/node_modules/@openclaw/fs-safe-linux-*/fs-safe-native.node"))?;
        for made in ["data", "tmp", "etc"] {
            fs::create_dir_all(root.join(made))?;
        }
        let pack = ["--create", "--owner=0", "--group=0", "--numeric-owner", "--file"];
        quiet(command("tar", pack).arg(folder.join("root.tar")).arg("--directory").arg(&root).arg("."))?;
        Ok(fs::remove_dir_all(&root)?)
    })?;
    Ok(entry.join("root.tar"))
}
