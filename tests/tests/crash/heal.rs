//! Every crash point of healing: each request of a `run` that puts something right may be its last, is answered with an
//! error, cut off or late; then all is as it was, without a hand.
//!
//! Or the engine is killed at it, with all that it runs. The points are counted in a run that nothing else happens to, and none
//! is left out. Deliberately absent: what a person asks for (`points`).

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tests::bed::signal;
use tests::crash::{KINDS, Kind};
use tests::http;
use tests::own_engine::OwnEngine;
use tests::proxy::Proxy;
use tests::{Bed, Daemon, image, wait};

/// A service with data that answers its probe, and one that depends on it.
fn stack(image: &str) -> String {
    let service = format!(
        r#"
    image: {image}
    user: "1000:1000"
    mem_limit: 24m
    restart: unless-stopped
    networks: [back]
    tmpfs: [/tmp]
    stop_grace_period: 1s
    deploy: {{update_config: {{monitor: 100ms}}}}"#
    );
    format!(
        r#"
services:
  web:{service}
    command: [sleep, "100000"]
    depends_on: [db]
  db:{service}
    command: [sh, -c, "echo ok > /tmp/health; exec httpd -f -p 8080 -h /tmp"]
    volumes: [data:/data]
    x-supervisor: {{probe: {{http: /health, port: 8080, interval: 300ms, timeout: 500ms, retries: 2, start_period: 20s}}}}
networks: {{back: {{internal: true}}}}
volumes: {{data: {{}}}}
"#
    )
}

/// Most of the time somebody waits.
const AT_ONCE: usize = 6;

/// What has to be put right, by name.
type Harm = fn(&Bed);

const HARMS: [(&str, Harm); 6] = [
    // First, since a stop that the engine refuses is waited for.
    ("a hang", |bed| signal(process(bed), "STOP")),
    ("a crash", |bed| signal(process(bed), "KILL")),
    ("a removal", |bed| asked(bed, "DELETE", "?force=1", &Value::Null)),
    ("a new name", |bed| {
        let to = format!("/rename?name={}-other", bed.container("db"));
        asked(bed, "POST", &to, &Value::Null);
    }),
    ("another limit", |bed| asked(bed, "POST", "/update", &json!({"PidsLimit": 50}))),
    ("a network cut", |bed| {
        let path = format!("/networks/{}_back/disconnect", bed.project);
        ask(bed, "POST", &path, &json!({"Container": bed.container("db")}));
    }),
];

/// The process that serves: below the container's init.
fn process(bed: &Bed) -> u32 {
    let init = bed.engine.pid(&bed.container("db"));
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap_or_default();
    children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(init)
}

fn asked(bed: &Bed, method: &str, rest: &str, body: &Value) {
    ask(bed, method, &format!("/containers/{}{rest}", bed.container("db")), body);
}

/// Without waiting for an answer that an engine may not live to give.
fn ask(bed: &Bed, method: &str, path: &str, body: &Value) {
    let Ok(stream) = UnixStream::connect(bed.engine.socket()) else { return };
    let headers = [("Host", "engine"), ("Content-Type", "application/json")];
    let _ = http::exchange(stream, method, path, &headers, body.to_string().as_bytes());
}

struct Place {
    /// Ends before its bed is cleared: it would make anew what is taken away.
    daemon: Option<Daemon>,
    bed: Bed,
    proxy: Proxy,
    /// The engine that is to be killed, if that is what happens.
    own: Option<OwnEngine>,
}

impl Place {
    fn new() -> Self {
        Self::on(Bed::new("crash-heal"), None)
    }

    /// One whose engine is killed, and not the supervisor.
    fn on_its_own_engine() -> Self {
        let own = OwnEngine::start();
        Self::on(Bed::on("crash-heal", own.engine().clone(), Some(own.network())), Some(own))
    }

    fn on(bed: Bed, own: Option<OwnEngine>) -> Self {
        bed.write("compose.yaml", &stack(&image::busybox(&bed.engine)));
        let proxy = Proxy::before(bed.engine.socket());
        let mut place = Self { bed, proxy, daemon: None, own };
        place.start();
        place.is_whole("at first");
        let (code, text) =
            place.bed.engine.exec(&place.bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
        assert_eq!(code, 0, "{text}");
        place
    }

    fn start(&mut self) {
        self.daemon = Some(Daemon::start(&self.bed, &[("DOCKER_HOST", &self.proxy.host())]));
    }

    /// Another `run` that remembers nothing: what was harmed over and over would be waited for longer each time.
    fn start_anew(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
        let _ = std::fs::remove_dir_all(self.bed.folder().join("state"));
        self.start();
        self.is_whole("anew");
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("a daemon")
    }

    /// Each under its name, running as the file says, healthy, and no other.
    #[track_caller]
    fn is_whole(&self, what: &str) {
        let names = ["db", "web"].map(|service| self.bed.container(service));
        wait::until(&format!("{what}: all to be as wanted\n{}", self.daemon().log()), || {
            let all = self.bed.engine.containers(&format!("supervisor.project={}", self.bed.project));
            let mut rows: Vec<String> = all.iter().filter_map(row).collect();
            rows.sort_unstable();
            let wanted = names.each_ref().map(|name| format!("/{name} running"));
            let status: Value = serde_json::from_slice(&self.daemon().get("/status")?.body).ok()?;
            let converged = status["phase"] == "watching";
            let healthy = self.daemon().get("/healthz").is_some_and(|answer| answer.status == 200);
            (rows == wanted && converged && healthy && self.is_as_the_file_says()).then_some(())
        });
    }

    fn is_as_the_file_says(&self) -> bool {
        let Some(seen) = self.bed.engine.find(&self.bed.container("db")) else { return false };
        let on = seen["NetworkSettings"]["Networks"].get(format!("{}_back", self.bed.project)).is_some();
        on && seen["HostConfig"]["PidsLimit"] != 50
    }

    #[track_caller]
    fn has_its_data(&self, what: &str) {
        let read = self.bed.engine.exec(&self.bed.container("db"), &["cat", "/data/word"]);
        assert_eq!(read, (0, "kept\n".to_owned()), "{what}");
    }
}

fn row(container: &Value) -> Option<String> {
    Some(format!("{} {}", container["Names"][0].as_str()?, container["State"].as_str()?))
}

/// Each harm's points, counted where nothing else happens.
fn count(first: &Place) -> Vec<usize> {
    let count = |(name, make): &(&str, Harm)| {
        first.proxy.take();
        make(&first.bed);
        let mut points = 0;
        let mut count = || {
            points += first.proxy.take().iter().filter(|request| request.mutates()).count();
            points
        };
        wait::until(&format!("{name}: something to be done"), || (count() > 0).then_some(()));
        first.is_whole(name);
        count()
    };
    HARMS.iter().map(count).collect()
}

/// Plays each harm's points in each of these kinds, on so many places at the same time.
fn every_point(make: fn() -> Place, at_once: usize, kinds: &[Kind]) {
    let points = count(&make());
    let of = |(harm, points): (usize, &usize)| {
        (0..*points)
            .flat_map(move |point| kinds.iter().map(move |kind| (harm, point, *kind)))
            .collect::<Vec<_>>()
    };
    let all: Vec<(usize, usize, Kind)> = points.iter().enumerate().flat_map(of).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let work = || {
            let mut place = make();
            while let Some((harm, point, kind)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                if failed.load(Ordering::SeqCst) {
                    return;
                }
                play(&mut place, *harm, *point, *kind);
            }
        };
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                failed.store(true, Ordering::SeqCst);
                std::panic::resume_unwind(panic);
            }
        }
    });
    eprintln!("{} points and ways", all.len());
}

fn play(place: &mut Place, harm: usize, point: usize, kind: Kind) {
    let (name, make) = HARMS[harm];
    let what = format!("{name}, point {point}, {kind:?}");
    let pid = match &place.own {
        Some(own) => Arc::clone(&own.pid),
        None => Arc::new(AtomicU32::new(place.daemon().pid())),
    };
    place.proxy.arm(point, kind.fault(&pid));
    make(&place.bed);
    let log = place.daemon().log();
    wait::until(&format!("{what}: the request\n{log}"), || place.proxy.has_fired().then_some(()));
    if let Some(own) = &mut place.own {
        wait::until(&format!("{what}: the end of the engine"), || own.revive().then_some(()));
    } else if kind.kills() {
        wait::until(&format!("{what}: the end of run"), || (!place.daemon.as_mut()?.runs()).then_some(()));
        place.start();
    }
    place.is_whole(&what);
    place.has_its_data(&what);
    place.start_anew();
}

#[test]
fn healing_that_is_hit_at_any_point_is_finished_without_a_hand() {
    every_point(Place::new, AT_ONCE, &KINDS);
}

#[test]
fn healing_in_which_the_engine_is_killed_at_any_point_is_finished_without_a_hand() {
    every_point(Place::on_its_own_engine, 2, &[Kind::KilledBefore, Kind::KilledAfter]);
}
