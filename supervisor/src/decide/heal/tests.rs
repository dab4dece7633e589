//! Healing on simulated time: a table of times and events in, the phases and actions out.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

/// Plays `TIME EVENT [WORDS]` rows and prints what each made of the state. The timer is kept: ticks that fall due
/// before a row are played first, and marked as such.
#[track_caller]
fn check(policy: &Policy, script: &str, expect: Expect) {
    let (mut state, mut timer, mut printed) = (State::default(), None, String::new());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (at, rest) = line.split_once(' ').unwrap_or((line, "tick"));
        let now = seconds(at);
        while let Some(due) = timer.filter(|due| *due <= now) {
            timer = turn(policy, &mut state, Event::Tick, due, "(timer)", &mut printed);
        }
        timer = turn(policy, &mut state, event(rest), now, rest, &mut printed);
    }
    expect.assert_eq(&printed);
}

fn turn(
    policy: &Policy,
    state: &mut State,
    event: Event,
    now: Duration,
    row: &str,
    printed: &mut String,
) -> Option<Duration> {
    let turn = heal(policy, state.clone(), event, now, 0);
    *state = turn.state;
    let _ = write!(printed, "{:<5} {row}: {}", now.as_secs_f64(), phase(&state.phase));
    for action in &turn.actions {
        let _ = write!(printed, " | {}", print(action));
    }
    printed.push('\n');
    assert!(
        turn.look_again.is_none_or(|due| due > now),
        "a timer in the past: {:?} at {now:?}",
        turn.look_again
    );
    turn.look_again
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().unwrap())
}

fn event(row: &str) -> Event {
    let words: Vec<&str> = row.split(' ').collect();
    let id = "c1".to_owned();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok()).unwrap_or_default();
    match words[0] {
        "started" => Event::Started { id: words.get(1).map_or(id, |id| (*id).to_owned()) },
        "running" => Event::SeenRunning { id, age: seconds(words.get(1).unwrap_or(&"0")), health: None },
        "down" => Event::SeenDown { id: words.get(1).map_or(id, |id| (*id).to_owned()) },
        "exited" => Event::Exited { id, code: number(1), out_of_memory: words.contains(&"oom") },
        "ok" => Event::ProbeOk { id },
        "failed" => Event::ProbeFailed {
            id,
            reason: "no answer".to_owned(),
            silence: match words.get(1) {
                Some(&"frozen") => Silence::Frozen,
                Some(&"silent") => Silence::Silent,
                _ => Silence::Answered,
            },
        },
        "healthy" => Event::EngineHealth { id, health: Health::Healthy },
        "unhealthy" => Event::EngineHealth { id, health: Health::Unhealthy },
        "signal" => Event::Signalled { id, signal: i32::try_from(number(1)).unwrap() },
        "stop" => Event::StopNotice { id },
        "paused" => Event::Paused { id },
        "unpaused" => Event::Unpaused { id },
        "gone" => Event::Gone { id },
        "planned" => Event::PlannedStop,
        "start-failed" => Event::StartFailed { reason: "port taken".to_owned() },
        "unattested" => Event::AttestationFailed { id, reason: "a capability more".to_owned() },
        "tick" => Event::Tick,
        other => panic!("no such event: {other}"),
    }
}

fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Starting { until, .. } => format!("starting until {}", until.as_secs_f64()),
        Phase::Up { .. } => "up".to_owned(),
        Phase::Unproven { .. } => "unproven".to_owned(),
        Phase::Launching { .. } => "launching".to_owned(),
        Phase::Stopping { reason, .. } => format!("stopping ({reason})"),
        Phase::BackingOff { until, reason } => {
            format!("backing off until {} ({reason})", until.as_secs_f64())
        }
        Phase::Ended { why, reason, .. } => format!("ended by {why:?} ({reason})"),
        Phase::Unhealthy { reason, .. } => format!("unhealthy ({reason})"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn print(action: &Action) -> String {
    match action {
        Action::Start => "START".to_owned(),
        Action::Stop { grace } => format!("STOP {}", grace.as_secs_f64()),
        Action::Alert(Alert::Restarting { .. }) => "tell of restart".to_owned(),
        Action::Alert(alert) => format!("alert {alert:?}"),
    }
}

/// A probe every second, three failures, ten seconds to start, half a minute to stop.
fn probed() -> Policy {
    Policy {
        check: Check::Probe { interval: Duration::from_secs(1), retries: 3 },
        start_period: Duration::from_secs(10),
        grace: Duration::from_secs(30),
        on_exit: BTreeMap::from([(78, OnExit::Stop), (0, OnExit::Restart)]),
        restart: Restart::UnlessStopped,
    }
}

fn unchecked(restart: Restart) -> Policy {
    Policy { check: Check::None, restart, on_exit: BTreeMap::new(), ..probed() }
}

#[test]
fn failures_while_it_starts_do_not_count_and_the_first_health_does() {
    check(
        &probed(),
        "0 started
         1 failed
         2 failed
         3 failed
         4 failed
         5 ok
         6 failed
         7 ok
         8 failed
         9 failed
         10 ok",
        expect![[r#"
            0     started: starting until 10
            1     failed: starting until 10
            2     failed: starting until 10
            3     failed: starting until 10
            4     failed: starting until 10
            5     ok: up
            6     failed: up
            7     ok: up
            8     failed: up
            9     failed: up
            10    ok: up
        "#]],
    );
}

#[test]
fn a_start_that_takes_too_long_is_begun_again() {
    check(
        &probed(),
        "0 started
         9 failed
         11 exited 137
         11 started",
        expect![[r#"
            0     started: starting until 10
            9     failed: starting until 10
            10    (timer): stopping (not healthy within 10 s of its start) | STOP 10
            11    exited 137: launching | tell of restart | START
            11    started: starting until 21
        "#]],
    );
}

#[test]
fn a_hang_is_killed_at_once_and_a_wrong_answer_gets_its_grace() {
    check(
        &probed(),
        "0 started
         1 ok
         2 failed silent
         3 failed silent
         4 failed frozen
         4.1 signal 15
         4.2 exited 137
         4.3 stop
         4.4 started
         5 ok
         6 failed
         7 failed
         8 failed
         9 failed
         12 exited 0
         13 start-failed",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     failed silent: up
            3     failed silent: up
            4     failed frozen: stopping (unhealthy, 3 probes in a row: no answer) | STOP 0
            4.1   signal 15: stopping (unhealthy, 3 probes in a row: no answer)
            4.2   exited 137: launching | tell of restart | START
            4.3   stop: launching
            4.4   started: starting until 14.4
            5     ok: up
            6     failed: up
            7     failed: up
            8     failed: stopping (unhealthy, 3 probes in a row: no answer) | STOP 30
            9     failed: stopping (unhealthy, 3 probes in a row: no answer)
            12    exited 0: backing off until 13 (unhealthy, 3 probes in a row: no answer) | tell of restart
            13    (timer): launching | START
            13    start-failed: backing off until 15 (it could not be started: port taken) | tell of restart
        "#]],
    );
}

#[test]
fn exit_78_stays_down_until_somebody_starts_it() {
    check(
        &probed(),
        "0 started
         2 exited 78
         500 tick
         600 started
         601 ok",
        expect![[r#"
            0     started: starting until 10
            2     exited 78: ended by Contract (ended with code 78; not started again: `on_exit` says that starting it again cannot help) | alert GivenUp { reason: "ended with code 78; not started again: `on_exit` says that starting it again cannot help" }
            500   tick: ended by Contract (ended with code 78; not started again: `on_exit` says that starting it again cannot help)
            600   started: starting until 610
            601   ok: up
        "#]],
    );
}

#[test]
fn exit_0_is_started_again_where_the_contract_says_so() {
    check(
        &probed(),
        "0 started
         1 ok
         2 exited 0
         2.5 started",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     exited 0: launching | tell of restart | START
            2.5   started: starting until 12.5
        "#]],
    );
}

#[test]
fn a_crash_loop_doubles_its_wait_and_is_told_once() {
    check(
        &unchecked(Restart::Always),
        "0 started
         1 exited 1
         1.5 started
         2 exited 1
         3.5 started
         4 exited 1
         6.5 started
         7 exited 1
         12 started
         13 exited 1
         22 started
         23 exited 1
         40 started
         700 exited 1
         701 started",
        expect![[r#"
            0     started: up
            1     exited 1: launching | tell of restart | START
            1.5   started: up
            2     exited 1: backing off until 3 (ended with code 1) | tell of restart
            3     (timer): launching | START
            3.5   started: up
            4     exited 1: backing off until 6 (ended with code 1) | tell of restart
            6     (timer): launching | START
            6.5   started: up
            7     exited 1: backing off until 11 (ended with code 1) | tell of restart
            11    (timer): launching | START
            12    started: up
            13    exited 1: backing off until 21 (ended with code 1) | alert CrashLoop { restarts: 5, reason: "ended with code 1" }
            21    (timer): launching | START
            22    started: up
            23    exited 1: backing off until 39 (ended with code 1) | tell of restart
            39    (timer): launching | START
            40    started: up
            640   (timer): up | alert Recovered
            700   exited 1: launching | tell of restart | START
            701   started: up
        "#]],
    );
}

#[test]
fn out_of_memory_is_named() {
    check(
        &probed(),
        "0 started
         5 exited 137 oom",
        expect![[r#"
            0     started: starting until 10
            5     exited 137 oom: launching | tell of restart | START
        "#]],
    );
}

#[test]
fn what_somebody_stopped_stays_stopped_until_somebody_starts_it() {
    check(
        &probed(),
        "0 started
         1 ok
         2 signal 15
         3 exited 0
         3.1 stop
         400 tick
         500 started
         501 ok",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     signal 15: up
            3     exited 0: stopped
            3.1   stop: stopped
            400   tick: stopped
            500   started: starting until 510
            501   ok: up
        "#]],
    );
}

#[test]
fn a_stop_whose_signal_was_not_heard_is_respected_all_the_same() {
    check(
        &probed(),
        "0 started
         1 ok
         3 exited 0
         3.1 stop
         3.2 exited 143",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            3     exited 0: launching | tell of restart | START
            3.1   stop: stopped | STOP 30
            3.2   exited 143: stopped
        "#]],
    );
}

#[test]
fn a_kill_is_a_crash_and_a_reload_signal_is_nothing() {
    check(
        &probed(),
        "0 started
         1 ok
         2 signal 10
         3 signal 9
         3 exited 137",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     signal 10: up
            3     signal 9: up
            3     exited 137: launching | tell of restart | START
        "#]],
    );
}

#[test]
fn a_restart_by_somebody_is_followed() {
    check(
        &probed(),
        "0 started
         1 ok
         2 signal 15
         3 exited 143
         3 stop
         3.5 started
         4 ok",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     signal 15: up
            3     exited 143: stopped
            3     stop: stopped
            3.5   started: starting until 13.5
            4     ok: up
        "#]],
    );
}

#[test]
fn a_plans_stop_is_no_crash_and_the_new_container_starts_afresh() {
    check(
        &probed(),
        "0 started
         1 ok
         2 planned
         2.1 signal 15
         2.2 exited 143
         2.3 stop
         2.4 gone
         3 started c2
         3.1 exited 1",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     planned: planned
            2.1   signal 15: planned
            2.2   exited 143: planned
            2.3   stop: planned
            2.4   gone: absent
            3     started c2: starting until 13
            3.1   exited 1: starting until 13
        "#]],
    );
}

#[test]
fn an_old_container_found_running_is_proven_before_it_is_judged() {
    check(
        &probed(),
        "1000 running 5000
         1001 failed
         1002 ok
         1003 running 5003
         1004 failed
         1005 failed
         1006 failed",
        expect![[r#"
            1000  running 5000: unproven
            1001  failed: unproven
            1002  ok: up
            1003  running 5003: up
            1004  failed: up
            1005  failed: up
            1006  failed: stopping (unhealthy, 3 probes in a row: no answer) | STOP 30
        "#]],
    );
}

#[test]
fn a_young_container_found_running_has_the_rest_of_its_budget() {
    check(
        &probed(),
        "100 running 4
         103 failed
         105 running 9
         107 exited 137",
        expect![[r#"
            100   running 4: starting until 106
            103   failed: starting until 106
            105   running 9: starting until 106
            106   (timer): stopping (not healthy within 10 s of its start) | STOP 10
            107   exited 137: launching | tell of restart | START
        "#]],
    );
}

#[test]
fn a_paused_container_is_left_alone() {
    check(
        &probed(),
        "0 started
         1 ok
         2 paused
         3 failed
         4 failed
         5 failed
         7 unpaused
         8 failed
         9 ok",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     paused: paused
            3     failed: paused
            4     failed: paused
            5     failed: paused
            7     unpaused: unproven
            8     failed: unproven
            9     ok: up
        "#]],
    );
}

#[test]
fn one_that_is_seen_running_was_let_go_on_though_nobody_heard_of_it() {
    check(
        &probed(),
        "0 started\n1 ok\n2 paused\n6 running 6\n7 ok",
        expect![[r#"
        0     started: starting until 10
        1     ok: up
        2     paused: paused
        6     running 6: unproven
        7     ok: up
    "#]],
    );
}

#[test]
fn a_stop_of_a_paused_container_is_somebodys_too() {
    check(
        &probed(),
        "0 started\n1 ok\n2 paused\n3 signal 15\n4 exited 137\n4 stop",
        expect![[r#"
        0     started: starting until 10
        1     ok: up
        2     paused: paused
        3     signal 15: paused
        4     exited 137: stopped
        4     stop: stopped
    "#]],
    );
}

#[test]
fn what_was_refused_stays_so_whatever_a_plan_does_around_it() {
    check(
        &probed(),
        "0 running 0\n1 unattested\n2 exited 137\n3 planned\n4 tick",
        expect![[r#"
        0     running 0: starting until 10
        1     unattested: refused { reason: "a capability more", ended: false } | STOP 0 | alert Refused { reason: "a capability more" }
        2     exited 137: refused { reason: "a capability more", ended: true }
        3     planned: refused { reason: "a capability more", ended: true }
        4     tick: refused { reason: "a capability more", ended: true }
    "#]],
    );
}

#[test]
fn what_was_refused_is_so_still_when_an_update_that_is_taken_back_brings_it_back() {
    check(
        &probed(),
        "0 running 0\n1 unattested\n2 exited 137\n3 planned\n4 started c2\n9 down c1\n10 down c3\n900 running 0\n901 down c1",
        expect![[r#"
            0     running 0: starting until 10
            1     unattested: refused { reason: "a capability more", ended: false } | STOP 0 | alert Refused { reason: "a capability more" }
            2     exited 137: refused { reason: "a capability more", ended: true }
            3     planned: refused { reason: "a capability more", ended: true }
            4     started c2: starting until 14
            9     down c1: refused { reason: "a capability more", ended: true }
            10    down c3: refused { reason: "a capability more", ended: true }
            900   running 0: starting until 910
            901   down c1: starting until 910
        "#]],
    );
}

#[test]
fn what_was_refused_is_so_still_when_another_had_its_name_for_a_while() {
    check(
        &probed(),
        "0 running 0\n1 unattested\n2 exited 137\n3 gone\n4 planned\n9 exited 137\n900 running 0",
        expect![[r#"
            0     running 0: starting until 10
            1     unattested: refused { reason: "a capability more", ended: false } | STOP 0 | alert Refused { reason: "a capability more" }
            2     exited 137: refused { reason: "a capability more", ended: true }
            3     gone: absent
            4     planned: planned
            9     exited 137: refused { reason: "a capability more", ended: true }
            900   running 0: starting until 910
        "#]],
    );
}

#[test]
fn a_start_that_is_never_in_time_says_so_once() {
    check(
        &probed(),
        "0 started\n10 tick\n11 exited 137\n11.1 started\n22 exited 137",
        expect![[r#"
        0     started: starting until 10
        10    (timer): stopping (not healthy within 10 s of its start) | STOP 10
        10    tick: stopping (not healthy within 10 s of its start)
        11    exited 137: launching | tell of restart | START
        11.1  started: starting until 21.1
        21.1  (timer): stopping (not healthy within 10 s of its start) | STOP 10
        22    exited 137: backing off until 23 (not healthy within 10 s of its start) | tell of restart
    "#]],
    );
}

#[test]
fn a_broken_promise_is_stopped_and_not_started_again() {
    check(
        &probed(),
        "0 running 0
         0.1 unattested
         0.2 started
         0.3 signal 15
         0.4 exited 137
         0.5 stop
         900 tick
         901 started
         902 running 0",
        expect![[r#"
            0     running 0: starting until 10
            0.1   unattested: refused { reason: "a capability more", ended: false } | STOP 0 | alert Refused { reason: "a capability more" }
            0.2   started: refused { reason: "a capability more", ended: false }
            0.3   signal 15: refused { reason: "a capability more", ended: false }
            0.4   exited 137: refused { reason: "a capability more", ended: true }
            0.5   stop: refused { reason: "a capability more", ended: true }
            900   tick: refused { reason: "a capability more", ended: true }
            901   started: refused { reason: "a capability more", ended: true }
            902   running 0: starting until 912
        "#]],
    );
}

/// What is told of a start may be about the one that was refused: an engine that was away tells it once more.
#[test]
fn what_was_refused_is_not_started_for_what_is_told_late_of_it() {
    check(
        &probed(),
        "0 running 0\n1 unattested\n2 exited 137\n3 started\n4 healthy\n5 exited 1",
        expect![[r#"
            0     running 0: starting until 10
            1     unattested: refused { reason: "a capability more", ended: false } | STOP 0 | alert Refused { reason: "a capability more" }
            2     exited 137: refused { reason: "a capability more", ended: true }
            3     started: refused { reason: "a capability more", ended: true }
            4     healthy: refused { reason: "a capability more", ended: true }
            5     exited 1: refused { reason: "a capability more", ended: true }
        "#]],
    );
}

#[test]
fn restart_no_and_on_failure_are_kept() {
    check(
        &unchecked(Restart::No),
        "0 started
         1 exited 1",
        expect![[r#"
            0     started: up
            1     exited 1: ended by Policy (ended with code 1; not started again: its `restart` is `no`) | alert GivenUp { reason: "ended with code 1; not started again: its `restart` is `no`" }
        "#]],
    );
    check(
        &unchecked(Restart::OnFailure(Some(2))),
        "0 started
         1 exited 1
         2 started
         3 exited 1
         5 started
         6 exited 1",
        expect![[r#"
            0     started: up
            1     exited 1: launching | tell of restart | START
            2     started: up
            3     exited 1: backing off until 4 (ended with code 1) | tell of restart
            4     (timer): launching | START
            5     started: up
            6     exited 1: ended by GaveUp (ended with code 1; not started again: its `restart` is `on-failure:2`, and all are used) | alert GivenUp { reason: "ended with code 1; not started again: its `restart` is `on-failure:2`, and all are used" }
        "#]],
    );
    check(
        &unchecked(Restart::OnFailure(None)),
        "0 started
         1 exited 0",
        expect![[r#"
            0     started: up
            1     exited 0: ended by Policy (ended with code 0; not started again: its `restart` is `on-failure`)
        "#]],
    );
}

#[test]
fn unhealthy_without_a_restart_policy_is_shown_and_left() {
    let policy = Policy { restart: Restart::No, ..probed() };
    check(
        &policy,
        "0 started
         1 ok
         2 failed
         3 failed
         4 failed
         5 failed
         6 ok",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     failed: up
            3     failed: up
            4     failed: unhealthy (unhealthy, 3 probes in a row: no answer; not restarted: its `restart` is `no`) | alert GivenUp { reason: "unhealthy, 3 probes in a row: no answer; not restarted: its `restart` is `no`" }
            5     failed: unhealthy (unhealthy, 3 probes in a row: no answer; not restarted: its `restart` is `no`)
            6     ok: up
        "#]],
    );
}

#[test]
fn the_engines_word_on_health_counts_where_there_is_no_probe() {
    let policy = Policy { check: Check::Engine, ..probed() };
    check(
        &policy,
        "0 started
         3 healthy
         9 unhealthy
         12 exited 143
         13 started
         30 exited 137",
        expect![[r#"
            0     started: starting until 10
            3     healthy: up
            9     unhealthy: stopping (unhealthy by its health check) | STOP 30
            12    exited 143: launching | tell of restart | START
            13    started: starting until 23
            23    (timer): stopping (not healthy within 10 s of its start: unhealthy by its health check) | STOP 10
            30    exited 137: backing off until 31 (not healthy within 10 s of its start: unhealthy by its health check) | tell of restart
        "#]],
    );
}

#[test]
fn a_stop_that_does_not_take_is_told_and_tried_again() {
    check(
        &probed(),
        "0 started
         1 ok
         2 failed
         3 failed
         4 failed
         60 tick",
        expect![[r#"
            0     started: starting until 10
            1     ok: up
            2     failed: up
            3     failed: up
            4     failed: stopping (unhealthy, 3 probes in a row: no answer) | STOP 30
            54    (timer): stopping (unhealthy, 3 probes in a row: no answer) | alert Stuck { reason: "unhealthy, 3 probes in a row: no answer" } | STOP 0
            60    tick: stopping (unhealthy, 3 probes in a row: no answer)
        "#]],
    );
}

#[test]
fn a_failed_start_is_tried_again_with_back_off() {
    check(
        &probed(),
        "0 started
         1 exited 1
         2 start-failed
         4 start-failed
         5 running 0",
        expect![[r#"
            0     started: starting until 10
            1     exited 1: launching | tell of restart | START
            2     start-failed: backing off until 3 (it could not be started: port taken) | tell of restart
            3     (timer): launching | START
            4     start-failed: backing off until 6 (it could not be started: port taken) | tell of restart
            5     running 0: starting until 15
        "#]],
    );
}
