//! How a service lives: its health, its signals, its names, and keys that nothing here acts on.

use std::time::Duration;

use crate::finding::Severity;
use crate::model::{HealthTest, Runtime, Service};
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};

use super::place;

/// A stable host name is filled in under this id.
pub(crate) const HOSTNAME: &str = "SV265";
/// `init: true` is filled in under this id.
pub(crate) const INIT: &str = "SV266";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV260",
        title: "health can be seen",
        reason: "a program that hangs looks alive; without a check nothing notices and nothing heals it",
        severity: Severity::Warning,
        fix: "add a `healthcheck`, or an HTTP probe under `x-supervisor.probe`",
        bad: "services:\n  web: # <-\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n    healthcheck:\n      test: [CMD, caddy, version]\n      interval: 30s\n      timeout: 5s\n",
        place: place("", "5.27", ""),
        exempt: Exempt::Possible,
        check: Check::Service(health),
        repair: Repair::Author,
    },
    Rule {
        id: "SV261",
        title: "health is not switched off",
        reason: "a program that hangs looks alive; without a check nothing notices and nothing heals it",
        severity: Severity::Error,
        fix: "remove `disable`, or say how to probe under `x-supervisor.probe`",
        bad: "services:\n  web:\n    image: caddy:2\n    healthcheck:\n      disable: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    healthcheck:\n      test: [CMD, caddy, version]\n",
        place: place("", "5.27", ""),
        exempt: Exempt::Possible,
        check: Check::Service(health_disabled),
        repair: Repair::Author,
    },
    Rule {
        id: "SV262",
        title: "health is checked often enough, and not too often",
        reason: "a check once an hour finds a hang an hour late, and one that outlasts its interval never ends",
        severity: Severity::Error,
        fix: "use an interval from 1s to 5m, a timeout within it, 1 to 10 retries, and a start period up to 30m",
        bad: "services:\n  web:\n    image: caddy:2\n    healthcheck:\n      test: [CMD, caddy, version] # <-\n      interval: 1h\n",
        good: "services:\n  web:\n    image: caddy:2\n    healthcheck:\n      test: [CMD, caddy, version]\n      interval: 30s\n      timeout: 5s\n      retries: 3\n",
        place: place("", "5.27", ""),
        exempt: Exempt::Possible,
        check: Check::Service(health_times),
        repair: Repair::Author,
    },
    Rule {
        id: "SV263",
        title: "a program can end well",
        reason: "`SIGKILL` and `SIGSTOP` cannot be answered: data is lost, or the program never ends",
        severity: Severity::Error,
        fix: "name a signal that the program ends on, such as `SIGTERM` or `SIGINT`",
        bad: "services:\n  web:\n    image: caddy:2\n    stop_signal: SIGKILL # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    stop_signal: SIGINT\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(stop_signal),
        repair: Repair::By(default_signal),
    },
    Rule {
        id: "SV264",
        title: "a program has time to end, but not forever",
        reason: "too short a time loses data, too long a one holds up every change and every shutdown",
        severity: Severity::Error,
        fix: "write a `stop_grace_period` from 1s to 5m",
        bad: "services:\n  web:\n    image: caddy:2\n    stop_grace_period: 2h # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    stop_grace_period: 30s\n",
        place: place("", "", ""),
        exempt: Exempt::Possible,
        check: Check::Service(stop_grace_period),
        repair: Repair::Author,
    },
    Rule {
        id: HOSTNAME,
        title: "a stable host name",
        reason: "the engine's default is a new name for each container, and programs that lock by host name then refuse to start again",
        severity: Severity::Error,
        fix: "write a `hostname` of letters, digits and `-`, or none: the service's name is the default",
        bad: "services:\n  web:\n    image: caddy:2\n    hostname: my_host! # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    hostname: my-host\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(names),
        repair: Repair::Author,
    },
    Rule {
        id: INIT,
        title: "an init reaps and forwards",
        reason: "most programs as process 1 ignore signals and leave dead children behind",
        severity: Severity::Note,
        fix: "nothing has to be written; `init: false` is for images with an init of their own",
        bad: "services:\n  web: # <-\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n    init: true\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Fill,
        repair: Repair::Author,
    },
    Rule {
        id: "SV267",
        title: "no terminal where nobody sits",
        reason: "a terminal changes how programs write their logs, and an open standard input waits forever",
        severity: Severity::Warning,
        fix: "remove `tty` and `stdin_open`",
        bad: "services:\n  web:\n    image: caddy:2\n    tty: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    tty: false\n",
        place: place("", "", ""),
        exempt: Exempt::Possible,
        check: Check::Service(terminal),
        repair: Repair::Value("false"),
    },
    Rule {
        id: "SV268",
        title: "a container name that the engine takes",
        reason: "the engine refuses other names when the container is made",
        severity: Severity::Error,
        fix: "use letters, digits, `_`, `.` and `-`, two characters at least, the first a letter or a digit",
        bad: "services:\n  web:\n    image: caddy:2\n    container_name: my web # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    container_name: my-web\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(container_name),
        repair: Repair::Author,
    },
    Rule {
        id: "SV269",
        title: "a reload is by a signal that a program takes for one",
        reason: "another signal ends the program, stops it, or means nothing to it; `SIGUSR1` opens the debugger of Node.js",
        severity: Severity::Error,
        fix: "name the signal on which the program reads its configuration anew: `SIGHUP`, `SIGUSR1` or `SIGUSR2`",
        bad: "services:\n  web:\n    image: caddy:2\n    configs: [caddyfile]\n    x-supervisor:\n      reload:\n        signal: SIGTERM # <-\n        logs: reloaded\nconfigs: {caddyfile: {content: ':80'}}\n",
        good: "services:\n  web:\n    image: caddy:2\n    configs: [caddyfile]\n    x-supervisor:\n      reload: {signal: SIGUSR1, logs: successfully reloaded config}\nconfigs: {caddyfile: {content: ':80'}}\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(reload_signal),
        repair: Repair::Author,
    },
    Rule {
        id: "SV270",
        title: "a reload is of configs that the service is given",
        reason: "a file that is mounted by itself stays the one that was mounted, whatever the host has under its name, and of another the service knows nothing",
        severity: Severity::Error,
        fix: "give the file to the service as one of its `configs`, and name that",
        bad: "services:\n  web:\n    image: caddy:2\n    configs: [caddyfile]\n    x-supervisor:\n      reload:\n        signal: SIGUSR1\n        on:\n          - other # <-\n        logs: reloaded\nconfigs: {caddyfile: {content: ':80'}}\n",
        good: "services:\n  web:\n    image: caddy:2\n    configs: [caddyfile]\n    x-supervisor:\n      reload: {signal: SIGUSR1, on: [caddyfile], logs: successfully reloaded config}\nconfigs: {caddyfile: {content: ':80'}}\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(reload_on),
        repair: Repair::Author,
    },
    Rule {
        id: "SV271",
        title: "a reload is seen to work",
        reason: "a program that refuses its new configuration goes on with the old one, and fails at its next start",
        severity: Severity::Error,
        fix: "write a `check`, a command in the container that judges the new configuration, or what the program `logs` once it has taken it, or both",
        bad: "services:\n  web:\n    image: caddy:2\n    configs: [caddyfile]\n    x-supervisor:\n      reload:\n        signal: SIGUSR1 # <-\nconfigs: {caddyfile: {content: ':80'}}\n",
        good: "services:\n  web:\n    image: caddy:2\n    configs: [caddyfile]\n    x-supervisor:\n      reload:\n        signal: SIGUSR1\n        check: [caddy, validate, --config, /caddyfile, --adapter, caddyfile]\nconfigs: {caddyfile: {content: ':80'}}\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(reload_proof),
        repair: Repair::Author,
    },
    Rule {
        id: "SV272",
        title: "a hook has no more rights than its service",
        reason: "`privileged` gives a command in the running container every right on the host, and root owns what the service's user must not touch",
        severity: Severity::Error,
        fix: "remove `privileged`, and `user: root`: a hook runs as the service's user",
        bad: "services:\n  web:\n    image: caddy:2\n    post_start:\n      - command: id\n        privileged: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    post_start:\n      - command: id\n",
        place: place("5.4", "5.5", "3"),
        exempt: Exempt::Never,
        check: Check::Service(hook_rights),
        repair: Repair::Author,
    },
    Rule {
        id: "SV279",
        title: "no key that nothing acts on",
        reason: "a key that is accepted and ignored promises what does not hold",
        severity: Severity::Error,
        fix: "remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    pre_start: # <-\n      - command: id\n        image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(unsupported),
        repair: Repair::Author,
    },
];

fn health(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    if service.supervisor.probe.is_some() || service.healthcheck.is_some() {
        return Vec::new();
    }
    vec![Hit::on(service.span, format!("nothing tells whether `{}` is healthy", service.name))]
}

fn health_disabled(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let disabled = service.healthcheck.as_ref().filter(|check| check.value.test == HealthTest::Disabled);
    let unseen = disabled.filter(|_| service.supervisor.probe.is_none());
    Hit::if_some(
        unseen.map(|check| Hit::at(check, format!("the health check of `{}` is switched off", service.name))),
    )
}

fn health_times(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const MINUTE: Duration = Duration::from_mins(1);
    let Some(at) = service.healthcheck.as_ref().filter(|check| check.value.test != HealthTest::Disabled)
    else {
        return Vec::new();
    };
    let check = &at.value;
    let odd_interval = check.interval.filter(|t| !(Duration::from_secs(1)..=5 * MINUTE).contains(t));
    let interval = check.interval.unwrap_or(Duration::from_secs(30));
    let long_timeout = check.timeout.filter(|timeout| *timeout > interval);
    let odd_retries = check.retries.filter(|retries| !(1..=10).contains(retries));
    let long_start = check.start_period.filter(|start| *start > 30 * MINUTE);
    let messages = [
        odd_interval.map(|t| (format!("a check every {t:?}"), "interval: 30s")),
        long_timeout.map(|t| (format!("a timeout of {t:?} in an interval of {interval:?}"), "timeout: 5s")),
        odd_retries.map(|n| (format!("{n} retries"), "retries: 3")),
        long_start.map(|t| (format!("a start period of {t:?}"), "start_period: 5m")),
    ];
    messages.into_iter().flatten().map(|(message, fix)| Hit::at(at, message).fix(fix)).collect()
}

fn stop_signal(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(signal) = &service.stop_signal else { return Vec::new() };
    let why = match number(&signal.value) {
        None => "is no signal",
        Some(9 | 19) => "cannot be answered",
        Some(_) => return Vec::new(),
    };
    vec![Hit::at(signal, format!("`{}` {why}", signal.value)).fix("stop_signal: SIGTERM")]
}

/// Signals that programs read their configuration anew on: by custom, and none of them ends a program that expects it.
const RELOADS: [&str; 3] = ["SIGHUP", "SIGUSR1", "SIGUSR2"];

fn reload_signal(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(reload) = &service.supervisor.reload else { return Vec::new() };
    let signal = &reload.value.signal;
    let is_node = service.supervisor.runtime.as_ref().is_some_and(|runtime| runtime.value == Runtime::Node);
    let why = match signal.value.as_str() {
        "SIGUSR1" if is_node => "opens the debugger of Node.js to whoever reaches the container",
        known if RELOADS.contains(&known) => return Vec::new(),
        other if number(other).is_some() => "is no signal to read a configuration anew on",
        _ => "is no signal",
    };
    vec![Hit::at(signal, format!("`{}` {why}", signal.value))]
}

fn reload_on(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(reload) = &service.supervisor.reload else { return Vec::new() };
    if service.configs.is_empty() {
        return vec![Hit::at(reload, format!("`{}` is given no config", service.name))];
    }
    let given = |key: &str| service.configs.iter().any(|config| config.value.source == key);
    let strange = reload.value.on.iter().filter(|on| !given(&on.value));
    strange.map(|on| Hit::at(on, format!("`{}` is no config of `{}`", on.value, service.name))).collect()
}

fn reload_proof(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let unproved = service
        .supervisor
        .reload
        .as_ref()
        .filter(|reload| reload.value.check.is_empty() && reload.value.logs.is_none());
    Hit::if_some(unproved.map(|reload| Hit::at(reload, "nothing says whether a reload worked")))
}

fn hook_rights(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mut hits = Vec::new();
    for hook in service.hooks().map(|at| &at.value) {
        let privileged = hook.privileged.as_ref().filter(|privileged| privileged.value);
        hits.extend(privileged.map(|at| Hit::at(at, "a hook is privileged").fix("privileged: false")));
        let root = hook.user.as_ref().filter(|user| super::identity::is_root(&user.value));
        hits.extend(root.map(|at| Hit::at(at, format!("a hook of `{}` runs as root", service.name))));
    }
    hits
}

/// A signal's number on Linux, by name with or without `SIG`, or by number.
fn number(signal: &str) -> Option<u8> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let upper = signal.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN+") {
        return offset.parse::<u8>().ok().filter(|n| *n <= 30).map(|n| 34 + n);
    }
    if let Ok(number) = name.parse::<u8>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let at = NAMES.iter().position(|known| *known == name)?;
    u8::try_from(at + 1).ok()
}

/// The default, `SIGTERM`, can be answered. A name that is no signal may be mistyped: the author has to say.
fn default_signal(site: &Site<'_>) -> Vec<Change> {
    site.text(|signal| matches!(number(signal), Some(9 | 19)).then(|| Change::Text("SIGTERM".into())))
}

fn stop_grace_period(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let odd = service
        .stop_grace_period
        .as_ref()
        .filter(|time| !(Duration::from_secs(1)..=Duration::from_mins(5)).contains(&time.value));
    Hit::if_some(
        odd.map(|time| Hit::at(time, format!("{:?} to end", time.value)).fix("stop_grace_period: 30s")),
    )
}

fn names(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let names = service.hostname.iter().chain(&service.domainname);
    let odd = names.filter(|name| !is_dns_name(&name.value));
    odd.map(|name| Hit::at(name, format!("`{}` is not a host name", name.value))).collect()
}

/// RFC 1123: labels of letters, digits and inner hyphens.
pub(crate) fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn terminal(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let keys = [("tty", &service.tty), ("stdin_open", &service.stdin_open)];
    let set =
        keys.into_iter().filter_map(|(key, value)| value.as_ref().filter(|on| on.value).map(|on| (key, on)));
    set.map(|(key, on)| Hit::at(on, format!("`{key}` is set")).fix(format!("{key}: false"))).collect()
}

fn container_name(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let named = service.container_name.as_ref().filter(|name| !name.value.is_empty());
    let odd = named.filter(|name| !super::is_engine_name(&name.value));
    Hit::if_some(odd.map(|name| Hit::at(name, format!("`{}` is not a container's name", name.value))))
}

fn unsupported(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let left = service.refused.iter().filter(|(key, _)| {
        !super::all().any(|rule| matches!(rule.check, Check::Keys(keys) if keys.contains(key)))
    });
    left.map(|(key, span)| match *key {
        "mem_swappiness" => {
            Hit::on(*span, "`mem_swappiness` has no effect: there is no swap to use").only(Severity::Note)
        }
        key => Hit::on(*span, format!("`{key}` is not supported")),
    })
    .collect()
}
