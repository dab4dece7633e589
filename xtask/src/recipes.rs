//! How the root file systems of the real images are made: Caddy from Debian, OpenClaw from npm on Debian 12.
//!
//! This file's text is part of the cache's key: what is changed here is built again. Deliberately absent: engines.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::debian;
use crate::engine::unpack::multiarch;
use crate::shell::{command, quiet, require_root, say};

/// OpenClaw's version on npm.
pub(crate) const OPENCLAW: &str = "2026.9.6";
/// Node.js, as packed on npm for each architecture; OpenClaw wants 24.16 or later.
const NODE: &str = "24.21.0";
/// npm, which installs OpenClaw.
const NPM: &str = "11.19.1";
/// What OpenClaw and its tools need of Debian 12.
const BASE: &str = "ca-certificates,tini,git,openssl,procps,curl";
/// The user of OpenClaw's image, as upstream has it.
const NODE_USER: u32 = 1000;
/// The user of Caddy's image.
const CADDY_USER: u32 = 1001;

/// What Caddy's image says of how it is run.
pub(crate) const CADDY_LINES: [&str; 9] = [
    "ENV XDG_CONFIG_HOME=/config",
    "ENV XDG_DATA_HOME=/data",
    "ENV HOME=/data",
    "ENV PATH=/usr/bin",
    "EXPOSE 80",
    "EXPOSE 443",
    "WORKDIR /srv",
    "USER 1001:1001",
    r#"CMD ["caddy","run","--config","/etc/caddy/Caddyfile","--adapter","caddyfile"]"#,
];
/// What OpenClaw's image says of how it is run, as upstream's.
pub(crate) const OPENCLAW_LINES: [&str; 9] = [
    "ENV PATH=/usr/local/bin:/usr/bin:/bin",
    "ENV NODE_ENV=production",
    "ENV HOME=/home/node",
    "ENV OPENCLAW_STATE_DIR=/home/node/.openclaw",
    "USER 1000:1000",
    "WORKDIR /app",
    "EXPOSE 18789",
    r#"ENTRYPOINT ["tini","-s","--"]"#,
    r#"CMD ["node","/app/node_modules/openclaw/openclaw.mjs","gateway","run","--bind","lan","--port","18789","--allow-unconfigured"]"#,
];

/// What building needs of the machine.
pub(crate) const NEEDS: [(&str, &str); 4] = [
    ("debootstrap", "debootstrap"),
    ("npm", "npm"),
    ("tar", "tar"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
];

/// Caddy from Debian, with the libc of the same suite and nothing else.
pub(crate) fn caddy(folder: &Path) -> Result<()> {
    prepare()?;
    let (debs, unpacked, root) = (folder.join("debs"), folder.join("unpacked"), folder.join("root"));
    fs::create_dir_all(&debs)?;
    debian::download(&debs, &["caddy", "libc6"])?;
    say(format!("building the image of Caddy {}", debian::version(&debs, "caddy")?));
    for package in ["caddy", "libc6"] {
        debian::unpack(&debs, package, &unpacked)?;
    }
    let libraries = format!("usr/lib/{}", multiarch()?);
    for made in
        ["usr/bin", "etc/ssl/certs", "etc/caddy", "data/caddy", "config/caddy", "srv", "tmp", &libraries]
    {
        fs::create_dir_all(root.join(made))?;
    }
    // Upstream gives the binary a file capability. Not here: without NET_BIND_SERVICE it could not even be executed.
    fs::copy(unpacked.join("usr/bin/caddy"), root.join("usr/bin/caddy"))?;
    for entry in fs::read_dir(unpacked.join(&libraries))? {
        let path = entry?.path();
        let name = path.file_name().context("a library without a name")?.to_string_lossy().into_owned();
        let used = ["ld-linux", "libc.so", "libm.so", "libpthread.so", "libresolv.so", "libnss_", "libdl.so"];
        if used.iter().any(|prefix| name.starts_with(prefix)) {
            quiet(command("cp", ["-a"]).arg(&path).arg(root.join(&libraries)))?;
        }
    }
    symlink("usr/lib", root.join("lib"))?;
    if unpacked.join("usr/lib64").exists() {
        quiet(command("cp", ["-a"]).arg(unpacked.join("usr/lib64")).arg(root.join("usr/lib64")))?;
        symlink("usr/lib64", root.join("lib64"))?;
    }
    fs::copy("/etc/ssl/certs/ca-certificates.crt", root.join("etc/ssl/certs/ca-certificates.crt"))?;
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/sbin/nologin\ncaddy:x:1001:1001::/data:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\n",
    )?;
    fs::write(root.join("etc/group"), "root:x:0:\ncaddy:x:1001:\nnogroup:x:65534:\n")?;
    fs::write(root.join("etc/nsswitch.conf"), "hosts: files dns\n")?;
    fs::write(root.join("etc/caddy/Caddyfile"), ":8080 {\n\trespond ok\n}\n")?;
    for writable in ["data", "data/caddy", "config", "config/caddy"] {
        chown(root.join(writable), Some(CADDY_USER), Some(CADDY_USER))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    pack(folder, &root, &[&debs, &unpacked])
}

/// OpenClaw on Node.js on Debian 12, laid out as upstream's image.
pub(crate) fn openclaw(folder: &Path) -> Result<()> {
    prepare()?;
    let (root, node, tools) = (folder.join("root"), folder.join("node"), folder.join("tools"));
    say("building the image of OpenClaw: base system of Debian 12 (1 of 3, about 50 s)");
    let mut debootstrap = command("debootstrap", ["--variant=minbase", &format!("--include={BASE}")]);
    debootstrap.arg("--keyring=/usr/share/keyrings/debian-archive-keyring.gpg").arg("bookworm").arg(&root);
    quiet(debootstrap.arg(debian::mirror()?))?;
    for unneeded in [
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
        "usr/share/info",
        "var/log",
    ] {
        fs::remove_dir_all(root.join(unneeded))?;
        fs::create_dir_all(root.join(unneeded))?;
    }
    let _ = fs::remove_file(root.join("etc/apt/sources.list"));

    say(format!("building the image of OpenClaw: Node.js {NODE} (2 of 3)"));
    let architecture = match debian::architecture()?.as_str() {
        "amd64" => "x64",
        "arm64" => "arm64",
        other => bail!("Node.js is not packed on npm for `{other}`"),
    };
    fs::create_dir_all(&node)?;
    fs::create_dir_all(tools.join("bin"))?;
    npm_pack(&format!("node-linux-{architecture}@{NODE}"), &node)?;
    fs::rename(node.join("bin/node"), tools.join("bin/node"))?;
    let npm = tools.join("lib/node_modules/npm");
    npm_pack(&format!("npm@{NPM}"), &npm)?;

    say(format!("building the image of OpenClaw: openclaw {OPENCLAW} (3 of 3, about 50 s)"));
    let app = folder.join("app");
    fs::create_dir_all(&app)?;
    fs::write(app.join("package.json"), "{\"name\":\"openclaw-image\",\"private\":true}\n")?;
    let mut paths = vec![tools.join("bin")];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut install = command(tools.join("bin/node"), [npm.join("bin/npm-cli.js")]);
    install.args(["install", "--omit=dev", "--no-audit", "--no-fund", "--foreground-scripts"]);
    quiet(
        install
            .arg(format!("openclaw@{OPENCLAW}"))
            .current_dir(&app)
            .env("PATH", std::env::join_paths(paths)?),
    )?;

    fs::copy(tools.join("bin/node"), root.join("usr/local/bin/node"))?;
    fs::set_permissions(root.join("usr/local/bin/node"), fs::Permissions::from_mode(0o755))?;
    fs::rename(&app, root.join("app"))?;
    quiet(command("chown", ["-R", "0:0"]).arg(root.join("app")))?;
    symlink("/app/node_modules/openclaw/openclaw.mjs", root.join("usr/local/bin/openclaw"))?;
    append(&root.join("etc/passwd"), "node:x:1000:1000::/home/node:/bin/bash\n")?;
    append(&root.join("etc/group"), "node:x:1000:\n")?;
    for owned in ["home/node", "home/node/.openclaw", "home/node/.openclaw/workspace", "home/node/.cache"] {
        fs::create_dir_all(root.join(owned))?;
        chown(root.join(owned), Some(NODE_USER), Some(NODE_USER))?;
    }
    fs::set_permissions(root.join("home/node/.openclaw"), fs::Permissions::from_mode(0o700))?;
    pack(folder, &root, &[&node, &tools])
}

fn prepare() -> Result<()> {
    require_root("to build an image's files with their owners")?;
    debian::install(&NEEDS)
}

/// A package of the npm registry, unpacked to a folder without its scripts.
fn npm_pack(package: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    quiet(command("npm", ["pack", "--silent", package]).current_dir(folder))?;
    let archive = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .with_context(|| format!("npm packed no `{package}`"))?;
    quiet(command("tar", ["xzf"]).arg(&archive).args(["--strip-components=1", "-C"]).arg(folder))?;
    fs::remove_file(archive)?;
    Ok(())
}

fn append(file: &Path, line: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    fs::write(file, text + line)?;
    Ok(())
}

/// Leaves only the packed root in the folder.
fn pack(folder: &Path, root: &PathBuf, rest: &[&PathBuf]) -> Result<()> {
    quiet(
        command("tar", ["-C"])
            .arg(root)
            .args(["--numeric-owner", "-cf"])
            .arg(folder.join("root.tar"))
            .arg("."),
    )?;
    for done in rest.iter().copied().chain([root]) {
        fs::remove_dir_all(done)?;
    }
    Ok(())
}
