//! What is written loads to the same model again.

use expect_test::expect;

use super::*;
use crate::finding::Severity;
use crate::rules::tests::judge;

const STACK: &str = r##"
x-supervisor:
  edge: caddy
services:
  caddy:
    image: caddy:2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    user: "1001:1001"
    mem_limit: 256m
    command: [caddy, "a$$b", "line\nbreak", "yes", "1.0", "#x"]
    environment: {DB_PASSWORD: correct-horse, EMPTY: "", MODE: "on"}
    ports: ["443:443", "127.0.0.1:8080:80/udp"]
    volumes:
      - ./site:/srv:ro
      - data:/data
      - {type: image, source: "b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", target: /b, image: {subpath: c/d}}
    tmpfs: ["/run:mode=700,uid=1000"]
    configs: [{source: site, target: /etc/site, mode: "0440"}]
    networks: {backend: {ipv4_address: 10.1.2.3, aliases: [front]}}
    healthcheck: {test: [CMD, caddy, version], interval: 1500ms, timeout: 1s}
    depends_on: {app: {condition: service_healthy}}
    stop_grace_period: 1m30s
    post_start:
      - {command: caddy version, environment: {API_TOKEN: correct-horse, MODE: "on", EMPTY: }}
      - {command: [touch, "a b"], user: "7:8", working_dir: /data, privileged: false}
    pre_stop: [{command: [caddy, stop]}]
  app:
    image: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    user: "1000"
    mem_limit: 2g
    restart: on-failure:3
    networks: [backend]
    volumes: [data:/data]
    x-supervisor:
      runtime: node
      exec_from: [/data/plugins]
      on_exit: {"78": stop}
      probe: {http: /healthz, port: 18789, body: '"ok":true'}
      landlock: required
      tcp: {bind: [], connect: [443, 8443]}
networks:
  backend:
    ipam: {config: [{subnet: 10.1.2.0/24}]}
volumes:
  data:
configs:
  site: {content: "a: b # $$c\n"}
"##;

/// Less than what is filled in for `/dev/shm` and `/tmp`, which count as memory too.
const LITTLE_MEMORY: &str = "
services:
  app:
    image: caddy:2
    user: \"1000\"
    mem_limit: 24m
    tmpfs: [/run]
";

#[test]
fn what_is_written_is_admitted_as_it_is_with_nothing_more_to_fill_in() {
    unchanged_when_written(STACK);
    unchanged_when_written(EGRESS);
    unchanged_when_written(LITTLE_MEMORY);
}

#[test]
fn a_key_that_is_longer_than_readers_look_for_its_colon_is_read_again() {
    let name = "long.".repeat(300) + "name";
    for value in ["value", ""] {
        let text = format!("services:\n  web:\n    image: a\n    labels: ['{name}={value}']\n");
        let (stack, report) = judge(&text);
        let stack = stack.unwrap_or_else(|| panic!("{:#?}", report.findings));
        let text = yaml(stack.project(), Credentials::Shown);
        let (again, report) = judge(&text);
        let again = again.unwrap_or_else(|| panic!("{:#?}\n{text}", report.findings));
        assert_eq!(again.project().services["web"].labels[&name].value, value);
    }
}

/// A way out by name, of one service of two.
const EGRESS: &str = "\
x-supervisor: {edge: web, egress: {app: [\"api.example.org:443\", \"*.example.net:443\"]}}
services:
  web: {image: caddy:2, networks: [front, back]}
  app: {image: app:1, networks: [back], environment: {HTTP_PROXY: http://other:1}, x-supervisor: {runtime: node}}
networks: {front: {}, back: {}}
";

#[track_caller]
fn unchanged_when_written(text: &str) {
    let (first, report) = judge(text);
    let first = first.unwrap_or_else(|| panic!("{:#?}", report.findings));
    for text in [yaml(first.project(), Credentials::Shown), json(first.project(), Credentials::Shown)] {
        let (second, report) = judge(&text);
        let noisy: Vec<_> =
            report.findings.iter().filter(|f| f.severity != Severity::Warning && f.rule != "SV165").collect();
        assert!(noisy.is_empty(), "{noisy:#?}\n{text}");
        let second = second.unwrap();
        assert_eq!(
            yaml(second.project(), Credentials::Shown),
            unmarked(&yaml(first.project(), Credentials::Shown))
        );
    }
}

/// Without the comments that say what was filled in.
fn unmarked(text: &str) -> String {
    text.lines()
        .map(|line| line.find("  # SV").map_or(line, |at| &line[..at]))
        .fold(String::new(), |out, line| out + line + "\n")
}

#[test]
fn a_credential_is_written_as_a_variable() {
    let (stack, _) = judge(STACK);
    let text = yaml(stack.unwrap().project(), Credentials::Hidden);
    assert!(!text.contains("correct-horse") && text.contains("DB_PASSWORD: \"${DB_PASSWORD}\""), "{text}");
}

#[test]
fn what_was_filled_in_names_its_rule() {
    let (stack, _) = judge("services:\n  web:\n    image: a\n    networks: [n]\nnetworks:\n  n:\n");
    expect![[r#"
        name: example
        services:
          web:
            image: a
            hostname: web  # SV265
            init: true  # SV266
            read_only: true  # SV150
            cap_drop:
              - ALL  # SV104
            security_opt:
              - "no-new-privileges:true"  # SV106
            ipc: private  # SV126
            cgroup: private  # SV128
            tmpfs:
              - "/tmp:size=64m,mode=1777,noexec,nosuid,nodev"  # SV160
            mem_limit: "1g"  # SV210
            memswap_limit: "1g"  # SV211
            pids_limit: 256  # SV212
            cpus: 1  # SV213
            shm_size: "64m"  # SV215
            ulimits:
              core:  # SV214
                soft: 0
                hard: 0
              nofile:  # SV214
                soft: 8192
                hard: 16384
            logging:  # SV221
              driver: json-file
              options:
                max-file: "3"
                max-size: "10m"
            networks:
              "n": {}
        networks:
          "n":
            internal: true  # SV184
    "#]]
    .assert_eq(&yaml(stack.unwrap().project(), Credentials::Hidden));
}
