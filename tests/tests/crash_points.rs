//! Every crash point: each request that may change something is killed before and after, refused, cut off and late; then a
//! clean run leads to the same state as if nothing had been.
//!
//! The points are counted in a run that nothing happens to, and none is left out. Deliberately absent: healing (`crash_heal`),
//! and an engine that is killed; other tests share this one.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use serde_json::Value;
use tests::bed::Ran;
use tests::crash::{KINDS, Kind};
use tests::proxy::Proxy;
use tests::{Bed, image};

/// Two services, the second with data, in a version. Version three is on another network of the same name.
fn stack(image: &str, version: &str, command: &str) -> String {
    let network = if version == "three" { "other" } else { "first" };
    let service = format!(
        r#"
    image: {image}
    user: "1000:1000"
    mem_limit: 24m
    networks: [back]
    stop_grace_period: 1s
    environment: {{VERSION: {version}}}
    deploy: {{update_config: {{monitor: 200ms}}}}"#
    );
    format!(
        r#"
services:
  web:{service}
    command: [sh, -c, {command:?}]
    depends_on: [db]
  db:{service}
    command: [sleep, "100000"]
    volumes: [data:/data]
networks: {{back: {{internal: true, labels: {{shape: {network}}}}}}}
volumes: {{data: {{}}}}
"#
    )
}

const WELL: &str = "exec sleep 100000";
const BAD: &str = "echo out of order; exit 7";

/// A bed with a proxy, and what its containers' hashes are in each version.
struct Place {
    bed: Bed,
    proxy: Proxy,
    image: String,
    hashes: BTreeMap<String, Vec<String>>,
}

impl Place {
    fn new() -> Self {
        let bed = Bed::new("crash");
        let image = image::busybox(&bed.engine);
        let proxy = Proxy::before(bed.engine.socket());
        Self { bed, proxy, image, hashes: BTreeMap::new() }
    }

    fn write(&self, version: &str, command: &str) {
        self.bed.write("compose.yaml", &stack(&self.image, version, command));
    }

    /// Runs a command through the proxy, with one fault at one request. Whether it came to that request.
    fn run(&self, arguments: &[&str], fault: Option<(usize, Kind)>) -> (Ran, bool) {
        let pid = Arc::new(AtomicU32::new(0));
        if let Some((point, kind)) = fault {
            self.proxy.arm(point, kind.fault(&pid));
        }
        let mut command = self.bed.command();
        command.env("DOCKER_HOST", self.proxy.host()).args(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
        pid.store(child.id(), Ordering::SeqCst);
        let output = child.wait_with_output().expect("its end");
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        // What was under way when it died comes to its end: the engine forgets no request.
        self.proxy.settle();
        (ran, fault.is_none() || self.proxy.fired())
    }

    /// How many requests of a command may change something.
    fn points(&self, arguments: &[&str], code: i32) -> usize {
        self.proxy.take();
        self.run(arguments, None).0.expect(code);
        self.proxy.take().iter().filter(|request| request.mutates()).count()
    }

    fn containers(&self) -> Vec<Value> {
        let mut all = self.bed.engine.containers(&format!("supervisor.project={}", self.bed.project));
        all.sort_by_key(|container| container["Names"][0].as_str().unwrap_or_default().to_owned());
        all
    }

    fn names_and_states(&self) -> Vec<String> {
        let row = |container: &Value| {
            let name = container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
            format!("{} {}", name, container["State"].as_str().unwrap_or_default())
        };
        self.containers().iter().map(row).collect()
    }

    fn hashes(&self) -> Vec<String> {
        let label = |c: &Value| c["Labels"]["supervisor.hash"].as_str().unwrap_or_default().to_owned();
        self.containers().iter().map(label).collect()
    }

    /// The hashes of a version, as a run that nothing happened to made it.
    fn learn(&mut self, version: &str) {
        self.hashes.insert(version.to_owned(), self.hashes());
    }

    /// One running container a service, under its name and of the version; one network; one volume, with its data.
    #[track_caller]
    fn is_whole(&self, version: &str, what: &str) {
        let project = &self.bed.project;
        let wanted = [format!("{project}-db-1 running"), format!("{project}-web-1 running")];
        assert_eq!(self.names_and_states(), wanted, "{what}");
        assert_eq!(Some(&self.hashes()), self.hashes.get(version), "{what}");
        let filter = tests::engine::escape(&format!(r#"{{"label":["supervisor.project={project}"]}}"#));
        let networks = self.bed.engine.get(&format!("/networks?filters={filter}"));
        assert_eq!(networks.as_array().map(Vec::len), Some(1), "{what}: {networks}");
        assert_eq!(networks[0]["Labels"]["shape"], "first", "{what}: {networks}");
        self.has_its_data(what);
        let (code, word) = self.bed.engine.exec(&self.bed.container("db"), &["cat", "/data/word"]);
        assert_eq!((code, word.as_str()), (0, "kept\n"), "{what}");
    }

    #[track_caller]
    fn has_its_data(&self, what: &str) {
        let project = &self.bed.project;
        let filter = tests::engine::escape(&format!(r#"{{"label":["supervisor.project={project}"]}}"#));
        let volumes = self.bed.engine.get(&format!("/volumes?filters={filter}"));
        assert_eq!(volumes["Volumes"].as_array().map(Vec::len), Some(1), "{what}: {volumes}");
    }

    fn keep_a_word(&self) {
        let (code, text) =
            self.bed.engine.exec(&self.bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
        assert_eq!(code, 0, "{text}");
    }

    /// Up in version one, with data, and both versions' hashes known.
    fn begin(&mut self) {
        self.write("one", WELL);
        self.bed.supervisor(&["up"]).expect(0);
        self.learn("one");
        self.write("two", WELL);
        self.bed.supervisor(&["up"]).expect(0);
        self.learn("two");
        self.write("one", WELL);
        self.bed.supervisor(&["up"]).expect(0);
        self.keep_a_word();
    }
}

/// Plays every point in every kind, on several beds at the same time.
fn every_point(points: usize, play: impl Fn(&mut Place, usize, Kind) + Sync) {
    const AT_ONCE: usize = 3;
    assert!(points > 0);
    let all: Vec<(usize, Kind)> = (0..points).flat_map(|point| KINDS.map(|kind| (point, kind))).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let work = || {
            let mut place = Place::new();
            place.begin();
            while let Some((point, kind)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                if failed.load(Ordering::SeqCst) {
                    return;
                }
                play(&mut place, *point, *kind);
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                failed.store(true, Ordering::SeqCst);
                std::panic::resume_unwind(panic);
            }
        }
    });
    assert!(next.load(Ordering::SeqCst) >= all.len());
    eprintln!("{} points in {} ways each", points, KINDS.len());
}

#[test]
fn an_update_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::new();
    first.begin();
    first.write("two", WELL);
    let points = first.points(&["up"], 0);
    every_point(points, |place, point, kind| {
        let (from, to) = if place.hashes() == place.hashes["one"] { ("one", "two") } else { ("two", "one") };
        let what = format!("point {point}, {kind:?}, from {from} to {to}");
        place.write(to, WELL);
        let (ran, fired) = place.run(&["up"], Some((point, kind)));
        assert!(fired, "{what}: never reached\n{}", ran.err);
        if !kind.kills() {
            // It ended by itself, there or back: nothing that ran before is down.
            let running = place.names_and_states();
            for service in ["db", "web"] {
                let row = format!("{} running", place.bed.container(service));
                assert!(running.contains(&row), "{what}: {running:?}\n{}", ran.err);
            }
        }
        place.run(&["up"], None).0.expect(0);
        place.is_whole(to, &what);
    });
}

#[test]
fn the_way_back_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::new();
    first.begin();
    first.write("three", BAD);
    let points = first.points(&["up"], 4);
    first.is_whole("one", "a bad update that nothing else happens to");
    every_point(points, |place, point, kind| {
        let what = format!("point {point}, {kind:?}");
        let before: Vec<Value> = place.containers().iter().map(|c| c["Id"].clone()).collect();
        place.write("three", BAD);
        let (ran, fired) = place.run(&["up"], Some((point, kind)));
        assert!(fired, "{what}: never reached\n{}", ran.err);
        assert_ne!(ran.code, 0, "{what}");
        place.write("one", WELL);
        place.run(&["up"], None).0.expect(0);
        place.is_whole("one", &what);
        let after: Vec<Value> = place.containers().iter().map(|c| c["Id"].clone()).collect();
        assert_eq!(before, after, "{what}: the old containers");
    });
}

#[test]
fn coming_up_and_going_down_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::new();
    first.begin();
    let down = first.points(&["down"], 0);
    let up = first.points(&["up"], 0);
    every_point(down.max(up), |place, point, kind| {
        let what = format!("point {point}, {kind:?}");
        if point < down {
            let (ran, fired) = place.run(&["down"], Some((point, kind)));
            assert!(fired, "{what}: never reached\n{}", ran.err);
        }
        place.run(&["down"], None).0.expect(0);
        assert_eq!(place.names_and_states(), [""; 0], "{what}");
        place.has_its_data(&what);
        if point < up {
            let (ran, fired) = place.run(&["up"], Some((point, kind)));
            assert!(fired, "{what}: never reached\n{}", ran.err);
        }
        place.run(&["up"], None).0.expect(0);
        place.is_whole("one", &what);
    });
}
