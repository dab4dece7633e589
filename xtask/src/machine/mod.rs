//! A machine to boot: Debian with systemd, cloud-init, AppArmor and Docker Engine under User-Mode Linux.
//!
//! What the machine under test does not offer, a kernel with AppArmor and an init that is process 1, is booted as an
//! ordinary program: it needs no virtualization, no network and no image from elsewhere. Deliberately absent: what is
//! run in it, which comes in a payload folder; and a network card, so that nothing in it reaches the outside.

mod boot;
mod disk;
mod kernel;
mod pulse;
mod root;
mod server;
pub(crate) mod tests;
mod trim;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cache;
use crate::debian;
use crate::shell::{require_root, say};

pub(crate) use boot::{Boot, Console};

/// What building and booting need of the machine: program, and Debian package.
const NEEDS: [(&str, &str); 6] = [
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("genisoimage", "genisoimage"),
    ("dpkg-deb", "dpkg"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
];

/// Options of `machine`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Build its disk and kernel into the cache, and say where they are
    Build,
    /// Boot it: cloud-init reads the user-data, the payload's program `run` is started, and results are collected
    Boot(BootArgs),
    /// Boot it to a root shell on this terminal; it powers off when the shell ends
    Shell(ShellArgs),
    /// Run the tests of the machine alone in it, and print what came of each
    Tests(tests::Args),
}

#[derive(Debug, clap::Args)]
struct BootArgs {
    /// User-data for cloud-init; without it, cloud-init stays off
    #[arg(long, value_name = "FILE")]
    user_data: Option<PathBuf>,
    /// Folder that the machine sees, read-only, at `/mnt/payload`; its program `run` is started when the engine is up
    #[arg(long, value_name = "FOLDER")]
    payload: PathBuf,
    /// Folder that the machine sees, writable by its root, at `/mnt/results`
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Folder of the machine's disk: a new one, or one of an earlier boot, which then goes on with it
    #[arg(long, value_name = "FOLDER")]
    disk: Option<PathBuf>,
    /// Seconds until it is ended
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
}

#[derive(Debug, clap::Args)]
struct ShellArgs {
    /// Folder that the machine sees, read-only, at `/mnt/payload`
    #[arg(long, value_name = "FOLDER")]
    payload: Option<PathBuf>,
}

/// Builds, boots, or opens a shell.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Build => {
            let machine = Machine::ensure()?;
            println!("{}\n{}", machine.root.display(), machine.disk.display());
            Ok(())
        }
        What::Boot(args) => boot_once(args),
        What::Shell(args) => shell(args),
        What::Tests(args) => tests::run(args),
    }
}

fn boot_once(args: &BootArgs) -> Result<()> {
    let machine = Machine::ensure()?;
    let folder = tempfile(&args.results)?;
    let disk = args.disk.clone().unwrap_or(folder);
    let boot = Boot {
        user_data: args.user_data.as_deref(),
        vendor_data: None,
        payload: Some(&args.payload),
        results: Some(&args.results),
        told: &[],
        limit: Some(Duration::from_secs(args.limit)),
        given_up: None,
        console: Console::Log,
    };
    let code = machine.boot(&disk, &boot)?;
    if args.disk.is_none() {
        std::fs::remove_dir_all(&disk)?;
    }
    say(format!("the machine powered off; its payload ended with {code}"));
    if code != 0 {
        bail!("the payload ended with {code}; see `{}`", args.results.display());
    }
    Ok(())
}

fn shell(args: &ShellArgs) -> Result<()> {
    let machine = Machine::ensure()?;
    let disk = cache::root()?.join("machine-shell");
    let boot = Boot {
        user_data: None,
        vendor_data: None,
        payload: args.payload.as_deref(),
        results: None,
        told: &[],
        limit: None,
        given_up: None,
        console: Console::Terminal,
    };
    let ended = machine.boot(&disk, &boot);
    std::fs::remove_dir_all(&disk)?;
    ended.map(drop)
}

/// A folder for a disk beside the results.
fn tempfile(results: &Path) -> Result<PathBuf> {
    let folder = results.with_extension("disk");
    if folder.exists() {
        bail!("`{}` is there already: another boot into these results runs, or was killed", folder.display());
    }
    Ok(folder)
}

/// A machine that can be booted, as often as wanted and several at a time.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Its unpacked root: the libraries that the kernel, an ordinary program, is linked with.
    root: PathBuf,
    /// Folder of the disk that every boot starts from.
    disk: PathBuf,
    /// Folder of the kernel.
    kernel: PathBuf,
}

impl Machine {
    /// As it is in the cache, else built: about a quarter of an hour from nothing, most of it its kernel.
    pub(crate) fn ensure() -> Result<Self> {
        require_root("to build a machine's root file system and boot it")?;
        debian::install(&NEEDS)?;
        let kernel = kernel::ensure()?;
        let root = root::ensure()?;
        let disk = disk::ensure(&root, &kernel)?;
        Ok(Self { root, disk, kernel })
    }
}
