//! From what is wanted to what the engine is told: one function a kind of thing.
//!
//! Every field is said or deliberately left to the engine's hardened default (masked and read-only paths). A
//! container's rights come from its confinement and from nowhere else. Deliberately absent: choices.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointIpamConfig, EndpointSettings, ExecConfig, HealthConfig,
    HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Ipam, IpamConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountImageOptions, MountType, MountVolumeOptions, NetworkConnectRequest,
    NetworkCreateRequest, NetworkDisconnectRequest, NetworkingConfig, PortBinding, ResourcesUlimits,
    RestartPolicy, RestartPolicyNameEnum, VolumeCreateRequest,
};
use profiles::confinement::{AppArmor, Confinement, MountPromise, MountSource};

use crate::decide::spec::{
    AttachSpec, Bounds, ContainerSpec, HealthSpec, NetworkShape, PortSpec, Restart, VolumeSpec,
};
use crate::decide::start::Start;
use crate::engine::port::ExecSpec;

/// A container's description. `contents` has the staged file of each secret and config by its target; `start` is what it
/// executes.
pub(super) fn container(
    spec: &ContainerSpec,
    contents: &BTreeMap<String, PathBuf>,
    start: &Start,
) -> Result<ContainerCreateBody, String> {
    let confinement = &spec.confinement;
    let image = if spec.image_id.is_empty() { &spec.image } else { &spec.image_id };
    let exposed = spec.ports.iter().map(container_port);
    Ok(ContainerCreateBody {
        image: Some(image.clone()),
        cmd: start.command.clone(),
        entrypoint: start.entrypoint.clone(),
        env: Some(spec.environment.clone()),
        working_dir: spec.working_dir.clone(),
        user: confinement.user().map(str::to_owned),
        hostname: Some(spec.hostname.clone()),
        domainname: spec.domainname.clone(),
        labels: Some(spec.labels().into_iter().collect()),
        exposed_ports: Some(exposed.collect()).filter(|ports: &Vec<_>| !ports.is_empty()),
        healthcheck: spec.healthcheck.as_ref().map(health),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: i64::try_from(whole_seconds(spec.stop_grace)).ok(),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        host_config: Some(host(spec, contents)?),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints(spec)) }),
        ..ContainerCreateBody::default()
    })
}

fn host(spec: &ContainerSpec, contents: &BTreeMap<String, PathBuf>) -> Result<HostConfig, String> {
    let confinement = &spec.confinement;
    let limits = confinement.limits();
    let (mounts, tmpfs) = mounts(confinement.mounts(), &spec.mounted, contents)?;
    Ok(HostConfig {
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: Some(confinement.capabilities().iter().cloned().collect()),
        security_opt: Some(security_options(confinement)),
        readonly_rootfs: Some(confinement.read_only_root()),
        init: Some(confinement.init()),
        group_add: Some(confinement.group_add().to_vec()),
        ipc_mode: Some("private".into()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        pid_mode: Some(String::new()),
        uts_mode: Some(String::new()),
        sysctls: Some(hashed(confinement.sysctls())),
        pids_limit: Some(i64::from(limits.pids)),
        memory: Some(signed(limits.memory)),
        memory_swap: Some(memory_and_swap(limits.memory)),
        memory_reservation: limits.memory_reservation.map(signed),
        nano_cpus: Some(signed(limits.nano_cpus)),
        cpu_shares: limits.cpu_shares.map(signed),
        cpuset_cpus: limits.cpuset.clone(),
        blkio_weight: limits.blkio_weight,
        ulimits: Some(limits.ulimits.iter().map(ulimit).collect()),
        shm_size: Some(signed(limits.shm_size)),
        oom_score_adj: Some(i64::from(limits.oom_score_adj)),
        mounts: Some(mounts),
        tmpfs: Some(tmpfs),
        log_config: Some(HostConfigLogConfig {
            typ: Some(spec.log_driver.clone()),
            config: Some(hashed(&spec.log_options)),
        }),
        restart_policy: Some(restart(spec.restart)),
        network_mode: Some(first_network(spec)),
        port_bindings: Some(port_bindings(spec)),
        publish_all_ports: Some(false),
        extra_hosts: Some(spec.extra_hosts.clone()),
        dns: Some(spec.dns.clone()),
        dns_search: Some(spec.dns_search.clone()),
        dns_options: Some(spec.dns_opt.clone()),
        runtime: spec.runtime.clone(),
        annotations: Some(hashed(&spec.annotations)).filter(|annotations| !annotations.is_empty()),
        auto_remove: Some(false),
        ..HostConfig::default()
    })
}

fn security_options(confinement: &Confinement) -> Vec<String> {
    // The engine wants the profile's text here: a path is accepted and fails at start.
    let mut options = vec!["no-new-privileges:true".to_owned(), format!("seccomp={}", confinement.seccomp())];
    if let AppArmor::Profile { name, .. } = confinement.apparmor() {
        options.push(format!("apparmor={name}"));
    }
    options
}

/// For an OCI runtime that refuses filter flags: the same filter without them.
pub(super) fn drop_filter_flags(body: &mut ContainerCreateBody, confinement: &Confinement) {
    let options = body.host_config.as_mut().and_then(|host| host.security_opt.as_mut());
    let whole = format!("seccomp={}", confinement.seccomp());
    for option in options.into_iter().flatten().filter(|option| **option == whole) {
        *option = format!("seccomp={}", confinement.seccomp_without_flags());
    }
}

/// Tmpfs go by their own field: only there can owner and mode be said.
fn mounts(
    promises: &[MountPromise],
    mounted: &BTreeMap<String, String>,
    contents: &BTreeMap<String, PathBuf>,
) -> Result<(Vec<Mount>, HashMap<String, String>), String> {
    let mut mounts = Vec::new();
    let mut tmpfs = HashMap::new();
    for promise in promises {
        let mount = match &promise.source {
            MountSource::Bind(path) => bind(path.clone(), promise),
            MountSource::Volume { name, nocopy, subpath } => Mount {
                typ: Some(MountType::VOLUME),
                source: name.clone(),
                target: Some(promise.target.clone()),
                read_only: Some(promise.read_only),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(*nocopy),
                    subpath: subpath.clone(),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            },
            MountSource::Image { image, subpath } => Mount {
                typ: Some(MountType::IMAGE),
                source: Some(mounted.get(&promise.target).unwrap_or(image).clone()),
                target: Some(promise.target.clone()),
                read_only: Some(promise.read_only),
                image_options: subpath.clone().map(|path| MountImageOptions { subpath: Some(path) }),
                ..Mount::default()
            },
            MountSource::Tmpfs { size, mode, uid, gid } => {
                let access = if promise.read_only { ",ro" } else { "" };
                let options =
                    format!("size={size},mode={mode:o},uid={uid},gid={gid},noexec,nosuid,nodev{access}");
                tmpfs.insert(promise.target.clone(), options);
                continue;
            }
            MountSource::Content { kind, key, .. } => {
                let path = contents
                    .get(&promise.target)
                    .ok_or_else(|| format!("the {kind} `{key}` was not staged"))?;
                bind(path.display().to_string(), promise)
            }
        };
        mounts.push(mount);
    }
    Ok((mounts, tmpfs))
}

fn bind(path: String, promise: &MountPromise) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(path),
        target: Some(promise.target.clone()),
        read_only: Some(promise.read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            create_mountpoint: Some(false),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn ulimit((name, (soft, hard)): (&String, &(u64, u64))) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.clone()), soft: Some(signed(*soft)), hard: Some(signed(*hard)) }
}

/// The network that gives the default route, or none at all.
fn first_network(spec: &ContainerSpec) -> String {
    let by_priority =
        spec.networks.iter().max_by_key(|(name, at)| (at.gw_priority, std::cmp::Reverse(*name)));
    by_priority.map_or_else(|| "none".to_owned(), |(name, _)| name.clone())
}

fn endpoints(spec: &ContainerSpec) -> HashMap<String, EndpointSettings> {
    spec.networks.iter().map(|(name, at)| (name.clone(), endpoint(at))).collect()
}

fn endpoint(at: &AttachSpec) -> EndpointSettings {
    let fixed = at.ipv4.is_some() || at.ipv6.is_some();
    EndpointSettings {
        aliases: Some(at.aliases.clone()),
        ipam_config: fixed.then(|| EndpointIpamConfig {
            ipv4_address: at.ipv4.map(|address| address.to_string()),
            ipv6_address: at.ipv6.map(|address| address.to_string()),
            link_local_ips: None,
        }),
        gw_priority: Some(at.gw_priority).filter(|priority| *priority != 0),
        ..EndpointSettings::default()
    }
}

fn container_port(port: &PortSpec) -> String {
    format!("{}/{}", port.container_port, port.protocol)
}

fn port_bindings(spec: &ContainerSpec) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &spec.ports {
        let binding = PortBinding {
            host_ip: Some(port.host_ip.to_string()),
            host_port: Some(port.host_port.to_string()),
        };
        bindings.entry(container_port(port)).or_default().get_or_insert_default().push(binding);
    }
    bindings
}

fn health(spec: &HealthSpec) -> HealthConfig {
    HealthConfig {
        test: Some(spec.test.clone()).filter(|test| !test.is_empty()),
        interval: spec.interval.map(nanoseconds),
        timeout: spec.timeout.map(nanoseconds),
        start_period: spec.start_period.map(nanoseconds),
        start_interval: spec.start_interval.map(nanoseconds),
        retries: spec.retries.map(i64::from),
    }
}

/// The engine's restart policy.
fn restart(restart: Restart) -> RestartPolicy {
    let (name, retries) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure(retries) => (RestartPolicyNameEnum::ON_FAILURE, retries),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: retries.map(i64::from) }
}

/// A change of the restart policy alone.
pub(super) fn restart_update(to: Restart) -> ContainerUpdateBody {
    ContainerUpdateBody { restart_policy: Some(restart(to)), ..ContainerUpdateBody::default() }
}

/// A change of bounds alone.
pub(super) fn bounds_update(to: Bounds) -> ContainerUpdateBody {
    ContainerUpdateBody {
        memory: Some(signed(to.memory)),
        memory_swap: Some(memory_and_swap(to.memory)),
        nano_cpus: Some(signed(to.nano_cpus)),
        pids_limit: Some(i64::from(to.pids)),
        ..ContainerUpdateBody::default()
    }
}

/// The bound of memory and swap together that leaves no swap: the kernel rounds what is beyond the memory, one byte, down to
/// no page. The memory's own number would say the same, but not for long: of a swap of 0 bytes runc tells systemd nothing
/// (`genV2ResourcesProperties`), and the next `systemctl daemon-reload`, which any package's upgrade makes, writes
/// systemd's default over it: no bound at all.
fn memory_and_swap(memory: u64) -> i64 {
    signed(memory).saturating_add(1)
}

/// A container's place on a network that it is put on.
pub(super) fn connection(container: &str, at: &AttachSpec) -> NetworkConnectRequest {
    NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint(at)) }
}

/// A container's place on a network that takes another's place: what was asked for there, and nothing of what the engine
/// made of it.
pub(super) fn reconnection(container: &str, was: Option<&EndpointSettings>) -> NetworkConnectRequest {
    let was = was.cloned().unwrap_or_default();
    let endpoint_config = EndpointSettings {
        aliases: was.aliases,
        ipam_config: was.ipam_config,
        links: was.links,
        driver_opts: was.driver_opts,
        gw_priority: was.gw_priority,
        ..EndpointSettings::default()
    };
    NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint_config) }
}

/// A container that is taken off a network.
pub(super) fn disconnection(container: &str) -> NetworkDisconnectRequest {
    NetworkDisconnectRequest { container: container.to_owned(), force: Some(false) }
}

/// A network's description.
pub(super) fn network(shape: &NetworkShape) -> NetworkCreateRequest {
    let pools: Vec<IpamConfig> = shape
        .pools
        .iter()
        .map(|(subnet, gateway, ip_range)| IpamConfig {
            subnet: subnet.clone(),
            gateway: gateway.clone(),
            ip_range: ip_range.clone(),
            auxiliary_addresses: None,
        })
        .collect();
    NetworkCreateRequest {
        name: shape.name.clone(),
        driver: Some("bridge".into()),
        internal: Some(shape.internal),
        enable_ipv6: Some(shape.ipv6),
        options: Some(hashed(&shape.options)),
        ipam: Some(pools).filter(|pools| !pools.is_empty()).map(|config| Ipam {
            driver: None,
            config: Some(config),
            options: None,
        }),
        labels: Some(hashed(&shape.labels)),
        ..NetworkCreateRequest::default()
    }
}

/// A volume's description.
pub(super) fn volume(spec: &VolumeSpec) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(spec.name.clone()),
        driver: Some("local".into()),
        driver_opts: Some(hashed(&spec.options)),
        labels: Some(spec.labels().into_iter().collect()),
        cluster_volume_spec: None,
    }
}

/// A command for a running container, never with more rights than it has.
pub(super) fn exec(spec: &ExecSpec) -> ExecConfig {
    ExecConfig {
        cmd: Some(spec.command.clone()),
        user: spec.user.clone(),
        working_dir: spec.working_dir.clone(),
        env: Some(spec.environment.clone()),
        tty: Some(spec.tty),
        attach_stdin: Some(spec.stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        privileged: Some(false),
        ..ExecConfig::default()
    }
}

/// Whole seconds, rounded up: a grace of half a second is not none.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hashed(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests;
