//! An admitted stack and its confinements to the wanted state: names, labels' values, defaults, all spelled out.
//!
//! Deliberately absent: judging the file (that is the policy's) and reading images or contents (the caller brings
//! their ids and hashes).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use compose::Admitted;
use compose::model::{self, FailureAction, Guard, HealthTest, Project, Service, Update, UpdateOrder};
use compose::reach::{Reach, reach};
use compose::source::{At, Origin};
use profiles::Confinement;
use profiles::confinement::MountSource;

use super::guard::GuardSpec;
use super::hooks::Hooks;
use super::seen::SeenImage;
use super::spec::{
    AttachSpec, ContainerSpec, HealthSpec, Memo, NetworkSpec, PortSpec, ReloadSpec, Restart, ServiceSpec,
    UpdateSpec, VolumeSpec, Wanted,
};

/// The engine's defaults of a health check (Dockerfile reference, HEALTHCHECK).
const HEALTH_INTERVAL: Duration = Duration::from_secs(30);
const HEALTH_RETRIES: u32 = 3;
/// First health of a service whose check is not known from the file.
const UNKNOWN_START: Duration = Duration::from_mins(5);
/// The engine's default from the stop signal to the kill.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How long a new container without a check has to run for an update to be good, where the file does not say.
const MONITOR: Duration = Duration::from_secs(2);

/// Who starts containers again after an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// A supervisor runs: the engine is told not to, since two restarters race.
    Ours,
    /// No supervisor runs: the engine does what the file says.
    Engine,
}

/// What a wanted state is made of, besides the file.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// By service; every active service has one.
    pub confinements: &'a BTreeMap<String, Confinement>,
    /// Image as the file says it to its id, of those that are on the engine.
    pub images: &'a BTreeMap<String, SeenImage>,
    /// SHA-256 of each secret's and config's content, by `secret/KEY` and `config/KEY`.
    pub contents: &'a BTreeMap<String, String>,
    /// Active Compose profiles.
    pub profiles: &'a BTreeSet<String>,
    /// Who starts containers again.
    pub restarts: Restarts,
}

/// Why no wanted state could be made. Each is a mistake of the caller: the policy refuses such files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// No container without a confinement.
    #[error("service `{0}` has no confinement")]
    Unconfined(String),
    /// Nothing to run.
    #[error("service `{0}` has no image")]
    NoImage(String),
}

/// The wanted state of a stack.
pub fn wanted(stack: &Admitted, given: &Given<'_>) -> Result<Wanted, WantedError> {
    let project = stack.project();
    let (active, inactive): (Vec<_>, Vec<_>) =
        project.services.values().partition(|service| is_active(service, given.profiles));
    let services = active
        .iter()
        .map(|service| Ok((service.name.clone(), service_spec(project, service, given)?)))
        .collect::<Result<BTreeMap<_, _>, WantedError>>()?;
    let used_networks: BTreeSet<&String> = active.iter().flat_map(|s| s.networks.keys()).collect();
    let used_volumes: BTreeSet<String> = services
        .values()
        .flat_map(|service| &service.containers)
        .flat_map(|container| container.confinement.mounts())
        .filter_map(|mount| match &mount.source {
            MountSource::Volume { name, .. } => name.clone(),
            _ => None,
        })
        .collect();
    let mut wanted = Wanted {
        guard: None,
        project: project.name.clone(),
        networks: project
            .networks
            .values()
            .filter(|network| used_networks.contains(&network.key))
            .map(|network| network_spec(project, network))
            .map(|spec| (spec.name.clone(), spec))
            .collect(),
        volumes: project
            .volumes
            .values()
            .map(|volume| volume_spec(project, volume))
            .filter(|spec| used_volumes.contains(&spec.name))
            .map(|spec| (spec.name.clone(), spec))
            .collect(),
        services,
        inactive: inactive.iter().map(|service| service.name.clone()).collect(),
        folder: project.directory.display().to_string(),
    };
    if project.stack.guard.as_ref().is_none_or(|guard| guard.value == Guard::On) {
        wanted.guard = GuardSpec::of(&wanted, compose::edge::ranges(project));
    }
    Ok(wanted)
}

/// Whether a service's profiles switch it on.
pub fn is_active(service: &Service, profiles: &BTreeSet<String>) -> bool {
    service.profiles.is_empty()
        || service.profiles.iter().any(|profile| profiles.contains(&profile.value) || profiles.contains("*"))
}

fn service_spec(project: &Project, service: &Service, given: &Given<'_>) -> Result<ServiceSpec, WantedError> {
    let confinement =
        given.confinements.get(&service.name).ok_or_else(|| WantedError::Unconfined(service.name.clone()))?;
    let image = service.image.as_ref().ok_or_else(|| WantedError::NoImage(service.name.clone()))?;
    let Ports { published, relayed, unpublished } = ports(project, service);
    let count = service.scale.as_ref().map_or(1, |scale| scale.value);
    let containers = (1..=count)
        .map(|number| container_spec(project, service, number, &image.value, confinement, &published, given))
        .collect();
    let healthcheck = service.healthcheck.as_ref().map(|check| &check.value);
    Ok(ServiceSpec {
        service: service.name.clone(),
        containers,
        depends_on: service.depends_on.iter().map(|(name, how)| (name.clone(), how.value)).collect(),
        probe: service.supervisor.probe.as_ref().map(|probe| probe.value.clone()),
        engine_health: healthcheck.is_some_and(|check| check.test != HealthTest::Disabled),
        start_period: start_period(service),
        on_exit: service.supervisor.on_exit.iter().map(|(code, what)| (*code, what.value)).collect(),
        restart: restart(service),
        never_pull: service.pull_policy.as_ref().is_some_and(|policy| policy.value == "never"),
        update: update_spec(service, service.update.as_ref()),
        rollback: rollback_spec(service),
        relayed,
        unpublished,
    })
}

fn container_spec(
    project: &Project,
    service: &Service,
    number: u32,
    image: &str,
    confinement: &Confinement,
    ports: &BTreeSet<PortSpec>,
    given: &Given<'_>,
) -> ContainerSpec {
    let logging = service.logging.as_ref().map(|logging| logging.value.clone()).unwrap_or_default();
    ContainerSpec {
        project: project.name.clone(),
        service: service.name.clone(),
        number,
        name: text(service.container_name.as_ref())
            .unwrap_or_else(|| format!("{}-{}-{number}", project.name, service.name)),
        image: image.to_owned(),
        image_id: given.images.get(image).map(|image| image.id.clone()).unwrap_or_default(),
        mounted: mounted(confinement, given.images),
        command: service.command.as_ref().map(|command| command.value.clone()),
        entrypoint: service.entrypoint.as_ref().map(|entrypoint| entrypoint.value.clone()),
        environment: service
            .environment
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.value.as_ref()?.0)))
            .collect(),
        working_dir: text(service.working_dir.as_ref()),
        hostname: hostname(service, number),
        domainname: text(service.domainname.as_ref()),
        user_labels: values(&service.labels),
        annotations: values(&service.annotations),
        networks: networks(project, service),
        ports: ports.clone(),
        extra_hosts: service
            .extra_hosts
            .iter()
            .map(|row| format!("{}:{}", row.value.0, row.value.1))
            .collect(),
        dns: list(&service.dns),
        dns_search: list(&service.dns_search),
        dns_opt: list(&service.dns_opt),
        healthcheck: service.healthcheck.as_ref().map(|check| health_spec(&check.value)),
        log_driver: logging.driver.unwrap_or_else(|| "json-file".to_owned()),
        log_options: logging.options,
        stop_signal: text(service.stop_signal.as_ref()),
        hooks: Hooks::of(service, confinement),
        stop_grace: service.stop_grace_period.as_ref().map_or(STOP_GRACE, |grace| grace.value),
        tty: service.tty.as_ref().is_some_and(|tty| tty.value),
        stdin_open: service.stdin_open.as_ref().is_some_and(|open| open.value),
        runtime: text(service.runtime.as_ref()),
        content: contents(confinement, given.contents),
        confinement: confinement.clone(),
        reload: service.supervisor.reload.as_ref().map(|reload| reload_spec(service, &reload.value)),
        generation: 0,
        restart: match given.restarts {
            Restarts::Ours => Restart::No,
            Restarts::Engine => restart(service),
        },
        hash: Memo::default(),
    }
}

/// Stable over recreation: programs keep leases by host name. Replicas of a name that nobody wrote get a number.
fn hostname(service: &Service, number: u32) -> String {
    match &service.hostname {
        Some(At { value, origin: Origin::File(_) }) => value.clone(),
        filled => {
            let base = filled.as_ref().map_or(&service.name, |name| &name.value);
            if number == 1 { base.clone() } else { format!("{base}-{number}") }
        }
    }
}

fn networks(project: &Project, service: &Service) -> BTreeMap<String, AttachSpec> {
    let mut networks = BTreeMap::new();
    for (key, attachment) in &service.networks {
        let Some(network) = project.networks.get(key) else { continue };
        let attachment = &attachment.value;
        let mut aliases: BTreeSet<String> = attachment.aliases.iter().cloned().collect();
        aliases.insert(service.name.clone());
        let spec = AttachSpec {
            aliases: aliases.into_iter().collect(),
            ipv4: attachment.ipv4_address,
            ipv6: attachment.ipv6_address,
            gw_priority: attachment.gw_priority.unwrap_or_default(),
        };
        networks.insert(project.network_name(network), spec);
    }
    networks
}

/// A service's ports by who answers on them.
#[derive(Default)]
struct Ports {
    published: BTreeSet<PortSpec>,
    relayed: BTreeSet<PortSpec>,
    unpublished: BTreeMap<PortSpec, &'static str>,
}

fn ports(project: &Project, service: &Service) -> Ports {
    let mut ports = Ports::default();
    for port in &service.ports {
        let spec = PortSpec {
            host_ip: port.value.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            // 0: the engine chooses.
            host_port: port.value.published.unwrap_or_default(),
            container_port: port.value.target,
            protocol: port.value.protocol.clone(),
        };
        match reach(project, service, &port.value) {
            Reach::Published => drop(ports.published.insert(spec)),
            Reach::Relayed => drop(ports.relayed.insert(spec)),
            Reach::Dropped(why) => drop(ports.unpublished.insert(spec, why)),
        }
    }
    ports
}

fn health_spec(check: &model::Healthcheck) -> HealthSpec {
    HealthSpec {
        test: match &check.test {
            HealthTest::Inherit => Vec::new(),
            HealthTest::Disabled => vec!["NONE".to_owned()],
            HealthTest::Exec(arguments) => {
                std::iter::once("CMD".to_owned()).chain(arguments.iter().cloned()).collect()
            }
            HealthTest::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
        },
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries,
    }
}

fn reload_spec(service: &Service, reload: &model::Reload) -> ReloadSpec {
    let configs = service.configs.iter().map(|config| &config.value.source);
    ReloadSpec {
        signal: reload.signal.value.clone(),
        contents: configs.filter(|key| reload.covers(key)).map(|key| format!("config/{key}")).collect(),
        check: reload.check.clone(),
        logs: reload.logs.clone(),
    }
}

/// What the file says of updates, and for what it does not say: one at a time, the old one first, everything back when
/// it fails (the Compose specification has it pause), and no longer watched than its check takes. Without a check there is
/// only its running to go by, for [`MONITOR`].
fn update_spec(service: &Service, said: Option<&At<Update>>) -> UpdateSpec {
    let said = said.map(|said| said.value).unwrap_or_default();
    let checked = service.supervisor.probe.is_some()
        || service.healthcheck.as_ref().is_some_and(|check| check.value.test != HealthTest::Disabled);
    let count = service.scale.as_ref().map_or(1, |scale| scale.value);
    let share = u64::from(said.max_failure_ratio.unwrap_or_default()) * u64::from(count) / 1000;
    UpdateSpec {
        parallelism: said.parallelism.unwrap_or(1),
        delay: said.delay.unwrap_or_default(),
        failure_action: said.failure_action.unwrap_or(FailureAction::Rollback),
        monitor: said.monitor.unwrap_or(if checked { Duration::ZERO } else { MONITOR }),
        tolerated: u32::try_from(share).unwrap_or(u32::MAX),
        order: said.order.unwrap_or(UpdateOrder::StopFirst),
    }
}

/// The same for the way back, which is all at a time where the file does not say: it is in a hurry.
fn rollback_spec(service: &Service) -> UpdateSpec {
    let parallelism = service.rollback.as_ref().and_then(|said| said.value.parallelism).unwrap_or_default();
    UpdateSpec { parallelism, ..update_spec(service, service.rollback.as_ref()) }
}

/// From a start to the first health: what the check itself allows, and no less than it can take to say so.
fn start_period(service: &Service) -> Duration {
    if let Some(probe) = &service.supervisor.probe {
        return probe.value.start_period;
    }
    let Some(check) = &service.healthcheck else { return UNKNOWN_START };
    let check = &check.value;
    if check.test == HealthTest::Inherit {
        return UNKNOWN_START;
    }
    let run = check.interval.unwrap_or(HEALTH_INTERVAL) + check.timeout.unwrap_or(HEALTH_INTERVAL);
    check.start_period.unwrap_or_default() + run.saturating_mul(check.retries.unwrap_or(HEALTH_RETRIES) + 1)
}

fn restart(service: &Service) -> Restart {
    match service.restart.as_ref().map(|restart| restart.value) {
        None | Some(model::Restart::No) => Restart::No,
        Some(model::Restart::Always) => Restart::Always,
        Some(model::Restart::UnlessStopped) => Restart::UnlessStopped,
        Some(model::Restart::OnFailure(n)) => Restart::OnFailure(n),
    }
}

/// The ids of images that are mounted and there, by target.
fn mounted(confinement: &Confinement, images: &BTreeMap<String, SeenImage>) -> BTreeMap<String, String> {
    let mounted = confinement.mounted_images();
    mounted.filter_map(|(target, image)| Some((target.clone(), images.get(image)?.id.clone()))).collect()
}

fn contents(confinement: &Confinement, hashes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    confinement
        .mounts()
        .iter()
        .filter_map(|mount| match &mount.source {
            MountSource::Content { kind, key, .. } => Some(format!("{kind}/{key}")),
            _ => None,
        })
        .map(|name| {
            let hash = hashes.get(&name).cloned().unwrap_or_default();
            (name, hash)
        })
        .collect()
}

fn network_spec(project: &Project, network: &model::Network) -> NetworkSpec {
    NetworkSpec {
        project: project.name.clone(),
        key: network.key.clone(),
        name: project.network_name(network),
        external: is(network.external.as_ref()),
        internal: is(network.internal.as_ref()),
        ipv6: is(network.enable_ipv6.as_ref()),
        options: values(&network.driver_opts),
        pools: network
            .ipam
            .iter()
            .map(|pool| {
                let pool = &pool.value;
                (pool.subnet.clone(), pool.gateway.clone(), pool.ip_range.clone())
            })
            .collect(),
        user_labels: values(&network.labels),
    }
}

fn volume_spec(project: &Project, volume: &model::Volume) -> VolumeSpec {
    VolumeSpec {
        project: project.name.clone(),
        key: volume.key.clone(),
        name: project.volume_name(volume),
        external: is(volume.external.as_ref()),
        options: values(&volume.driver_opts),
        user_labels: values(&volume.labels),
    }
}

fn is(flag: Option<&At<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

fn text(value: Option<&At<String>>) -> Option<String> {
    value.map(|value| value.value.clone())
}

fn list(values: &[At<String>]) -> Vec<String> {
    values.iter().map(|value| value.value.clone()).collect()
}

fn values(map: &BTreeMap<String, At<String>>) -> BTreeMap<String, String> {
    map.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{want, want_with};
    use super::*;
    use expect_test::{Expect, expect};

    /// Prints what is asked for of every container of a stack.
    #[track_caller]
    fn check<T: std::fmt::Debug>(text: &str, ask: fn(&ServiceSpec, &ContainerSpec) -> T, expect: Expect) {
        let wanted = want(text);
        let rows = wanted.services.values().flat_map(|service| {
            service.containers.iter().map(move |spec| format!("{}: {:?}\n", spec.name, ask(service, spec)))
        });
        expect.assert_eq(&rows.collect::<String>());
    }

    #[test]
    fn names_and_host_names_are_stable_and_replicas_differ() {
        check(
            "
services:
  one: {image: 'i:1'}
  named: {image: 'i:1', container_name: mine, hostname: box}
  many: {image: 'i:1', scale: 2}
",
            |_, spec| spec.hostname.clone(),
            expect![[r#"
                shop-many-1: "many"
                shop-many-2: "many-2"
                mine: "box"
                shop-one-1: "one"
            "#]],
        );
    }

    #[test]
    fn a_service_is_known_by_its_name_on_each_network() {
        check(
            "
services:
  one: {image: 'i:1'}
  two: {image: 'i:1', networks: {front: {aliases: [www]}, back: {ipv4_address: 10.1.0.9}}}
  none: {image: 'i:1', network_mode: none}
networks:
  front: {}
  back: {name: shared, ipam: {config: [{subnet: 10.1.0.0/24}]}}
",
            |_, spec| {
                let rows = spec.networks.iter().map(|(name, at)| (name.clone(), at.aliases.clone(), at.ipv4));
                rows.collect::<Vec<_>>()
            },
            expect![[r#"
                shop-none-1: []
                shop-one-1: [("shop_default", ["one"], None)]
                shop-two-1: [("shared", ["two"], Some(10.1.0.9)), ("shop_front", ["two", "www"], None)]
            "#]],
        );
    }

    #[test]
    fn loopback_ports_are_published_or_relayed_where_every_network_is_internal() {
        let text = "
x-supervisor: {edge: out}
services:
  out: {image: 'i:1', ports: ['127.0.0.1:8080:80'], networks: [front, back]}
  in: {image: 'i:1', ports: ['127.0.0.1:9090:90', '127.0.0.1:53:53/udp'], networks: [back]}
networks:
  front: {internal: false}
  back: {internal: true}
";
        let ports = |ports: &BTreeSet<PortSpec>| ports.iter().map(|p| p.host_port).collect::<Vec<_>>();
        let wanted = want(text);
        let rows: Vec<_> = wanted
            .services
            .values()
            .map(|s| {
                let dropped: Vec<_> = s.unpublished.keys().map(|port| port.host_port).collect();
                format!(
                    "{}: {:?} {:?} {dropped:?}",
                    s.service,
                    ports(&s.containers[0].ports),
                    ports(&s.relayed)
                )
            })
            .collect();
        expect!["in: [] [9090] [53]; out: [8080] [] []"].assert_eq(&rows.join("; "));
    }

    #[test]
    fn the_engine_restarts_only_where_no_supervisor_does() {
        let text = "
services:
  web: {image: 'i:1', restart: 'on-failure:3'}
  job: {image: 'i:1'}
";
        check(
            text,
            |service, spec| (service.restart, spec.restart),
            expect![[r#"
            shop-job-1: (No, No)
            shop-web-1: (OnFailure(Some(3)), OnFailure(Some(3)))
        "#]],
        );
        let ours = want_with(text, Restarts::Ours, &[], |image| Some(image.to_owned()));
        assert!(ours.services.values().flat_map(|s| &s.containers).all(|c| c.restart == Restart::No));
        assert_eq!(ours.services["web"].restart, Restart::OnFailure(Some(3)));
    }

    #[test]
    fn the_first_health_has_the_checks_own_budget() {
        check(
            "
services:
  check: {image: 'i:1', healthcheck: {test: [CMD, ok], interval: 2s, timeout: 1s, retries: 4, start_period: 10s}}
  probe: {image: 'i:1', x-supervisor: {probe: {http: /, port: 80, start_period: 90s}}}
  plain: {image: 'i:1'}
",
            |service, _| (service.start_period, service.engine_health),
            expect![[r#"
                shop-check-1: (25s, true)
                shop-plain-1: (300s, false)
                shop-probe-1: (90s, false)
            "#]],
        );
    }

    #[test]
    fn only_active_services_and_what_they_use_are_wanted() {
        let text = "
services:
  web: {image: 'i:1', networks: [front], volumes: ['data:/data']}
  debug: {image: 'i:1', profiles: [debug], networks: [back], volumes: ['logs:/logs']}
networks: {front: {}, back: {}}
volumes: {data: {}, logs: {}}
";
        let print = |wanted: &Wanted| {
            let names = |keys: Vec<&String>| keys.into_iter().cloned().collect::<Vec<_>>().join(" ");
            format!(
                "{} | {} | {} | {}",
                names(wanted.services.keys().collect()),
                names(wanted.networks.keys().collect()),
                names(wanted.volumes.keys().collect()),
                names(wanted.inactive.iter().collect())
            )
        };
        expect!["web | shop_front | shop_data | debug"].assert_eq(&print(&want(text)));
        let debug = want_with(text, Restarts::Engine, &["debug"], |image| Some(image.to_owned()));
        expect!["debug web | shop_back shop_front | shop_data shop_logs | "].assert_eq(&print(&debug));
    }

    #[test]
    fn the_environment_keeps_what_has_a_value() {
        check(
            "services: {web: {image: 'i:1', environment: {B: two, A: '', C: }}}",
            |_, spec| spec.environment.clone(),
            expect![[r#"
                shop-web-1: ["A=", "B=two"]
            "#]],
        );
    }
}
