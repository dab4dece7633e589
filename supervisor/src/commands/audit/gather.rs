//! Gathering what the audit judges: the host's texts, the engine's word, every container, and the stack.
//!
//! Nothing here ends the audit: what cannot be had is kept with its reason. Deliberately absent: judging.

use std::path::{Path, PathBuf};

use compose::Report;
use compose::model::{ContentSource, MountSource, Project};

use crate::args::GlobalArgs;
use crate::audit;
use crate::audit::evidence::{Attested, Container, Engine, Evidence, Metadata, Read, Stack};
use crate::commands::attest;
use crate::engine::{Docker, Engine as _, EngineVersion, Inspected, version};
use crate::host::{gather, metadata};
use crate::render::attestation::{Attestation, State};
use crate::{input, session};

/// All of it.
pub(super) async fn evidence(global: &GlobalArgs) -> Evidence {
    let read = audit::sources().into_iter().map(|source| (source, gather::read(source))).collect();
    let global = &of_the_unit(global);
    let judged = input::load_and_admit(global, false);
    // Without a name and a file, there is no stack to speak of.
    let judged = Some(judged)
        .filter(|judged| !global.file.is_empty() || judged.report.sources.iter().next().is_some());
    let stack = judged.as_ref().map(|judged| {
        stack(global, judged.admitted.as_ref().map(compose::Admitted::project), &judged.report)
    });
    let session = session::open_and_ask(global).await.map_err(|error| error.to_string());
    let mut evidence = Evidence {
        read,
        engine: Err(String::new()),
        containers: Err(String::new()),
        metadata: Metadata { host: metadata::answers(), ..Metadata::default() },
        stack,
        attestation: Err("the stack is refused".to_owned()),
    };
    let (session, version) = match session {
        Ok(found) => found,
        Err(why) => {
            (evidence.engine, evidence.containers) = (Err(why.clone()), Err(why.clone()));
            evidence.attestation = Err(why);
            return evidence;
        }
    };
    evidence.engine = engine(&session.engine, version).await;
    let running = running(&session.engine).await;
    if let Ok(running) = &running {
        look_from(running, &mut evidence.metadata);
    }
    evidence.containers = running.map(|all| all.iter().map(container).collect());
    if let Some(admitted) = judged.and_then(|judged| judged.admitted) {
        let attestation = attest::attestation(global, &session, admitted, &[]).await;
        evidence.attestation =
            attestation.map(|found| in_words(&found)).map_err(|failure| failure.to_string());
    }
    evidence
}

/// Where no stack is named and none is here, that of the unit.
fn of_the_unit(global: &GlobalArgs) -> GlobalArgs {
    let unit = Path::new("/etc/supervisor/compose.yaml");
    let mut global = global.clone();
    if global.file.is_empty() && input::load(&global).is_err() && unit.exists() {
        global.file.push(unit.to_owned());
    }
    global
}

async fn engine(docker: &Docker, version: EngineVersion) -> Result<Engine, String> {
    let settings = docker.settings().await.map_err(|error| error.to_string())?;
    let advice = version::advice(&version);
    let EngineVersion { engine, runc, .. } = version;
    Ok(Engine {
        version: engine,
        runc,
        advice,
        security: settings.security,
        live_restore: settings.live_restore,
        log_driver: settings.log_driver,
        authorization: settings.authorization,
        insecure_registries: settings.insecure_registries,
        swarm: settings.swarm,
        default_bridge_icc: settings.default_bridge_icc,
    })
}

/// Containers may end between the list and the look; those are left out.
async fn running(engine: &Docker) -> Result<Vec<Inspected>, String> {
    let mut all = Vec::new();
    for id in engine.running().await.map_err(|error| error.to_string())? {
        if let Ok(inspected) = engine.inspect(&id).await {
            all.push(inspected);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn container(inspected: &Inspected) -> Container {
    let host = [
        ("pid", &inspected.pid_mode),
        ("network", &inspected.network_mode),
        ("ipc", &inspected.ipc_mode),
        ("uts", &inspected.uts_mode),
        ("user", &inspected.userns_mode),
    ];
    let of_process = |file| inspected.pid.map_or(Read::Missing, |pid| gather::of_process(pid, file));
    Container {
        name: inspected.name.clone(),
        privileged: inspected.privileged,
        memory: inspected.memory,
        nano_cpus: inspected.nano_cpus,
        pids: inspected.pids_limit,
        host_namespaces: host.into_iter().filter(|(_, mode)| *mode == "host").map(|(name, _)| name).collect(),
        read_only_root: inspected.read_only_root,
        binds: inspected.mounts.iter().filter(|m| m.kind == "bind").map(|m| m.source.clone()).collect(),
        published: inspected
            .ports
            .iter()
            .filter(|port| !port.host_ip.to_canonical().is_loopback())
            .map(|port| (port.host_port, format!("{}:{}/{}", port.host_ip, port.host_port, port.protocol)))
            .collect(),
        label: of_process("attr/current"),
        status: of_process("status"),
    }
}

fn look_from(running: &[Inspected], seen: &mut Metadata) {
    for container in running {
        let Some(pid) = container.pid else { continue };
        match metadata::answers_in(pid) {
            Ok(None) => {}
            Ok(Some(answers)) => {
                seen.tried += 1;
                if answers {
                    seen.containers.push(container.name.clone());
                }
            }
            Err(error) => seen.unread.push(format!("{} ({error})", container.name)),
        }
    }
}

fn stack(global: &GlobalArgs, project: Option<&Project>, report: &Report) -> Stack {
    let errors = report.count(compose::Severity::Error);
    let warnings = report.count(compose::Severity::Warning);
    let mut files: Vec<(PathBuf, bool)> =
        report.sources.iter().map(|source| (PathBuf::from(source.name()), false)).collect();
    files.extend(global.env_file.iter().map(|path| (path.clone(), true)));
    if let Some(project) = project {
        let env = project.directory.join(".env");
        files.extend(env.exists().then_some((env, true)));
        let of = |content: &ContentSource| match content {
            ContentSource::File(path) => Some(path.clone()),
            _ => None,
        };
        files.extend(project.secrets.values().filter_map(|object| Some((of(&object.content.value)?, true))));
        files.extend(project.configs.values().filter_map(|object| Some((of(&object.content.value)?, false))));
    }
    Stack {
        findings: (errors, warnings),
        admitted: project.is_some(),
        files: files.iter().map(|(path, secret)| gather::placed(path, *secret)).collect(),
        caddyfile: project.and_then(caddyfile),
    }
}

/// The text that some service is given as a file `Caddyfile`, by a config or a mount.
fn caddyfile(project: &Project) -> Option<String> {
    const NAME: &str = "Caddyfile";
    let configs = project.services.values().flat_map(|service| &service.configs);
    let config = configs
        .filter(|given| given.value.target.ends_with(NAME))
        .find_map(|given| project.configs.get(&given.value.source));
    match config.map(|object| &object.content.value) {
        Some(ContentSource::Inline(text)) => return Some(text.clone()),
        Some(ContentSource::File(path)) => return std::fs::read_to_string(path).ok(),
        _ => {}
    }
    let mut mounts = project.services.values().flat_map(|service| &service.mounts);
    mounts.find_map(|mount| {
        let mount = &mount.value;
        let MountSource::Bind(bind) = &mount.source else { return None };
        let path: &Path = &bind.path;
        let file = match mount.target.as_str() {
            target if target.ends_with(NAME) => path.to_owned(),
            "/etc/caddy" | "/etc/caddy/" => path.join(NAME),
            _ => return None,
        };
        std::fs::read_to_string(file).ok()
    })
}

/// What `attest` said, in a few words.
fn in_words(attestation: &Attestation) -> Attested {
    let running = attestation.containers.iter().filter(|c| c.state == State::Running).count();
    if attestation.holds {
        return Attested::Held(running);
    }
    let stack = attestation.stack.iter().map(|check| ("the stack", check));
    let each = attestation
        .containers
        .iter()
        .flat_map(|c| c.checks.iter().map(move |check| (c.name.as_str(), check)));
    let broken: Vec<String> = each
        .chain(stack)
        .filter(|(_, check)| !check.holds())
        .map(|(name, check)| format!("{name}: {} is {}, not {}", check.item, check.seen, check.promised))
        .collect();
    if broken.is_empty() { Attested::Idle } else { Attested::Broken(broken) }
}
