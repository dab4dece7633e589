//! The lists of the policy, value by value: what each rule refuses, and what stays allowed beside it.
//!
//! Deliberately absent: disguises (`laundering`), and what needs a host to be judged.

use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Request, Severity, Source};

/// A rule, the keys of a service with `%` for the value that matters, what stands at the top, and the values.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const REFUSED: &[Row] = &[
    (
        "SV101",
        "group_add: ['%']",
        "",
        &["0", "root", "docker", "disk", "kmem", "shadow", "sudo", "adm", "lxd", "web"],
    ),
    (
        "SV102",
        "cap_add: [%]",
        "",
        &[
            "ALL",
            "SYS_ADMIN",
            "SYS_PTRACE",
            "SYS_MODULE",
            "SYS_RAWIO",
            "SYS_BOOT",
            "SYS_TIME",
            "NET_ADMIN",
            "NET_RAW",
            "DAC_READ_SEARCH",
            "BPF",
            "PERFMON",
            "MAC_ADMIN",
            "MAC_OVERRIDE",
            "AUDIT_CONTROL",
            "SYSLOG",
            "MKNOD",
            "SETFCAP",
            "SYS_CHROOT",
            "LINUX_IMMUTABLE",
            "CHECKPOINT_RESTORE",
            "cap_bpf",
            "UNKNOWN",
        ],
    ),
    ("SV103", "cap_add: [%]", "", &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "KILL"]),
    (
        "SV247",
        "",
        "x-supervisor: {registries: [%]}",
        &["docker.io/other", "docker.io/lib", "docker.io/library/ab", "registry.example, registry.example/a"],
    ),
    (
        "SV247",
        "volumes: [{type: image, source: '%', target: /a}]",
        "x-supervisor: {registries: [docker.io/library]}",
        &["registry.example/a", "team/a"],
    ),
    ("SV124", "security_opt: ['%']", "", &["foo=bar", "foo"]),
    ("SV125", "pid: '%'", "", &["host", "container:x", "service:web"]),
    ("SV126", "ipc: '%'", "", &["host", "shareable", "container:x", "service:web"]),
    ("SV130", "network_mode: '%'", "", &["host", "container:x", "service:web"]),
    ("SV132", "credential_spec: {file: %}", "", &["a"]),
    ("SV133", "runtime: %", "", &["nvidia", "crun", "io.containerd.runc.v2", "/bin/sh"]),
    (
        "SV134",
        "sysctls: {%: 1}",
        "",
        &["net.core.somaxconn", "kernel.msgmax", "net.ipv4.ip_forward", "fs.file-max"],
    ),
    ("SV151", "volumes: ['%:/h:ro']", "", &["/", "/run", "/var/run", "/proc"]),
    (
        "SV154",
        "volumes: ['%:/h:ro']",
        "",
        &[
            "/etc",
            "/root",
            "/home",
            "/home/x",
            "/sys",
            "/boot",
            "/lib",
            "/lib64",
            "/usr",
            "/bin",
            "/sbin",
            "/var/lib/docker",
            "/var/lib/containerd",
            "/var/lib/containers",
            "/var/lib/kubelet",
            "/var/log",
            "/var/spool/cron",
            "/tmp",
            "/etc/systemd/system",
            "/lib/systemd",
            "/etc/apparmor.d",
            "/var/lib/supervisor",
        ],
    ),
    ("SV156", "volumes: ['/srv/x:/a:%']", "", &["shared", "rshared", "slave", "rslave"]),
    ("SV157", "volumes: ['/srv/x:/a:%']", "", &["z", "Z"]),
    ("SV158", "tmpfs: ['%:size=1m']", "", &["/", "/proc", "/proc/a", "/sys", "/dev"]),
    (
        "SV158",
        "configs: [{source: c, target: %}]",
        "configs: {c: {content: x}}",
        &["/", "/proc/x", "/sys/x", "/dev/x", "/etc/ld.so.preload"],
    ),
    ("SV159", "tmpfs: ['/a:size=1m,%']", "", &["exec", "suid", "dev"]),
    ("SV162", "volumes: [{type: %, source: a, target: /a}]", "", &["npipe", "cluster"]),
    (
        "SV164",
        "volumes: [vol:/a]",
        "volumes: {vol: %}",
        &[
            "{driver: rexray}",
            "{driver_opts: {type: none, o: bind, device: /srv}}",
            "{driver_opts: {type: nfs, o: addr=192.0.2.4, device: ':/a'}}",
            "{driver_opts: {type: cifs, device: //a/b}}",
            "{driver_opts: {type: overlay, o: lowerdir=/a}}",
            "{driver_opts: {type: tmpfs, device: tmpfs}}",
        ],
    ),
    ("SV166", "working_dir: %", "", &["/proc/self/fd/7", "/proc", "/sys", "a"]),
    (
        "SV180",
        "ports: ['%']",
        "",
        &[
            "80",
            "8080:80",
            "0.0.0.0:8080:80",
            ":8080:80",
            "[::]:8080:80",
            "${IP:-0.0.0.0}:8080:80",
            "3000-3005:3000-3005",
        ],
    ),
    ("SV181", "ports: ['%']", "", &["127.0.0.1:0:80", "127.0.0.1::80"]),
    (
        "SV182",
        "ports: [%]",
        "",
        &["'127.0.0.1:80:80/sctp'", "{target: 80, published: '80', host_ip: 127.0.0.1, mode: ingress}"],
    ),
    ("SV183", "network_mode: %", "", &["bridge", "nat"]),
    (
        "SV186",
        "networks: [n]",
        "networks: {n: {driver: %}}",
        &["host", "macvlan", "ipvlan", "overlay", "weave"],
    ),
    (
        "SV187",
        "networks: [n]",
        "networks: {n: {driver_opts: {com.docker.network.bridge.%}}}",
        &[
            "gateway_mode_ipv4: nat-unprotected",
            "gateway_mode_ipv6: routed",
            "trusted_host_interfaces: eth0",
            "enable_ip_masquerade: 'false'",
            "host_binding_ipv4: 0.0.0.0",
            "name: docker0",
            "name: eth0",
            "name: a-name-of-17-chars",
        ],
    ),
    (
        "SV188",
        "networks: [n]",
        "networks: {n: {ipam: {config: [{subnet: %}]}}}",
        &["8.8.8.0/24", "172.32.0.0/16", "2001:4860::/32"],
    ),
    (
        "SV190",
        "extra_hosts: ['h=%']",
        "",
        &[
            "host-gateway",
            "172.17.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "[fe80::1]",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a83f:8110::1",
            "0.0.0.0",
            "::",
        ],
    ),
    ("SV215", "shm_size: %", "", &["2g"]),
    (
        "SV214",
        "ulimits: {%}",
        "",
        &["core: -1", "nproc: -1", "memlock: -1", "nofile: -1", "nofile: 99999999"],
    ),
    (
        "SV220",
        "logging: {driver: %}",
        "",
        &["syslog", "gelf", "fluentd", "awslogs", "splunk", "gcplogs", "none"],
    ),
    (
        "SV220",
        "logging: {driver: journald, options: {%}}",
        "",
        &["labels: a", "env: A", "env-regex: .*", "tag: '{{.ContainerEnv}}'", "tag: '{{.Name}}{{json .}}'"],
    ),
    ("SV222", "scale: %", "", &["5000"]),
    ("SV222", "scale: 2\n    %", "", &["container_name: abc", "ports: ['127.0.0.1:80:80']"]),
    ("SV242", "pull_policy: %", "", &["always", "daily", "weekly", "every_1h", "build", "refresh"]),
    ("SV243", "pull_refresh_after: %", "", &["1h"]),
    ("SV244", "labels: {%: a}", "", &["com.docker.compose.project", "supervisor.x"]),
    ("SV245", "labels: {%: a}", "", &["traefik.enable", "com.centurylinklabs.watchtower.enable", "autoheal"]),
    (
        "SV246",
        "annotations: {%: a}",
        "",
        &["run.oci.handler", "io.containers.trace-syscall", "io.katacontainers.x", "mine"],
    ),
    (
        "SV262",
        "healthcheck: {test: [CMD, a], %}",
        "",
        &[
            "interval: 100ms",
            "interval: 10m",
            "retries: 50",
            "start_period: 5h",
            "interval: 10s, timeout: 20s",
        ],
    ),
    ("SV263", "stop_signal: %", "", &["SIGKILL", "SIGSTOP", "9", "19", "SIGWHAT"]),
    ("SV264", "stop_grace_period: %", "", &["100ms", "6m"]),
    ("SV265", "%: 'a b'", "", &["hostname", "domainname"]),
    ("SV279", "deploy: {%}", "", &["mode: global", "endpoint_mode: vip", "placement: {constraints: [a]}"]),
    (
        "SV279",
        "networks: {n: {%}}",
        "networks: {n: {}}",
        &["interface_name: a", "link_local_ips: [169.254.1.2]", "driver_opts: {a: b}"],
    ),
    ("SV282", "environment: {%: 'tcp://h:2375'}", "", &["DOCKER_HOST", "CONTAINER_HOST"]),
    ("SV286", "secrets: [s]", "secrets: {s: {%}}", &["external: true", "file: ./a, template_driver: x"]),
    (
        "SV025",
        "extends: {file: '%', service: x}",
        "",
        &["https://example.org/a.git", "oci://example.org/a", "git@example.org:a.git"],
    ),
];

const ALLOWED: &[(&str, &str, &[&str])] = &[
    (
        "",
        "x-supervisor: {registries: [%]}",
        &["docker.io", "docker.io/library", "registry.example, docker.io/library/a"],
    ),
    ("cap_add: [%]", "", &["NET_BIND_SERVICE", "cap_net_bind_service"]),
    ("group_add: ['%']", "", &["1000"]),
    ("ipc: %", "", &["private", "none"]),
    ("network_mode: %", "", &["none"]),
    ("runtime: %", "", &["runc", "runsc", "kata", "sysbox-runc"]),
    (
        "sysctls: {%: 1}",
        "",
        &[
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.ping_group_range",
            "net.ipv4.ip_local_reserved_ports",
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
        ],
    ),
    ("extra_hosts: ['h=%']", "", &["10.20.30.40", "[2606:4700::1]", "64:ff9b::101:101"]),
    (
        "ports: ['%']",
        "",
        &["127.0.0.1:8080:80", "127.0.0.2:8080:80", "[::1]:8080:80", "127.0.0.1:8080:80/TCP"],
    ),
    ("volumes: ['%']", "", &["./a:/a:ro,z", "/srv/x:/a:ro"]),
    ("volumes: [vol:/a]", "volumes: {vol: {driver_opts: %}}", &["{type: tmpfs, device: tmpfs, o: size=1m}"]),
    (
        "networks: [n]",
        "networks: {n: {driver_opts: {com.docker.network.bridge.%}}}",
        &["enable_icc: 'false'"],
    ),
    ("pull_policy: %", "", &["missing", "if_not_present", "never"]),
    (
        "logging: {driver: json-file, options: {max-size: 1m, %}}",
        "",
        &["tag: '{{.Name}}/{{.FullID}}'", "tag: web"],
    ),
    ("restart: %", "", &["'no'", "always", "'on-failure:3'", "unless-stopped"]),
];

/// Errors and warnings of a stack of one service, but for what nearly every short example leaves out.
fn found(keys: &str, top: &str) -> Vec<&'static str> {
    const USUAL: [&str; 4] = ["SV100", "SV210", "SV240", "SV260"];
    let request = Request {
        files: vec![Source::new(
            "compose.yaml",
            format!("services:\n  web:\n    image: a\n    {keys}\n{top}\n"),
        )],
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment: compose::Environment::default(),
    };
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: true,
        calls: compose::policy::no_calls,
        notes: compose::Notes::Told,
    };
    let host = MemoryHost::default();
    let (_, report) = compose::admit(compose::load(request, &host), &policy, &host);
    let loud = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    loud.map(|finding| finding.rule).filter(|rule| !USUAL.contains(rule)).collect()
}

#[test]
fn every_value_that_the_policy_names_is_refused_by_its_rule() {
    for (rule, keys, top, values) in REFUSED {
        for value in *values {
            let found = found(&keys.replace('%', value), &top.replace('%', value));
            assert!(found.contains(rule), "{rule} `{keys}` `{top}` with `{value}`: {found:?}");
        }
    }
}

#[test]
fn every_value_that_the_policy_allows_is_admitted() {
    for (keys, top, values) in ALLOWED {
        for value in *values {
            let found = found(&keys.replace('%', value), &top.replace('%', value));
            assert!(found.is_empty(), "`{keys}` `{top}` with `{value}`: {found:?}");
        }
    }
}
