//! Several files: `-f` over `-f`, `extends` and `include`.

use expect_test::{Expect, expect};

use super::tests::{loaded, problems, said};

/// Problems, then services, volumes and what was included.
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
fn a_service_extends_others_of_its_file_and_of_another() {
    check(
        "\
--- compose.yaml
services:
  web:
    extends: base
    command: run
    environment: {A: 2}
  base:
    extends: {file: common/base.yaml, service: root}
    environment: {A: 1}
    cap_add: [X]
--- common/base.yaml
services:
  root:
    extends: deeper
    image: x
    command: stay
    volumes: ['./data:/data', '~/h:/h']
    env_file: root.env
    cap_add: [X, Y]
  deeper:
    restart: always
--- common/root.env
FROM_FILE=1
",
        expect![[r#"

            Project {
              name: "app",
              directory: "/srv/app",
              services: {
                "base": Service {
                  name: "base",
                  image: Some("x",
                  ),
                  command: Some(["stay"],
                  ),
                  environment: {"A": Some(EnvValue(1 bytes)), "FROM_FILE": Some(EnvValue(1 bytes)),
                  },
                  env_file: ["/srv/app/common/root.env",
                  ],
                  mounts: [Mount {source: Bind(Bind {written: "/srv/app/common/data", path: "/srv/app/common/data"}), target: "/data", read_only: false}, Mount {source: Bind(Bind {written: "/home/u/h", path: "/home/u/h"}), target: "/h", read_only: false},
                  ],
                  networks: {"default": Attachment {},
                  },
                  restart: Some(Always,
                  ),
                  cap_add: ["X", "Y",
                  ],
                  supervisor: ServiceOptions {
                  },
                },
                "web": Service {
                  name: "web",
                  image: Some("x",
                  ),
                  command: Some(["run"],
                  ),
                  environment: {"A": Some(EnvValue(1 bytes)), "FROM_FILE": Some(EnvValue(1 bytes)),
                  },
                  env_file: ["/srv/app/common/root.env",
                  ],
                  mounts: [Mount {source: Bind(Bind {written: "/srv/app/common/data", path: "/srv/app/common/data"}), target: "/data", read_only: false}, Mount {source: Bind(Bind {written: "/home/u/h", path: "/home/u/h"}), target: "/h", read_only: false},
                  ],
                  networks: {"default": Attachment {},
                  },
                  restart: Some(Always,
                  ),
                  cap_add: ["X", "Y",
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
              included: [
                "/srv/app/common/base.yaml",
              ],
            }
        "#]],
    );
}

#[test]
fn a_tag_on_a_whole_file() {
    check_problems(
        "--- a.yaml\n!override\nservices:\n  a: {image: x}\n--- b.yaml\n!reset\nservices:\n  b: {image: x}\n",
        expect![[r#"
            SV010 b.yaml:1:1 "!reset\nservices:\n  b: {image: x}" `!reset` takes the whole file back
        "#]],
    );
    let both =
        loaded("--- a.yaml\nservices:\n  a: {image: x}\n--- b.yaml\n!override\nservices:\n  b: {image: x}\n");
    assert_eq!(both.project.unwrap().services.len(), 2);
}

#[test]
fn hooks_that_run_nothing() {
    check_problems(
        "\
services:
  a:
    image: x
    post_start: [{user: '7'}, {command: []}, {command: ''}, {command: id, priviledged: true}, {command: [1]}]
    pre_stop: [id, {command: 'a \"b'}]
",
        expect![[r#"
            SV016 compose.yaml:4:18 "{user: '7'}" the entry of `post_start` has no `command`
            SV015 compose.yaml:4:41 "[]" a command of `post_start` is empty
            SV015 compose.yaml:4:56 "''" a command of `post_start` is empty
            SV013 compose.yaml:4:75 "priviledged" unknown key `priviledged` in `post_start` => privileged
            SV014 compose.yaml:4:106 "1" `command` must be a string, not a whole number => "1"
            SV014 compose.yaml:5:16 "id" `pre_stop` must be a mapping, not a string
            SV015 compose.yaml:5:30 "'a \"b'" a quote or a bracket in the command is not closed
        "#]],
    );
}

#[test]
fn bases_that_cannot_be_followed() {
    check_problems(
        "\
services:
  a: {extends: b, image: x}
  b: {extends: c}
  c: {extends: b}
  d: {extends: nobody, image: x}
  e: {extends: {file: missing.yaml, service: x}, image: x}
  f: {extends: {file: 'https://example.com/x.yaml', service: x}, image: x}
  g: {extends: {file: compose.yaml}, image: x}
  h: {extends: h, image: x}
",
        expect![[r#"
            SV016 compose.yaml:3:3 "b" the service `b` has no `image`
            SV016 compose.yaml:4:3 "c" the service `c` has no `image`
            SV026 compose.yaml:4:16 "b" a service extends itself: a → b → c → b
            SV026 compose.yaml:5:16 "nobody" the service `nobody` that is extended is not there
            SV001 compose.yaml:6:23 "missing.yaml" `/srv/app/missing.yaml` does not exist
            SV025 compose.yaml:7:23 "'https://example.com/x.yaml'" `https://example.com/x.yaml` is not a file of this machine
            SV016 compose.yaml:8:16 "{file: compose.yaml}" `extends` has no `service`
            SV026 compose.yaml:9:16 "h" a service extends itself: h → h
        "#]],
    );
}

#[test]
fn included_files_have_their_own_folder_and_variables() {
    check(
        "\
--- compose.yaml
include:
  - sub/inner.yaml
  - path: [other/a.yaml, other/b.yaml]
    env_file: other/vars.env
services:
  web: !reset null
volumes:
  data:
--- sub/inner.yaml
name: ignored
services:
  web:
    image: x:${TAG}
    environment: {A: inner, B: inner}
    volumes: ['./v:/v', 'data:/data']
volumes: {data: {}}
--- sub/.env
TAG=7
--- other/a.yaml
services:
  side: {image: 'y:${TAG}', command: one}
--- other/b.yaml
services:
  side: {command: two}
--- other/vars.env
TAG=8
",
        expect![[r#"

            Project {
              name: "app",
              directory: "/srv/app",
              services: {
                "side": Service {
                  name: "side",
                  image: Some("y:8",
                  ),
                  command: Some(["two"],
                  ),
                  networks: {"default": Attachment {},
                  },
                  supervisor: ServiceOptions {
                  },
                },
                "web": Service {
                  name: "web",
                  image: Some("x:7",
                  ),
                  environment: {"A": Some(EnvValue(5 bytes)), "B": Some(EnvValue(5 bytes)),
                  },
                  mounts: [Mount {source: Bind(Bind {written: "/srv/app/sub/v", path: "/srv/app/sub/v"}), target: "/v", read_only: false}, Mount {source: Volume {name: Some("data"), nocopy: false}, target: "/data", read_only: false},
                  ],
                  networks: {"default": Attachment {},
                  },
                  supervisor: ServiceOptions {
                  },
                },
              },
              networks: {
                "default": Network {
                  key: "default",
                },
              },
              volumes: {
                "data": Volume {
                  key: "data",
                },
              },
              stack: Stack {
              },
              included: [
                "/srv/app/sub/inner.yaml",
                "/srv/app/other/vars.env",
                "/srv/app/other/a.yaml",
                "/srv/app/other/b.yaml",
              ],
            }
        "#]],
    );
}

#[test]
fn what_two_files_declare_differently_is_said_and_what_they_declare_alike_is_not() {
    check_problems(
        "\
--- compose.yaml
include: [more.yaml]
services:
  web: {image: a}
  same: {image: c, ports: ['80:80']}
networks: {n: {internal: true}, m: }
volumes: {v: }
x-supervisor: {edge: web}
--- more.yaml
services:
  web: {image: b, privileged: true}
  same: {ports: ['80:80'], image: c}
networks: {n: {driver: host}, m: {}}
volumes: {v: {name: x}}
x-supervisor: {edge: same}
",
        expect![[r#"
            SV022 compose.yaml:3:3 "web" `services.web` is declared differently by a file that is included
            SV022 compose.yaml:5:12 "n" `networks.n` is declared differently by a file that is included
            SV022 compose.yaml:6:11 "v" `volumes.v` is declared differently by a file that is included
            SV013 more.yaml:6:1 "x-supervisor" `x-supervisor` of an included file holds for nothing
        "#]],
    );
}

#[test]
fn includes_that_cannot_be_followed() {
    check_problems(
        "\
--- compose.yaml
include: [a.yml, missing.yml, 'https://example.com/c.yaml', 'git@example.com:x.git', {project_directory: x}]
--- a.yml
include: [b.yml]
--- b.yml
include: [a.yml]
",
        expect![[r#"
            SV001 compose.yaml:1:18 "missing.yml" `/srv/app/missing.yml` does not exist
            SV025 compose.yaml:1:31 "'https://example.com/c.yaml'" `https://example.com/c.yaml` is not a file of this machine
            SV025 compose.yaml:1:61 "'git@example.com:x.git'" `git@example.com:x.git` is not a file of this machine
            SV016 compose.yaml:1:86 "{project_directory: x}" the entry of `include` has no `path`
            SV026 b.yml:1:11 "a.yml" `/srv/app/a.yml` includes itself
        "#]],
    );
}

#[test]
fn what_is_empty_over_something_is_passed_over_and_over_nothing_it_is_refused() {
    let base = "--- a.yaml\nservices:\n  web:\n    image: x\n    user: u\n    dns: [1.1.1.1]\n    command: a\n    deploy: {replicas: 2}\nnetworks: {n: {internal: true}}\n";
    let said_of = |over: &str| said(&loaded(&format!("{base}--- b.yaml\n{over}")));
    let plain = said(&loaded(base));
    for over in [
        "services: {web: {image: , user: , dns: ~, deploy: null}}\nnetworks:\n",
        "services: {web: }\nnetworks: {n: }\n",
        "services:\n",
    ] {
        assert_eq!(said_of(over), plain, "{over}");
        assert_eq!(problems(&loaded(&format!("{base}--- b.yaml\n{over}"))), "", "{over}");
    }
    check_problems(
        &format!(
            "{base}--- b.yaml\nservices: {{web: {{tty: , command: , deploy: {{replicas: }}}}}}\nvolumes:\n"
        ),
        expect![[r#"
            SV014 b.yaml:1:21 "" `tty` must be true or false, not empty
            SV014 b.yaml:1:53 "" `replicas` must be a string or a whole number, not empty
            SV014 b.yaml:2:8 "" `volumes` must be a mapping, not empty
        "#]],
    );
    // A command is replaced, and an empty one says nothing.
    assert!(!said_of("services: {web: {command: }}\n").contains("command: Some"));
}

#[test]
fn what_later_files_reset_and_override() {
    check(
        "\
--- a.yaml
services:
  web:
    image: x
    ports: ['1:1']
    environment: {A: 1, B: 1}
    dns: [1.1.1.1]
    logging: {driver: json-file, options: {max-size: 1m}}
    healthcheck: {test: [CMD, a], retries: 3}
    volumes: ['a:/data', 'b:/b']
    networks: [n]
  gone: {image: y}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
volumes: {a: , b: , c: }
--- b.yaml
services:
  web:
    ports: !override ['2:2']
    environment: {A: !reset null, C: 1}
    dns: !reset []
    logging: {driver: local}
    healthcheck: {test: [CMD, b]}
    volumes: ['c:/data']
  gone: !reset null
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1}]}}}
",
        expect![[r#"

            Project {
              name: "app",
              directory: "/srv/app",
              services: {
                "web": Service {
                  name: "web",
                  image: Some("x",
                  ),
                  environment: {"B": Some(EnvValue(1 bytes)), "C": Some(EnvValue(1 bytes)),
                  },
                  ports: [PublishedPort {published: Some(2), target: 2, protocol: "tcp"},
                  ],
                  mounts: [Mount {source: Volume {nocopy: false}, target: "a:/data", read_only: false}, Mount {source: Volume {nocopy: false}, target: "b:/b", read_only: false}, Mount {source: Volume {nocopy: false}, target: "c:/data", read_only: false},
                  ],
                  networks: {"n": Attachment {},
                  },
                  healthcheck: Some(Healthcheck {test: Exec(["b"]), retries: Some(3)},
                  ),
                  logging: Some(Logging {driver: Some("local")},
                  ),
                  supervisor: ServiceOptions {
                  },
                },
              },
              networks: {
                "n": Network {
                  key: "n",
                  ipam: [Pool {subnet: Some("10.0.0.0/24"), gateway: Some("10.0.0.1")},
                  ],
                },
              },
              volumes: {
                "a": Volume {
                  key: "a",
                },
                "b": Volume {
                  key: "b",
                },
                "c": Volume {
                  key: "c",
                },
              },
              stack: Stack {
              },
            }
        "#]],
    );
}

#[test]
fn a_service_that_extends_keeps_its_marks_for_earlier_files() {
    check(
        "\
--- a.yaml
services:
  web: {image: x, cap_add: [A]}
--- b.yaml
services:
  web: {extends: base, cap_add: !override [C]}
  base: {image: y, cap_add: [B]}
",
        expect![[r#"

            Project {
              name: "app",
              directory: "/srv/app",
              services: {
                "base": Service {
                  name: "base",
                  image: Some("y",
                  ),
                  networks: {"default": Attachment {},
                  },
                  cap_add: ["B",
                  ],
                  supervisor: ServiceOptions {
                  },
                },
                "web": Service {
                  name: "web",
                  image: Some("y",
                  ),
                  networks: {"default": Attachment {},
                  },
                  cap_add: ["C",
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
