//! Whole loads: text in, the model and its problems out.

use std::fmt::Write as _;
use std::path::PathBuf;

use expect_test::{Expect, expect};

use crate::host::MemoryHost;
use crate::{Loaded, Request, Source, load};

/// Files by name; the first line of each is `--- NAME`. Those that end in `.yaml` are loaded in order, the others
/// are what the host has.
pub(crate) fn loaded(text: &str) -> Loaded {
    let (request, host) = request(text);
    load(request, &host)
}

fn request(text: &str) -> (Request, MemoryHost) {
    let mut files = Vec::new();
    let mut host = MemoryHost::default();
    let text = if text.starts_with("--- ") { text.to_owned() } else { format!("--- compose.yaml\n{text}") };
    for part in text.split("--- ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap_or((part, ""));
        host.files.insert(PathBuf::from("/srv/app").join(name), text.into());
        if let Some((_, "yaml")) = name.rsplit_once('.').filter(|_| !name.contains('/')) {
            files.push(Source::new(name, text));
        }
    }
    let environment = [("SET", "val"), ("TOKEN", "s3cret"), ("HOME", "/home/u")];
    let request = Request {
        files,
        directory: PathBuf::from("/srv/app"),
        project_name: None,
        environment: environment.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
    };
    (request, host)
}

/// Every problem, one a line: place, id, service, message, and what its bytes are.
pub(crate) fn problems(loaded: &Loaded) -> String {
    let mut out = String::new();
    for f in &loaded.report.findings {
        let place = f.span.and_then(|s| {
            let source = loaded.report.sources.get(s.source)?;
            let at = source.position(s.start);
            let bytes = source.text().get(s.start as usize..s.end as usize)?;
            Some(format!("{}:{}:{} {bytes:?}", source.name(), at.line, at.column))
        });
        let fix = f.fix.as_ref().map(|f| format!(" => {f}")).unwrap_or_default();
        writeln!(out, "{} {} {}{fix}", f.rule, place.unwrap_or_default(), f.message).unwrap();
    }
    out
}

/// The model on as few lines as it takes: what nothing was said of is left out, and so are places.
pub(crate) fn said(loaded: &Loaded) -> String {
    let text = loaded.project.as_ref().map(|p| format!("{p:#?}")).unwrap_or_default();
    let mut out = String::new();
    let mut skip = 0_usize;
    for line in text.lines() {
        let word = line.trim();
        if skip > 0 {
            skip = skip + word.matches(['{', '(', '[']).count() - word.matches(['}', ')', ']']).count();
        } else if word.starts_with("span: ") {
            skip = 1;
        } else if !word.ends_with(": None,") && !word.ends_with(": {},") && !word.ends_with(": [],") {
            let deep = (line.len() - word.len()) / 4;
            if deep <= 3 {
                out.push('\n');
                out.push_str(&"  ".repeat(deep));
            } else if !out.ends_with(['(', '{', '[']) && !word.starts_with(['}', ')', ']']) {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    out.replace(",}", "}").replace(",]", "]").replace(",)", ")") + "\n"
}

#[track_caller]
fn check(text: &str, expect: Expect) {
    let loaded = loaded(text);
    expect.assert_eq(&format!("{}{}", problems(&loaded), said(&loaded)));
}

#[track_caller]
fn check_problems(text: &str, expect: Expect) {
    expect.assert_eq(&problems(&loaded(text)));
}

#[test]
fn a_stack_of_two_services() {
    check(
        STACK,
        expect![[r#"

            Project {
              name: "stack",
              directory: "/srv/app",
              services: {
                "caddy": Service {
                  name: "caddy",
                  image: Some("caddy:2.11@sha256:aaaa",
                  ),
                  user: Some("1001:1001",
                  ),
                  environment: {"SITE": Some(EnvValue(9 bytes)), "TOKEN": Some(EnvValue(6 bytes)),
                  },
                  ports: [PublishedPort {published: Some(80), target: 80, protocol: "tcp"}, PublishedPort {published: Some(443), target: 443, protocol: "tcp"}, PublishedPort {published: Some(443), target: 443, protocol: "udp"},
                  ],
                  mounts: [Mount {source: Bind(Bind {written: "./Caddyfile", path: "/srv/app/Caddyfile"}), target: "/etc/caddy/Caddyfile", read_only: true}, Mount {source: Volume {name: Some("caddy-data"), nocopy: false}, target: "/data", read_only: false}, Mount {source: Tmpfs(Tmpfs {size: Some(Bytes(16777216)), mode: Some(1023), options: ["noexec"]}), target: "/tmp", read_only: false},
                  ],
                  networks: {"edge": Attachment {}, "inside": Attachment {aliases: ["proxy"], ipv4_address: Some(10.9.0.2)},
                  },
                  depends_on: {"openclaw": Dependency {condition: Healthy, restart: false, required: true},
                  },
                  read_only: Some(true,
                  ),
                  cap_add: ["NET_BIND_SERVICE",
                  ],
                  cap_drop: ["ALL",
                  ],
                  pids: Some(100,
                  ),
                  memory: Some(268435456,
                  ),
                  cpus: Some(NanoCpus(500000000),
                  ),
                  supervisor: ServiceOptions {
                  },
                },
                "openclaw": Service {
                  name: "openclaw",
                  image: Some("openclaw:2026.9.6@sha256:bbbb",
                  ),
                  environment: {"A": Some(EnvValue(1 bytes)), "B": Some(EnvValue(6 bytes)), "NODE_OPTIONS": Some(EnvValue(25 bytes)), "PORT": Some(EnvValue(5 bytes)),
                  },
                  env_file: ["/srv/app/app.env",
                  ],
                  networks: {"inside": Attachment {},
                  },
                  healthcheck: Some(Healthcheck {test: Exec(["curl", "-f", "http://127.0.0.1:18789/healthz"]), interval: Some(30s), retries: Some(3)},
                  ),
                  restart: Some(UnlessStopped,
                  ),
                  ulimits: {"nofile": Ulimit {soft: 1024, hard: 4096}, "nproc": Ulimit {soft: 512, hard: 512},
                  },
                  pids: Some(512,
                  ),
                  memory: Some(3221225472,
                  ),
                  cpus: Some(NanoCpus(2000000000),
                  ),
                  logging: Some(Logging {driver: Some("json-file"), options: {"max-file": "3", "max-size": "10m"}},
                  ),
                  init: Some(true,
                  ),
                  stop_grace_period: Some(90s,
                  ),
                  secrets: [Grant {source: "token", target: "/run/secrets/token"},
                  ],
                  supervisor: ServiceOptions {probe: Some(Probe {http: "/healthz", port: 18789, body: Some("\"ok\":true"), startup: Some("/startupz"), interval: 2s, timeout: 2s, retries: 3, start_period: 300s}), on_exit: {0: Restart, 78: Stop}, runtime: Some(Node),
                  },
                },
              },
              networks: {
                "edge": Network {
                  key: "edge",
                },
                "inside": Network {
                  key: "inside",
                  internal: Some(true,
                  ),
                  ipam: [Pool {subnet: Some("10.9.0.0/24")},
                  ],
                },
              },
              volumes: {
                "caddy-data": Volume {
                  key: "caddy-data",
                },
              },
              secrets: {
                "token": FileObject {
                  key: "token",
                  content: File("/srv/app/token.txt",
                  ),
                },
              },
              stack: Stack {
                edge: Some(
                  "caddy",
                ),
                egress: {
                  "openclaw": [Destination {name: "api.anthropic.com", port: 443}, Destination {name: "*.discord.com", port: 443},
                  ],
                },
                exempt: [
                  Exemption {rule: "SV120", service: Some("caddy"), reason: "needs it", until: Date {year: 2027, month: 1, day: 31},
                  },
                ],
              },
            }
        "#]],
    );
}

const STACK: &str = "\
name: stack
x-supervisor:
  edge: caddy
  egress:
    openclaw: [api.anthropic.com:443, \"*.discord.com:443\"]
  exempt:
    - {rule: SV120, service: caddy, reason: needs it, until: 2027-01-31}
services:
  caddy:
    image: caddy:2.11@sha256:aaaa
    user: \"1001:1001\"
    ports: [\"80:80\", \"443:443\", \"443:443/udp\"]
    environment:
      - SITE=${SITE:-localhost}
      - TOKEN
    volumes:
      - ./Caddyfile:/etc/caddy/Caddyfile:ro
      - caddy-data:/data
    tmpfs: /tmp:size=16m,mode=1777,noexec
    networks:
      edge:
      inside: {ipv4_address: 10.9.0.2, aliases: [proxy]}
    depends_on:
      openclaw: {condition: service_healthy}
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    read_only: true
    mem_limit: 256m
    pids_limit: 100
    cpus: 0.5
  openclaw:
    image: openclaw:2026.9.6@sha256:bbbb
    init: true
    env_file: app.env
    environment: {NODE_OPTIONS: --max-old-space-size=1536, PORT: 18789}
    healthcheck:
      test: [CMD, curl, -f, http://127.0.0.1:18789/healthz]
      interval: 30s
      retries: 3
    deploy:
      resources:
        limits: {memory: 3g, cpus: '2', pids: 512}
    logging:
      driver: json-file
      options: {max-size: 10m, max-file: 3}
    networks: [inside]
    ulimits:
      nofile: {soft: 1024, hard: 4096}
      nproc: 512
    secrets: [token]
    stop_grace_period: 1m30s
    restart: unless-stopped
    x-supervisor:
      probe: {http: /healthz, port: 18789, body: '\"ok\":true', startup: /startupz, interval: 2s}
      on_exit: {78: stop, 0: restart}
      runtime: node
networks:
  edge:
  inside:
    internal: true
    ipam:
      config: [{subnet: 10.9.0.0/24}]
volumes:
  caddy-data:
secrets:
  token: {file: ./token.txt}
--- app.env
A=1
B=\"$TOKEN\"
";

#[test]
fn problems_are_told_all_at_once_in_file_order() {
    check_problems(
        "\
services:
  web:
    imgae: x
    hostname: 1
    read_only: yes
    mem_limit: 1x
    cpus: ${CPUS}
    depends_on: [dbb]
    ports: [22:22, '1:2:3:4:5', a]
    networks: [front]
    volumes: ['data:/d', 'a:b:c:d']
    secrets: [nope]
    devices: [/dev/null]
    1: 2
  db:
    image: y
    restart: sometimes
    depends_on: {db: {condition: ready}}
volumes:
  dat: {}
",
        expect![[r#"
            SV016 compose.yaml:2:3 "web" the service `web` has no `image`
            SV013 compose.yaml:3:5 "imgae" unknown key `imgae` in `services.web` => image
            SV014 compose.yaml:4:15 "1" `hostname` must be a string, not a whole number => "1"
            SV011 compose.yaml:5:16 "yes" `read_only` is spelled `yes` => true
            SV015 compose.yaml:6:16 "1x" `mem_limit` is `1x`, not an amount such as `512m` or `2g`
            SV015 compose.yaml:7:11 "${CPUS}" `cpus` is ``, not a number of CPUs such as `0.5`
            SV019 compose.yaml:7:11 "${CPUS}" the variable `CPUS` is not set
            SV020 compose.yaml:8:18 "dbb" the service `dbb` is not declared
            SV012 compose.yaml:9:13 "22:22" `22:22` is not in quotes => "22:22"
            SV015 compose.yaml:9:20 "'1:2:3:4:5'" the port `1:2:3:4:5` has an IPv6 address without brackets
            SV015 compose.yaml:9:33 "a" the port `a` has no valid container port
            SV020 compose.yaml:10:16 "front" the network `front` is not declared
            SV020 compose.yaml:11:15 "'data:/d'" the volume `data` is not declared
            SV015 compose.yaml:11:26 "'a:b:c:d'" the volume `a:b:c:d` has too many colons
            SV020 compose.yaml:12:15 "nope" the secret `nope` is not declared
            SV013 compose.yaml:14:5 "1" unknown key `1` in `services.web`
            SV015 compose.yaml:17:14 "sometimes" `restart` is `sometimes`, not `no`, `always`, `unless-stopped` or `on-failure[:n]`
            SV015 compose.yaml:18:34 "ready" `condition` is `ready`, not `service_started`, `service_healthy` or `service_completed_successfully`
        "#]],
    );
}

#[test]
fn services_that_wait_for_each_other() {
    check_problems(
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [b]}\n  d: {image: x, depends_on: [d]}\n",
        expect![[r#"
            SV021 compose.yaml:3:30 "c" services wait for each other: b → c → b
            SV021 compose.yaml:5:30 "d" `d` waits for itself
        "#]],
    );
}

#[test]
fn a_file_that_says_nothing() {
    check_problems(
        "",
        expect![[r#"
        SV014 compose.yaml:1:1 "" the file is empty
    "#]],
    );
    check_problems(
        "- a\n",
        expect![[r#"
        SV014 compose.yaml:1:1 "- a" `the file` must be a mapping, not a list
    "#]],
    );
}

#[test]
fn later_files_are_merged_over_earlier_ones() {
    check(
        "--- a.yaml\nservices:\n  a:\n    image: x\n    command: a b\n    environment: [A=1, B=1]\n    cap_add: [X, Y]\n    ports: ['1:1']\n--- b.yaml\nservices:\n  a:\n    command: c\n    environment: {B: 2}\n    cap_add: [Y, Z]\n    ports: !override ['2:2']\n    image: !reset null\n",
        expect![[r#"
            SV016 b.yaml:2:3 "a" the service `a` has no `image`

            Project {
              name: "app",
              directory: "/srv/app",
              services: {
                "a": Service {
                  name: "a",
                  command: Some(["c"],
                  ),
                  environment: {"A": Some(EnvValue(1 bytes)), "B": Some(EnvValue(1 bytes)),
                  },
                  ports: [PublishedPort {published: Some(2), target: 2, protocol: "tcp"},
                  ],
                  networks: {"default": Attachment {},
                  },
                  cap_add: ["X", "Y", "Z",
                  ],
                  supervisor: ServiceOptions {
                  },
                },
              },
              networks: {
                "default": Network {
                  key: "default",
                },
              },
              stack: Stack {
              },
            }
        "#]],
    );
}

#[test]
fn what_compose_refuses_is_refused() {
    check_problems(
        "\
version: 3
services:
  a:
    image: x
    volumes: [{type: floppy, target: /x}]
    networks: [n, n]
    depends_on: {gone: {condition: service_started, required: false}}
    extra_hosts: [nowhere]
    oom_score_adj: 5000
    pull_policy: sometimes
    configs: [{source: c, mode: 0999}]
    x-note: {1: 2}
    x-supervisor: {on_exit: {78: stop}}
networks:
  n: {name: x, external: {name: y}}
volumes:
  v: {external: true, driver: local}
configs: {c: {content: x}}
",
        expect![[r#"
            SV027 compose.yaml:1:1 "version" `version` is obsolete
            SV014 compose.yaml:1:10 "3" `version` must be a string, not a whole number => "3"
            SV015 compose.yaml:5:22 "floppy" `type` is `floppy`, not `bind`, `volume`, `tmpfs`, `image`, `cluster` or `npipe`
            SV006 compose.yaml:6:19 "n" `n` is listed twice
            SV020 compose.yaml:7:18 "gone: {condition: service_started, required: false}" the service `gone` is not declared
            SV015 compose.yaml:8:19 "nowhere" the host `nowhere` has no address
            SV015 compose.yaml:9:20 "5000" `oom_score_adj` is `5000`, not a number from -1000 to 1000
            SV015 compose.yaml:10:18 "sometimes" `pull_policy` is `sometimes`, not `missing`, `if_not_present` or `never`
            SV015 compose.yaml:11:33 "0999" `mode` is `999`, not permission bits such as `0440`
            SV007 compose.yaml:12:14 "1" the key `1` in `x-note` is not a string => "1"
            SV022 compose.yaml:15:27 "name" `name` and `external.name` are both given
            SV022 compose.yaml:17:23 "driver" `external` and `driver` are both given
        "#]],
    );
    check_problems(
        "services:\n",
        expect![[r#"
        SV014 compose.yaml:1:9 "" `services` must be a mapping, not empty
    "#]],
    );
    check_problems(
        "\
services:
  a:
    image: x
    cgroup: ''
    pid:
    links: ['a:b:c']
    expose: [80.5]
    group_add: [1.5]
    mem_swappiness: much
    blkio_config: {weight: \"10\"}
    depends_on: {b: {condition: service_started, required: \"true\"}}
    gpus:
    models:
    volumes:
      - {type: bind, source: ./s, target: /s, bind: {selinux: x, recursive: never}}
      - {type: tmpfs, target: /t, tmpfs: {mode: \"0700\"}}
  b: {image: y}
networks:
volumes:
secrets:
configs:
models:
",
        expect![[r#"
            SV015 compose.yaml:4:13 "''" `cgroup` is ``, not `private` or `host`
            SV014 compose.yaml:5:8 "" `pid` must be a string, not empty
            SV020 compose.yaml:6:13 "'a:b:c'" the service `a:b:c` is not declared
            SV014 compose.yaml:7:14 "80.5" `expose` must be a string or a whole number, not a number => "80.5"
            SV014 compose.yaml:8:17 "1.5" `group_add` must be a string or a whole number, not a number => "1.5"
            SV015 compose.yaml:9:21 "much" `mem_swappiness` is `much`, not an amount such as `512m` or `2g`
            SV014 compose.yaml:10:28 "\"10\"" `weight` must be a whole number, not a string
            SV014 compose.yaml:11:60 "\"true\"" `required` must be true or false, not a string
            SV014 compose.yaml:12:9 "" `gpus` must be a string or a list, not empty
            SV014 compose.yaml:13:11 "" `models` must be a list or a mapping, not empty
            SV015 compose.yaml:15:63 "x" `selinux` is `x`, not `z` or `Z`
            SV015 compose.yaml:15:77 "never" `recursive` is `never`, not `enabled` or `disabled` or `writable` or `readonly`
            SV014 compose.yaml:16:49 "\"0700\"" `mode` must be a whole number, not a string
            SV014 compose.yaml:18:9 "" `networks` must be a mapping, not empty
            SV014 compose.yaml:19:8 "" `volumes` must be a mapping, not empty
            SV014 compose.yaml:20:8 "" `secrets` must be a mapping, not empty
            SV014 compose.yaml:21:8 "" `configs` must be a mapping, not empty
            SV014 compose.yaml:22:7 "" `models` must be a mapping, not empty
        "#]],
    );
    for directive in ["%YAML 1.2", "%YAML", "%OTHER x"] {
        let loaded = loaded(&format!("{directive}\n---\nservices: {{a: {{image: x}}}}\n"));
        assert!(
            problems(&loaded).starts_with("SV003 compose.yaml:1:1 "),
            "{directive}: {}",
            problems(&loaded)
        );
    }
    for known in ["%YAML 1.1", "# c\n\n%YAML 1.1 # c", "%TAG ! tag:example.org,2000:"] {
        let loaded = loaded(&format!("\u{feff}{known}\n---\nservices: {{a: {{image: x}}}}\n"));
        assert_eq!(problems(&loaded), "", "{known}");
    }
}

#[test]
fn a_path_that_is_opened_for_execution_is_plain() {
    check_problems(
        "\
services:
  a:
    image: x
    x-supervisor: {exec_from: [/data/a-1.2_3+x/, data, /, /a//b, /a/../b, '/a*', '/a{b,c}', '/a b', 7]}
",
        expect![[r#"
            SV015 compose.yaml:4:50 "data" `x-supervisor.exec_from` is `data`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV015 compose.yaml:4:56 "/" `x-supervisor.exec_from` is `/`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV015 compose.yaml:4:59 "/a//b" `x-supervisor.exec_from` is `/a//b`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV015 compose.yaml:4:66 "/a/../b" `x-supervisor.exec_from` is `/a/../b`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV015 compose.yaml:4:75 "'/a*'" `x-supervisor.exec_from` is `/a*`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV015 compose.yaml:4:82 "'/a{b,c}'" `x-supervisor.exec_from` is `/a{b,c}`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV015 compose.yaml:4:93 "'/a b'" `x-supervisor.exec_from` is `/a b`, not an absolute path of letters, digits, `.`, `_`, `+` and `-`, without `..`
            SV014 compose.yaml:4:101 "7" `exec_from` must be a string, not a whole number => "7"
        "#]],
    );
}

#[test]
fn what_landlock_and_the_tcp_ports_cannot_mean_is_said_where_it_is_written() {
    check_problems(
        "\
services:
  a:
    image: x
    x-supervisor: {landlock: please, tcp: {bind: [0, 443], connect: [70000, https], accept: []}}
",
        expect![[r#"
            SV015 compose.yaml:4:30 "please" `x-supervisor.landlock` is `please`, not `required` or `off`
            SV015 compose.yaml:4:51 "0" `x-supervisor.tcp.bind` is `0`, not a port from 1 to 65535
            SV015 compose.yaml:4:70 "70000" `x-supervisor.tcp.connect` is `70000`, not a number in range
            SV015 compose.yaml:4:77 "https" `x-supervisor.tcp.connect` is `https`, not a whole number
            SV013 compose.yaml:4:85 "accept" unknown key `accept` in `tcp`
        "#]],
    );
}

#[test]
fn registries_are_named_with_their_domain() {
    check_problems(
        "\
services: {web: {image: registry.example/a}}
x-supervisor: {registries: [registry.example, 'registry.example:5000/team', localhost/a, caddy, team/app, Registry.example, 'registry.example/', 'registry.example:0', 'https://registry.example', '']}
",
        expect![[r#"
            SV015 compose.yaml:2:90 "caddy" `x-supervisor.registries` is `caddy`, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
            SV015 compose.yaml:2:97 "team/app" `x-supervisor.registries` is `team/app`, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
            SV015 compose.yaml:2:107 "Registry.example" `x-supervisor.registries` is `Registry.example`, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
            SV015 compose.yaml:2:125 "'registry.example/'" `x-supervisor.registries` is `registry.example/`, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
            SV015 compose.yaml:2:146 "'registry.example:0'" `x-supervisor.registries` is `registry.example:0`, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
            SV015 compose.yaml:2:168 "'https://registry.example'" `x-supervisor.registries` is `https://registry.example`, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
            SV015 compose.yaml:2:196 "''" `x-supervisor.registries` is ``, not a registry or a folder in it, such as `registry.example` or `registry.example/team`
        "#]],
    );
}

#[test]
fn registries_are_a_hundred_at_most() {
    let list = |count| {
        let rows = (0..count).fold(String::new(), |text, i| format!("{text}registry.example/{i}, "));
        format!("services: {{web: {{image: registry.example/0}}}}\nx-supervisor: {{registries: [{rows}]}}\n")
    };
    assert_eq!(problems(&loaded(&list(100))), "");
    let expected = "SV004 compose.yaml:2:2119 \"registry.example/100\" more than 100 registries\n";
    assert_eq!(problems(&loaded(&list(102))), expected);
}

#[test]
fn labels_are_few_and_short_wherever_they_stand() {
    let many = (0..101).fold(String::new(), |text, i| format!("{text}l{i}: x, "));
    let long = "v".repeat(4096);
    let text = format!(
        "services:\n  web:\n    image: a\n    labels: {{{many}}}\nnetworks:\n  n:\n    labels: [a={long}]\nvolumes:\n  v:\n    labels: {{b: {long}}}\n"
    );
    expect![[r#"
        SV004 compose.yaml:4:804 "l100: x" 101 labels on one object, more than 100
        SV004 compose.yaml:7:14 "a=LONG" label `a` has 4097 bytes, more than 4096
        SV004 compose.yaml:10:14 "b: LONG" label `b` has 4097 bytes, more than 4096
    "#]]
    .assert_eq(&problems(&loaded(&text)).replace(&long, "LONG"));
    let most = (0..100).fold(String::new(), |text, i| format!("{text}l{i}: x, "));
    let longest = "v".repeat(4095);
    let text = format!(
        "services:\n  web:\n    image: a\n    labels: {{{most}}}\nvolumes:\n  v:\n    labels: {{b: {longest}}}\n"
    );
    assert_eq!(problems(&loaded(&text)), "");
}

#[test]
fn a_name_alone_is_that_of_the_whole() {
    for (text, name) in [
        ("services: {}\n", "app"),
        ("name: shop\nservices: {}\n", "shop"),
        ("name: shop-${SET}\n", "shop-val"),
        ("name: shop\n--- b.yaml\nname: other\n", "other"),
        ("name: shop\n--- b.yaml\nservices: {}\n", "shop"),
        ("name: shop\n--- b.yaml\n{\n", "shop"),
        // What else is wrong is for those who need it.
        ("name: shop\nservices: {web: {image: [], nothing: 1}}\ninclude: [missing.yaml]\n", "shop"),
        ("name: Not a name\n", "Not a name"),
        ("# shop\n---\n\"name\": 'shop' # it is\nservices: {}\n", "shop"),
        ("name: 1.50\n", "1.5"),
        ("name: shop\n  and more\n", "shop and more"),
        ("{name: shop, services: {}}\n", "shop"),
        ("services: {}\nname: shop\n", "shop"),
        ("x-name: &name shop\nname: *name\n", "shop"),
        ("name: &name shop\nx-name: *name\n", "shop"),
        ("name: !!str shop\n", "shop"),
        ("name: !reset shop\n", "shop"),
        ("name:\nservices: {}\n", "app"),
        ("name: {name: other}\n", "app"),
        ("? {name: other}\n: 1\n", "app"),
        ("names: other\nname: shop\n", "shop"),
        ("x: {name: other}\n", "app"),
    ] {
        let whole = loaded(text).project.map(|project| project.name);
        let (request, host) = request(text);
        assert_eq!(
            (crate::name(request, &host).ok().as_deref(), whole.as_deref()),
            (Some(name), Some(name)),
            "{text}"
        );
    }
    for text in ["{\n", "[name, shop, {\n", "# \u{85}\nname: shop\n- {\n"] {
        let (request, host) = request(text);
        let report = crate::name(request, &host).unwrap_err();
        assert!(report.unreadable && !report.findings.is_empty(), "{text:?}: {report:?}");
    }
}

/// A stack whose file was broken below its name can be looked at, and taken down.
#[test]
fn a_name_at_the_head_of_a_file_is_found_whatever_follows() {
    for text in ["name: shop\n- {\n", "name: shop\nservices: [\n", "name: shop\n--- b.yaml\nname: shop\n}\n"]
    {
        let (request, host) = request(text);
        assert_eq!(crate::name(request, &host).ok().as_deref(), Some("shop"), "{text}");
    }
}
