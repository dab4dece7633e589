//! Soaking: the real stack under one `run` for as long as it is told, one fault after another, and what the supervisor's
//! own processes hold meanwhile.
//!
//! After each fault the stack has to be healthy again, or the soak ends there. Deliberately absent: starting the engine,
//! and killing the supervisor: it is its age that is watched.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Daemon;
use crate::bed::signal;
use crate::proxy::{Fault, Proxy};
use crate::stack::Stack;
use crate::usage::{Usage, usage};

/// How long the stack may take from a fault to its health; OpenClaw alone takes two minutes to start on a busy machine.
const BACK: Duration = Duration::from_mins(8);
/// A body of OpenClaw's configuration that it refuses to start with.
const BAD_CONFIGURATION: &str = "{ not json";

/// How long, how often, and what is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// In all.
    pub length: Duration,
    /// From the stack's health to the next fault.
    pub rest: Duration,
    /// From one sample to the next.
    pub every: Duration,
    /// Of the order of faults.
    pub seed: u64,
}

/// One look at the supervisor's processes.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    /// What all its processes hold together.
    pub usage: Usage,
    /// Containers that it has started again so far.
    pub restarts: u64,
    /// Turns' longest so far, in seconds.
    pub longest_turn: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// In order.
    pub samples: Vec<Sample>,
    /// How often each fault was made.
    pub faults: BTreeMap<&'static str, usize>,
    /// From a fault to health, the longest of each kind.
    pub longest: BTreeMap<&'static str, Duration>,
    /// What did not end well.
    pub wrong: Option<String>,
}

/// One kind of fault; it is over when it returns.
type Make = fn(&Soak<'_>);

/// Everything that goes wrong, by name.
const FAULTS: [(&str, Make); 11] = [
    ("the gateway is killed", |soak| soak.kill("openclaw")),
    ("Caddy is killed", |soak| soak.kill("caddy")),
    ("the gateway hangs", |soak| signal(soak.pid("openclaw"), "STOP")),
    ("somebody restarts Caddy", |soak| soak.ask("POST", "caddy", "/restart?t=5", &Value::Null)),
    ("somebody removes Caddy", |soak| soak.ask("DELETE", "caddy", "?force=1", &Value::Null)),
    ("somebody renames Caddy", |soak| soak.rename()),
    ("somebody changes a limit", |soak| soak.limit()),
    ("somebody pauses Caddy for a while", |soak| soak.pause()),
    ("the engine is away for a while", |soak| soak.away()),
    ("the engine answers 500 while the gateway is down", |soak| soak.refused()),
    ("a file that is refused is read, and then the old one", |soak| soak.refused_file()),
];

struct Soak<'a> {
    stack: &'a Stack,
    proxy: &'a Proxy,
    daemon: &'a Daemon,
}

/// Runs it, and tells each row as it comes.
pub fn soak(wish: Wish, mut tell: impl FnMut(&str)) -> Seen {
    let stack = Stack::new("soak");
    let proxy = Proxy::before(stack.bed.engine.socket());
    let daemon = Daemon::start(&stack.bed, &[("DOCKER_HOST", &proxy.host())]);
    let soak = Soak { stack: &stack, proxy: &proxy, daemon: &daemon };
    let mut seen = Seen::default();
    let (began, mut dice) = (Instant::now(), wish.seed | 1);
    let mut next_sample = Duration::ZERO;
    let mut fault: Option<(&'static str, Instant)> = None;
    let mut healthy_since: Option<Instant> = None;
    while began.elapsed() < wish.length || fault.is_some() {
        if began.elapsed() >= next_sample {
            next_sample += wish.every;
            if let Some(sample) = soak.sample(began.elapsed()) {
                tell(&row(&sample, fault.map_or("", |(name, _)| name)));
                seen.samples.push(sample);
            }
        }
        proxy.take();
        match (soak.is_healthy(), fault) {
            (true, Some((name, since))) => {
                let longest = seen.longest.entry(name).or_default();
                *longest = (*longest).max(since.elapsed());
                (fault, healthy_since) = (None, Some(Instant::now()));
            }
            (true, None) => {
                let since = *healthy_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= wish.rest && began.elapsed() < wish.length {
                    let (name, make) = FAULTS[roll(&mut dice, FAULTS.len())];
                    *seen.faults.entry(name).or_default() += 1;
                    fault = Some((name, Instant::now()));
                    make(&soak);
                    // It is seen a moment later.
                    std::thread::sleep(Duration::from_secs(2));
                }
            }
            (false, Some((name, since))) if since.elapsed() > BACK => {
                seen.wrong = Some(format!("not healthy {} s after: {name}", BACK.as_secs()));
                break;
            }
            (false, None) if began.elapsed() > BACK && healthy_since.is_none() => {
                seen.wrong = Some("the stack never became healthy".to_owned());
                break;
            }
            (false, _) => {}
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    if seen.wrong.is_some() {
        tell(&format!("--- the supervisor's log\n{}", daemon.log()));
    }
    seen.samples.extend(soak.sample(began.elapsed()));
    if daemon.stop() != 0 {
        seen.wrong.get_or_insert_with(|| "the supervisor did not end well".to_owned());
    }
    seen
}

/// The columns of [`row`].
pub const HEADER: &str =
    "minutes\trss_kib\tfds\ttasks\tprocesses\tcpu_s\trestarts\tlongest_turn_ms\tunder way";

/// A sample as one line of the table.
pub fn row(sample: &Sample, under_way: &str) -> String {
    let Usage { rss, descriptors, tasks, processes, cpu } = sample.usage;
    format!(
        "{:.1}\t{rss}\t{descriptors}\t{tasks}\t{processes}\t{:.2}\t{}\t{:.1}\t{under_way}",
        sample.at.as_secs_f64() / 60.0,
        cpu.as_secs_f64(),
        sample.restarts,
        sample.longest_turn * 1000.0,
    )
}

/// A number below `sides` (xorshift, Marsaglia 2003).
fn roll(dice: &mut u64, sides: usize) -> usize {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    usize::try_from(*dice >> 16).unwrap_or_default() % sides
}

impl Soak<'_> {
    fn status(&self) -> Option<Value> {
        serde_json::from_slice(&self.daemon.get("/status")?.body).ok()
    }

    /// By its own word, its client's, and with nothing left to do.
    fn is_healthy(&self) -> bool {
        let ready = self.daemon.get("/readyz").is_some_and(|answer| answer.status == 200);
        ready && self.stack.is_healthy()
    }

    fn sample(&self, at: Duration) -> Option<Sample> {
        let status = self.status()?;
        let services = status["services"].as_object().into_iter().flat_map(|services| services.values());
        let containers = services.flat_map(|service| service["containers"].as_array().into_iter().flatten());
        let restarts = containers.filter_map(|container| container["restarts"].as_u64()).sum();
        let longest_turn = self.metric("supervisor_turn_longest_seconds{}").unwrap_or_default();
        Some(Sample { at, usage: usage(self.daemon.pid())?, restarts, longest_turn })
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let text = self.daemon.get("/metrics")?.text();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    fn container(&self, service: &str) -> String {
        self.stack.bed.container(service)
    }

    /// The process of a service that serves: below its init, where it has one.
    fn pid(&self, service: &str) -> u32 {
        let first = self.stack.bed.engine.pid(&self.container(service));
        let children =
            std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(first)
    }

    fn kill(&self, service: &str) {
        signal(self.pid(service), "KILL");
    }

    /// Somebody's request; whatever it is answered.
    fn ask(&self, method: &str, service: &str, rest: &str, body: &Value) {
        let path = format!("/containers/{}{rest}", self.container(service));
        self.stack.bed.engine.request(method, &path, "application/json", body.to_string().as_bytes());
    }

    fn rename(&self) {
        let to = format!("/rename?name={}-other", self.container("caddy"));
        self.ask("POST", "caddy", &to, &Value::Null);
    }

    fn limit(&self) {
        self.ask("POST", "caddy", "/update", &json!({"PidsLimit": 50}));
    }

    fn pause(&self) {
        self.ask("POST", "caddy", "/pause", &Value::Null);
        std::thread::sleep(Duration::from_secs(10));
        self.ask("POST", "caddy", "/unpause", &Value::Null);
    }

    fn away(&self) {
        self.proxy.cut();
        std::thread::sleep(Duration::from_secs(15));
        self.proxy.mend();
    }

    fn refused(&self) {
        self.proxy.arm(0, Fault::Answer(500));
        self.kill("openclaw");
    }

    fn refused_file(&self) {
        let folder = self.stack.bed.folder();
        let path = folder.join("openclaw.json");
        let good = std::fs::read_to_string(&path).expect("the configuration");
        for text in [BAD_CONFIGURATION, &good] {
            std::fs::write(&path, text).expect("the configuration");
            self.daemon.signal("HUP");
            std::thread::sleep(Duration::from_secs(20));
        }
    }
}
