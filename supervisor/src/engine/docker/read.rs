//! From the engine's answers to what was seen.
//!
//! Missing fields read as absent, never as a guess in our favour. Deliberately absent: a container's environment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummaryStateEnum,
    EndpointSettings, HealthStatusEnum, MountPoint as EngineMount, Network, PortBinding, RestartPolicy,
    RestartPolicyNameEnum, Volume,
};
use jiff::Timestamp;

use super::list::{Answerer, Place, Row, Text};
use crate::decide::hooks::Hooks;
use crate::decide::labels::{self, Ours};
use crate::decide::seen::{Health, Seen, SeenContainer, SeenNetwork, SeenVolume, State};
use crate::decide::spec::{PortSpec, Restart};
use crate::engine::by_hand::Listed;
use crate::engine::ground::Standing;
use crate::engine::port::{EngineVersion, Inspected, Joined, MountPoint, Scope};

/// Who answers.
pub(super) fn version(answer: &Answerer<'_>) -> EngineVersion {
    let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.as_str().to_owned());
    let mut components = answer.components.iter().flatten();
    let runc =
        components.find(|component| component.name.as_ref().is_some_and(|name| name.as_str() == "runc"));
    EngineVersion {
        engine: text(&answer.version).unwrap_or_default(),
        runc: runc.and_then(|component| text(&component.version)),
    }
}

/// `28.5.2` of `Docker/28.5.2 (linux)`, which is what an engine calls itself in its answers' headers.
pub(super) fn engine_in_header(server: &str) -> &str {
    let (_, version) = server.split_once('/').unwrap_or(("", server));
    version.split_once(' ').map_or(version, |(version, _)| version)
}

/// `1.51`; a text that is no version is older than any.
pub(super) fn api_version(text: &str) -> (u16, u16) {
    let parse = || {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    parse().unwrap_or_default()
}

/// What of the engine's lists is in the scope, by name.
pub(super) fn seen(
    scope: &Scope,
    containers: &[Row<'_>],
    networks: Vec<SeenNetwork>,
    volumes: Vec<SeenVolume>,
) -> Seen {
    let is_ours = |project: &Option<String>| project.as_deref() == Some(scope.project.as_str());
    let (ours, others): (Vec<_>, Vec<_>) = containers
        .iter()
        .map(|row| (row, of_project(row, scope)))
        .partition(|(_, labels)| is_ours(&labels.project));
    let mut seen = Seen { networks, volumes, ..Seen::default() };
    for network in &mut seen.networks {
        let on_it = |row: &Row<'_>| row.networks().any(|(name, _)| name == network.name);
        network.strangers =
            others.iter().filter(|(row, _)| on_it(row)).map(|(row, _)| row.name().to_owned()).collect();
    }
    let named = others.into_iter().filter(|(row, _)| scope.containers.contains(row.name()));
    seen.containers = ours.into_iter().chain(named).map(|(row, labels)| container(row, labels)).collect();
    seen.networks.retain(|n| is_ours(&n.project) || scope.networks.contains(&n.name));
    seen.volumes.retain(|v| is_ours(&v.project) || scope.volumes.contains(&v.name));
    seen.containers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    seen.networks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    seen.volumes.sort_by(|a, b| a.name.cmp(&b.name));
    seen
}

fn of_project(row: &Row<'_>, scope: &Scope) -> Ours {
    match &scope.composed_in {
        Some(folder) => labels::parse_composed(row.labels(), &scope.project, folder),
        None => labels::parse(row.labels()),
    }
}

fn container(row: &Row<'_>, ours: Ours) -> SeenContainer {
    let status = text(row.status.as_ref());
    SeenContainer {
        id: text(row.id.as_ref()).to_owned(),
        name: row.name().to_owned(),
        project: ours.project,
        service: ours.service,
        number: ours.number,
        hash: ours.hash,
        parts: ours.parts,
        restart: ours.restart,
        bounds: ours.bounds,
        generation: ours.generation,
        live: None,
        refused: false,
        hooks: Hooks::default(),
        owes: false,
        image_id: text(row.image_id.as_ref()).to_owned(),
        state: summary_state(row.state, status),
        health: summary_health(status),
        created: row.created.unwrap_or_default(),
        joined: row.networks().filter_map(joined_by_id).collect(),
        fixed: row.networks().filter(|(_, at)| at.is_fixed()).map(|(name, _)| name.to_owned()).collect(),
        networks: row
            .networks()
            .map(|(name, at)| (name.to_owned(), address(Some(text(at.address.as_ref())))))
            .collect(),
    }
}

fn text<'a>(text: Option<&'a Text<'_>>) -> &'a str {
    text.map_or("", Text::as_str)
}

/// One that was never started knows its networks by name alone.
fn joined_by_id((name, at): (&str, &Place<'_>)) -> Option<(String, String)> {
    let id = text(at.network_id.as_ref());
    (!id.is_empty()).then(|| (name.to_owned(), id.to_owned()))
}

/// A row of a table of containers.
pub(super) fn listed(row: &Row<'_>) -> Listed {
    let label = |wanted: &str| row.labels().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value);
    let ports = row.ports.iter().flatten().filter_map(|port| {
        Some(PortSpec {
            host_ip: address(port.ip.as_ref().map(Text::as_str))?,
            host_port: port.outside?,
            container_port: port.inside,
            protocol: text(port.protocol.as_ref()).to_owned(),
        })
    });
    let mounts = row.mounts.iter().flatten().filter(|mount| text(mount.kind.as_ref()) == "image");
    let mounted = mounts.filter_map(|mount| Some((mount.destination.as_ref()?, mount.name.as_ref()?)));
    let status = text(row.status.as_ref());
    Listed {
        id: text(row.id.as_ref()).to_owned(),
        name: row.name().to_owned(),
        service: label(labels::SERVICE).to_owned(),
        image: label(labels::IMAGE).to_owned(),
        image_id: text(row.image_id.as_ref()).to_owned(),
        mounted: mounted
            .map(|(target, image)| (target.as_str().to_owned(), image.as_str().to_owned()))
            .collect(),
        state: summary_state(row.state, status),
        health: summary_health(status),
        status: status.to_owned(),
        ports: ports.collect(),
    }
}

/// What each container holds, by its id.
pub(super) fn standing(containers: &[Row<'_>]) -> BTreeMap<String, Standing> {
    let rows = containers.iter().filter_map(|row| {
        let mounts = row.mounts.iter().flatten().filter(|mount| text(mount.kind.as_ref()) == "volume");
        let held = Standing {
            running: row.state == Some(ContainerSummaryStateEnum::RUNNING),
            networks: row.networks().filter_map(joined_by_id).collect(),
            volumes: mounts.filter_map(|mount| Some(mount.name.as_ref()?.as_str().to_owned())).collect(),
        };
        Some((row.id.as_ref()?.as_str().to_owned(), held))
    });
    rows.collect()
}

pub(super) fn network(network: Network, scope: &Scope) -> SeenNetwork {
    let ours = ours(network.labels.as_ref());
    let composed =
        rows(network.labels.as_ref()).any(|row| row == (labels::COMPOSE_PROJECT, scope.project.as_str()));
    let pools = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    SeenNetwork {
        id: network.id.unwrap_or_default(),
        name: network.name.unwrap_or_default(),
        project: ours.project,
        hash: ours.hash,
        internal: network.internal.unwrap_or_default(),
        composed,
        driver: network.driver.unwrap_or_default(),
        options: network.options.unwrap_or_default().into_iter().collect(),
        ipv6: network.enable_ipv6.unwrap_or_default(),
        pools: pools.into_iter().map(|pool| (pool.subnet, pool.gateway, pool.ip_range)).collect(),
        labels: network.labels.unwrap_or_default().into_iter().collect(),
        strangers: BTreeSet::new(),
    }
}

pub(super) fn volume(volume: Volume) -> SeenVolume {
    let ours = ours(Some(&volume.labels));
    SeenVolume {
        name: volume.name,
        project: ours.project,
        hash: ours.hash,
        driver: volume.driver,
        options: volume.options.into_iter().collect(),
    }
}

fn ours(labels: Option<&HashMap<String, String>>) -> Ours {
    labels::parse(rows(labels))
}

fn rows(labels: Option<&HashMap<String, String>>) -> impl Iterator<Item = (&str, &str)> + Clone {
    labels.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn summary_state(state: Option<ContainerSummaryStateEnum>, status: &str) -> State {
    match state {
        Some(ContainerSummaryStateEnum::CREATED) => State::Created,
        Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING) => State::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => State::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => State::Restarting,
        Some(ContainerSummaryStateEnum::REMOVING) => State::Removing,
        Some(ContainerSummaryStateEnum::EXITED) => State::Exited(status_code(status)),
        Some(ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::EMPTY) | None => State::Dead,
    }
}

/// The code in `Exited (137) 2 minutes ago`: the list has it nowhere else.
fn status_code(status: &str) -> i64 {
    let code = status.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    code.and_then(|(code, _)| code.parse().ok()).unwrap_or(-1)
}

/// The health in `Up 2 minutes (healthy)`: older engines' lists have it nowhere else.
fn summary_health(status: &str) -> Option<Health> {
    let (_, word) = status.strip_suffix(')')?.rsplit_once('(')?;
    match word {
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        "health: starting" => Some(Health::Starting),
        _ => None,
    }
}

/// Everything about one container.
pub(super) fn inspected(answer: ContainerInspectResponse) -> Inspected {
    let state = answer.state.unwrap_or_default();
    let host = answer.host_config.unwrap_or_default();
    let config = answer.config.unwrap_or_default();
    let settings = answer.network_settings.unwrap_or_default();
    let health = state.health.as_ref();
    let last_check = health.and_then(|health| health.log.as_ref()?.last()?.output.clone());
    Inspected {
        id: answer.id.unwrap_or_default(),
        name: answer.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        state: inspect_state(&state),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
        started_at: time(state.started_at.as_deref()),
        finished_at: time(state.finished_at.as_deref()),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        health: health.and_then(|health| inspect_health(health.status)),
        health_output: last_check.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        error: state.error.unwrap_or_default(),
        restart_count: answer.restart_count.unwrap_or_default(),
        image_id: answer.image.unwrap_or_default(),
        executes: answer.path.into_iter().chain(answer.args.unwrap_or_default()).collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        hostname: config.hostname.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        init: host.init.unwrap_or_default(),
        privileged: host.privileged.unwrap_or_default(),
        read_only_root: host.readonly_rootfs.unwrap_or_default(),
        cap_add: host.cap_add.unwrap_or_default().into_iter().collect(),
        cap_drop: host.cap_drop.unwrap_or_default().into_iter().collect(),
        security_opt: host.security_opt.unwrap_or_default(),
        apparmor: answer.app_armor_profile.unwrap_or_default(),
        ipc_mode: host.ipc_mode.unwrap_or_default(),
        pid_mode: host.pid_mode.unwrap_or_default(),
        uts_mode: host.uts_mode.unwrap_or_default(),
        userns_mode: host.userns_mode.unwrap_or_default(),
        cgroupns_mode: host.cgroupns_mode.map(|mode| mode.to_string()).unwrap_or_default(),
        network_mode: host.network_mode.unwrap_or_default(),
        memory: host.memory.unwrap_or_default(),
        memory_swap: host.memory_swap.unwrap_or_default(),
        nano_cpus: host.nano_cpus.unwrap_or_default(),
        pids_limit: host.pids_limit.unwrap_or_default(),
        cgroup_parent: host.cgroup_parent.unwrap_or_default(),
        networks: settings
            .networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, at)| (name, joined(at)))
            .collect(),
        mounts: answer.mounts.unwrap_or_default().into_iter().map(mount).collect(),
        tmpfs: host.tmpfs.unwrap_or_default().into_iter().collect(),
        ports: settings
            .ports
            .unwrap_or_default()
            .iter()
            .flat_map(|(port, to)| ports(port, to.as_deref()))
            .collect(),
        devices: host
            .devices
            .unwrap_or_default()
            .into_iter()
            .filter_map(|device| device.path_on_host)
            .collect(),
        runtime: host.runtime.unwrap_or_default(),
        restart: restart(host.restart_policy),
    }
}

fn inspect_state(state: &ContainerState) -> State {
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => State::Created,
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
        Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
        Some(ContainerStateStatusEnum::EXITED) => State::Exited(state.exit_code.unwrap_or(-1)),
        Some(ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::EMPTY) | None => State::Dead,
    }
}

fn inspect_health(status: Option<HealthStatusEnum>) -> Option<Health> {
    match status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    }
}

/// A time, but for the year 1 by which the engine says never.
fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse::<Timestamp>().ok().filter(|at| at.as_second() > 0)
}

fn joined(at: EndpointSettings) -> Joined {
    Joined {
        network_id: at.network_id.unwrap_or_default(),
        ipv4: address(at.ip_address.as_deref()),
        ipv6: address(at.global_ipv6_address.as_deref()),
        aliases: at.aliases.unwrap_or_default(),
    }
}

fn address(text: Option<&str>) -> Option<IpAddr> {
    text?.parse().ok()
}

fn mount(mount: EngineMount) -> MountPoint {
    MountPoint {
        kind: mount.typ.unwrap_or_default(),
        name: mount.name.filter(|name| !name.is_empty()),
        source: mount.source.unwrap_or_default(),
        target: mount.destination.unwrap_or_default(),
        read_only: mount.rw == Some(false),
        propagation: mount.propagation.unwrap_or_default(),
    }
}

fn ports(port: &str, bindings: Option<&[PortBinding]>) -> BTreeSet<PortSpec> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let bound = bindings.unwrap_or_default().iter().filter_map(|binding| {
        Some(PortSpec {
            host_ip: binding.host_ip.as_deref()?.parse().ok()?,
            host_port: binding.host_port.as_deref()?.parse().ok()?,
            container_port: number.parse().ok()?,
            protocol: protocol.to_owned(),
        })
    });
    bound.collect()
}

fn restart(policy: Option<RestartPolicy>) -> Restart {
    let policy = policy.unwrap_or_default();
    match policy.name {
        Some(RestartPolicyNameEnum::ALWAYS) => Restart::Always,
        Some(RestartPolicyNameEnum::UNLESS_STOPPED) => Restart::UnlessStopped,
        Some(RestartPolicyNameEnum::ON_FAILURE) => {
            let retries = policy.maximum_retry_count.and_then(|count| u32::try_from(count).ok());
            Restart::OnFailure(retries.filter(|count| *count > 0))
        }
        Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY) | None => Restart::No,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(containers: &str, expect: Expect) {
        let containers: Vec<Row<'_>> = serde_json::from_str(containers).unwrap();
        let scope = Scope { containers: BTreeSet::from(["shop-web-1".to_owned()]), ..Scope::project("shop") };
        let seen = seen(&scope, &containers, Vec::new(), Vec::new());
        let rows = seen.containers.iter().map(|c| {
            let (service, number) = (c.service.as_deref().unwrap_or("-"), c.number.unwrap_or(0));
            format!(
                "{} of {:?}: {service} {number} {:?} {:?} {:?}\n",
                c.name, c.project, c.state, c.health, c.networks
            )
        });
        expect.assert_eq(&rows.collect::<String>());
    }

    #[test]
    fn the_project_and_what_has_a_wanted_name_are_in_scope() {
        check(
            r#"[
              {"Id":"1","Names":["/shop-db-1"],"State":"exited","Status":"Exited (137) 2 minutes ago",
               "Labels":{"supervisor.project":"shop","supervisor.service":"db","supervisor.number":"1"}},
              {"Id":"2","Names":["/shop-web-1"],"State":"running","Status":"Up 2 minutes","Labels":{}},
              {"Id":"3","Names":["/other"],"State":"running","Status":"Up 2 minutes","Labels":{"supervisor.project":"other"}}
            ]"#,
            expect![[r#"
                shop-db-1 of Some("shop"): db 1 Exited(137) None {}
                shop-web-1 of None: - 0 Running None {}
            "#]],
        );
    }

    #[test]
    fn health_is_read_from_the_status() {
        check(
            r#"[
              {"Names":["/a"],"State":"running","Status":"Up 2 minutes (healthy)","Labels":{"supervisor.project":"shop"},
               "NetworkSettings":{"Networks":{"shop_back":{"IPAddress":"10.0.0.2"},"shop_front":{"IPAddress":""}}}},
              {"Names":["/b"],"State":"running","Status":"Up 2 minutes (unhealthy)","Labels":{"supervisor.project":"shop"}},
              {"Names":["/c"],"State":"running","Status":"Up 1 second (health: starting)","Labels":{"supervisor.project":"shop"}},
              {"Names":["/d"],"State":"paused","Status":"Up 1 second (Paused)","Labels":{"supervisor.project":"shop"}}
            ]"#,
            expect![[r#"
                a of Some("shop"): - 0 Running Some(Healthy) {"shop_back": Some(10.0.0.2), "shop_front": None}
                b of Some("shop"): - 0 Running Some(Unhealthy) {}
                c of Some("shop"): - 0 Running Some(Starting) {}
                d of Some("shop"): - 0 Paused None {}
            "#]],
        );
    }

    #[test]
    fn a_version_that_is_none_is_older_than_any() {
        assert_eq!(api_version("1.51"), (1, 51));
        assert_eq!(api_version("two"), (0, 0));
    }
}
