//! From a Compose file on to the very text that the engine is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Request, Source};
use expect_test::{Expect, expect};
use profiles::confinement::{Arch, Kernel};
use serde_json::Value;

use crate::decide::seen::{ImageStart, SeenImage};
use crate::decide::spec::Wanted;
use crate::decide::start::start;
use crate::decide::wanted::{Given, Restarts, wanted};

fn want(text: &str, apparmor: bool) -> Wanted {
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: PathBuf::from("/srv/shop"),
        project_name: Some("shop".into()),
        environment: compose::Environment::default(),
    };
    let host = MemoryHost::default();
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    let (stack, report) = compose::admit(compose::load(request, &host), &policy, &host);
    let stack = stack.unwrap_or_else(|| panic!("{report:?}"));
    let kernel = Kernel { arch: Arch::X86_64, version: (6, 12), apparmor, landlock: 0 };
    let names = stack.project().services.keys();
    let confinements: BTreeMap<_, _> =
        names.map(|name| (name.clone(), profiles::confine(&stack, name, &kernel).unwrap())).collect();
    let image = SeenImage { id: "sha256:ab12".into() };
    let given = Given {
        confinements: &confinements,
        images: &BTreeMap::from([("caddy:2".to_owned(), image.clone()), ("site:1".to_owned(), image)]),
        contents: &BTreeMap::from([("config/site".to_owned(), "c0ffee".to_owned())]),
        profiles: &BTreeSet::new(),
        restarts: Restarts::Engine,
    };
    wanted(&stack, &given).unwrap()
}

/// The value without what is said elsewhere: labels, nulls and empty things, and the profile's text.
fn brief(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, _)| key != "Labels")
            .map(|(key, value)| (key, brief(value)))
            .filter(|(_, value)| !value.is_null() && *value != serde_json::json!({}))
            .collect(),
        Value::Array(rows) => rows.into_iter().map(brief).collect(),
        Value::String(text) if text.starts_with("seccomp={") => Value::String("seccomp=PROFILE".into()),
        Value::String(text) if text.starts_with("apparmor=") => {
            Value::String(text.rsplit_once('-').map_or("", |(name, _)| name).to_owned() + "-HASH")
        }
        other => other,
    }
}

#[track_caller]
fn check(text: &str, apparmor: bool, expect: Expect) {
    let wanted = want(text, apparmor);
    let contents = BTreeMap::from([("/etc/site".to_owned(), PathBuf::from("/state/config-site"))]);
    let spec = &wanted.services["web"].containers[0];
    let start = start(spec, &ImageStart::default());
    let body = super::container(spec, &contents, &start).unwrap();
    let json = brief(serde_json::to_value(body).unwrap());
    expect.assert_eq(&format!("{}\n", serde_json::to_string_pretty(&json).unwrap()));
}

#[test]
fn a_service_that_says_little_is_sent_hardened() {
    check(
        "services: {web: {image: 'caddy:2', user: '1000', networks: [back]}}\nnetworks: {back: {internal: true}}",
        false,
        expect![[r#"
            {
              "AttachStderr": false,
              "AttachStdin": false,
              "AttachStdout": false,
              "Env": [],
              "HostConfig": {
                "AutoRemove": false,
                "CapAdd": [],
                "CapDrop": [
                  "ALL"
                ],
                "CgroupnsMode": "private",
                "Dns": [],
                "DnsOptions": [],
                "DnsSearch": [],
                "ExtraHosts": [],
                "GroupAdd": [],
                "Init": true,
                "IpcMode": "private",
                "LogConfig": {
                  "Config": {
                    "max-file": "3",
                    "max-size": "10m"
                  },
                  "Type": "json-file"
                },
                "Memory": 1073741824,
                "MemorySwap": 1073741825,
                "Mounts": [],
                "NanoCpus": 1000000000,
                "NetworkMode": "shop_back",
                "OomScoreAdj": 0,
                "PidMode": "",
                "PidsLimit": 256,
                "Privileged": false,
                "PublishAllPorts": false,
                "ReadonlyRootfs": true,
                "RestartPolicy": {
                  "Name": "no"
                },
                "SecurityOpt": [
                  "no-new-privileges:true",
                  "seccomp=PROFILE"
                ],
                "ShmSize": 67108864,
                "Tmpfs": {
                  "/tmp": "size=67108864,mode=1777,uid=1000,gid=0,noexec,nosuid,nodev"
                },
                "UTSMode": "",
                "Ulimits": [
                  {
                    "Hard": 0,
                    "Name": "core",
                    "Soft": 0
                  },
                  {
                    "Hard": 16384,
                    "Name": "nofile",
                    "Soft": 8192
                  }
                ]
              },
              "Hostname": "web",
              "Image": "sha256:ab12",
              "NetworkingConfig": {
                "EndpointsConfig": {
                  "shop_back": {
                    "Aliases": [
                      "web"
                    ]
                  }
                }
              },
              "OpenStdin": false,
              "StopTimeout": 10,
              "Tty": false,
              "User": "1000"
            }
        "#]],
    );
}

#[test]
fn everything_that_is_said_is_sent() {
    check(
        r#"
services:
  web:
    image: caddy:2
    user: "1000:1000"
    command: [run]
    entrypoint: [/bin/web]
    environment: {WORD: value}
    working_dir: /srv
    hostname: edge
    cap_add: [NET_BIND_SERVICE]
    mem_limit: 64m
    mem_reservation: 32m
    cpus: 0.25
    pids_limit: 50
    ulimits: {nofile: {soft: 1024, hard: 2048}}
    shm_size: 8m
    sysctls: {net.ipv4.ip_unprivileged_port_start: "0"}
    volumes: ["./conf:/conf:ro", "data:/data"]
    tmpfs: ["/tmp:size=1m,mode=0700,uid=1000,gid=1000"]
    networks: {front: {}, back: {ipv4_address: 10.9.9.2, aliases: [shop]}}
    ports: ["80:8080", "127.0.0.1:8443:443/tcp"]
    configs: [{source: site, target: /etc/site}]
    restart: on-failure:3
    stop_signal: SIGUSR1
    stop_grace_period: 1500ms
    healthcheck: {test: [CMD, "true"], interval: 30s, timeout: 5s, retries: 2}
    extra_hosts: ["db:10.9.9.9"]
    annotations: {org.opencontainers.image.title: shop}
networks:
  front: {}
  back: {internal: true, ipam: {config: [{subnet: 10.9.9.0/24}]}}
volumes: {data: {}}
configs: {site: {content: "x"}}
x-supervisor: {edge: web}
"#,
        true,
        expect![[r#"
            {
              "AttachStderr": false,
              "AttachStdin": false,
              "AttachStdout": false,
              "Cmd": [
                "run"
              ],
              "Entrypoint": [
                "/bin/web"
              ],
              "Env": [
                "WORD=value"
              ],
              "Healthcheck": {
                "Interval": 30000000000,
                "Retries": 2,
                "Test": [
                  "CMD",
                  "true"
                ],
                "Timeout": 5000000000
              },
              "HostConfig": {
                "Annotations": {
                  "org.opencontainers.image.title": "shop"
                },
                "AutoRemove": false,
                "CapAdd": [
                  "NET_BIND_SERVICE"
                ],
                "CapDrop": [
                  "ALL"
                ],
                "CgroupnsMode": "private",
                "Dns": [],
                "DnsOptions": [],
                "DnsSearch": [],
                "ExtraHosts": [
                  "db:10.9.9.9"
                ],
                "GroupAdd": [],
                "Init": true,
                "IpcMode": "private",
                "LogConfig": {
                  "Config": {
                    "max-file": "3",
                    "max-size": "10m"
                  },
                  "Type": "json-file"
                },
                "Memory": 67108864,
                "MemoryReservation": 33554432,
                "MemorySwap": 67108865,
                "Mounts": [
                  {
                    "BindOptions": {
                      "CreateMountpoint": false,
                      "Propagation": "rprivate"
                    },
                    "ReadOnly": true,
                    "Source": "/srv/shop/conf",
                    "Target": "/conf",
                    "Type": "bind"
                  },
                  {
                    "ReadOnly": false,
                    "Source": "shop_data",
                    "Target": "/data",
                    "Type": "volume",
                    "VolumeOptions": {
                      "NoCopy": false
                    }
                  },
                  {
                    "BindOptions": {
                      "CreateMountpoint": false,
                      "Propagation": "rprivate"
                    },
                    "ReadOnly": true,
                    "Source": "/state/config-site",
                    "Target": "/etc/site",
                    "Type": "bind"
                  }
                ],
                "NanoCpus": 250000000,
                "NetworkMode": "shop_back",
                "OomScoreAdj": 0,
                "PidMode": "",
                "PidsLimit": 50,
                "PortBindings": {
                  "443/tcp": [
                    {
                      "HostIp": "127.0.0.1",
                      "HostPort": "8443"
                    }
                  ],
                  "8080/tcp": [
                    {
                      "HostIp": "0.0.0.0",
                      "HostPort": "80"
                    }
                  ]
                },
                "Privileged": false,
                "PublishAllPorts": false,
                "ReadonlyRootfs": true,
                "RestartPolicy": {
                  "MaximumRetryCount": 3,
                  "Name": "on-failure"
                },
                "SecurityOpt": [
                  "no-new-privileges:true",
                  "seccomp=PROFILE",
                  "apparmor=supervisor-shop.web-HASH"
                ],
                "ShmSize": 8388608,
                "Sysctls": {
                  "net.ipv4.ip_unprivileged_port_start": "0"
                },
                "Tmpfs": {
                  "/tmp": "size=1048576,mode=700,uid=1000,gid=1000,noexec,nosuid,nodev"
                },
                "UTSMode": "",
                "Ulimits": [
                  {
                    "Hard": 0,
                    "Name": "core",
                    "Soft": 0
                  },
                  {
                    "Hard": 2048,
                    "Name": "nofile",
                    "Soft": 1024
                  }
                ]
              },
              "Hostname": "edge",
              "Image": "sha256:ab12",
              "NetworkingConfig": {
                "EndpointsConfig": {
                  "shop_back": {
                    "Aliases": [
                      "shop",
                      "web"
                    ],
                    "IPAMConfig": {
                      "IPv4Address": "10.9.9.2"
                    }
                  },
                  "shop_front": {
                    "Aliases": [
                      "web"
                    ]
                  }
                }
              },
              "OpenStdin": false,
              "StopSignal": "SIGUSR1",
              "StopTimeout": 2,
              "Tty": false,
              "User": "1000:1000",
              "WorkingDir": "/srv"
            }
        "#]],
    );
}

#[test]
fn a_network_and_a_volume_are_sent_as_written() {
    let wanted = want(
        "services: {web: {image: 'caddy:2', user: '1000', networks: [back], volumes: ['data:/data']}}
networks: {back: {internal: true, ipam: {config: [{subnet: 10.9.9.0/24, gateway: 10.9.9.1}]}}}
volumes: {data: {}}",
        false,
    );
    let network = brief(serde_json::to_value(super::network(&wanted.networks["shop_back"].shape())).unwrap());
    let volume = brief(serde_json::to_value(super::volume(&wanted.volumes["shop_data"])).unwrap());
    expect![[r#"
        {"Driver":"bridge","EnableIPv6":false,"IPAM":{"Config":[{"Gateway":"10.9.9.1","Subnet":"10.9.9.0/24"}]},"Internal":true,"Name":"shop_back"}
        {"Driver":"local","Name":"shop_data"}
    "#]].assert_eq(&format!("{network}\n{volume}\n"));
}

#[test]
fn a_content_that_was_not_staged_is_no_container() {
    let wanted = want(
        "services: {web: {image: 'caddy:2', user: '1000', networks: [back], configs: [{source: site, target: /etc/site}]}}
networks: {back: {internal: true}}
configs: {site: {content: x}}",
        false,
    );
    let spec = &wanted.services["web"].containers[0];
    let start = start(spec, &ImageStart::default());
    let error = super::container(spec, &BTreeMap::new(), &start).unwrap_err();
    assert_eq!(error, "the config `site` was not staged");
}

/// By its id, as a container's own image.
#[test]
fn an_image_is_mounted_by_its_id_and_read_only() {
    let wanted = want(
        "services:
  web:
    image: caddy:2
    volumes:
      - {type: image, source: 'site:1', target: /srv}
      - {type: image, source: 'other:1', target: /other, image: {subpath: usr/share}}
",
        false,
    );
    let spec = &wanted.services["web"].containers[0];
    let body = super::container(spec, &BTreeMap::new(), &start(spec, &ImageStart::default())).unwrap();
    let mounts = serde_json::to_string_pretty(&body.host_config.unwrap().mounts).unwrap();
    expect![[r#"
        [
          {
            "Target": "/srv",
            "Source": "sha256:ab12",
            "Type": "image",
            "ReadOnly": true
          },
          {
            "Target": "/other",
            "Source": "other:1",
            "Type": "image",
            "ReadOnly": true,
            "ImageOptions": {
              "Subpath": "usr/share"
            }
          }
        ]
    "#]]
    .assert_eq(&format!("{mounts}\n"));
}
