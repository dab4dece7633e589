//! One service, key by key in the order in which a reader asks: what runs, as whom, with what, within which bounds.
//!
//! Deliberately absent: short forms; each value is written in the one form that says it all.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Credentials;
use super::stack::{pairs, text, word};
use super::tree::Tree;
use crate::model::{
    Attachment, Bind, Condition, EnvValue, FailureAction, Grant, HealthTest, Healthcheck, Hook, Landlock,
    Logging, Mount, MountSource, OnExit, Probe, PublishedPort, Reload, Restart, Service, ServiceOptions,
    TcpPorts, Tmpfs, Update, UpdateOrder,
};
use crate::rules::{filesystem, mounted, resources, secrets};
use crate::source::At;
use crate::units::{Bytes, Port};

pub(super) fn service(service: &Service, credentials: Credentials) -> Tree {
    let mut tree = Tree::map();
    what_runs(&mut tree, service, credentials);
    confinement(&mut tree, service);
    bounds(&mut tree, service);
    reach(&mut tree, service);
    life(&mut tree, service, credentials);
    tree.put_full("labels", pairs(&service.labels));
    tree.put_full("annotations", pairs(&service.annotations));
    tree.put_full("x-supervisor", own(&service.supervisor));
    tree
}

fn texts(items: &[At<String>]) -> Tree {
    Tree::list(items.iter().map(text))
}

fn amount(at: &At<i64>) -> Tree {
    Tree::text(resources::human(u64::try_from(at.value).unwrap_or(0))).from(at)
}

fn size(at: &At<Bytes>) -> Tree {
    Tree::text(resources::human(at.value.0)).from(at)
}

fn time(duration: Duration) -> Tree {
    Tree::text(match duration.subsec_nanos() {
        0 => format!("{}s", duration.as_secs()),
        n if n % 1_000_000 == 0 => format!("{}ms", duration.as_millis()),
        n if n % 1000 == 0 => format!("{}us", duration.as_micros()),
        _ => format!("{}ns", duration.as_nanos()),
    })
}

fn what_runs(tree: &mut Tree, service: &Service, credentials: Credentials) {
    tree.put_some("image", service.image.as_ref().map(text));
    tree.put_some("pull_policy", service.pull_policy.as_ref().map(text));
    tree.put_some("platform", service.platform.as_ref().map(text));
    tree.put_some("runtime", service.runtime.as_ref().map(text));
    tree.put_some("container_name", service.container_name.as_ref().map(text));
    tree.put_some("hostname", service.hostname.as_ref().map(text));
    tree.put_some("domainname", service.domainname.as_ref().map(text));
    tree.put_full("profiles", texts(&service.profiles));
    for (key, arguments) in [("entrypoint", &service.entrypoint), ("command", &service.command)] {
        tree.put_some(key, arguments.as_ref().map(|at| Tree::list(at.value.iter().map(Tree::text)).from(at)));
    }
    tree.put_some("working_dir", service.working_dir.as_ref().map(text));
    tree.put_some("user", service.user.as_ref().map(text));
    tree.put_full("group_add", texts(&service.group_add));
    tree.put_full("environment", environment(&service.environment, credentials));
    tree.put_some("init", service.init.as_ref().map(word));
    tree.put_some("tty", service.tty.as_ref().map(word));
    tree.put_some("stdin_open", service.stdin_open.as_ref().map(word));
}

fn environment(variables: &BTreeMap<String, At<Option<EnvValue>>>, credentials: Credentials) -> Tree {
    let mut tree = Tree::map();
    for (name, at) in variables {
        let value = match &at.value {
            None => Tree::null(),
            Some(value) if credentials == Credentials::Hidden && secrets::looks_secret(name, &value.0) => {
                Tree::variable(format!("${{{name}}}"))
            }
            Some(value) => Tree::text(&value.0),
        };
        tree.put(name, value);
    }
    tree
}

fn confinement(tree: &mut Tree, service: &Service) {
    tree.put_some("read_only", service.read_only.as_ref().map(word));
    tree.put_some("privileged", service.privileged.as_ref().map(word));
    tree.put_full("cap_drop", texts(&service.cap_drop));
    tree.put_full("cap_add", texts(&service.cap_add));
    tree.put_full("security_opt", texts(&service.security_opt));
    let modes = [
        ("pid", &service.pid),
        ("ipc", &service.ipc),
        ("uts", &service.uts),
        ("cgroup", &service.cgroup),
        ("userns_mode", &service.userns_mode),
    ];
    for (key, mode) in modes {
        tree.put_some(key, mode.as_ref().map(text));
    }
    tree.put_full("sysctls", pairs(&service.sysctls));
    let memory = service.mounts.iter().filter_map(|at| match &at.value.source {
        MountSource::Tmpfs(tmpfs) => Some(Tree::text(self::tmpfs(&at.value, tmpfs)).from(at)),
        _ => None,
    });
    tree.put_full("tmpfs", Tree::list(memory));
    let others = service.mounts.iter().filter_map(|at| Some(mount(&at.value)?.from(at)));
    tree.put_full("volumes", Tree::list(others));
    tree.put_full("secrets", Tree::list(service.secrets.iter().map(|at| grant(&at.value))));
    tree.put_full("configs", Tree::list(service.configs.iter().map(|at| grant(&at.value))));
}

fn tmpfs(mount: &Mount, tmpfs: &Tmpfs) -> String {
    let mut options: Vec<String> = Vec::new();
    options.extend(tmpfs.size.map(|size| format!("size={}", resources::human(size.0))));
    options.extend(tmpfs.mode.map(|mode| format!("mode={mode:04o}")));
    options.extend(tmpfs.uid.map(|uid| format!("uid={uid}")));
    options.extend(tmpfs.gid.map(|gid| format!("gid={gid}")));
    options.extend(tmpfs.options.iter().cloned());
    if mount.read_only && !options.iter().any(|option| option == "ro") {
        options.push("ro".into());
    }
    if options.is_empty() { mount.target.clone() } else { format!("{}:{}", mount.target, options.join(",")) }
}

fn mount(mount: &Mount) -> Option<Tree> {
    let mut tree = Tree::map();
    match &mount.source {
        MountSource::Tmpfs(_) => return None,
        MountSource::Bind(bind) => {
            tree.put("type", Tree::text("bind"));
            tree.put("source", Tree::text(bind.path.to_string_lossy()));
            tree.put("target", Tree::text(&mount.target));
            if mount.read_only {
                tree.put("read_only", Tree::word(true));
            }
            tree.put("bind", bind_options(bind));
        }
        MountSource::Volume { name, nocopy, subpath } => {
            tree.put("type", Tree::text("volume"));
            tree.put_some("source", name.as_ref().map(Tree::text));
            tree.put("target", Tree::text(&mount.target));
            if mount.read_only {
                tree.put("read_only", Tree::word(true));
            }
            let mut options = Tree::map();
            if *nocopy {
                options.put("nocopy", Tree::word(true));
            }
            options.put_some("subpath", subpath.as_ref().map(Tree::text));
            tree.put_full("volume", options);
        }
        MountSource::Image { image, subpath, read_only } => {
            tree.put("type", Tree::text("image"));
            tree.put("source", Tree::text(&image.value));
            tree.put("target", Tree::text(&mount.target));
            let always = Tree::word(true);
            tree.put(
                "read_only",
                if read_only.is_some() { always } else { always.filled(mounted::IMAGE_READ_ONLY) },
            );
            let mut options = Tree::map();
            options.put_some("subpath", subpath.as_ref().map(Tree::text));
            tree.put_full("image", options);
        }
        MountSource::Other { kind } => {
            tree.put("type", Tree::text(kind));
            tree.put("target", Tree::text(&mount.target));
        }
    }
    Some(tree)
}

fn bind_options(bind: &Bind) -> Tree {
    let mut tree = Tree::map();
    // The format's own default is to create; nothing is ever created on the host here.
    let create = Tree::word(bind.create_host_path.unwrap_or(false));
    tree.put(
        "create_host_path",
        if bind.create_host_path.is_none() { create.filled(filesystem::BIND_OPTIONS) } else { create },
    );
    tree.put_some("propagation", bind.propagation.as_ref().map(Tree::text));
    tree.put_some("recursive", bind.recursive.as_ref().map(Tree::text));
    tree.put_some("selinux", bind.selinux.as_ref().map(Tree::text));
    tree
}

fn grant(grant: &Grant) -> Tree {
    let mut tree = Tree::map();
    tree.put("source", Tree::text(&grant.source));
    tree.put("target", Tree::text(&grant.target));
    tree.put_some("uid", grant.uid.as_ref().map(Tree::text));
    tree.put_some("gid", grant.gid.as_ref().map(Tree::text));
    tree.put_some("mode", grant.mode.map(|mode| Tree::text(format!("{mode:04o}"))));
    tree
}

fn bounds(tree: &mut Tree, service: &Service) {
    tree.put_some("mem_limit", service.memory.as_ref().map(amount));
    tree.put_some("memswap_limit", service.memory_swap.as_ref().map(amount));
    tree.put_some("mem_reservation", service.memory_reservation.as_ref().map(amount));
    tree.put_some("pids_limit", service.pids.as_ref().map(word));
    tree.put_some("cpus", service.cpus.as_ref().map(word));
    tree.put_some("cpu_shares", service.cpu_shares.as_ref().map(word));
    tree.put_some("cpuset", service.cpuset.as_ref().map(text));
    if let Some(weight) = &service.blkio_weight {
        let mut blkio = Tree::map();
        blkio.put("weight", Tree::word(weight.value));
        tree.put("blkio_config", blkio.from(weight));
    }
    tree.put_some("shm_size", service.shm_size.as_ref().map(size));
    tree.put_some("oom_score_adj", service.oom_score_adj.as_ref().map(word));
    let mut ulimits = Tree::map();
    for (name, at) in &service.ulimits {
        let mut limit = Tree::map();
        limit.put("soft", Tree::word(at.value.soft));
        limit.put("hard", Tree::word(at.value.hard));
        ulimits.put(name, limit.from(at));
    }
    tree.put_full("ulimits", ulimits);
    tree.put_some("logging", service.logging.as_ref().map(|at| logging(&at.value).from(at)));
    tree.put_some("scale", service.scale.as_ref().map(word));
    let mut deploy = Tree::map();
    deploy.put_some("update_config", service.update.as_ref().map(|at| update(&at.value)));
    deploy.put_some("rollback_config", service.rollback.as_ref().map(|at| update(&at.value)));
    tree.put_full("deploy", deploy);
}

fn update(update: &Update) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("parallelism", update.parallelism.map(Tree::word));
    tree.put_some("delay", update.delay.map(time));
    tree.put_some(
        "failure_action",
        update.failure_action.map(|action| {
            Tree::text(match action {
                FailureAction::Continue => "continue",
                FailureAction::Pause => "pause",
                FailureAction::Rollback => "rollback",
            })
        }),
    );
    tree.put_some("monitor", update.monitor.map(time));
    let ratio = |thousandths| format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    tree.put_some("max_failure_ratio", update.max_failure_ratio.map(|share| Tree::word(ratio(share))));
    tree.put_some(
        "order",
        update.order.map(|order| {
            Tree::text(match order {
                UpdateOrder::StartFirst => "start-first",
                UpdateOrder::StopFirst => "stop-first",
            })
        }),
    );
    tree
}

fn logging(logging: &Logging) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("driver", logging.driver.as_ref().map(Tree::text));
    let mut options = Tree::map();
    for (name, value) in &logging.options {
        options.put(name, Tree::text(value));
    }
    tree.put_full("options", options);
    tree
}

fn reach(tree: &mut Tree, service: &Service) {
    tree.put_some("network_mode", service.network_mode.as_ref().map(text));
    let mut networks = Tree::map();
    for (key, at) in &service.networks {
        networks.put(key, attachment(&at.value).from(at));
    }
    if service.network_mode.is_none() {
        tree.put_full("networks", networks);
    }
    tree.put_full("ports", Tree::list(service.ports.iter().map(|at| port(&at.value).from(at))));
    tree.put_full("expose", texts(&service.expose));
    let hosts = service.extra_hosts.iter().map(|at| Tree::text(format!("{}={}", at.value.0, at.value.1)));
    tree.put_full("extra_hosts", Tree::list(hosts));
    tree.put_full("dns", texts(&service.dns));
    tree.put_full("dns_search", texts(&service.dns_search));
    tree.put_full("dns_opt", texts(&service.dns_opt));
}

fn attachment(attachment: &Attachment) -> Tree {
    let mut tree = Tree::map();
    tree.put_full("aliases", Tree::list(attachment.aliases.iter().map(Tree::text)));
    tree.put_some("ipv4_address", attachment.ipv4_address.map(|a| Tree::text(a.to_string())));
    tree.put_some("ipv6_address", attachment.ipv6_address.map(|a| Tree::text(a.to_string())));
    tree.put_some("priority", attachment.priority.map(Tree::word));
    tree.put_some("gw_priority", attachment.gw_priority.map(Tree::word));
    tree
}

fn port(port: &PublishedPort) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("mode", port.mode.as_ref().map(Tree::text));
    tree.put_some("host_ip", port.host_ip.as_ref().map(Tree::text));
    tree.put("target", Tree::word(port.target));
    tree.put_some("published", port.published.map(|n| Tree::text(n.to_string())));
    tree.put("protocol", Tree::text(&port.protocol));
    tree
}

fn life(tree: &mut Tree, service: &Service, credentials: Credentials) {
    let mut dependencies = Tree::map();
    for (name, at) in &service.depends_on {
        let mut row = Tree::map();
        row.put(
            "condition",
            Tree::text(match at.value.condition {
                Condition::Started => "service_started",
                Condition::Healthy => "service_healthy",
                Condition::Completed => "service_completed_successfully",
            }),
        );
        row.put("restart", Tree::word(at.value.restart));
        row.put("required", Tree::word(at.value.required));
        dependencies.put(name, row);
    }
    tree.put_full("depends_on", dependencies);
    tree.put_some("healthcheck", service.healthcheck.as_ref().map(|at| healthcheck(&at.value).from(at)));
    tree.put_some("restart", service.restart.as_ref().map(|at| Tree::text(restart(at.value)).from(at)));
    tree.put_some("stop_signal", service.stop_signal.as_ref().map(text));
    tree.put_some("stop_grace_period", service.stop_grace_period.as_ref().map(|at| time(at.value).from(at)));
    for (key, hooks) in [("post_start", &service.post_start), ("pre_stop", &service.pre_stop)] {
        tree.put_full(key, Tree::list(hooks.iter().map(|at| hook(&at.value, credentials).from(at))));
    }
}

fn hook(hook: &Hook, credentials: Credentials) -> Tree {
    let mut tree = Tree::map();
    tree.put("command", Tree::list(hook.command.iter().map(Tree::text)));
    tree.put_some("user", hook.user.as_ref().map(text));
    tree.put_some("privileged", hook.privileged.as_ref().map(word));
    tree.put_some("working_dir", hook.working_dir.as_ref().map(text));
    tree.put_full("environment", environment(&hook.environment, credentials));
    tree
}

fn healthcheck(check: &Healthcheck) -> Tree {
    let mut tree = Tree::map();
    match &check.test {
        HealthTest::Inherit => {}
        HealthTest::Disabled => tree.put("disable", Tree::word(true)),
        HealthTest::Exec(arguments) => {
            let words = std::iter::once("CMD").chain(arguments.iter().map(String::as_str));
            tree.put("test", Tree::list(words.map(Tree::text)));
        }
        HealthTest::Shell(line) => tree.put("test", Tree::list(["CMD-SHELL", line].map(Tree::text))),
    }
    tree.put_some("interval", check.interval.map(time));
    tree.put_some("timeout", check.timeout.map(time));
    tree.put_some("retries", check.retries.map(Tree::word));
    tree.put_some("start_period", check.start_period.map(time));
    tree.put_some("start_interval", check.start_interval.map(time));
    tree
}

fn restart(restart: Restart) -> String {
    match restart {
        Restart::No => "no".into(),
        Restart::Always => "always".into(),
        Restart::UnlessStopped => "unless-stopped".into(),
        Restart::OnFailure(None) => "on-failure".into(),
        Restart::OnFailure(Some(most)) => format!("on-failure:{most}"),
    }
}

fn own(options: &ServiceOptions) -> Tree {
    let mut tree = Tree::map();
    tree.put_some("probe", options.probe.as_ref().map(|at| probe(&at.value)));
    let mut exits = Tree::map();
    for (code, at) in &options.on_exit {
        exits.put(
            &code.to_string(),
            Tree::text(match at.value {
                OnExit::Restart => "restart",
                OnExit::Stop => "stop",
            }),
        );
    }
    tree.put_full("on_exit", exits);
    tree.put_some("runtime", options.runtime.as_ref().map(|at| Tree::text(at.value.name())));
    tree.put_full("exec_from", texts(&options.exec_from));
    let seccomp = options.seccomp.as_ref().map(|at| at.value.path.display().to_string());
    tree.put_some("seccomp", seccomp.map(Tree::text));
    let landlock = options.landlock.as_ref().map(|at| match at.value {
        Landlock::Required => "required",
        Landlock::Off => "off",
    });
    tree.put_some("landlock", landlock.map(Tree::text));
    tree.put_some("tcp", options.tcp.as_ref().map(|at| tcp(&at.value)));
    tree.put_some("reload", options.reload.as_ref().map(|at| reload(&at.value)));
    tree
}

fn reload(reload: &Reload) -> Tree {
    let mut tree = Tree::map();
    tree.put("signal", text(&reload.signal));
    tree.put_full("on", texts(&reload.on));
    tree.put_full("check", Tree::list(reload.check.iter().map(Tree::text)));
    tree.put_some("logs", reload.logs.as_ref().map(Tree::text));
    tree
}

fn tcp(ports: &TcpPorts) -> Tree {
    let list = |ports: &Vec<Port>| Tree::list(ports.iter().map(Tree::word));
    let mut tree = Tree::map();
    tree.put_some("bind", ports.bind.as_ref().map(list));
    tree.put_some("connect", ports.connect.as_ref().map(list));
    tree
}

fn probe(probe: &Probe) -> Tree {
    let mut tree = Tree::map();
    tree.put("http", Tree::text(&probe.http));
    tree.put("port", Tree::word(probe.port));
    tree.put_some("body", probe.body.as_ref().map(Tree::text));
    tree.put_some("startup", probe.startup.as_ref().map(Tree::text));
    tree.put("interval", time(probe.interval));
    tree.put("timeout", time(probe.timeout));
    tree.put("retries", Tree::word(probe.retries));
    tree.put("start_period", time(probe.start_period));
    tree
}
