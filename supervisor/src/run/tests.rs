//! The loop's decisions on simulated time: a script of what happens in, what the loop does out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Request, Source};
use expect_test::{Expect, expect};
use jiff::Timestamp;
use profiles::{Arch, Kernel};

use super::event::{Answering, Asked, Effect, Event, Fault, FaultKind, Look, Now, Signal, Up, Word};
use super::view;
use super::watch::Watch;
use crate::apply::{subject, words};
use crate::decide::diagnose::Diagnosis;
use crate::decide::hash;
use crate::decide::heal::Silence;
use crate::decide::seen::{Seen, SeenContainer, SeenImage, SeenNetwork, SeenTable, State};
use crate::decide::spec::{Bounds, Restart, Wanted};
use crate::decide::testing::{created, guarded};
use crate::decide::wanted::Restarts;
use crate::engine::{EngineEvent, EngineVersion, EventKind};
use crate::host::contents::Contents;
use crate::pipeline::Stack;
use crate::serve::snapshot::{Attestation, Refusal};

mod anew;
mod attested;
mod crossing;
mod drift;
mod ended;
mod lent;

const WEB: &str = r#"
name: shop
services:
  web:
    image: caddy:2@sha256:0123456789012345678901234567890123456789012345678901234567890123
    user: "1000:1000"
    restart: always
    stop_grace_period: 5s
    x-supervisor:
      probe: {http: /healthz, startup: /startupz, port: 80, interval: 2s, timeout: 1s, retries: 2, start_period: 30s}
      on_exit: {"78": stop}
"#;

/// Where times of a script begin: long after boot.
const BEGIN: Duration = Duration::from_secs(1000);

pub(super) fn stack(text: &str) -> Box<Stack> {
    let host = MemoryHost::default();
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: PathBuf::from("/srv/shop"),
        project_name: None,
        environment: compose::Environment::default(),
    };
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    let (admitted, report) = compose::admit(compose::load(request, &host), &policy, &host);
    let errors = report.findings.iter().filter(|finding| finding.severity == compose::Severity::Error);
    let admitted = admitted.unwrap_or_else(|| panic!("{:?}\n{text}", errors.collect::<Vec<_>>()));
    let kernel = Kernel { arch: Arch::X86_64, version: (6, 12), apparmor: false, landlock: 0 };
    Box::new(Stack::new(admitted, &kernel, Contents::default(), BTreeSet::new()))
}

/// Plays a script: each line is a time in seconds and what happens then. What the loop does stands below the line.
#[track_caller]
fn check(script: &str, expect: Expect) {
    let mut play = Play::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        play.line(line);
    }
    expect.assert_eq(&play.out);
}

struct Play {
    watch: Watch,
    time: Duration,
    /// When the container was started last.
    began: Duration,
    out: String,
}

impl Play {
    fn new() -> Self {
        let mut play = Self { watch: Watch::new(at(BEGIN)), time: BEGIN, began: BEGIN, out: String::new() };
        play.take(Event::Tick);
        play.out.clear();
        play
    }

    fn line(&mut self, line: &str) {
        let (time, what) = line.split_once(' ').unwrap();
        let time = BEGIN + Duration::from_secs_f64(time.parse().unwrap());
        self.until(time);
        self.time = time;
        if what == "status" {
            let snapshot = view::snapshot(&self.watch, at(BEGIN).wall, at(time));
            let _ = writeln!(self.out, "{line}\n  {}", view::status_line(&snapshot));
            return;
        }
        let _ = writeln!(self.out, "{line}");
        if what == "start" || what.starts_with("started") {
            self.began = time;
        }
        let event = self.event(what);
        self.take(event);
    }

    /// Lets time pass, with a tick whenever the loop asked for one.
    fn until(&mut self, time: Duration) {
        loop {
            let due = self.watch.deadline(at(self.time)).max(self.time + Duration::from_millis(1));
            if due >= time {
                return;
            }
            self.time = due;
            let before = self.out.len();
            self.take(Event::Tick);
            if self.out.len() > before {
                let seconds = due.saturating_sub(BEGIN).as_secs_f64();
                self.out.insert_str(before, &format!("{seconds:.1} tick\n"));
            }
        }
    }

    fn take(&mut self, event: Event) {
        for effect in self.watch.take(event, at(self.time)) {
            let _ = writeln!(self.out, "  {}", words_of(&effect));
        }
    }

    fn event(&self, what: &str) -> Event {
        let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
        let id = || "id1".to_owned();
        let name = || "shop-web-1".to_owned();
        let heard = |kind| {
            Event::Heard(EngineEvent {
                at: at(self.time).wall,
                id: id(),
                name: name(),
                service: Some("web".into()),
                kind,
            })
        };
        match word {
            "loaded" => Event::Loaded(Ok(stack(WEB))),
            "refused" => Event::Loaded(Err(Refusal {
                at: at(self.time).wall,
                unreadable: false,
                errors: vec![rest.into()],
            })),
            "connected" => Event::Connected(Ok(Answering {
                life: (!rest.is_empty()).then(|| rest.to_owned()),
                version: EngineVersion { engine: "28.5.2".into(), runc: None },
            })),
            "unreachable" => Event::Connected(Err(away())),
            "deaf" => Event::Deaf(away()),
            "look" => Event::Looked { began: self.time, outcome: Ok(Box::new(self.look(rest))) },
            "old-look" => Event::Looked {
                began: self.time.saturating_sub(Duration::from_secs(1)),
                outcome: Ok(Box::new(self.look(rest))),
            },
            "look-failed" => Event::Looked { began: self.time, outcome: Err(away()) },
            "applied" => {
                let word = Attestation::Passed { at: at(self.time).wall, checks: 30 };
                Event::Applied {
                    attested: [(name(), Self::word(word))].into(),
                    outcome: Ok(()),
                    rejected: false,
                }
            }
            "applied-guard" => Event::Applied { attested: BTreeMap::new(), outcome: Ok(()), rejected: false },
            "applied-unconfined" => {
                let up = self.up(false);
                let reason = "container `shop-web-1` is not confined as promised, and was stopped".to_owned();
                Event::Applied {
                    attested: [(name(), Self::word(up.attestation))].into(),
                    outcome: Err(Fault { message: reason, kind: FaultKind::Other }),
                    rejected: false,
                }
            }
            "apply-failed" | "apply-rejected" => Event::Applied {
                attested: BTreeMap::new(),
                outcome: Err(Fault { message: rest.into(), kind: FaultKind::Other }),
                rejected: word == "apply-rejected",
            },
            "started" => Event::Started { name: name(), outcome: Ok(Box::new(self.up(true))) },
            "started-unconfined" => Event::Started { name: name(), outcome: Ok(Box::new(self.up(false))) },
            "started-drifted" => Event::Started { name: name(), outcome: Ok(Box::new(self.drifted())) },
            "start-failed" => Event::Started {
                name: name(),
                outcome: Err(Fault { message: rest.into(), kind: FaultKind::Other }),
            },
            "start-lost" => Event::Started { name: name(), outcome: Err(away()) },
            "stopped" => Event::Stopped { name: name(), outcome: Ok(()) },
            "attested" => Event::Attested {
                name: name(),
                id: id(),
                attestation: Attestation::Passed { at: at(self.time).wall, checks: 30 },
                settings: None,
            },
            "attested-drifted" | "attested-unconfined" => {
                let up = if word == "attested-drifted" { self.drifted() } else { self.up(false) };
                let settings =
                    Some((up.restart, if rest == "still" { self.drifted().bounds } else { up.bounds }));
                Event::Attested { name: name(), id: id(), attestation: up.attestation, settings }
            }
            "diagnosed" => Event::Diagnosed {
                name: name(),
                id: id(),
                diagnosis: Some(Diagnosis {
                    known: false,
                    cause: "its root is read-only".into(),
                    remedy: rest.into(),
                }),
            },
            "start" => heard(EventKind::Start),
            "kill" => heard(EventKind::Kill(rest.parse().unwrap())),
            "die" => heard(EventKind::Die(rest.parse().unwrap())),
            "stop" => heard(EventKind::Stop),
            "destroy" => heard(EventKind::Destroy),
            "probe" => Self::probe(rest),
            "ask" => Event::Asked(Some(Asked {
                holder: "process 7 (`profile record`)".into(),
                service: rest.into(),
            })),
            "ask-no-more" => Event::Asked(None),
            "hup" => Event::Signal(Signal::Reload),
            "term" => Event::Signal(Signal::End),
            _ => panic!("`{what}`"),
        }
    }

    fn word(attestation: Attestation) -> Word {
        let promised = wanted_now().services["web"].containers[0].bounds();
        Word { id: "id1".to_owned(), attestation, promised, seen: Some(promised) }
    }

    fn probe(rest: &str) -> Event {
        let (startup, rest) = match rest.strip_prefix("startup ") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let failure = match rest {
            "ok" => None,
            "hang" => Some(("no answer".to_owned(), Silence::Frozen)),
            other => Some((other.to_owned(), Silence::Answered)),
        };
        let took = Duration::from_millis(5);
        Event::Probed { name: "shop-web-1".into(), id: "id1".into(), startup, failure, took }
    }

    fn up(&self, confined: bool) -> Up {
        let now = at(self.time).wall;
        let attestation = if confined {
            Attestation::Passed { at: now, checks: 30 }
        } else {
            Attestation::Failed { at: now, differences: vec!["seccomp: promised on, seen off".into()] }
        };
        Up {
            id: "id1".into(),
            started_at: now,
            pid: Some(4711),
            address: Some([10, 0, 0, 2].into()),
            restart: Restart::No,
            bounds: wanted_now().services["web"].containers[0].bounds(),
            attestation,
        }
    }

    /// Running, with a limit that somebody changed.
    fn drifted(&self) -> Up {
        let up = self.up(true);
        let differences = vec!["memory: promised 1024 MiB, seen 1 MiB".into()];
        Up {
            bounds: Bounds { memory: 1 << 20, ..up.bounds },
            attestation: Attestation::Failed { at: at(self.time).wall, differences },
            ..up
        }
    }

    /// Everything as wanted, and the container as said: `none`, `running`, `met` (running, and met), `exited CODE`,
    /// `renamed`, `other` (made of another file).
    ///
    /// With `unguarded` before it, somebody took the guard away.
    fn look(&self, rest: &str) -> Look {
        let (rest, is_guarded) = rest.strip_prefix("unguarded ").map_or((rest, true), |rest| (rest, false));
        let (wanted, images) = (wanted_now(), images());
        let state = match rest.split_once(' ') {
            Some(("exited", code)) => State::Exited(code.parse().unwrap()),
            _ => State::Running,
        };
        let mut containers = if rest == "none" { Vec::new() } else { vec![seen(&wanted, state)] };
        for container in &mut containers {
            match rest {
                "renamed" => container.name = "other".into(),
                "other" => container.hash = Some("another file".into()),
                _ => {}
            }
        }
        let met = if rest == "met" {
            let up =
                Up { attestation: Attestation::Unknown, started_at: at(self.began).wall, ..self.up(true) };
            [("id1".to_owned(), up)].into()
        } else {
            BTreeMap::new()
        };
        let networks = wanted.networks.values().map(|spec| SeenNetwork {
            id: format!("id-{}", spec.name),
            name: spec.name.clone(),
            project: Some("shop".into()),
            hash: Some(hash::network(spec)),
            internal: spec.internal,
            driver: "bridge".into(),
            options: spec.options.clone(),
            ..SeenNetwork::default()
        });
        let mut seen = Seen { networks: networks.collect(), containers, images, ..Seen::default() };
        guarded(&wanted, &mut seen);
        if let (Some(guard), false) = (&mut seen.guard, is_guarded) {
            guard.table = SeenTable::Absent { was_set: true };
        }
        Look { seen, met, took: Duration::from_millis(4) }
    }
}

fn images() -> BTreeMap<String, SeenImage> {
    let images = stack(WEB).images().into_iter();
    images.map(|image| (image, SeenImage { id: format!("sha256:{}", "ab".repeat(32)) })).collect()
}

fn wanted_now() -> Wanted {
    stack(WEB).wanted(&images(), Restarts::Ours).unwrap()
}

fn seen(wanted: &Wanted, state: State) -> SeenContainer {
    let spec = &wanted.services["web"].containers[0];
    SeenContainer {
        id: "id1".into(),
        parts: None,
        state,
        created: 0,
        networks: spec.networks.keys().map(|name| (name.clone(), Some([10, 0, 0, 2].into()))).collect(),
        ..created(spec, 0)
    }
}

fn at(boot: Duration) -> Now {
    let wall: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    Now { boot, wall: wall + boot, jitter: 0 }
}

fn away() -> Fault {
    Fault { message: "nothing listens there".into(), kind: FaultKind::EngineAway }
}

fn words_of(effect: &Effect) -> String {
    match effect {
        Effect::Load => "load".into(),
        Effect::Connect => "connect".into(),
        Effect::Listen { since, .. } => format!("listen{}", if since.is_some() { " since then" } else { "" }),
        Effect::Look { images, known, .. } => {
            format!("look at {} images, knowing {}", images.len(), known.len())
        }
        Effect::Apply { plan, .. } => {
            let steps = plan.steps.iter().map(|p| format!("{} {}", words(&p.step).0, subject(&p.step).name));
            format!("apply {}", steps.collect::<Vec<_>>().join(", "))
        }
        Effect::Start { name, .. } => format!("start {name}"),
        Effect::Stop { name, grace, .. } => format!("stop {name} within {} s", grace.as_secs()),
        Effect::Attest { name, .. } => format!("attest {name}"),
        Effect::Diagnose { name, code, .. } => format!("diagnose {name} after {code}"),
        Effect::Probe(probe) => format!("probe {}", probe.path),
        Effect::Say(say) => format!("say {}: {}", say.service, say.message),
        Effect::Ready => "ready".into(),
        Effect::End => "end".into(),
    }
}

/// A stack that was started by the loop and is healthy at 3 s, by the whole way.
const HEALTHY: &str = "
    0 loaded
    0 connected
    0 look none
    1 start
    1 applied
    1 look met
    2 probe startup ok
    3 probe ok
    3 attested
";

/// The same for what comes after: the way there is not shown.
#[track_caller]
fn check_healthy(script: &str, expect: Expect) {
    let mut play = Play::new();
    for line in HEALTHY.lines().map(str::trim).filter(|line| !line.is_empty()) {
        play.line(line);
    }
    play.out.clear();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        play.line(line);
    }
    expect.assert_eq(&play.out);
}

#[test]
fn it_converges_first_and_then_watches() {
    check(
        HEALTHY,
        expect![[r"
        0 loaded
          say : read the stack `shop`
          connect
        0 connected
          say : engine 28.5.2 answers
          listen
          look at 1 images, knowing 0
        0 look none
          say : create container `shop-web-1`: it is not there
          say : start container `shop-web-1`: it is not there
          apply create shop-web-1, start shop-web-1
        1 start
        1 applied
          look at 0 images, knowing 0
        1 look met
          say : the stack is as wanted, and is watched
          ready
          probe /startupz
        2 probe startup ok
          probe /healthz
        3 probe ok
          say web: healthy
        3 attested
    "]],
    );
}

#[test]
fn a_stack_that_runs_already_is_taken_up_and_attested() {
    check(
        "
        0 loaded
        0 connected
        0 look met
        0.1 probe startup ok
        0.2 probe ok
        0.3 attested
        0.3 status
    ",
        expect![[r"
            0 loaded
              say : read the stack `shop`
              connect
            0 connected
              say : engine 28.5.2 answers
              listen
              look at 1 images, knowing 0
            0 look met
              say : the stack is as wanted, and is watched
              ready
              attest shop-web-1
              probe /startupz
            0.1 probe startup ok
              probe /healthz
            0.2 probe ok
              say web: healthy
            0.3 attested
            0.3 status
              1 services as wanted
        "]],
    );
}

#[test]
fn a_crash_is_healed_at_once_and_the_next_one_after_a_wait() {
    check_healthy(
        "
        4 die 137
        4.5 start
        4.5 started
        5 probe startup ok
        5.1 probe ok
        6 die 1
        6 status
        7.5 started
        8 status
    ",
        expect![[r#"
            4 die 137
              diagnose shop-web-1 after 137
              say web: restarting now: ended by signal 9 (code 137)
              start shop-web-1
            4.5 start
            4.5 started
              probe /startupz
            4.6 tick
              look at 0 images, knowing 1
            5 probe startup ok
              probe /healthz
            5.1 probe ok
              say web: healthy
            6 die 1
              diagnose shop-web-1 after 1
              say web: restarting in 1.0 s: ended with code 1
            6 status
              0 of 1 services as wanted; service `web` is backing_off: ended with code 1
            7.0 tick
              start shop-web-1
            7.5 started
              probe /startupz
            8 status
              0 of 1 services as wanted; service `web` is starting: its first health is awaited; last: ended with code 1
        "#]],
    );
}

#[test]
fn a_hang_is_killed_and_started() {
    check_healthy(
        "
        5.1 probe hang
        8.1 probe hang
        8.3 die 137
        8.4 stopped
        8.9 started
        9 status
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            5.1 probe hang
            7.1 tick
              probe /healthz
            8.1 probe hang
              stop shop-web-1 within 0 s
            8.3 die 137
              diagnose shop-web-1 after 137
              say web: restarting now: unhealthy, 2 probes in a row: no answer
            8.4 stopped
              start shop-web-1
            8.9 started
              probe /startupz
            9 status
              0 of 1 services as wanted; service `web` is starting: its first health is awaited; last: unhealthy, 2 probes in a row: no answer
        "#]],
    );
}

#[test]
fn a_stop_by_hand_is_respected_until_a_start_by_hand() {
    check_healthy(
        "
        4 kill 15
        4.1 die 0
        4.1 stop
        5 look exited 0
        5 status
        9 start
        9 status
    ",
        expect![[r"
            4 kill 15
            4.1 die 0
              say web: somebody stopped it: it stays so until somebody starts it
            4.1 stop
            5 look exited 0
            5 status
              0 of 1 services as wanted; service `web` is stopped: somebody stopped it
            9 start
            9 status
              0 of 1 services as wanted; service `web` is starting: its first health is awaited
        "]],
    );
}

#[test]
fn a_look_that_began_before_the_news_does_not_undo_it() {
    check_healthy(
        "
        4 die 137
        4.1 old-look running
        4.5 started
        4.6 old-look exited 137
        4.8 look running
        4.8 status
    ",
        expect![[r"
            4 die 137
              diagnose shop-web-1 after 137
              say web: restarting now: ended by signal 9 (code 137)
              start shop-web-1
            4.1 old-look running
            4.2 tick
              look at 0 images, knowing 0
            4.5 started
              probe /startupz
            4.6 old-look exited 137
            4.7 tick
              look at 0 images, knowing 1
            4.8 look running
            4.8 status
              0 of 1 services as wanted; service `web` is starting: its first health is awaited; last: ended by signal 9 (code 137)
        "]],
    );
}

#[test]
fn an_engine_that_is_away_is_called_until_it_is_back_and_heard_from_where_it_ended() {
    check_healthy(
        "
        4 die 1
        4.1 deaf
        4.2 start-lost
        4.3 unreachable
        5.3 status
        5.4 unreachable
        6.5 connected
        6.6 look exited 1
    ",
        expect![[r"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4.1 deaf
              say : the engine's events ended: nothing listens there
            4.2 start-lost
            4.3 unreachable
            5.3 status
              the engine is away: nothing listens there
            5.3 tick
              connect
            5.4 unreachable
            6.4 tick
              connect
            6.5 connected
              say : engine 28.5.2 answers
              listen since then
              look at 0 images, knowing 0
            6.6 look exited 1
              say : start container `shop-web-1`: it ended with code 1
              apply start shop-web-1
        "]],
    );
}

#[test]
fn a_refused_file_is_read_again_only_while_nothing_is_in_force() {
    check(
        "
        0 refused SV105 compose.yaml:4: `web` is privileged
        0 status
        5 refused SV105 compose.yaml:4: `web` is privileged
        10.1 loaded
        10.2 connected
        10.3 look met
        20 hup
        20.1 refused SV105 compose.yaml:4: `web` is privileged
        20.1 status
        26 term
    ",
        expect![[r"
            0 refused SV105 compose.yaml:4: `web` is privileged
              say : the file is not taken: SV105 compose.yaml:4: `web` is privileged
            0 status
              the file is not taken: SV105 compose.yaml:4: `web` is privileged
            5 refused SV105 compose.yaml:4: `web` is privileged
            10.0 tick
              load
            10.1 loaded
              say : read the stack `shop`
              connect
            10.2 connected
              say : engine 28.5.2 answers
              listen
              look at 1 images, knowing 0
            10.3 look met
              say : the stack is as wanted, and is watched
              ready
              attest shop-web-1
              probe /startupz
            20 hup
              load
            20.1 refused SV105 compose.yaml:4: `web` is privileged
              say : the file is not taken; the stack stays as it is: SV105 compose.yaml:4: `web` is privileged
            20.1 status
              0 of 1 services as wanted; service `web` is starting: its first health is awaited
            26 term
              end
        "]],
    );
}

#[test]
fn a_plan_that_fails_is_tried_again_after_a_wait_that_grows() {
    check(
        "
        0 loaded
        0 connected
        0 look none
        0 apply-failed the port is taken
        0 status
        0 look none
        1 look none
        1 apply-failed the port is taken
        1 look none
        3 look none
    ",
        expect![[r"
            0 loaded
              say : read the stack `shop`
              connect
            0 connected
              say : engine 28.5.2 answers
              listen
              look at 1 images, knowing 0
            0 look none
              say : create container `shop-web-1`: it is not there
              say : start container `shop-web-1`: it is not there
              apply create shop-web-1, start shop-web-1
            0 apply-failed the port is taken
              say : the port is taken
              look at 0 images, knowing 0
            0 status
              0 of 1 services as wanted; the port is taken
            0 look none
            1 look none
              say : create container `shop-web-1`: it is not there
              say : start container `shop-web-1`: it is not there
              apply create shop-web-1, start shop-web-1
              look at 0 images, knowing 0
            1 apply-failed the port is taken
              say : the port is taken
            1 look none
              look at 0 images, knowing 0
            3 look none
              say : create container `shop-web-1`: it is not there
              say : start container `shop-web-1`: it is not there
              apply create shop-web-1, start shop-web-1
        "]],
    );
}
