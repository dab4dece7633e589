//! A server as providers hand it out: Debian, a way in by SSH, and packages and images that come as files.
//!
//! The rest is made of it by user-data that `supervisor render cloud-init` prints, as it is. This file's text is part of the
//! packages' key. Deliberately absent: what is asserted (`tests/tests/machine/server.rs`), and a network card.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache;
use crate::debian;
use crate::shell::{command, output, quiet, say};

/// What a provider's image has besides the machine's own packages.
const OF_THE_IMAGE: [&str; 2] = ["openssh-server", "sudo"];
/// What the user-data installs: of cloud-init's list, and of the script.
const INSTALLED: [&str; 16] = [
    "aide",
    "apparmor",
    "apparmor-utils",
    "auditd",
    "ca-certificates",
    "chrony",
    "curl",
    "docker.io",
    "fail2ban",
    "needrestart",
    "nftables",
    "openssl",
    "prometheus-node-exporter",
    "python3-systemd",
    "ufw",
    "unattended-upgrades",
];
/// Whoever looks after it; nobody has the other half.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2v5n5V8V5H3a0y7m6mQm3mJp8J1n4oQv1w0d3Yx9aB somebody";

/// Puts into a payload what makes a server of the machine: packages, what the provider's image does, and the user-data.
pub(super) fn provide(payload: &Path, root: &Path, supervisor: &Path) -> Result<()> {
    quiet(command("cp", ["--recursive"]).arg(packages(root)?).arg(payload.join("packages")))?;
    fs::write(payload.join("vendor-data.yaml"), include_str!("guest/vendor-data.yaml"))?;
    fs::write(payload.join("user-data.yaml"), user_data(payload, supervisor)?).map_err(anyhow::Error::from)
}

/// As it is printed. Its answers are those of a provider's panel: nothing of them is about this machine but the files.
fn user_data(payload: &Path, supervisor: &Path) -> Result<String> {
    let (answers, stack) = (payload.join("answers"), payload.join("compose.yaml"));
    fs::write(&stack, include_str!("guest/compose.yaml"))?;
    let rows = [
        format!("ssh-key={KEY}"),
        format!("compose={}", stack.display()),
        "package=/mnt/payload/supervisor.deb".to_owned(),
        "callback-url=https://localhost:8444/ready".to_owned(),
        "instance-id=server-1".to_owned(),
        "callback-secret=not-known-to-anybody".to_owned(),
        // Without a network, what is in the packages' source is what there is.
        "upgrade=no".to_owned(),
    ];
    fs::write(&answers, rows.join("\n") + "\n")?;
    output(command(supervisor, ["render", "cloud-init", "--answers"]).arg(&answers))
}

/// A folder with packages, everything that they need and the root has not, and a list of them for apt.
fn packages(root: &Path) -> Result<PathBuf> {
    let key = cache::key(&[include_str!("server.rs"), &root.to_string_lossy()]);
    cache::entry(&format!("machine-packages-{key}"), |folder| {
        say("downloading a server's packages");
        let wanted = [&OF_THE_IMAGE[..], &INSTALLED[..]].concat();
        debian::download_for(&root.join("var/lib/dpkg/status"), folder, &wanted)?;
        let mut list = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // In an address, a percent sign begins a number.
            let plain = name.replace("%3a", "-");
            let deb = folder.join(&plain);
            fs::rename(&path, &deb)?;
            let control = output(command("dpkg-deb", ["--field"]).arg(&deb))?;
            let sum = output(&mut command("sha256sum", [&deb]))?;
            let sum = sum.split_whitespace().next().unwrap_or_default().to_owned();
            let size = fs::metadata(&deb)?.len();
            list.push(format!("{}\nFilename: ./{plain}\nSize: {size}\nSHA256: {sum}\n", control.trim_end()));
        }
        Ok(fs::write(folder.join("Packages"), list.join("\n"))?)
    })
}
