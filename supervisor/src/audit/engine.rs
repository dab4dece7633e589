//! The engine: how the daemon is set up, and holes that its version is known to have.
//!
//! Deliberately absent: what each container is given, which the engine's defaults do not decide for us (`containers`).

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, unless};

const DAEMON: Source = Source::File("/etc/docker/daemon.json");
const GROUP: Source = Source::File("/etc/group");
const SOCKET: &str = "/run/docker.sock";

/// The first engine without the way around authorization plugins of CVE-2024-41110 and its sequel CVE-2026-34040.
const AUTHORIZATION_MENDED: (u64, u64, u64) = (29, 3, 1);

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "AU161",
        title: "engine and runtime have no known hole",
        reason: "container escapes of past years are tried first",
        guide: "5",
        read: &[Source::Engine],
        fix: "upgrade the engine and runc from the distribution's security updates",
        judge: versions,
    },
    Row {
        id: "AU162",
        title: "containers get no new privileges by default",
        reason: "a set-user-id program in an image is a way to root",
        guide: "5.1, B",
        read: &[Source::Engine],
        fix: "`\"no-new-privileges\": true` in `/etc/docker/daemon.json`; then `systemctl restart docker`",
        judge: |e| option(e, "name=no-new-privileges"),
    },
    Row {
        id: "AU163",
        title: "root in a container is not root on the host",
        reason: "whoever gets out of a container is then nobody",
        guide: "5.1, B",
        read: &[Source::Engine, Source::Containers],
        fix: "run each service as a user of its own, or set `\"userns-remap\": \"default\"`, which moves the engine's data",
        judge: root,
    },
    Row {
        id: "AU164",
        title: "containers on the default bridge do not reach each other",
        reason: "nobody chose that they should",
        guide: "5.1, B",
        read: &[Source::Engine],
        fix: "`\"icc\": false` in `/etc/docker/daemon.json`; then `systemctl restart docker`",
        judge: bridge,
    },
    Row {
        id: "AU165",
        title: "containers outlive a restart of the daemon",
        reason: "a security update of the engine else waits for a quiet night",
        guide: "5.1",
        read: &[Source::Engine],
        fix: "`\"live-restore\": true` in `/etc/docker/daemon.json`; then `systemctl reload docker`",
        judge: live_restore,
    },
    Row {
        id: "AU166",
        title: "no program of the host stands between a port and its container",
        reason: "the userland proxy hides who the client is, and is one more program that listens as root",
        guide: "5.1",
        read: &[DAEMON],
        fix: "`\"userland-proxy\": false` in `/etc/docker/daemon.json`; then `systemctl restart docker`",
        judge: proxy,
    },
    Row {
        id: "AU167",
        title: "a container's log has an end",
        reason: "a disk that is full stops everything",
        guide: "5.1, 5.7",
        read: &[Source::Engine, DAEMON],
        fix: "`\"log-driver\": \"json-file\"` with `\"log-opts\": {\"max-size\": \"10m\", \"max-file\": \"3\"}`",
        judge: logs,
    },
    Row {
        id: "AU168",
        title: "the engine filters system calls by default",
        reason: "without a filter, a container has the kernel's whole attack surface",
        guide: "5.8",
        read: &[Source::Engine],
        fix: "take `\"seccomp-profile\": \"unconfined\"` out of `/etc/docker/daemon.json`",
        judge: seccomp,
    },
    Row {
        id: "AU169",
        title: "no authorization plugin is relied on that can be walked around",
        reason: "an oversized request passes it by (CVE-2024-41110, CVE-2026-34040)",
        guide: "5",
        read: &[Source::Engine],
        fix: "upgrade the engine to 29.3.1 or later, or do without the plugin",
        judge: authorization,
    },
    Row {
        id: "AU170",
        title: "every registry is spoken to over TLS",
        reason: "an image can be exchanged on its way otherwise",
        guide: "5.5",
        read: &[Source::Engine],
        fix: "take `insecure-registries` out of `/etc/docker/daemon.json`",
        judge: registries,
    },
    Row {
        id: "AU171",
        title: "the engine is in no swarm",
        reason: "another manager could start anything here",
        guide: "5",
        read: &[Source::Engine],
        fix: "`docker swarm leave --force`",
        judge: swarm,
    },
    Row {
        id: "AU172",
        title: "only root reaches the engine's socket",
        reason: "whoever reaches it is root; membership in its group is root without a password",
        guide: "5.4, B",
        read: &[Source::Mode(SOCKET), GROUP],
        fix: "`gpasswd --delete USER docker` for each member, and mode 0660 on the socket",
        judge: socket,
    },
];

/// Three numbers of a version.
fn numbers(text: &str) -> Option<(u64, u64, u64)> {
    let mut parts = text
        .splitn(3, '.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

fn versions(e: &Evidence) -> Judged {
    let engine = e.engine()?;
    let runc = engine.runc.as_deref().unwrap_or("unknown");
    unless(engine.advice.clone(), format!("engine {}, runc {runc}", engine.version))
}

fn option(e: &Evidence, name: &str) -> Judged {
    let engine = e.engine()?;
    if engine.security.iter().any(|option| option == name || option.starts_with(&format!("{name},"))) {
        Ok(name.to_owned())
    } else {
        Err(not_so(format!("the engine's security options are {}", engine.security.join(" "))))
    }
}

/// Remapped, without root, or nothing that runs is root.
fn root(e: &Evidence) -> Judged {
    for name in ["name=userns", "name=rootless"] {
        if option(e, name).is_ok() {
            return Ok(name.to_owned());
        }
    }
    e.engine()?;
    let containers = e.containers()?;
    let roots: Vec<String> = containers
        .iter()
        .filter(|c| super::containers::user(c).is_none_or(|uid| uid == 0))
        .map(|c| c.name.clone())
        .collect();
    if roots.is_empty() {
        Ok(format!("ids are not remapped, and none of {} containers runs as root", containers.len()))
    } else {
        Err(not_so(format!("ids are not remapped, and these run as root: {}", roots.join(", "))))
    }
}

fn bridge(e: &Evidence) -> Judged {
    match e.engine()?.default_bridge_icc {
        None => Ok("there is no default bridge".to_owned()),
        Some(false) => Ok("icc is off".to_owned()),
        Some(true) => Err(not_so("icc is on")),
    }
}

fn live_restore(e: &Evidence) -> Judged {
    if e.engine()?.live_restore { Ok("live-restore".to_owned()) } else { Err(not_so("live-restore is off")) }
}

/// A key of `daemon.json`; an empty object where there is no file.
fn daemon(e: &Evidence) -> Result<serde_json::Value, super::Not> {
    let Some(text) = e.optional(DAEMON)? else { return Ok(serde_json::json!({})) };
    serde_json::from_str(text).map_err(|error| not_so(format!("{DAEMON} is no JSON: {error}")))
}

fn proxy(e: &Evidence) -> Judged {
    e.engine()?;
    match daemon(e)?.get("userland-proxy") {
        Some(serde_json::Value::Bool(false)) => Ok("userland-proxy false".to_owned()),
        _ => Err(not_so("userland-proxy is not switched off")),
    }
}

fn logs(e: &Evidence) -> Judged {
    let driver = e.engine()?.log_driver.clone();
    match driver.as_str() {
        "json-file" => {
            let daemon = daemon(e)?;
            match daemon.pointer("/log-opts/max-size").and_then(serde_json::Value::as_str) {
                Some(size) => Ok(format!("json-file, {size} a file")),
                None => Err(not_so("json-file without max-size")),
            }
        }
        "none" => Err(not_so("nothing is kept")),
        driver => Ok(driver.to_owned()),
    }
}

fn seccomp(e: &Evidence) -> Judged {
    let engine = e.engine()?;
    match engine.security.iter().find(|option| option.starts_with("name=seccomp")) {
        Some(option) if !option.contains("unconfined") => Ok(option.clone()),
        Some(option) => Err(not_so(option.clone())),
        None => Err(not_so("the engine has no seccomp")),
    }
}

fn authorization(e: &Evidence) -> Judged {
    let engine = e.engine()?;
    if engine.authorization.is_empty() {
        return Ok("no authorization plugin".to_owned());
    }
    let plugins = engine.authorization.join(", ");
    match numbers(&engine.version) {
        Some(version) if version >= AUTHORIZATION_MENDED => {
            Ok(format!("{plugins}, engine {}", engine.version))
        }
        _ => Err(not_so(format!("{plugins} under engine {}", engine.version))),
    }
}

fn registries(e: &Evidence) -> Judged {
    let insecure = &e.engine()?.insecure_registries;
    unless(insecure.iter().map(|name| format!("{name} without TLS")).collect(), "none without TLS")
}

fn swarm(e: &Evidence) -> Judged {
    if e.engine()?.swarm { Err(not_so("it is in a swarm")) } else { Ok("in none".to_owned()) }
}

fn socket(e: &Evidence) -> Judged {
    let Some(mode) = e.mode(SOCKET)? else { return Err(not_applicable(format!("there is no `{SOCKET}`"))) };
    let mut wrong = Vec::new();
    if mode.others(0o007) || mode.uid != 0 {
        wrong.push(format!("`{SOCKET}`: {mode}"));
    }
    let members: Vec<&str> = e
        .text(GROUP)?
        .lines()
        .filter_map(|line| line.strip_prefix("docker:"))
        .flat_map(|rest| rest.rsplit(':').next().unwrap_or_default().split(','))
        .filter(|name| !name.is_empty())
        .collect();
    if !members.is_empty() {
        wrong.push(format!("in group docker: {}", members.join(", ")));
    }
    unless(wrong, format!("{mode}, and nobody in its group"))
}

#[cfg(test)]
mod names {
    #[test]
    fn versions_are_three_numbers() {
        assert_eq!(super::numbers("29.3.1~ds2"), Some((29, 3, 1)));
        assert_eq!(super::numbers("unknown"), None);
    }
}
