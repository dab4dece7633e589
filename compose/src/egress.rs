//! The way out by name, written into the model: the proxy as one more service, its own network, and the variables by
//! which a service finds it.
//!
//! What is made here is judged, confined, started, attested and healed like every other service. Deliberately absent: the
//! proxy itself, and where a name leads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::finding::{Finding, Severity};
use crate::harden::way_out;
use crate::model::{
    Attachment, Condition, Dependency, Destination, EnvValue, Probe, Project, Restart, Runtime, Service,
    ServiceOptions, Ulimit,
};
use crate::policy::{Hit, finding};
use crate::rules;
use crate::source::At;
use crate::units::Port;

/// The proxy's service.
pub const SERVICE: &str = "egress-proxy";
/// The image that it runs from: made on the host of the running program itself, and fetched from nowhere.
pub const IMAGE: &str = "supervisor-egress";
/// The port that it answers on, usual for forward proxies.
pub const PORT: Port = Port::new(3128).unwrap();
/// The service, its network and what waits for it are filled in under this id.
pub(crate) const PROXY: &str = "SV322";
/// A service's variables are filled in under this id.
pub(crate) const VARIABLES: &str = "SV323";

/// Nobody's user and group, as in images without a user database.
const USER: &str = "65532:65532";
/// Descriptors for 4096 connections and as many to the outside, and pipes.
const FILES: Ulimit = Ulimit { soft: 16_384, hard: 16_384 };
/// Measured: 12 MiB hold 2,000 tunnels.
const MEMORY: i64 = 64 * 1024 * 1024;
/// One thread, the engine's init, and room for the runtime's.
const PIDS: i64 = 32;

/// Whether a service is the proxy that was made for this stack.
pub(crate) fn is_proxy(project: &Project, service: &Service) -> bool {
    service.name == SERVICE
        && !project.stack.egress.is_empty()
        && service.image.as_ref().is_some_and(|image| image.value == IMAGE)
}

/// Makes the proxy and what leads to it, where the stack names a way out and has none yet.
pub(crate) fn open(project: &mut Project) -> Vec<Finding> {
    let Some(mut proxy) = proxy(project) else { return Vec::new() };
    let mut findings = Vec::new();
    let (span, callers) = (proxy.span, callers(project));
    if !project.services.contains_key(SERVICE) {
        let key = network(project, &mut proxy);
        let names: Vec<String> = callers.iter().map(|name| format!("`{name}`")).collect();
        let message = format!(
            "service `{SERVICE}` and network `{key}` are made, so that {} can reach the names under `egress`",
            names.join(", ")
        );
        let hit = Hit::on(span, message).only(Severity::Note);
        findings.extend(rules::find(PROXY).map(|rule| finding(rule, hit, None)));
        project.services.insert(SERVICE.to_owned(), proxy);
    }
    let near = without_proxy(project);
    for name in callers {
        let Some(service) = project.services.get_mut(&name) else { continue };
        findings.extend(lead(service, &near));
    }
    findings
}

/// Grants nothing to anybody, so that the proxy writes down what each service asks for: every one that could have a way
/// out by name gets one that leads nowhere. Gives what was granted, by service.
pub fn deny_all(project: &mut Project) -> BTreeMap<String, BTreeSet<Destination>> {
    let edge = project.stack.edge.as_ref().map(|edge| edge.value.clone());
    let inner = project.services.values().filter(|service| {
        Some(&service.name) != edge.as_ref() && service.network_mode.is_none() && service.name != SERVICE
    });
    let inner: Vec<String> = inner.map(|service| service.name.clone()).collect();
    let mut granted = BTreeMap::new();
    for name in inner {
        let rows = project.stack.egress.insert(name.clone(), Vec::new()).unwrap_or_default();
        granted.insert(name, rows.into_iter().map(|row| row.value).collect());
    }
    granted
}

/// The proxy as this stack wants it, its own network aside; `None` where no service may reach anything.
pub(crate) fn proxy(project: &Project) -> Option<Service> {
    let callers = callers(project);
    let first = callers.first().and_then(|name| project.services.get(name))?;
    let inside = callers
        .iter()
        .filter_map(|name| project.services.get(name))
        .flat_map(|service| service.networks.keys());
    let filled = |key: &String| (key.clone(), At::filled(Attachment::default(), PROXY));
    let probe = Probe {
        http: "/healthz".into(),
        port: PORT,
        body: Some(r#""ok":true"#.into()),
        startup: None,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 3,
        start_period: Duration::from_secs(30),
    };
    Some(Service {
        name: SERVICE.into(),
        span: first.span,
        image: Some(At::filled(IMAGE.into(), PROXY)),
        command: Some(At::filled(command(project, &callers), PROXY)),
        user: Some(At::filled(USER.into(), PROXY)),
        networks: inside.map(filled).collect(),
        restart: Some(At::filled(Restart::UnlessStopped, PROXY)),
        memory: Some(At::filled(MEMORY, PROXY)),
        pids: Some(At::filled(PIDS, PROXY)),
        ulimits: BTreeMap::from([("nofile".into(), At::filled(FILES, PROXY))]),
        stop_grace_period: Some(At::filled(Duration::from_secs(5), PROXY)),
        supervisor: ServiceOptions {
            probe: Some(At::filled(probe, PROXY)),
            runtime: Some(At::filled(Runtime::Go, PROXY)),
            ..ServiceOptions::default()
        },
        ..Service::default()
    })
}

/// Whether a written service is the proxy in everything that matters: as the hardened model is written out and read in.
pub(crate) fn is_as_made(written: &Service, made: &Service) -> bool {
    fn value<T>(at: Option<&At<T>>) -> Option<&T> {
        at.map(|at| &at.value)
    }
    value(written.image.as_ref()) == value(made.image.as_ref())
        && value(written.command.as_ref()) == value(made.command.as_ref())
        && value(written.user.as_ref()) == value(made.user.as_ref())
        && written.entrypoint.is_none()
        && made.networks.keys().all(|key| written.networks.contains_key(key))
        && written.environment.is_empty()
        && written.secrets.is_empty()
        && written.configs.is_empty()
        && written.cap_add.is_empty()
        && written.ports.is_empty()
        && written
            .mounts
            .iter()
            .all(|mount| matches!(mount.value.source, crate::model::MountSource::Tmpfs(_)))
}

/// Services of the file that have an entry under `egress`, even an empty one: then all is denied, and written down.
fn callers(project: &Project) -> Vec<String> {
    let listed = project.stack.egress.keys();
    listed.filter(|name| *name != SERVICE && project.services.contains_key(*name)).cloned().collect()
}

/// What the proxy is told: who asks from where, and what each may reach.
fn command(project: &Project, callers: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    for name in callers {
        let Some(service) = project.services.get(name) else { continue };
        for container in containers(project, service) {
            words.extend(["--caller".to_owned(), format!("{name}={container}")]);
        }
        for destination in project.stack.egress.get(name).into_iter().flatten() {
            words.extend(["--grant".to_owned(), format!("{name}={}", destination.value)]);
        }
    }
    words
}

/// The names of a service's containers, as the engine resolves them.
fn containers(project: &Project, service: &Service) -> Vec<String> {
    let count = service.scale.as_ref().map_or(1, |scale| scale.value);
    let named = service.container_name.as_ref().map(|name| vec![name.value.clone()]);
    named.unwrap_or_else(|| (1..=count).map(|n| format!("{}-{}-{n}", project.name, service.name)).collect())
}

/// Makes the network that leads out and carries the proxy alone; its key.
fn network(project: &mut Project, proxy: &mut Service) -> String {
    let mut key = "egress".to_owned();
    while project.networks.contains_key(&key) {
        key.push_str("-out");
    }
    // The way out has to be the default route, or the engine may choose an internal network for it.
    let attachment = Attachment { gw_priority: Some(1), ..Attachment::default() };
    proxy.networks.insert(key.clone(), At::filled(attachment, PROXY));
    project.networks.insert(key.clone(), way_out(&key, proxy.span, PROXY));
    key
}

/// Names that are reached without the proxy: the stack's own, and the service itself.
fn without_proxy(project: &Project) -> String {
    let own = project.services.keys().filter(|name| *name != SERVICE).map(String::as_str);
    ["localhost", "127.0.0.1", "::1"].into_iter().chain(own).collect::<Vec<_>>().join(",")
}

/// Tells a service where the proxy is, by every variable that programs read, where the file does not say another, and
/// lets it start after the proxy.
fn lead(service: &mut Service, near: &str) -> Vec<Finding> {
    let url = format!("http://{SERVICE}:{PORT}");
    let mut variables = vec![
        ("HTTP_PROXY", url.as_str()),
        ("HTTPS_PROXY", &url),
        ("NO_PROXY", near),
        ("http_proxy", &url),
        ("https_proxy", &url),
        ("no_proxy", near),
    ];
    let node = service.supervisor.runtime.as_ref().is_some_and(|runtime| runtime.value == Runtime::Node);
    if node {
        // Node.js 24 reads the variables above only if it is told to; OpenClaw routes all of its clients by its own.
        variables.extend([("NODE_USE_ENV_PROXY", "1"), ("OPENCLAW_PROXY_URL", url.as_str())]);
    }
    let mut added = Vec::new();
    for (name, value) in variables {
        service.environment.entry(name.to_owned()).or_insert_with(|| {
            added.push(name);
            At::filled(Some(EnvValue(value.to_owned())), VARIABLES)
        });
    }
    let first = Dependency { condition: Condition::Started, restart: false, required: true };
    service.depends_on.entry(SERVICE.to_owned()).or_insert_with(|| At::filled(first, PROXY));
    if added.is_empty() {
        return Vec::new();
    }
    let message = format!("`{}` is told where the proxy is by {}", service.name, added.join(", "));
    let hit = Hit::on(service.span, message).only(Severity::Note);
    rules::find(VARIABLES).map(|rule| finding(rule, hit, Some(&*service))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::rules::tests::judge;

    /// What was made, in the words of the model; or the errors.
    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let (admitted, report) = judge(text);
        let Some(admitted) = admitted else {
            let errors = report.findings.iter().filter(|found| found.severity == Severity::Error);
            let lines: Vec<String> =
                errors.map(|found| format!("{} {}\n", found.rule, found.message)).collect();
            return expect.assert_eq(&lines.concat());
        };
        let project = admitted.project();
        let mut said = String::new();
        for service in project.services.values() {
            let networks: Vec<&str> = service.networks.keys().map(String::as_str).collect();
            write!(said, "{} on {}", service.name, networks.join(", ")).unwrap();
            let after: Vec<&str> = service.depends_on.keys().map(String::as_str).collect();
            writeln!(said, ", after [{}]", after.join(", ")).unwrap();
            for word in service.command.iter().flat_map(|command| &command.value) {
                writeln!(said, "  {word}").unwrap();
            }
            for (name, value) in &service.environment {
                writeln!(said, "  {name}={}", value.value.as_ref().map_or("", |value| &value.0)).unwrap();
            }
        }
        for network in project.networks.values() {
            let internal = network.internal.as_ref().is_some_and(|internal| internal.value);
            writeln!(said, "network {}{}", network.key, if internal { ", internal" } else { "" }).unwrap();
        }
        expect.assert_eq(&said);
    }

    #[test]
    fn a_name_makes_a_proxy_a_network_and_variables() {
        check(
            "
x-supervisor: {edge: web, egress: {app: ['api.example.org:443', '*.example.net:8443'], job: []}}
services:
  web: {image: a, networks: [front, back]}
  app: {image: a, networks: [back], scale: 2, environment: {https_proxy: http://mine:1}, x-supervisor: {runtime: node}}
  job: {image: a, networks: [jobs], container_name: worker}
networks: {front: {}, back: {}, jobs: {}}
",
            expect![[r#"
                app on back, after [egress-proxy]
                  HTTPS_PROXY=http://egress-proxy:3128
                  HTTP_PROXY=http://egress-proxy:3128
                  NODE_USE_ENV_PROXY=1
                  NO_PROXY=localhost,127.0.0.1,::1,app,job,web
                  OPENCLAW_PROXY_URL=http://egress-proxy:3128
                  http_proxy=http://egress-proxy:3128
                  https_proxy=http://mine:1
                  no_proxy=localhost,127.0.0.1,::1,app,job,web
                egress-proxy on back, egress, jobs, after []
                  --caller
                  app=example-app-1
                  --caller
                  app=example-app-2
                  --grant
                  app=api.example.org:443
                  --grant
                  app=*.example.net:8443
                  --caller
                  job=worker
                job on jobs, after [egress-proxy]
                  HTTPS_PROXY=http://egress-proxy:3128
                  HTTP_PROXY=http://egress-proxy:3128
                  NO_PROXY=localhost,127.0.0.1,::1,app,job,web
                  http_proxy=http://egress-proxy:3128
                  https_proxy=http://egress-proxy:3128
                  no_proxy=localhost,127.0.0.1,::1,app,job,web
                web on back, front, after []
                network back, internal
                network egress
                network front
                network jobs, internal
            "#]],
        );
    }

    #[test]
    fn nothing_is_made_where_nothing_is_named() {
        check(
            "services:\n  web: {image: a}\nx-supervisor: {egress: {}}\n",
            expect![[r#"
            web on default, after []
            network default, internal
        "#]],
        );
    }

    #[test]
    fn the_proxy_is_never_what_a_file_makes_of_it() {
        check(
            "
x-supervisor: {egress: {app: ['api.example.org:443']}}
services:
  app: {image: a}
  egress-proxy: {image: supervisor-egress, command: [--grant, 'app=evil.example.org:443']}
",
            expect![[r#"
                SV324 `egress-proxy` is not as it would be made
            "#]],
        );
        check(
            "
x-supervisor: {egress: {app: ['api.example.org:443']}}
services:
  app: {image: a}
  egress-proxy: {image: mine}
",
            expect![[r#"
                SV324 `egress-proxy` is the name of the proxy that is made
            "#]],
        );
    }

    #[test]
    fn names_are_of_a_service_with_networks_and_public() {
        check(
            "
x-supervisor:
  edge: web
  egress:
    web: ['a.example.org:443']
    none: ['a.example.org:443']
    app: ['*.com:443', '*.co.uk:443', 'localhost:80', 'db:5432', 'printer.local:80', '10.0.0.1:80']
services:
  web: {image: a}
  app: {image: a}
",
            expect![[r#"
                SV196 `web` is the edge, which has a way out to everything
                SV196 no service is called `none`
                SV320 `*.com:443` covers names of everyone
                SV320 `*.co.uk:443` covers names of everyone
                SV321 `localhost:80` is no name of the public DNS
                SV321 `db:5432` is no name of the public DNS
                SV321 `printer.local:80` is no name of the public DNS
                SV015 `x-supervisor.egress` is `10.0.0.1:80`, not a name and a port such as `api.example.com:443`
            "#]],
        );
    }
}
