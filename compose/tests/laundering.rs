//! Each thing that is refused, tried plainly and in every disguise that the format knows: caught, on the right line.
//!
//! The cases are grown from two tables: what is refused, and how it is hidden.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use compose::emit::Credentials;
use compose::fix::Fixed;
use compose::host::{Kind, Look, MemoryHost};
use compose::model::Date;
use compose::{Finding, Policy, Report, Request, Severity, Source};

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Service,
    Network,
    Volume,
    Secret,
    Config,
}
use Place::{Config, Network, Secret, Service, Volume};

/// A rule, where the key stands, the key, its value in one line with `%` for the scalar that matters, and that scalar.
type Row = (&'static str, Place, &'static str, &'static str, &'static str);

const REFUSED: &[Row] = &[
    ("SV100", Service, "user", "%", "root"),
    ("SV100", Service, "user", "%", "0:0"),
    ("SV100", Service, "user", "\"%:1000\"", "0"),
    ("SV101", Service, "group_add", "[%]", "docker"),
    ("SV101", Service, "group_add", "[\"%\"]", "0"),
    ("SV101", Service, "group_add", "[\"%\"]", "998"),
    ("SV102", Service, "cap_add", "[%]", "SYS_ADMIN"),
    ("SV102", Service, "cap_add", "[%]", "CAP_SYS_PTRACE"),
    ("SV102", Service, "cap_add", "[%]", "all"),
    ("SV102", Service, "cap_add", "[%]", "net_raw"),
    ("SV103", Service, "cap_add", "[%]", "CAP_DAC_OVERRIDE"),
    ("SV105", Service, "privileged", "%", "true"),
    ("SV106", Service, "security_opt", "[\"no-new-privileges:%\"]", "false"),
    ("SV106", Service, "security_opt", "[\"no-new-privileges=%\"]", "False"),
    ("SV120", Service, "security_opt", "[\"seccomp:%\"]", "unconfined"),
    ("SV120", Service, "security_opt", "[\"seccomp=%\"]", "unconfined"),
    ("SV121", Service, "security_opt", "[\"seccomp=%\"]", "./own.json"),
    ("SV122", Service, "security_opt", "[\"apparmor:%\"]", "unconfined"),
    ("SV122", Service, "security_opt", "[\"apparmor=%\"]", "unconfined"),
    ("SV123", Service, "security_opt", "[\"label:%\"]", "disable"),
    ("SV123", Service, "security_opt", "[\"systempaths=%\"]", "unconfined"),
    ("SV125", Service, "pid", "%", "host"),
    ("SV125", Service, "pid", "\"container:%\"", "other"),
    ("SV126", Service, "ipc", "%", "host"),
    ("SV126", Service, "ipc", "%", "shareable"),
    ("SV126", Service, "ipc", "\"service:%\"", "web"),
    ("SV127", Service, "uts", "%", "host"),
    ("SV128", Service, "cgroup", "%", "host"),
    ("SV129", Service, "userns_mode", "%", "host"),
    ("SV131", Service, "devices", "[\"%\"]", "/dev/kmsg"),
    ("SV131", Service, "devices", "[{source: %, target: /dev/x}]", "/dev/kmsg"),
    ("SV131", Service, "device_cgroup_rules", "[\"c %:* rwm\"]", "1"),
    ("SV131", Service, "gpus", "%", "all"),
    ("SV131", Service, "deploy", "{resources: {reservations: {devices: [{capabilities: [%]}]}}}", "gpu"),
    ("SV132", Service, "provider", "{type: %}", "vault"),
    ("SV133", Service, "runtime", "%", "nvidia"),
    ("SV134", Service, "sysctls", "[\"%=1\"]", "kernel.msgmax"),
    ("SV134", Service, "sysctls", "{net.ipv4.ip_forward: %}", "1"),
    ("SV135", Service, "cgroup_parent", "%", "system.slice"),
    ("SV150", Service, "read_only", "%", "false"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/var/run/docker.sock"),
    ("SV151", Service, "volumes", "[\"%:/s:ro\"]", "/run/docker.sock"),
    ("SV151", Service, "volumes", "[{type: bind, source: %, target: /s}]", "/var/run/docker.sock"),
    (
        "SV151",
        Service,
        "volumes",
        "[{type: bind, source: %, target: /s, read_only: true}]",
        "/var/run/./docker.sock",
    ),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/var/run"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/srv/../run/docker.sock"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/var"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/run/user/1000"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/run/user/1000/docker.sock"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/opt/odd/podman.sock"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/run/containerd/containerd.sock"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/srv/link/engine"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/srv/renamed"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/srv/alias"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "/srv/holds"),
    ("SV151", Service, "volumes", "[\"%:/s\"]", "./inner"),
    ("SV152", Volume, "driver_opts", "{type: none, o: bind, device: %}", "/var/run/docker.sock"),
    ("SV152", Volume, "driver_opts", "{type: none, o: bind, device: %}", "/run"),
    ("SV152", Volume, "driver_opts", "{type: none, o: bind, device: %}", "/srv/holds"),
    ("SV152", Secret, "file", "%", "/run/docker.sock"),
    ("SV152", Secret, "file", "%", "/srv/link/engine"),
    ("SV152", Config, "file", "%", "/var/run/docker.sock"),
    ("SV153", Service, "use_api_socket", "%", "true"),
    ("SV154", Service, "volumes", "[\"%:/h\"]", "/etc"),
    ("SV154", Service, "volumes", "[\"%:/h:ro\"]", "/etc/passwd"),
    ("SV154", Service, "volumes", "[{type: bind, source: %, target: /h}]", "/root"),
    ("SV151", Service, "volumes", "[\"%:/h\"]", "/proc"),
    ("SV151", Service, "volumes", "[\"%:/h:ro\"]", "/proc/1/root/srv"),
    ("SV167", Service, "volumes", "[\"%:/h\"]", "/dev"),
    ("SV167", Service, "volumes", "[\"%:/h:ro\"]", "/dev/shm/../sda"),
    ("SV154", Service, "volumes", "[\"%:/h\"]", "/sys/kernel"),
    ("SV154", Service, "volumes", "[\"%:/h\"]", "/var/lib/docker/volumes"),
    ("SV154", Service, "volumes", "[\"%:/h\"]", "../../etc"),
    ("SV154", Service, "volumes", "[\"%:/h\"]", "/srv/link/etc"),
    ("SV155", Service, "volumes", "[\"%:/h\"]", "/srv/link/site"),
    (
        "SV156",
        Service,
        "volumes",
        "[{type: bind, source: ./site, target: /h, bind: {propagation: %}}]",
        "rshared",
    ),
    ("SV156", Service, "volumes", "[\"./site:/h:%\"]", "rslave"),
    (
        "SV157",
        Service,
        "volumes",
        "[{type: bind, source: ./site, target: /h, bind: {create_host_path: %}}]",
        "true",
    ),
    ("SV158", Service, "volumes", "[\"v:%\"]", "/proc/sys"),
    ("SV158", Service, "tmpfs", "%", "/dev/shm"),
    ("SV159", Service, "tmpfs", "[\"/x:%\"]", "exec"),
    ("SV159", Service, "tmpfs", "\"/x:size=1m,%\"", "suid"),
    ("SV162", Service, "volumes", "[{type: %, source: p, target: /x}]", "npipe"),
    ("SV162", Service, "volumes", "[{type: %, source: c, target: /x}]", "cluster"),
    ("SV162", Service, "volumes", "[{type: image, source: \"%\", target: /x}]", ""),
    ("SV163", Service, "volumes_from", "[\"%\"]", "container:other"),
    ("SV164", Volume, "driver_opts", "{type: none, o: bind, device: %}", "/srv/data"),
    ("SV164", Volume, "driver_opts", "{type: %, o: \"addr=10.0.0.1\"}", "nfs"),
    ("SV164", Volume, "driver", "%", "rclone"),
    ("SV164", Volume, "driver_opts", "{type: tmpfs, device: tmpfs, o: \"%\"}", "size=0"),
    ("SV164", Volume, "driver_opts", "{type: tmpfs, device: tmpfs, o: \"size=64m,%\"}", "size=0k"),
    ("SV164", Volume, "driver_opts", "{type: tmpfs, device: tmpfs, o: \"%,size=64m\"}", "size=100%"),
    ("SV164", Volume, "driver_opts", "{type: tmpfs, device: tmpfs, o: \"size=64m,%\"}", "nr_inodes=0"),
    ("SV173", Volume, "name", "%", "/etc"),
    ("SV173", Volume, "name", "%", "../../etc"),
    ("SV166", Service, "working_dir", "%", "/proc/self/fd/7"),
    (
        "SV171",
        Service,
        "volumes",
        "[{type: image, source: \"a@sha256:0\", target: /x, read_only: %}]",
        "false",
    ),
    (
        "SV171",
        Service,
        "volumes",
        "[{type: image, source: \"a@sha256:0\", target: /x, read_only: \"%\"}]",
        "no",
    ),
    ("SV172", Service, "volumes", "[{type: image, source: a, target: /x, image: {subpath: %}}]", "../etc"),
    ("SV172", Service, "volumes", "[{type: image, source: a, target: /x, image: {subpath: %}}]", "/srv"),
    (
        "SV172",
        Service,
        "volumes",
        "[{type: volume, source: v, target: /x, volume: {subpath: %}}]",
        "a/../../b",
    ),
    ("SV180", Service, "ports", "[\"%:80\"]", "8080"),
    ("SV180", Service, "ports", "[\"%:8080:80\"]", "0.0.0.0"),
    ("SV180", Service, "ports", "[\"[%]:8080:80\"]", "::"),
    ("SV180", Service, "ports", "[\"%\"]", "80"),
    ("SV180", Service, "ports", "[%]", "80"),
    ("SV180", Service, "ports", "[\"%:80/udp\"]", "8080"),
    ("SV180", Service, "ports", "[\"%:3000-3002\"]", "3000-3002"),
    ("SV180", Service, "ports", "[\"%:8080:80\"]", "192.168.1.5"),
    ("SV180", Service, "ports", "[{target: 80, published: \"%\"}]", "8080"),
    ("SV180", Service, "ports", "[{target: 80, published: \"8080\", host_ip: %}]", "0.0.0.0"),
    ("SV181", Service, "ports", "[{target: 80, published: \"8080\", host_ip: %}]", "localhost"),
    ("SV181", Service, "ports", "[{target: 80, published: \"8080\", host_ip: \"%\"}]", "127.1"),
    ("SV182", Service, "ports", "[\"127.0.0.1:8080:80/%\"]", "sctp"),
    (
        "SV182",
        Service,
        "ports",
        "[{target: 80, published: \"8080\", host_ip: 127.0.0.1, mode: %}]",
        "ingress",
    ),
    ("SV184", Network, "internal", "%", "false"),
    ("SV186", Network, "driver", "%", "host"),
    ("SV186", Network, "driver", "%", "macvlan"),
    ("SV187", Network, "driver_opts", "{com.docker.network.bridge.gateway_mode_ipv4: %}", "nat-unprotected"),
    ("SV187", Network, "driver_opts", "{com.docker.network.bridge.host_binding_ipv4: %}", "0.0.0.0"),
    ("SV187", Network, "driver_opts", "{com.docker.network.bridge.trusted_host_interfaces: %}", "eth0"),
    ("SV188", Network, "ipam", "{config: [{subnet: %}]}", "8.8.8.0/24"),
    ("SV198", Network, "name", "%", "host"),
    ("SV198", Network, "name", "%", "none"),
    ("SV198", Network, "name", "\"%\"", "container:other"),
    ("SV190", Service, "extra_hosts", "[\"h:%\"]", "host-gateway"),
    ("SV190", Service, "extra_hosts", "{h: %}", "host-gateway"),
    ("SV190", Service, "extra_hosts", "[\"h=%\"]", "169.254.169.254"),
    ("SV190", Service, "extra_hosts", "[\"h=%\"]", "100.100.100.200"),
    ("SV190", Service, "extra_hosts", "{h: \"%\"}", "64:ff9b::168.63.129.16"),
    ("SV191", Service, "dns", "%", "resolver.example.org"),
    ("SV193", Service, "external_links", "[%]", "other"),
    ("SV210", Service, "mem_limit", "%", "0"),
    ("SV210", Service, "mem_limit", "%", "-1"),
    ("SV210", Service, "deploy", "{resources: {limits: {memory: \"%\"}}}", "0"),
    ("SV211", Service, "memswap_limit", "%", "-1"),
    ("SV212", Service, "pids_limit", "%", "-1"),
    ("SV212", Service, "pids_limit", "%", "0"),
    ("SV212", Service, "pids_limit", "%", "100000"),
    ("SV213", Service, "cpus", "%", "0"),
    ("SV214", Service, "ulimits", "{memlock: %}", "-1"),
    ("SV214", Service, "ulimits", "{nproc: {soft: 1, hard: %}}", "-1"),
    ("SV215", Service, "shm_size", "%", "8g"),
    ("SV216", Service, "oom_score_adj", "%", "-1000"),
    ("SV219", Service, "oom_kill_disable", "%", "true"),
    ("SV219", Service, "cpu_rt_runtime", "%", "95000"),
    ("SV220", Service, "logging", "{driver: %}", "syslog"),
    ("SV220", Service, "logging", "{driver: json-file, options: {max-size: 1m, env: %}}", "PASSWORD"),
    ("SV221", Service, "logging", "{driver: %}", "json-file"),
    ("SV221", Service, "logging", "{driver: json-file, options: {max-size: \"%\"}}", "-1"),
    ("SV220", Service, "logging", "{driver: %}", "NONE"),
    ("SV220", Service, "logging", "{driver: %, options: {max-size: 1m, max-file: \"1\"}}", "JSON-FILE"),
    ("SV221", Service, "logging", "{driver: json-file, options: {max-size: %}}", "0k"),
    ("SV221", Service, "logging", "{driver: local, options: {max-size: %}}", "much"),
    (
        "SV221",
        Service,
        "logging",
        "{driver: local, options: {max-size: 1m, mode: non-blocking, max-buffer-size: %}}",
        "900g",
    ),
    ("SV221", Service, "logging", "{driver: local, options: {max-size: 1m, mode: %}}", "odd"),
    ("SV240", Service, "image", "%", "caddy:latest"),
    ("SV240", Service, "volumes", "[{type: image, source: %, target: /x}]", "caddy:latest"),
    ("SV240", Service, "volumes", "[{type: image, source: \"caddy@sha256:%\", target: /x}]", "0123"),
    ("SV241", Service, "build", "%", "."),
    ("SV241", Service, "build", "{context: %}", "."),
    ("SV242", Service, "pull_policy", "%", "always"),
    ("SV242", Service, "pull_policy", "%", "every_12h"),
    ("SV244", Service, "labels", "[\"%=x\"]", "com.docker.compose.project"),
    ("SV244", Service, "labels", "{supervisor.project: %}", "x"),
    ("SV245", Service, "labels", "{traefik.enable: \"%\"}", "true"),
    ("SV261", Service, "healthcheck", "{disable: %}", "true"),
    ("SV261", Service, "healthcheck", "{test: [\"%\"]}", "NONE"),
    ("SV262", Service, "healthcheck", "{test: [CMD, id], interval: %}", "2h"),
    ("SV263", Service, "stop_signal", "%", "SIGKILL"),
    ("SV263", Service, "stop_signal", "\"%\"", "9"),
    ("SV264", Service, "stop_grace_period", "%", "24h"),
    ("SV267", Service, "tty", "%", "true"),
    ("SV272", Service, "post_start", "[{command: id, user: %}]", "root"),
    ("SV272", Service, "post_start", "[{command: id, user: \"%\"}]", "0:0"),
    ("SV272", Service, "post_start", "[{command: id, privileged: %}]", "true"),
    ("SV272", Service, "pre_stop", "[{command: id, user: 7}, {command: id, privileged: %}]", "true"),
    ("SV279", Service, "pre_start", "[{image: a, command: id, privileged: %}]", "true"),
    ("SV279", Service, "networks", "{n: {mac_address: \"%\"}}", "02:42:ac:11:00:02"),
    (
        "SV279",
        Service,
        "volumes",
        "[{type: volume, source: v, target: /x, bind: {propagation: %}}]",
        "rshared",
    ),
    ("SV279", Service, "volumes", "[{type: volume, source: v, target: /x, volume: {labels: {a: %}}}]", "b"),
    ("SV246", Service, "annotations", "{io.containers.trace-syscall: %}", "x"),
    ("SV280", Service, "environment", "[\"DB_PASSWORD=%\"]", "correct-horse"),
    ("SV280", Service, "environment", "{DB_PASSWORD: %}", "correct-horse"),
    ("SV280", Service, "post_start", "[{command: id, environment: {DB_PASSWORD: %}}]", "correct-horse"),
    ("SV281", Service, "pre_stop", "[{command: [save, \"--password=%\"]}]", "correct-horse"),
    (
        "SV282",
        Service,
        "post_start",
        "[{command: id, environment: [\"DOCKER_HOST=%\"]}]",
        "tcp://10.0.0.5:2375",
    ),
    ("SV281", Service, "command", "[serve, \"--password=%\"]", "correct-horse"),
    ("SV282", Service, "environment", "{DOCKER_HOST: \"%\"}", "tcp://10.0.0.5:2375"),
    ("SV282", Service, "environment", "[\"DOCKER_HOST=%\"]", "unix:///x/docker.sock"),
    ("SV168", Volume, "external", "%", "true"),
    ("SV283", Secret, "environment", "%", "EVIL"),
    ("SV284", Secret, "file", "%", "/srv/elsewhere/app.env"),
    ("SV286", Secret, "external", "%", "true"),
    ("SV287", Service, "env_file", "%", "/srv/elsewhere/app.env"),
    ("SV287", Service, "env_file", "[{path: %}]", "../elsewhere/app.env"),
];

/// Texts of `a.yaml`, `b.yaml` as on the command line, the marked line among them; a third is `base.yaml` of the host.
type Files = Vec<String>;

/// How a value is hidden: from the row to the files, or nothing where it does not apply.
type Disguise = (&'static str, fn(&Row) -> Option<Files>);

const DISGUISES: &[Disguise] = &[
    ("plainly", |row| Some(vec![document(row, "", &format!("{}: {} # HERE", row.2, value(row, row.4)), "")])),
    ("under a quoted key", |row| {
        Some(vec![document(row, "", &format!("\"{}\": {} # HERE", row.2, value(row, row.4)), "")])
    }),
    ("through an anchor", |row| {
        let top = format!("x-a: &a {} # HERE\n", value(row, row.4));
        Some(vec![document(row, &top, &format!("{}: *a # USE", row.2), "")])
    }),
    ("through a merge key", |row| {
        let top = format!("x-a: &a {{{}: {}}} # HERE\n", row.2, value(row, row.4));
        Some(vec![document(row, &top, "<<: *a", "")])
    }),
    ("through a list of merge keys", |row| {
        let top = format!("x-b: &b {{}}\nx-a: &a {{{}: {}}} # HERE\n", row.2, value(row, row.4));
        Some(vec![document(row, &top, "<<: [*b, *a]", "")])
    }),
    ("through a merge of a merge", |row| {
        let top = format!("x-a: &a {{{}: {}}} # HERE\nx-c: &c {{<<: *a}}\n", row.2, value(row, row.4));
        Some(vec![document(row, &top, "<<: *c", "")])
    }),
    ("through extends from another file", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, row.4));
        let base = document(row, "", &line, "");
        let web = "services:\n  web:\n    extends: {file: base.yaml, service: web}\n    networks: [n]\nnetworks:\n  n:\n\
                   volumes:\n  v:\nsecrets:\n  s: {file: ./token}\nconfigs:\n  c: {content: x}\n";
        (row.1 == Service).then(|| vec![web.to_owned(), String::new(), base])
    }),
    ("through an included file", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, row.4));
        Some(vec!["include: [base.yaml]\n".to_owned(), String::new(), document(row, "", &line, "")])
    }),
    ("in an override file", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, row.4));
        Some(vec![document(row, "", "", ""), document(row, "", &line, "")])
    }),
    ("by replacing in an override file", |row| {
        let line = format!("{}: !override {} # HERE", row.2, value(row, row.4));
        Some(vec![document(row, "", "", ""), document(row, "", &line, "")])
    }),
    ("as a default", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, &format!("${{UNSET:-{}}}", row.4)));
        Some(vec![document(row, "", &line, "")])
    }),
    ("as a default without a colon", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, &format!("${{UNSET-{}}}", row.4)));
        Some(vec![document(row, "", &line, "")])
    }),
    ("as a nested default", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, &format!("${{UNSET:-${{NOT:-{}}}}}", row.4)));
        Some(vec![document(row, "", &line, "")])
    }),
    ("as what holds if another is set", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, &format!("${{SET:+{}}}", row.4)));
        Some(vec![document(row, "", &line, "")])
    }),
    ("in a variable", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, "${EVIL}"));
        Some(vec![document(row, "", &line, "")])
    }),
    ("in a variable without braces", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, "$EVIL"));
        Some(vec![document(row, "", &line, "")])
    }),
    ("in a required variable behind an anchor", |row| {
        let top = format!("x-a: &a {} # HERE\n", value(row, "${EVIL:?must be set}"));
        Some(vec![document(row, &top, &format!("{}: *a # USE", row.2), "")])
    }),
    ("in quotes", |row| {
        let line = format!("{}: \"{}\" # HERE", row.2, row.4);
        (row.3 == "%").then(|| vec![document(row, "", &line, "")])
    }),
    ("with escapes in quotes", |row| {
        let escaped = row.4.bytes().fold(String::new(), |out, byte| format!("{out}\\x{byte:02x}"));
        let line = format!("{}: \"{escaped}\" # HERE", row.2);
        (row.3 == "%").then(|| vec![document(row, "", &line, "")])
    }),
    ("in a block", |row| {
        let line = format!("{}: # HERE\n      {}", row.2, value(row, row.4));
        (row.3 == "%" && row.1 == Service).then(|| vec![document(row, "", &line, "")])
    }),
    ("in a list that is not indented", |row| {
        let item = row.3.strip_prefix('[')?.strip_suffix(']')?;
        let one = if item.starts_with('{') { !item.contains("}, {") } else { !item.contains(',') };
        let line = format!("{}: # USE\n    - {} # HERE", row.2, item.replace('%', row.4));
        (one && row.1 == Service).then(|| vec![document(row, "", &line, "")])
    }),
    ("in a profile that is never on", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, row.4));
        (row.1 == Service).then(|| vec![document(row, "", &line, "    profiles: [never]\n")])
    }),
    ("with the line ends of Windows", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, row.4));
        Some(vec![document(row, "", &line, "").replace('\n', "\r\n")])
    }),
    ("behind a byte order mark", |row| {
        let line = format!("{}: {} # HERE", row.2, value(row, row.4));
        Some(vec![format!("\u{feff}{}", document(row, "", &line, ""))])
    }),
];

/// The row's value with a scalar put in, in quotes of its own where braces would end it.
fn value(row: &Row, scalar: &str) -> String {
    let before = row.3.split('%').next().unwrap_or_default();
    let quoted = before.matches('"').count() % 2 == 1;
    if scalar.contains("${") && !quoted && row.3 != "%" {
        row.3.replace('%', &format!("\"{scalar}\""))
    } else {
        row.3.replace('%', scalar)
    }
}

/// A stack with the line under the key that the row is about.
fn document(row: &Row, top: &str, line: &str, service: &str) -> String {
    let under = |place: Place| {
        if row.1 == place && !line.is_empty() { format!("    {line}\n") } else { String::new() }
    };
    let or = |place: Place, usual: &str| {
        if row.1 == place { under(place) } else { format!("    {usual}\n") }
    };
    let image = if row.2 == "image" && row.1 == Service { "" } else { "    image: a\n" };
    let memory = if row.0 == "SV211" { "    mem_limit: 512m\n" } else { "" };
    let networks = if row.2 == "networks" { "" } else { "    networks: [n]\n" };
    let volumes = if row.2 == "volumes" { "" } else { "    volumes: [v:/v]\n" };
    format!(
        "{top}services:\n  web:\n{image}{memory}{networks}    secrets: [s]\n    configs: [c]\n{volumes}{service}{}\
         networks:\n  n:\n{}volumes:\n  v:\n{}secrets:\n  s:\n{}configs:\n  c:\n{}",
        under(Service),
        or(Network, "labels: {}"),
        or(Volume, "labels: {}"),
        or(Secret, "file: ./token"),
        or(Config, "content: x"),
    )
}

fn host() -> MemoryHost {
    let look = |resolved: &str, kind| Look {
        resolved: resolved.into(),
        links: Vec::new(),
        kind: Some(kind),
        sockets: Vec::new(),
        identity: None,
        mode: None,
        owner: None,
    };
    let through = |resolved: &str, kind| Look { links: vec!["/srv/link".into()], ..look(resolved, kind) };
    let holds = |path: &str| Look {
        sockets: vec![PathBuf::from(path).join("my.sock")],
        ..look(path, Kind::Directory)
    };
    let engine =
        Look { identity: Some((7, 9)), owner: Some((0, 998)), ..look("/run/docker.sock", Kind::Socket) };
    let looks = [
        ("/srv/link/engine", through("/run/docker.sock", Kind::Socket)),
        ("/srv/link/etc", through("/etc", Kind::Directory)),
        ("/srv/link/site", through("/srv/real/site", Kind::Directory)),
        ("/srv/renamed", look("/srv/renamed", Kind::Socket)),
        ("/srv/alias", Look { identity: Some((7, 9)), ..look("/srv/alias", Kind::File) }),
        ("/srv/holds", holds("/srv/holds")),
        ("/srv/stack/inner", holds("/srv/stack/inner")),
        ("/run/docker.sock", engine),
    ];
    let files = ["/srv/elsewhere/app.env", "/srv/stack/token"];
    MemoryHost {
        files: files.into_iter().map(|path| (path.into(), b"A=b\n".to_vec())).collect(),
        looks: looks.into_iter().map(|(path, look)| (path.into(), look)).collect(),
    }
}

/// The request that a user would make, and the machine.
fn request(row: &Row, files: &[String]) -> (Request, MemoryHost) {
    let given = files.iter().zip(NAMES).take(2).filter(|(text, _)| !text.is_empty());
    let request = Request {
        files: given
            .map(|(text, name)| Source::new(name, text.clone()).at(format!("/srv/stack/{name}")))
            .collect(),
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment: [("EVIL".into(), row.4.into()), ("SET".into(), "1".into())].into(),
    };
    let mut host = host();
    host.files.extend(files.get(2).map(|base| ("/srv/stack/base.yaml".into(), base.clone().into_bytes())));
    (request, host)
}

const POLICY: Policy = Policy {
    today: Date { year: 2026, month: 11, day: 22 },
    strict: true,
    calls: compose::policy::no_calls,
    notes: compose::Notes::Told,
};

fn judge(row: &Row, files: &[String]) -> Report {
    let (request, host) = request(row, files);
    let (admitted, report) = compose::admit(compose::load(request, &host), &POLICY, &host);
    assert!(admitted.is_none(), "{row:?} is admitted");
    report
}

const NAMES: [&str; 3] = ["a.yaml", "b.yaml", "base.yaml"];

/// File and line of a mark.
fn marked(files: &[String], mark: &str) -> Option<(&'static str, usize)> {
    let mut named = files.iter().zip(NAMES);
    named.find_map(|(text, name)| Some((name, text.lines().position(|line| line.contains(mark))? + 1)))
}

/// Rules about the key itself: it has to be edited where it is used, wherever its value is written.
const ABOUT_KEYS: [&str; 9] =
    ["SV131", "SV132", "SV135", "SV153", "SV163", "SV193", "SV219", "SV241", "SV279"];

#[test]
fn every_disguise_of_everything_that_is_refused_is_seen_through() {
    let (mut cases, mut failures) = (0, Vec::new());
    for row in REFUSED {
        for (how, disguise) in DISGUISES {
            let Some(files) = disguise(row) else { continue };
            cases += 1;
            let report = judge(row, &files);
            let places: Vec<(&str, Option<(&str, usize)>)> = report
                .findings
                .iter()
                .map(|finding| {
                    let place = finding.span.and_then(|span| {
                        let source = report.sources.get(span.source)?;
                        let name = source.name().rsplit('/').next()?;
                        Some((name, source.position(span.start).line as usize))
                    });
                    (finding.rule, place)
                })
                .collect();
            let here = marked(&files, "# HERE");
            let used = marked(&files, "# USE").filter(|_| ABOUT_KEYS.contains(&row.0));
            let near = |place: Option<(&str, usize)>| {
                let below = here.map(|(file, line)| (file, line + 1));
                place.is_some() && (place == here || place == used || *how == "in a block" && place == below)
            };
            let caught = |rule: &str| rule == row.0;
            if !places.iter().any(|(rule, place)| caught(rule) && near(*place)) {
                let value = value(row, row.4);
                failures.push(format!(
                    "{} `{}: {value}` {how}: {places:?}\n{}",
                    row.0,
                    row.2,
                    files.join("---\n")
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
    assert!(cases >= 400, "{cases}");
}

/// The texts after a repair, in the order of the given ones.
fn repaired(files: &[String], fixed: &Fixed) -> Files {
    let mut texts = files.to_vec();
    for changed in &fixed.files {
        let place = NAMES.iter().position(|name| changed.name.ends_with(name)).unwrap();
        assert_eq!(texts[place], changed.before);
        texts[place].clone_from(&changed.after);
    }
    texts
}

/// Every comment, without the blanks around it. The texts have no `#` elsewhere.
fn comments(files: &[String]) -> Vec<String> {
    let lines = files.iter().flat_map(|text| text.lines());
    lines.filter_map(|line| Some(line.split_once('#')?.1.trim().to_owned())).collect()
}

/// The bytes that both texts have in front and at the end cover all but what a repair may touch.
fn touched(before: &str, after: &str) -> usize {
    let front = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before.as_bytes()[front..], &after.as_bytes()[front..]);
    let back = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    before.len().max(after.len()) - back
}

/// Errors and warnings by rule and service.
fn loud(report: &Report) -> BTreeMap<(&str, Option<&str>), usize> {
    let mut counts = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| finding.severity != Severity::Note) {
        *counts.entry((finding.rule, finding.service.as_deref())).or_default() += 1;
    }
    counts
}

/// The model without hardening.
fn as_written(row: &Row, files: &[String]) -> Option<String> {
    let (request, host) = request(row, files);
    compose::as_written(&compose::load(request, &host), &["*".to_owned()].into(), Credentials::Shown)
}

#[test]
fn a_repair_converges_keeps_comments_and_bytes_and_brings_nothing_new() {
    let (mut repaired_cases, mut left_cases) = (0, 0);
    for row in REFUSED {
        for (how, disguise) in DISGUISES {
            let Some(files) = disguise(row) else { continue };
            let case =
                || format!("{} `{}: {}` {how}\n{}", row.0, row.2, value(row, row.4), files.join("---\n"));
            let before = judge(row, &files);
            let (first, host) = request(row, &files);
            let fixed = compose::fix::fix(first, &POLICY, &host);
            let texts = repaired(&files, &fixed);
            // Nothing new is found, and what is reported is what the new texts say.
            let (again, host) = request(row, &texts);
            let (_, after) = compose::admit(compose::load(again.clone(), &host), &POLICY, &host);
            let counts = loud(&before);
            for (what, count) in loud(&after) {
                assert!(
                    count <= counts.get(&what).copied().unwrap_or_default(),
                    "{what:?} is new: {}",
                    case()
                );
            }
            assert_eq!(loud(&after), loud(&fixed.report), "{}", case());
            assert_eq!(after.unreadable, before.unreadable, "{}", case());
            // What is left and is repaired elsewhere says why.
            let repaired = |id| compose::rules::find(id).is_some_and(compose::policy::Rule::is_repaired);
            let silent =
                |f: &&Finding| f.severity != Severity::Note && f.unfixed.is_none() && repaired(f.rule);
            assert_eq!(fixed.report.findings.iter().find(silent), None, "{}", case());
            // Twice is once.
            assert_eq!(compose::fix::fix(again, &POLICY, &host).files, [], "{}", case());
            assert_eq!(comments(&files), comments(&texts), "{}", case());
            for changed in &fixed.files {
                // A repair touches one place: the key, its value, and what goes with the last of a list.
                assert!(touched(&changed.before, &changed.after) <= 120, "{}\n{}", case(), changed.after);
                assert_eq!(changed.before.starts_with('\u{feff}'), changed.after.starts_with('\u{feff}'));
                let bare = changed.after.replace("\r\n", "");
                assert!(!changed.before.contains("\r\n") || !bare.contains('\n'), "{}", case());
            }
            let gone = !fixed.done.is_empty();
            let reason = fixed.report.findings.iter().any(|finding| finding.unfixed.is_some());
            repaired_cases += usize::from(gone);
            left_cases += usize::from(!gone && reason);
            let same = as_written(row, &files) == as_written(row, &texts);
            assert!(gone != same, "{}", case());
        }
    }
    assert!(repaired_cases >= 800, "{repaired_cases} repaired, {left_cases} left with a reason");
}
