//! Bad updates, one after another, each of which has to end on the old stack: its very containers, healthy, with their data.
//!
//! Deliberately absent: starting the engine, and killing it; a proxy before it cuts it off midway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::{Ran, ran, signal};
use crate::proxy::{Fault, Proxy};
use crate::registry::{self, Line, Registry};
use crate::{Bed, image, wait};

/// Beds at the same time.
const AT_ONCE: usize = 3;
/// More than comes through before the line stands still.
const IMAGE: u64 = 2 << 20;

/// What is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bad {
    /// It ends at its start.
    Exits,
    /// It never becomes healthy.
    Unhealthy,
    /// It is healthy, and ends three seconds later.
    Crashes,
    /// It is healthy, and ends half a minute later.
    CrashesLate,
    /// The kernel ends it for its memory.
    OutOfMemory,
    /// Its image is nowhere.
    ImageMissing,
    /// Its image's pull stands still midway.
    PullCut,
    /// The supervisor is killed at some request of it, and the old file comes back.
    SupervisorKilled,
    /// The engine cannot be reached from some request of it on, for a while, and the old file comes back.
    EngineCutOff,
}

const ALL: [Bad; 9] = [
    Bad::Exits,
    Bad::Unhealthy,
    Bad::Crashes,
    Bad::CrashesLate,
    Bad::OutOfMemory,
    Bad::ImageMissing,
    Bad::PullCut,
    Bad::SupervisorKilled,
    Bad::EngineCutOff,
];

/// How often each was made, the longest it took until the old stack was healthy, and what did not end well.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By kind.
    pub made: BTreeMap<Bad, (usize, Duration)>,
    /// In a sentence each.
    pub wrong: Vec<String>,
}

const WELL: &str = "echo ok > /tmp/health; exec httpd -f -p 8080 -h /tmp";

/// Two services, the second with data and a probe.
fn stack(image: &str, db: &str, command: &str, monitor: &str) -> String {
    let service = r#"
    user: "1000:1000"
    mem_limit: 24m
    networks: [back]
    restart: unless-stopped
    stop_grace_period: 1s"#;
    format!(
        r#"
services:
  web:{service}
    image: {image}
    command: [sleep, "100000"]
    depends_on: [db]
    deploy: {{update_config: {{monitor: 100ms}}}}
  db:{service}
    image: {db}
    tmpfs: [/tmp]
    volumes: [data:/data]
    command: [sh, -c, {command:?}]
    x-supervisor: {{probe: {{http: /health, port: 8080, interval: 200ms, timeout: 1s, retries: 2, start_period: 4s}}}}
    deploy: {{update_config: {{monitor: {monitor}}}}}
networks: {{back: {{internal: true}}}}
volumes: {{data: {{}}}}
"#
    )
}

/// Makes so many, all kinds in turn, and tells of each.
pub fn bad_updates(count: usize, tell: &(impl Fn(&str) + Sync)) -> Seen {
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(Seen::default()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let place = Place::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= count || seen.lock().is_ok_and(|seen| !seen.wrong.is_empty()) {
                        return;
                    }
                    let bad = ALL[number % ALL.len()];
                    let began = Instant::now();
                    let outcome = place.update(bad, number);
                    let took = began.elapsed();
                    tell(&format!(
                        "{number}\t{bad:?}\t{:.1}\t{}",
                        took.as_secs_f64(),
                        outcome.as_ref().err().map_or("", String::as_str)
                    ));
                    let mut seen = seen.lock().expect("no thread panicked");
                    let row = seen.made.entry(bad).or_default();
                    *row = (row.0 + 1, row.1.max(took));
                    seen.wrong.extend(outcome.err());
                }
            });
        }
    });
    seen.into_inner().expect("no thread panicked")
}

struct Place {
    bed: Bed,
    proxy: Proxy,
    image: String,
    before: Vec<Value>,
    registry: Registry,
    line: Line,
}

impl Place {
    fn new() -> Self {
        let bed = Bed::new("bad-updates");
        let image = image::busybox(&bed.engine);
        bed.write("compose.yaml", &stack(&image, &image, WELL, "1s"));
        bed.supervisor(&["up"]).expect(0);
        let (code, text) = bed.engine.exec(&bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
        assert_eq!(code, 0, "{text}");
        let registry = Registry::open();
        let (proxy, line) = (Proxy::before(bed.engine.socket()), Line::to(&registry));
        let mut place = Self { bed, proxy, image, before: Vec::new(), registry, line };
        place.before = place.containers();
        place
    }

    /// Names, ids and whether they run.
    fn containers(&self) -> Vec<Value> {
        let all = self.bed.engine.containers(&format!("supervisor.project={}", self.bed.project));
        let row = |c: &Value| serde_json::json!([c["Names"][0], c["Id"], c["State"]]);
        let mut rows: Vec<Value> = all.iter().map(row).collect();
        rows.sort_by_key(ToString::to_string);
        rows
    }

    fn up(&self, arguments: &[&str]) -> Ran {
        ran(self.bed.command().env("DOCKER_HOST", self.proxy.host()).arg("up").args(arguments))
    }

    fn update(&self, bad: Bad, number: usize) -> Result<(), String> {
        let (mut db, mut command, mut monitor) = (self.image.clone(), "echo out of order; exit 7", "1s");
        match bad {
            Bad::Exits | Bad::SupervisorKilled | Bad::EngineCutOff => {}
            Bad::Unhealthy => command = "exec httpd -f -p 8080 -h /tmp",
            Bad::Crashes => {
                (command, monitor) = ("echo ok > /tmp/health; httpd -p 8080 -h /tmp; sleep 3; exit 9", "5s");
            }
            Bad::CrashesLate => {
                (command, monitor) =
                    ("echo ok > /tmp/health; httpd -p 8080 -h /tmp; sleep 30; exit 9", "40s");
            }
            Bad::OutOfMemory => command = "x=x; while :; do x=$$x$$x; done",
            Bad::ImageMissing => db = format!("{}/nowhere:1", self.registry.address()),
            Bad::PullCut => {
                let name = format!("app{number}");
                self.registry.push(&self.bed.engine, &name, "sleep 1000", IMAGE);
                self.line.set(registry::Fault::Stall(IMAGE / 2));
                db = format!("{}/{name}:1", self.line.address());
            }
        }
        self.bed.write("compose.yaml", &stack(&self.image, &db, command, monitor));
        // Numbers that look random, and are the same in the next run.
        let point = number.wrapping_mul(7919) % 11;
        let ran = match bad {
            Bad::SupervisorKilled => {
                self.killed(point);
                None
            }
            Bad::EngineCutOff => Some(self.cut_off(point)),
            _ => Some(self.up(&["--pull-stall", "2"])),
        };
        if let Some(ran) = ran.filter(|ran| ran.code == 0) {
            return Err(format!("{number}, {bad:?}: it was taken\n{}", ran.err));
        }
        if matches!(bad, Bad::SupervisorKilled | Bad::EngineCutOff) {
            self.bed.write("compose.yaml", &stack(&self.image, &self.image, WELL, "1s"));
            let again = self.up(&[]);
            if again.code != 0 {
                return Err(format!("{number}, {bad:?}: the old file is not taken\n{}", again.err));
            }
        }
        self.proxy.take();
        self.is_as_before().map_err(|why| format!("{number}, {bad:?}: {why}"))
    }

    fn killed(&self, point: usize) {
        let pid = Arc::new(AtomicU32::new(0));
        let victim = Arc::clone(&pid);
        self.proxy.arm(
            point,
            Fault::Before(Box::new(move || {
                signal(
                    wait::until("the process", || {
                        Some(victim.load(Ordering::SeqCst)).filter(|pid| *pid != 0)
                    }),
                    "KILL",
                );
            })),
        );
        let mut command = self.bed.command();
        let child = command.env("DOCKER_HOST", self.proxy.host()).arg("up").spawn();
        let mut child = child.expect("the binary");
        pid.store(child.id(), Ordering::SeqCst);
        let _ = child.wait();
        self.proxy.settle();
        self.proxy.fired();
    }

    fn cut_off(&self, point: usize) -> Ran {
        std::thread::scope(|scope| {
            self.proxy.arm(point, Fault::Cut);
            let cut = scope.spawn(|| {
                let end = Instant::now() + Duration::from_secs(20);
                while !self.proxy.has_fired() && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(2));
                }
                self.proxy.cut();
                std::thread::sleep(Duration::from_secs(2));
                self.proxy.mend();
            });
            let ran = self.up(&[]);
            cut.join().expect("no panic");
            ran
        })
    }

    fn is_as_before(&self) -> Result<(), String> {
        let now = self.containers();
        if now != self.before {
            return Err(format!("{now:?} is left of {:?}", self.before));
        }
        let read = self.bed.engine.exec(&self.bed.container("db"), &["cat", "/data/word"]);
        if read != (0, "kept\n".to_owned()) {
            return Err(format!("its data is {read:?}"));
        }
        let asked = ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/health"];
        let end = Instant::now() + Duration::from_secs(20);
        while self.bed.engine.exec(&self.bed.container("db"), &asked) != (0, "ok\n".to_owned()) {
            if Instant::now() > end {
                return Err("it is not healthy".to_owned());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}
