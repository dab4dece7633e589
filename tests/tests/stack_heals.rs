//! The real stack under `run`: it is brought up, taken over, and brought back from a hang, a kill and a bad configuration.
//!
//! One stack for all steps, each of which leaves it healthy. Deliberately absent: how long it takes; the bench says.

use std::path::PathBuf;

use serde_json::Value;
use tests::bed::{Running, signal};
use tests::stack::Stack;
use tests::steps::Steps;
use tests::{http, wait};

struct Heals {
    stack: Stack,
    run: Option<Running>,
    socket: PathBuf,
}

#[test]
fn the_real_stack_heals() {
    let stack = Stack::new("heals");
    let socket = stack.bed.folder().join("endpoint.sock");
    let mut heals = Heals { stack, run: None, socket };
    let mut steps = Steps::default();
    heals.start("first");
    steps.step("run brings the stack up, and tells when it is ready", || heals.ready());
    steps.step("what run started is as promised", || drop(heals.stack.bed.supervisor(&["attest"]).expect(0)));
    steps.step("the next run takes the containers over without a restart", || heals.taken_over());
    steps.step("a gateway that hangs is brought back", || heals.hang());
    steps.step("a gateway that was killed is started once", || heals.kill());
    steps.step("a file that is refused changes nothing, until it is put right", || heals.refused());
    steps
        .step("an update with which the gateway cannot start is taken back, and told", || heals.bad_update());
    steps.step("exit code 78 stops the gateway, for all to see", || heals.bad_configuration());
    steps.step("a configuration that is put right starts it again", || heals.put_right());
    steps.step("what was healed is as promised", || drop(heals.stack.bed.supervisor(&["attest"]).expect(0)));
    steps.step("a stop of run leaves the containers running", || heals.ends());
    if let Some(run) = &heals.run {
        eprintln!("--- run's log\n{}", run.output());
    }
    steps.finish();
}

impl Heals {
    fn start(&mut self, name: &str) {
        let listen = format!("unix:{}", self.socket.display());
        self.run = Some(self.stack.bed.spawn(name, &["run", "--listen", &listen]));
    }

    fn hup(&self) {
        self.run.as_ref().unwrap().signal("HUP");
    }

    fn openclaw(&self) -> String {
        self.stack.bed.container("openclaw")
    }

    /// When a service's container was started last.
    #[track_caller]
    fn started(&self, service: &str) -> String {
        let seen = self.stack.bed.engine.inspect(&self.stack.bed.container(service));
        seen["State"]["StartedAt"].as_str().unwrap().to_owned()
    }

    fn status(&self) -> Option<Value> {
        let answer = http::get_unix(&self.socket, "/status").ok().filter(|answer| answer.status == 200)?;
        serde_json::from_slice(&answer.body).ok()
    }

    fn state_of(&self, service: &str) -> Option<Value> {
        self.status().map(|status| status["services"][service]["containers"][0].clone())
    }

    /// The control plane says so, and a client of the site sees it.
    #[track_caller]
    fn ready(&self) {
        wait::until("the stack to be ready", || {
            let ready = http::get_unix(&self.socket, "/readyz").ok()?;
            (ready.status == 200 && self.stack.is_healthy()).then_some(())
        });
    }

    /// The gateway's own process, as the host numbers it.
    #[track_caller]
    fn gateway(&self) -> u32 {
        let top = self
            .stack
            .bed
            .engine
            .get(&format!("/containers/{}/top?ps_args=-eo%20pid,ppid,comm", self.openclaw()));
        let rows: Vec<(u32, u32)> = top["Processes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let number = |column: usize| row[column].as_str().unwrap().parse().unwrap();
                (number(0), number(1))
            })
            .collect();
        let is_node = |pid: u32| {
            let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program.file_name().is_some_and(|name| name == "node")
        };
        let gateway = rows.iter().find(|(pid, parent)| is_node(*pid) && !is_node(*parent));
        gateway.unwrap_or_else(|| panic!("no gateway among {top}")).0
    }

    fn taken_over(&mut self) {
        let before = ["caddy", "openclaw"].map(|service| self.started(service));
        assert_eq!(self.run.take().unwrap().stop(), 0);
        assert!(self.stack.is_healthy(), "the stack went away with the supervisor");
        self.start("second");
        self.ready();
        assert_eq!(["caddy", "openclaw"].map(|service| self.started(service)), before);
    }

    fn hang(&self) {
        let (before, caddy) = (self.started("openclaw"), self.started("caddy"));
        signal(self.gateway(), "STOP");
        wait::until("the gateway to be started again", || (self.started("openclaw") != before).then_some(()));
        self.ready();
        assert_eq!(self.started("caddy"), caddy);
    }

    fn kill(&self) {
        let since = self.stack.bed.engine.now();
        let before = self.started("openclaw");
        signal(self.gateway(), "KILL");
        wait::until("the gateway to be started again", || (self.started("openclaw") != before).then_some(()));
        self.ready();
        assert_eq!(self.stack.bed.engine.starts(&self.openclaw(), &since), 1);
    }

    fn refused(&self) {
        let before = ["caddy", "openclaw"].map(|service| self.started(service));
        let path = self.stack.bed.folder().join("compose.override.yaml");
        let good = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, "services:\n  openclaw:\n    privileged: true\n").unwrap();
        self.hup();
        wait::until("the refusal to be told", || {
            let refusals = self.status()?["totals"]["refusals"].as_u64()?;
            (refusals > 0).then_some(())
        });
        assert_eq!(["caddy", "openclaw"].map(|service| self.started(service)), before);
        assert!(self.stack.is_healthy());
        std::fs::write(&path, good).unwrap();
        self.hup();
        wait::until("the refusal to be over", || self.status()?["stack"]["refused"].is_null().then_some(()));
        self.ready();
        assert_eq!(["caddy", "openclaw"].map(|service| self.started(service)), before);
    }

    /// Without a token the gateway refuses to listen, and says so with its exit code.
    fn write_bad_configuration(&self) {
        let path = self.stack.bed.folder().join("openclaw.json");
        std::fs::copy(&path, self.stack.bed.folder().join("good.json")).unwrap();
        let bad =
            r#"{"gateway": {"mode": "local", "bind": "lan", "port": 18789, "auth": {"mode": "token"}}}"#;
        std::fs::write(&path, bad).unwrap();
    }

    fn bad_update(&self) {
        let id = || self.stack.bed.engine.inspect(&self.openclaw())["Id"].clone();
        let (before, caddy) = (id(), self.started("caddy"));
        self.write_bad_configuration();
        self.hup();
        let refused = wait::until("the update to be taken back", || {
            self.status()
                .map(|status| status["stack"]["refused"].clone())
                .filter(|refused| !refused.is_null())
        });
        assert!(refused.to_string().contains("ended with code 78"), "{refused}");
        self.ready();
        assert_eq!((id(), self.started("caddy")), (before, caddy));
        self.put_right();
    }

    /// From nothing, so that there is nothing that it could be taken back to.
    fn bad_configuration(&mut self) {
        assert_eq!(self.run.take().unwrap().stop(), 0);
        self.stack.bed.supervisor(&["down"]).expect(0);
        self.write_bad_configuration();
        let since = self.stack.bed.engine.now();
        self.start("third");
        let seen = wait::until("the gateway to be given up", || {
            self.state_of("openclaw").filter(|container| container["state"] == "failed")
        });
        assert_eq!((&seen["exit_code"], &seen["next_start"]), (&Value::from(78), &Value::Null), "{seen}");
        let caddy = self.started("caddy");
        assert_eq!(self.stack.bed.engine.starts(&self.openclaw(), &since), 1);
        assert_eq!(http::get_unix(&self.socket, "/readyz").unwrap().status, 503);
        assert_eq!(self.started("caddy"), caddy);
        let listed = self.stack.bed.supervisor(&["ps", "--all"]).expect(0).out;
        assert!(listed.contains("78"), "{listed}");
    }

    fn put_right(&self) {
        std::fs::copy(
            self.stack.bed.folder().join("good.json"),
            self.stack.bed.folder().join("openclaw.json"),
        )
        .unwrap();
        self.hup();
        self.ready();
    }

    fn ends(&mut self) {
        let before = ["caddy", "openclaw"].map(|service| self.started(service));
        let run = self.run.as_ref().unwrap();
        run.signal("TERM");
        let pid = run.pid();
        wait::until("run to end", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
        assert!(self.stack.is_healthy());
        assert_eq!(["caddy", "openclaw"].map(|service| self.started(service)), before);
    }
}
