//! A stack in versions, hit by one fault at a time: what the tests of every crash point of `up`, of the way back and of
//! `down` share.
//!
//! Deliberately absent: which points there are, and who is killed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tests::bed::{Bed, Ran};
use tests::crash::Kind;
use tests::engine::escape;
use tests::own_engine::OwnEngine;
use tests::proxy::Proxy;
use tests::{image, wait};

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

/// A command that is well.
pub(super) const WELL: &str = "exec sleep 100000";
/// One that is not.
pub(super) const BAD: &str = "echo out of order; exit 7";

/// A bed with a proxy, and what its containers' hashes are in each version.
#[derive(Debug)]
pub(super) struct Place {
    /// Its bed.
    pub(super) bed: Bed,
    /// What its requests pass through.
    pub(super) proxy: Proxy,
    image: String,
    /// By version.
    pub(super) hashes: BTreeMap<String, Vec<String>>,
    /// The engine that is to be killed, if that is what happens.
    own: Option<OwnEngine>,
}

/// Where it is played: how a place is made, and so many at a time.
pub(super) type At = (fn() -> Place, usize);

impl Place {
    pub(super) fn new() -> Self {
        let bed = Bed::new("crash");
        let image = image::busybox(&bed.engine);
        let proxy = Proxy::before(bed.engine.socket());
        Self { bed, proxy, image, hashes: BTreeMap::new(), own: None }
    }

    /// One whose engine is killed, and not the supervisor.
    pub(super) fn on_its_own_engine() -> Self {
        let own = OwnEngine::start();
        let image = image::busybox(own.engine());
        let bed = Bed::on("crash-engine", own.engine().clone(), Some(own.network()));
        let proxy = Proxy::before(bed.engine.socket());
        Self { bed, proxy, image, hashes: BTreeMap::new(), own: Some(own) }
    }

    pub(super) fn write(&self, version: &str, command: &str) {
        self.bed.write("compose.yaml", &stack(&self.image, version, command));
    }

    /// Runs a command through the proxy, with one fault at one request. Whether it came to that request. An engine that was
    /// killed is started again at once, as the machine's init would.
    pub(super) fn run(&mut self, arguments: &[&str], fault: Option<(usize, Kind)>) -> (Ran, bool) {
        let pid = Arc::new(AtomicU32::new(0));
        if let Some((point, kind)) = fault {
            self.proxy.arm(point, kind.fault(self.own.as_ref().map_or(&pid, |own| &own.pid)));
        }
        let mut command = self.bed.command();
        command.env("DOCKER_HOST", self.proxy.host()).args(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
        pid.store(child.id(), Ordering::SeqCst);
        let mut revived = false;
        let output = std::thread::scope(|scope| {
            let waiting = scope.spawn(move || child.wait_with_output());
            while !waiting.is_finished() {
                revived |= self.own.as_mut().is_some_and(OwnEngine::revive);
                std::thread::sleep(Duration::from_millis(20));
            }
            waiting.join().expect("no panic").expect("its end")
        });
        if let Some(own) = self.own.as_mut().filter(|_| !revived && fault.is_some() && self.proxy.has_fired())
        {
            wait::until("the end of the engine", || own.revive().then_some(()));
        }
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
    pub(super) fn points(&mut self, arguments: &[&str], code: i32) -> usize {
        self.proxy.take();
        self.run(arguments, None).0.expect(code);
        self.proxy.take().iter().filter(|request| request.mutates()).count()
    }

    pub(super) fn containers(&self) -> Vec<Value> {
        let mut all = self.bed.engine.containers(&format!("supervisor.project={}", self.bed.project));
        all.sort_by_key(|container| container["Names"][0].as_str().unwrap_or_default().to_owned());
        all
    }

    pub(super) fn names_and_states(&self) -> Vec<String> {
        let row = |container: &Value| {
            let name = container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
            format!("{} {}", name, container["State"].as_str().unwrap_or_default())
        };
        self.containers().iter().map(row).collect()
    }

    pub(super) fn hashes(&self) -> Vec<String> {
        let label = |c: &Value| c["Labels"]["supervisor.hash"].as_str().unwrap_or_default().to_owned();
        self.containers().iter().map(label).collect()
    }

    /// The hashes of a version, as a run that nothing happened to made it.
    pub(super) fn learn(&mut self, version: &str) {
        self.hashes.insert(version.to_owned(), self.hashes());
    }

    /// One running container a service, under its name and of the version; one network; one volume, with its data.
    #[track_caller]
    pub(super) fn is_whole(&self, version: &str, what: &str) {
        let project = &self.bed.project;
        let wanted = [format!("{project}-db-1 running"), format!("{project}-web-1 running")];
        assert_eq!(self.names_and_states(), wanted, "{what}");
        assert_eq!(Some(&self.hashes()), self.hashes.get(version), "{what}");
        let filter = escape(&format!(r#"{{"label":["supervisor.project={project}"]}}"#));
        let networks = self.bed.engine.get(&format!("/networks?filters={filter}"));
        assert_eq!(networks.as_array().map(Vec::len), Some(1), "{what}: {networks}");
        assert_eq!(networks[0]["Labels"]["shape"], "first", "{what}: {networks}");
        self.has_its_data(what);
        let (code, word) = self.bed.engine.exec(&self.bed.container("db"), &["cat", "/data/word"]);
        assert_eq!((code, word.as_str()), (0, "kept\n"), "{what}");
    }

    #[track_caller]
    pub(super) fn has_its_data(&self, what: &str) {
        let project = &self.bed.project;
        let filter = escape(&format!(r#"{{"label":["supervisor.project={project}"]}}"#));
        let volumes = self.bed.engine.get(&format!("/volumes?filters={filter}"));
        assert_eq!(volumes["Volumes"].as_array().map(Vec::len), Some(1), "{what}: {volumes}");
    }

    fn keep_a_word(&self) {
        let (code, text) =
            self.bed.engine.exec(&self.bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
        assert_eq!(code, 0, "{text}");
    }

    /// Up in version one, with data, and both versions' hashes known.
    pub(super) fn begin(&mut self) {
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

/// Plays every point in each of these kinds, on so many places at the same time.
pub(super) fn every_point(
    points: usize,
    (make, at_once): At,
    kinds: &[Kind],
    play: impl Fn(&mut Place, usize, Kind) + Sync,
) {
    assert!(points > 0);
    let all: Vec<(usize, Kind)> =
        (0..points).flat_map(|point| kinds.iter().map(move |kind| (point, *kind))).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let work = || {
            let mut place = make();
            place.begin();
            while let Some((point, kind)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                if failed.load(Ordering::SeqCst) {
                    return;
                }
                play(&mut place, *point, *kind);
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
    assert!(next.load(Ordering::SeqCst) >= all.len());
    eprintln!("{} points in {} ways each", points, kinds.len());
}
