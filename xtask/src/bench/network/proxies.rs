//! The proxies that are measured: ours in its container, and two of Debian's beside it in the same network.
//!
//! Deliberately absent: measuring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};

use super::{RESOLVER, Running, answers, wait, within};
use crate::shell::output;
use crate::{cache, debian};

/// How ours is called.
pub(super) const OURS: &str = "egress proxy";

/// A proxy that is measured; dropping it ends it, if it was started here.
pub(super) struct Proxy {
    pub(super) name: &'static str,
    pub(super) address: String,
    pub(super) pid: u32,
    _child: Option<Running>,
}

/// Ours, below its container's init.
pub(super) fn ours(init: u32, address: &str) -> Result<Proxy> {
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children"))?;
    let pid = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).context("no proxy")?;
    Ok(Proxy { name: OURS, address: format!("{address}:3128"), pid, _child: None })
}

/// Both of Debian's, unpacked beside the machine's own programs, and not installed: a package of a server starts it.
pub(super) fn of_debian() -> Result<PathBuf> {
    const PACKAGES: [&str; 6] =
        ["tinyproxy-bin", "squid", "squid-common", "squid-langpack", "libecap3", "libltdl7"];
    let folder = cache::entry(&format!("proxies-{}", cache::key(&PACKAGES)), |folder| {
        debian::download_own(folder, &PACKAGES)?;
        PACKAGES.iter().try_for_each(|package| debian::unpack(folder, package, &folder.join("root")))
    })?;
    Ok(folder.join("root"))
}

pub(super) fn tinyproxy(out: &Path, folder: &Path, root: &Path) -> Result<Proxy> {
    let lines = "Port 3129\nListen 0.0.0.0\nTimeout 600\nMaxClients 4000\nConnectPort 443\nLogLevel Critical\n\
                 DisableViaHeader Yes\n";
    let file = folder.join("tinyproxy.conf");
    fs::write(&file, lines)?;
    let program = root.join("usr/bin/tinyproxy").display().to_string();
    start("tinyproxy", 3129, (out, folder, root), &[&program, "-d", "-c", &file.display().to_string()])
}

pub(super) fn squid(out: &Path, folder: &Path, root: &Path) -> Result<Proxy> {
    let share = root.join("usr/share/squid").display().to_string();
    let unlinkd = root.join("usr/lib/squid/unlinkd").display().to_string();
    let lines = format!(
        "http_port 3130\nhttp_access allow all\ncache deny all\ncache_mem 0\npid_filename none\naccess_log none\n\
         cache_log /dev/null\nmax_filedescriptors 16384\nworkers 1\ndns_nameservers {RESOLVER}\n\
         shutdown_lifetime 1 second\nmime_table {share}/mime.conf\nicon_directory {share}/icons\n\
         error_directory {share}/errors/en\nunlinkd_program {unlinkd}\npinger_enable off\n"
    );
    let file = folder.join("squid.conf");
    fs::write(&file, lines)?;
    let program = root.join("usr/sbin/squid").display().to_string();
    start("squid", 3130, (out, folder, root), &[&program, "-N", "-f", &file.display().to_string()])
}

/// Starts one beside ours, in a mount namespace of its own, where the resolver is the measurement's.
fn start(
    name: &'static str,
    port: u16,
    (out, folder, root): (&Path, &Path, &Path),
    program: &[&str],
) -> Result<Proxy> {
    let resolver = folder.join("resolv.conf");
    fs::write(&resolver, format!("nameserver {RESOLVER}\n"))?;
    let mut command = within(out, "unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command
        .arg("mount -t tmpfs shm /dev/shm && mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"")
        .arg(resolver)
        .args(program);
    let libraries = root.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    command.env("LD_LIBRARY_PATH", libraries);
    let child = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let address = format!("{}:{port}", beside(out)?);
    wait(name, || Ok(answers(out, &address).then_some(())))?;
    let pid = child.0.id();
    Ok(Proxy { name, address, pid, _child: Some(child) })
}

/// The address of our proxy's container on the internal network.
fn beside(out: &Path) -> Result<String> {
    let text = output(within(out, "ip").args(["-4", "-o", "address"]))?;
    let back = text.split_whitespace().find(|word| word.starts_with("10.79.245.")).context("no address")?;
    Ok(back.split('/').next().unwrap_or(back).to_owned())
}
