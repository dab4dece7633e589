//! What a service may use up: memory, processes, CPU, files, logs, replicas.

use crate::finding::Severity;
use crate::model::{Logging, Runtime, Service};
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};
use crate::spell;
use crate::units::Bytes;

use super::{is_any, place};

/// `mem_limit` is filled in under this id.
pub(crate) const MEMORY: &str = "SV210";
/// `memswap_limit` is filled in under this id.
pub(crate) const SWAP: &str = "SV211";
/// `pids_limit` is filled in under this id.
pub(crate) const PIDS: &str = "SV212";
/// `cpus` is filled in under this id.
pub(crate) const CPUS: &str = "SV213";
/// `ulimits` are filled in under this id.
pub(crate) const ULIMITS: &str = "SV214";
/// `shm_size` is filled in under this id.
pub(crate) const SHM: &str = "SV215";
/// Bounds of logs are filled in under this id.
pub(crate) const LOGS: &str = "SV221";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: MEMORY,
        title: "memory is limited",
        reason: "one service without a limit has the kernel kill others, the host's own among them",
        severity: Severity::Error,
        fix: "write the `mem_limit` that the service needs at its peak",
        bad: "services:\n  web:\n    image: caddy:2\n    mem_limit: -1 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    mem_limit: 256m\n",
        place: place("5.2", "5.11", "7"),
        exempt: Exempt::Never,
        check: Check::Service(memory),
        repair: Repair::Author,
    },
    Rule {
        id: SWAP,
        title: "no swap beside the memory limit",
        reason: "swap makes the limit a multiple of itself, and the host slow instead of the service",
        severity: Severity::Error,
        fix: "remove `memswap_limit`, or make it equal to `mem_limit`",
        bad: "services:\n  web:\n    image: caddy:2\n    mem_limit: 256m\n    memswap_limit: -1 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    mem_limit: 256m\n    memswap_limit: 256m\n",
        place: place("5.2", "5.11", "7"),
        exempt: Exempt::Never,
        check: Check::Service(swap),
        repair: Repair::Remove,
    },
    Rule {
        id: PIDS,
        title: "processes are limited",
        reason: "a fork bomb in one service takes every process number of the host",
        severity: Severity::Error,
        fix: "write a `pids_limit` from 1 to 4096",
        bad: "services:\n  web:\n    image: caddy:2\n    pids_limit: -1 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    pids_limit: 100\n",
        place: place("5.2", "5.29", "7"),
        exempt: Exempt::Never,
        check: Check::Service(pids),
        repair: Repair::By(bounded_processes),
    },
    Rule {
        id: CPUS,
        title: "CPU time is limited",
        reason: "one busy service starves the others, and the supervisor that would restart it",
        severity: Severity::Error,
        fix: "write `cpus` above 0 and not above what the host has",
        bad: "services:\n  web:\n    image: caddy:2\n    cpus: 0 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    cpus: 0.5\n",
        place: place("5.2", "5.12", "7"),
        exempt: Exempt::Never,
        check: Check::Service(cpus),
        repair: Repair::Value("1"),
    },
    Rule {
        id: ULIMITS,
        title: "ulimits are bounded",
        reason: "without bounds one process takes the host's file handles, process numbers or locked memory, or writes its memory to disk",
        severity: Severity::Error,
        fix: "write a number for soft and hard: `nofile` up to 1048576, `nproc` up to 32768",
        bad: "services:\n  web:\n    image: caddy:2\n    ulimits:\n      memlock: -1 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    ulimits:\n      nofile: {soft: 8192, hard: 16384}\n",
        place: place("5.2", "5.19", "7"),
        exempt: Exempt::Never,
        check: Check::Service(ulimits),
        repair: Repair::Author,
    },
    Rule {
        id: SHM,
        title: "shared memory is bounded",
        reason: "`/dev/shm` is memory that every program in the container can fill",
        severity: Severity::Error,
        fix: "write a `shm_size` up to 1g and within the memory limit, or the usual 64m",
        bad: "services:\n  web:\n    image: caddy:2\n    mem_limit: 4g\n    shm_size: 2g # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    mem_limit: 4g\n    shm_size: 512m\n",
        place: place("5.2", "5.11", "7"),
        exempt: Exempt::Never,
        check: Check::Service(shm),
        repair: Repair::Author,
    },
    Rule {
        id: "SV216",
        title: "not protected against the host",
        reason: "with a negative score the kernel kills the host's own programs first",
        severity: Severity::Error,
        fix: "write an `oom_score_adj` from 0 to 1000, or remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    oom_score_adj: -500 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    oom_score_adj: 500\n",
        place: place("", "5.11", "7"),
        exempt: Exempt::Never,
        check: Check::Service(oom_score),
        repair: Repair::Value("0"),
    },
    Rule {
        id: "SV217",
        title: "a reservation within the limit",
        reason: "the engine refuses to make a container whose reservation is above its limit",
        severity: Severity::Error,
        fix: "lower `mem_reservation`, or raise `mem_limit`",
        bad: "services:\n  web:\n    image: caddy:2\n    mem_limit: 256m\n    mem_reservation: 512m # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    mem_limit: 256m\n    mem_reservation: 64m\n",
        place: place("5.2", "5.11", ""),
        exempt: Exempt::Never,
        check: Check::Service(reservation),
        repair: Repair::Author,
    },
    Rule {
        id: "SV218",
        title: "memory that Node's heap fits in",
        reason: "V8 does not see the limit: its heap grows past a small one and the service is killed at every start",
        severity: Severity::Warning,
        fix: "give it 1536m or more, or bound the heap with `NODE_OPTIONS: --max-old-space-size=…`",
        bad: "services:\n  web:\n    image: app:1\n    mem_limit: 1g # <-\n    x-supervisor: {runtime: node}\n",
        good: "services:\n  web:\n    image: app:1\n    mem_limit: 1g\n    environment:\n      NODE_OPTIONS: --max-old-space-size=768\n    x-supervisor: {runtime: node}\n",
        place: place("5.2", "5.11", ""),
        exempt: Exempt::Possible,
        check: Check::Service(node_heap),
        repair: Repair::Author,
    },
    Rule {
        id: "SV219",
        title: "no scheduling that starves the host",
        reason: "realtime scheduling and switching off the kernel's out-of-memory killer hang the host, and Windows' keys do nothing here",
        severity: Severity::Error,
        fix: "remove it, and use `cpus` and `mem_limit`",
        bad: "services:\n  web:\n    image: caddy:2\n    oom_kill_disable: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    cpus: 0.5\n",
        place: place("5.2", "5.12", "7"),
        exempt: Exempt::Never,
        check: Check::Keys(&[
            "oom_kill_disable",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "cpu_count",
            "cpu_percent",
        ]),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV220",
        title: "logs stay on this host",
        reason: "other drivers send from the engine itself, past every network rule, and some options copy the environment into the log",
        severity: Severity::Error,
        fix: "use `json-file`, `local` or `journald`, with `max-size`, `max-file`, `compress` or `tag`",
        bad: "services:\n  web:\n    image: caddy:2\n    logging:\n      driver: gelf # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    logging:\n      driver: local\n",
        place: place("5.7", "", "10"),
        exempt: Exempt::Never,
        check: Check::Service(log_driver),
        repair: Repair::Author,
    },
    Rule {
        id: LOGS,
        title: "logs are bounded",
        reason: "an unbounded log fills the disk, and every service of the host stops",
        severity: Severity::Error,
        fix: "write `max-size` and `max-file` beside the driver",
        bad: "services:\n  web:\n    image: caddy:2\n    logging:\n      driver: json-file # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    logging:\n      driver: json-file\n      options: {max-size: 10m, max-file: \"3\"}\n",
        place: place("5.7", "", "7"),
        exempt: Exempt::Never,
        check: Check::Service(log_bounds),
        repair: Repair::By(bounded_log),
    },
    Rule {
        id: "SV222",
        title: "replicas that can exist",
        reason: "a host port and a container's name can be had once, and too many replicas use up the host",
        severity: Severity::Error,
        fix: "use one replica where ports or a name are fixed, and 32 at most",
        bad: "services:\n  web:\n    image: caddy:2\n    container_name: web\n    scale: 2 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    scale: 2\n",
        place: place("", "", "7"),
        exempt: Exempt::Never,
        check: Check::Service(scale),
        repair: Repair::Author,
    },
];

/// Below it the engine refuses to start a container.
const LEAST_MEMORY: i64 = 6 * 1024 * 1024;
const MOST_PIDS: i64 = 4096;
const MOST_SHM: Bytes = Bytes::mib(1024);
/// The engine's own default for `/dev/shm`, and what is filled in.
pub(crate) const SHM_SIZE: Bytes = Bytes::mib(64);
const NODE_MEMORY: i64 = 1536 * 1024 * 1024;

/// Bytes as Compose writes them, in the largest unit that loses nothing.
pub(crate) fn human(bytes: u64) -> String {
    for (unit, size) in [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}b")
}

fn memory(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(memory) = &service.memory else { return Vec::new() };
    let message = match memory.value {
        i64::MIN..=0 => format!("the memory of `{}` is not limited", service.name),
        value if value < LEAST_MEMORY => "the engine starts nothing with less than 6m of memory".to_owned(),
        _ => return Vec::new(),
    };
    vec![Hit::at(memory, message).fix("mem_limit: 512m")]
}

fn swap(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(swap) = &service.memory_swap else { return Vec::new() };
    let limit = service.memory.as_ref().map(|memory| memory.value);
    if limit == Some(swap.value) {
        return Vec::new();
    }
    let message = match (limit, swap.value) {
        (_, ..=0) => "swap is not limited".to_owned(),
        (None, _) => "`memswap_limit` without `mem_limit`".to_owned(),
        (Some(_), _) => "`memswap_limit` is not the same as `mem_limit`".to_owned(),
    };
    let hit = Hit::at(swap, message);
    let limit = limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
    vec![match limit {
        Some(limit) => hit.fix(format!("memswap_limit: {}", human(limit))),
        None => hit,
    }]
}

fn pids(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(pids) = &service.pids else { return Vec::new() };
    let message = match pids.value {
        i64::MIN..=0 => format!("the processes of `{}` are not limited", service.name),
        1..=MOST_PIDS => return Vec::new(),
        many => format!("{many} processes are more than 4096"),
    };
    let nearest = if pids.value > MOST_PIDS { MOST_PIDS } else { 512 };
    vec![Hit::at(pids, message).fix(format!("pids_limit: {nearest}"))]
}

/// The nearest number that is allowed; for no limit at all, the one that the finding names.
fn bounded_processes(site: &Site<'_>) -> Vec<Change> {
    site.text(|number| {
        let number: i64 = number.trim().parse().ok()?;
        let nearest = if number > MOST_PIDS { MOST_PIDS.to_string() } else { "512".to_owned() };
        Some(Change::Text(nearest))
    })
}

fn cpus(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let unlimited = service.cpus.as_ref().filter(|cpus| cpus.value.0 == 0);
    let message = format!("the CPU time of `{}` is not limited", service.name);
    Hit::if_some(unlimited.map(|cpus| Hit::at(cpus, message).fix("cpus: 1")))
}

fn ulimits(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.ulimits.iter().filter_map(|(name, limit)| {
        let most = match name.as_str() {
            "nofile" => 1_048_576,
            "nproc" => 32_768,
            _ => i64::MAX,
        };
        let (soft, hard) = (limit.value.soft, limit.value.hard);
        let why = if soft < 0 || hard < 0 {
            "is not limited".to_owned()
        } else if soft > hard {
            format!("has a soft limit of {soft} above the hard one of {hard}")
        } else if hard > most {
            format!("of {hard} is more than {most}")
        } else {
            return None;
        };
        Some(Hit::at(limit, format!("`{name}` {why}")))
    });
    hits.collect()
}

fn shm(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(shm) = &service.shm_size else { return Vec::new() };
    let limit = service.memory.as_ref().and_then(|memory| u64::try_from(memory.value).ok());
    // The engine's own size is filled in whatever the limit is, which holds before it.
    let limit = limit.filter(|limit| *limit > 0).map(|limit| Bytes(limit).max(SHM_SIZE));
    let message = if shm.value > MOST_SHM {
        "is more than 1g"
    } else if shm.value.0 == 0 {
        "has no bound"
    } else if limit.is_some_and(|limit| shm.value > limit) {
        "is more than the memory limit"
    } else {
        return Vec::new();
    };
    vec![
        Hit::at(shm, format!("a `shm_size` of {} {message}", human(shm.value.0)))
            .fix(format!("shm_size: {}", human(SHM_SIZE.0))),
    ]
}

fn oom_score(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let odd = service.oom_score_adj.as_ref().filter(|score| !(0..=1000).contains(&score.value));
    Hit::if_some(
        odd.map(|score| {
            Hit::at(score, format!("`oom_score_adj` of {}", score.value)).fix("oom_score_adj: 0")
        }),
    )
}

fn reservation(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let (Some(reservation), Some(limit)) = (&service.memory_reservation, &service.memory) else {
        return Vec::new();
    };
    if limit.value <= 0 || reservation.value <= limit.value {
        return Vec::new();
    }
    vec![Hit::at(reservation, "more memory is reserved than allowed")]
}

/// What bounds V8's heap.
const HEAP_FLAG: &str = "--max-old-space-size";

fn node_heap(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let node = service.supervisor.runtime.as_ref().is_some_and(|runtime| runtime.value == Runtime::Node);
    let Some(memory) =
        service.memory.as_ref().filter(|memory| node && (1..NODE_MEMORY).contains(&memory.value))
    else {
        return Vec::new();
    };
    let environment = service.environment.get("NODE_OPTIONS").and_then(|value| value.value.as_ref());
    let arguments = service.command.iter().chain(&service.entrypoint).flat_map(|argv| &argv.value);
    if environment.is_some_and(|value| value.0.contains(HEAP_FLAG))
        || arguments.into_iter().any(|a| a.contains(HEAP_FLAG))
    {
        return Vec::new();
    }
    vec![Hit::at(memory, "less memory than Node's heap grows to")]
}

/// Options that neither send a log elsewhere nor copy the environment into it.
const LOG_OPTIONS: &[&str] = &["max-size", "max-file", "compress", "tag", "mode", "max-buffer-size"];

/// What a tag's template may name: the container and its image. Others print its environment.
const TAG_PARTS: [&str; 7] = [
    "{{.ID}}",
    "{{.FullID}}",
    "{{.Name}}",
    "{{.ImageID}}",
    "{{.ImageFullID}}",
    "{{.ImageName}}",
    "{{.DaemonName}}",
];

fn log_driver(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(logging) = &service.logging else { return Vec::new() };
    let driver = logging.value.driver.as_deref().unwrap_or("json-file");
    if is_any(driver, &["none"]) {
        return vec![Hit::at(logging, "what the service writes is thrown away")];
    }
    // The engine knows them by these names alone.
    if !["json-file", "local", "journald"].contains(&driver) {
        return vec![Hit::at(logging, format!("log driver `{driver}` sends to elsewhere"))];
    }
    let unknown = logging.value.options.keys().filter(|name| !LOG_OPTIONS.contains(&name.as_str()));
    let rest = |tag: &String| TAG_PARTS.iter().fold(tag.clone(), |tag, part| tag.replace(part, ""));
    let tag = logging.value.options.get("tag").filter(|tag| rest(tag).contains("{{"));
    let unknown = unknown.map(|name| Hit::at(logging, format!("log option `{name}`")));
    unknown.chain(tag.map(|tag| Hit::at(logging, format!("log tag `{tag}`")))).collect()
}

/// What the engine keeps of a log where nothing else is said.
const BOUNDS: &str = "{max-size: 10m, max-file: \"3\"}";

/// Most of a container's log that the engine holds in its own memory while the disk is slow.
const MOST_BUFFER: i64 = 64 * 1024 * 1024;

/// Whether a size is one, and more than nothing.
fn is_bound(size: &str) -> bool {
    spell::bytes(size).is_some_and(|bytes| bytes > 0)
}

fn log_bounds(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(logging) = &service.logging else { return Vec::new() };
    let Logging { driver, options } = &logging.value;
    let fix = format!("options: {BOUNDS}");
    if driver.as_deref() == Some("json-file") && !options.contains_key("max-size") {
        return vec![Hit::at(logging, "the log has no `max-size`").fix(fix)];
    }
    if let Some(size) = options.get("max-size").filter(|size| !is_bound(size)) {
        return vec![Hit::at(logging, format!("the log's `max-size` of `{size}` bounds nothing")).fix(fix)];
    }
    let buffer = options.get("max-buffer-size");
    if let Some(size) =
        buffer.filter(|size| !spell::bytes(size).is_some_and(|n| (1..=MOST_BUFFER).contains(&n)))
    {
        let message = format!("`max-buffer-size` of `{size}` is not up to 64m, in the engine's own memory");
        return vec![Hit::at(logging, message)];
    }
    if let Some(mode) =
        options.get("mode").filter(|mode| !["blocking", "non-blocking"].contains(&mode.as_str()))
    {
        return vec![Hit::at(logging, format!("log mode `{mode}` is not `blocking` or `non-blocking`"))];
    }
    let many =
        options.get("max-file").filter(|n| !n.trim().parse::<u32>().is_ok_and(|n| (1..=100).contains(&n)));
    Hit::if_some(many.map(|n| Hit::at(logging, format!("`max-file` of `{n}` is not from 1 to 100")).fix(fix)))
}

fn bounded_log(site: &Site<'_>) -> Vec<Change> {
    if site.get(&["driver"]).is_some_and(|driver| driver == "json-file") && !(site.has)(&["options"]) {
        return vec![Change::Set(&["options"], BOUNDS.into())];
    }
    let kept = |path: &[&str], good: fn(&str) -> bool| site.get(path).is_some_and(|value| good(value.trim()));
    let size = kept(&["options", "max-size"], is_bound);
    let files = kept(&["options", "max-file"], |n| n.parse::<u32>().is_ok_and(|n| (1..=100).contains(&n)));
    let size = (!size).then(|| Change::Set(&["options", "max-size"], "10m".into()));
    let files = (!files).then(|| Change::Set(&["options", "max-file"], "\"3\"".into()));
    size.into_iter().chain(files).collect()
}

fn scale(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(scale) = service.scale.as_ref().filter(|scale| scale.value > 1) else { return Vec::new() };
    let why = if scale.value > 32 {
        "are more than 32"
    } else if service.container_name.is_some() {
        "cannot share one `container_name`"
    } else if service.ports.iter().any(|port| port.value.published.is_some()) {
        "cannot share one port of the host"
    } else if service
        .networks
        .values()
        .any(|n| n.value.ipv4_address.is_some() || n.value.ipv6_address.is_some())
    {
        "cannot share one fixed address"
    } else {
        return Vec::new();
    };
    vec![Hit::at(scale, format!("{} replicas {why}", scale.value)).fix("scale: 1")]
}
