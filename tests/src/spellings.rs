//! Odd spellings of ordinary things, to be read beside Docker Compose: what it makes of each, we make of it too.
//!
//! Where a reader of YAML or of numbers could be led to see another stack than the one that runs. Deliberately absent: what the policy
//! says of them.

/// Keys of a service that both read alike, or both refuse.
pub const SERVICE: &[&str] = &[
    // Numbers: octal and hexadecimal without quotes, decimal within them.
    "ports: [02375:02375]",
    "ports: [{target: 02375, published: 010}]",
    "ports: [{target: '02375', published: '010'}]",
    "ports: [{target: 0o17, published: 0x50}, 0b1010000, 8_1]",
    "ports: ['0x50:80']",
    "ports: [80.0]",
    "ports: [22:22]",
    "scale: '010'",
    "scale: 010",
    "scale: '0x2'",
    "pids_limit: '${NONE:-0100}'",
    "pids_limit: '1_000'",
    "deploy: {replicas: '010', resources: {limits: {pids: '011'}}}",
    "oom_score_adj: '-0500'",
    "ulimits: {nofile: '0100', nproc: 0100, core: {soft: '01', hard: 010}}",
    "cpus: '0x1'",
    "cpus: 010",
    "mem_limit: 0x40000000",
    "mem_limit: '010m'",
    "configs: [{source: c, mode: '440'}, {source: c, target: /d, mode: 0440}]",
    "configs: [{source: c, mode: '0o440'}]",
    "environment: {A: 0777, B: 0o17, C: 0b11, D: 1_000, E: 1e3, F: .inf, G: 1:30:00, H: ~, I: ''}",
    // Dates are strings to nobody.
    "environment: {A: 2001-12-14}",
    "labels: {a: 2001-1-4 10:00:00}",
    "environment: {A: 2001-12-14x, B: 2001-13-14, C: '2001-12-14'}",
    // Booleans.
    "privileged: tRue",
    "privileged: !!bool 'true'",
    "privileged: !!str true",
    "privileged: ! 'true'",
    "privileged: 'T'",
    "privileged: 1",
    "privileged: \"\\x74rue\"",
    "privileged: >-\n      true",
    // Keys.
    "\"privi\\x6ceged\": true",
    "? privileged\n    : true",
    "!!str privileged: true",
    "Privileged: true",
    // Addresses and ports.
    "ports: ['::1:80:80']",
    "ports: ['[::1]:80:80', '[::ffff:127.0.0.1]:82:82']",
    "ports: [{target: 80, published: '80', host_ip: '[127.0.0.1]'}]",
    "ports: [{target: 80, published: '80', host_ip: ''}]",
    "ports: ['0177.0.0.1:80:80']",
    "ports: ['2130706433:80:80']",
    "ports: ['80:80', '0.0.0.0:80:80']",
    "ports: ['127.0.0.1:80:80/TCP', '3000-3002:80', '81-82:81-82/udp']",
    "ports: ['3005-3000:3000-3005']",
    // Paths.
    "volumes: ['~root:/a', '~:/b', '~/x:/c', '//etc:/d', '/./etc:/e', '/srv/../etc:/f']",
    "volumes: ['./a:/x/../y', '/a:/x:ro,rshared']",
    "volumes: ['data:/x:rshared,z', 'data:/y:nocopy']",
    "volumes: [{type: volume, source: data, target: /x, volume: {labels: [a=b]}, bind: {propagation: shared}}]",
    "volumes: [{type: volume, source: /etc, target: /x}]",
    "volumes: ['/etc:/x:ro:z']",
    // Command lines, which no shell reads.
    "command: a 'b c' \"d\\ne\" f\\ g `h i` $$(j \"k l\")m",
    "command: echo a; rm b",
    "command: echo a && b",
    "command: echo a 2>b",
    "command: echo a2>b",
    "command: \"a '|' \\\"&\\\" `<`\"",
    "command: echo (a)",
    "command: echo $$(a",
    "entrypoint: ''",
    // Dollar signs.
    "labels: ['$$A', '$${A}', '$1', 'a$', '${A:-$$}', '${A:-}}', '${A:-${B:-c}}', '${HOME}']",
    "labels: {'$A': '$$'}",
    "labels: ['${A!}']",
    // Extensions, zeros and what is filled in.
    "x-a: 1\n    logging: {driver: local, x-b: 2}\n    ports: [{target: 80, x-c: 3}]",
    "cpu_shares: 0\n    oom_score_adj: 0\n    scale: 0",
    "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}",
    // Values that look like what is meant.
    "network_mode: ''",
    "cgroup: ''",
    "links: ['web:b:c']",
    "expose: [80.5]",
    "group_add: [1.5]",
    "mem_swappiness: much",
    "blkio_config: {weight: '10'}",
    "gpus:",
    "models:",
    "pull_policy: if_not_present",
    "volumes: [{type: bind, source: ./a, target: /a, bind: {selinux: x}}]",
    "volumes: [{type: bind, source: ./a, target: /a, bind: {recursive: never}}]",
    "volumes: [{type: tmpfs, target: /a, tmpfs: {mode: '0700'}}]",
    "volumes: [{type: tmpfs, target: /a, tmpfs: {mode: 0700}}]",
];

/// Keys of a service with what stands above the services: anchors, merged and marked.
pub const MERGED: &[(&str, &str)] = &[
    // Days in extensions, of which YAML 1.1 makes times; one that no calendar has is a word.
    ("x-a: [2024-02-29, 2025-02-29, '2026-01-02', 2026-01-02, 2026-13-01]", "hostname: a"),
    ("x-a: &a {privileged: true}", "<<: *a\n    privileged: !reset null"),
    ("x-a: &a {ports: ['80:80']}", "<<: *a\n    ports: !reset []"),
    ("x-a: &a {A: 1}", "environment: {<<: *a, A: !reset null}"),
    ("x-a: &a {privileged: true}\nx-b: &b {privileged: !reset null}", "<<: [*b, *a]"),
    ("x-a: &a {privileged: true}\nx-b: &b {<<: *a, privileged: !reset null}", "<<: *b"),
    ("x-a: &a {cap_add: [A]}", "<<: *a\n    cap_add: !override [B]"),
    ("x-a: &a !reset {privileged: true}", "<<: *a"),
    ("x-a: &a !override {privileged: true}", "<<: *a"),
    ("x-a: &a !reset true", "privileged: *a"),
    ("", "cap_add: [A, !reset B, !override C]"),
    ("x-a: &a {read_only: true}\nx-b: &b {read_only: false}", "<<: [*a, *b]"),
    ("x-a: &a {read_only: true}", "\"<<\": *a"),
    ("x-a: &a {read_only: true}", "<<: [[*a]]"),
    ("x-a: &a [A]\nx-b: &a [B]", "cap_add: *a"),
    ("x-k: &k privileged", "*k : true"),
];

/// Several files: `compose.yaml`, or `a.yaml` and `b.yaml` over it, and those that they lead to.
pub const FILES: &[&[(&str, &str)]] = &[
    &[
        ("a.yaml", "services: {web: {image: a, read_only: true, privileged: true}}\n"),
        ("b.yaml", "x-a: &a {privileged: true}\nservices: {web: {<<: *a, privileged: !reset null}}\n"),
    ],
    &[
        ("a.yaml", "services: {web: {image: a, environment: {A: 1}}}\n"),
        ("b.yaml", "x-a: &a !override {B: 2}\nservices: {web: {environment: {<<: *a}}}\n"),
    ],
    &[
        ("a.yaml", "services: {web: {image: a, cap_add: [A, B]}}\n"),
        ("b.yaml", "services: {web: {cap_add: [!reset A]}}\n"),
    ],
    &[
        ("compose.yaml", "include: [more.yml]\nservices: {web: {image: a}}\n"),
        ("more.yml", "services: {web: {image: b}}\n"),
    ],
    &[
        ("compose.yaml", "include: [more.yml]\nservices: {web: {image: a}, db: !reset null}\n"),
        ("more.yml", "services: {web: {image: a}, db: {image: b}}\n"),
    ],
    &[
        (
            "compose.yaml",
            "include: [more.yml]\nservices: {q: {image: q, networks: [n]}}\nnetworks: {n: {internal: true}}\n",
        ),
        ("more.yml", "services: {web: {image: b, networks: [n]}}\nnetworks: {n: {driver: host}}\n"),
    ],
    &[
        ("a.yaml", "services: {web: {image: a, cap_add: [A]}}\n"),
        ("b.yaml", "include: [more.yml]\nservices: {q: {image: q}}\n"),
        ("more.yml", "services: {web: {image: b, cap_add: [B]}}\n"),
    ],
    &[
        (
            "compose.yaml",
            "include:\nservices: {web: {extends: {file: more.yml, service: x}, privileged: !reset null}}\n",
        ),
        ("more.yml", "services: {x: {image: a, privileged: true}}\n"),
    ],
    &[
        ("a.yaml", "services: {web: {image: a, user: u, dns: [1.1.1.1]}}\nnetworks: {n: {internal: true}}\n"),
        ("b.yaml", "services: {web: {image: , user: ~, dns: null}}\nnetworks:\n"),
    ],
    &[("a.yaml", "services: {web: {image: a, command: b}}\n"), ("b.yaml", "services: {web: {command: }}\n")],
    &[("a.yaml", "services: {web: {image: a}}\n"), ("b.yaml", "services: {web: {user: }}\n")],
    &[("compose.yaml", "services: {web: {image: a}}\nvolumes:\n")],
    &[("compose.yaml", "%YAML 1.1\n---\nservices: {web: {image: a}}\n")],
    &[("compose.yaml", "%YAML 1.2\n---\nservices: {web: {image: a}}\n")],
    &[("compose.yaml", "%OTHER x\n---\nservices: {web: {image: a}}\n")],
    &[
        ("compose.yaml", "services: {web: {image: a, env_file: [a.env, b.env], environment: [C, D=$A]}}\n"),
        ("a.env", "A=1\nB=$A\n"),
        ("b.env", "A=2\nC=$A\nD=3\n"),
    ],
];

/// Keys of a service that Docker Compose reads and we refuse, each for its reason.
pub const STRICTER: &[(&str, &str)] = &[
    ("privileged: yes", "a boolean to YAML 1.1 alone"),
    (
        "read_only: true # \u{2028}",
        "the end of a line to YAML 1.1 alone, which could hide a key in a comment",
    ),
    ("hostname: \"a\\0b\"", "no string of a container can hold NUL"),
    ("volumes: ['/etc:/x:RO']", "an option that does not mean what it looks like"),
    ("hostname: !!binary YQ==", "a tag that Compose does not have"),
    ("! <<: {privileged: true}", "a tag that hides a merge key"),
    ("ports: ['127.0.0.1:80:80/tcp/udp']", "a protocol that is none"),
    ("hostname:\ta", "a tab where YAML's own productions have a blank, as our parser reads them"),
    ("restart: sometimes", "a word that no engine knows"),
    ("deploy: {update_config: {failure_action: guess}}", "a word that no engine knows"),
    ("cpuset: all", "no list of processors"),
    ("cpus: -1", "an amount that there is not"),
    ("healthcheck: {test: [CMD]}", "a check that runs nothing"),
];
