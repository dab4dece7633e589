//! How soon a service runs again, beside the engine's own restart policy: after its process was killed, and after it hung.
//!
//! Deliberately absent: back-off. Each death is the first of a container that has run for longer than the engine's own wait
//! is remembered.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::measure::{middle_of, tree, wait};
use super::resident::Daemon;
use super::{Bench, compare, ms, row};
use crate::api::Api;
use crate::shell::{quiet, say};

/// Ours, kept by `run`, and Docker Compose's, kept by the engine.
const OURS: &str = "bench-probed-web-1";
const THEIRS: &str = "bench-engine-web-1";
/// The engine waits longer each time before it starts a container again that has run for less than 10 s.
const STEADY: Duration = Duration::from_secs(11);
/// What the probe needs at the longest to tell a hang, by the Compose file: 3 requests in a row, 2 s after the last answer
/// each, are not answered within 1 s.
const PROBE: Duration = Duration::from_secs(3 * (2 + 1));

/// Measures and prints.
pub(super) fn run(bench: &Bench, rounds: usize) -> Result<()> {
    let probed = bench.folder.join("probed");
    let api = bench.api();
    let theirs = |command: &[&str]| {
        quiet(bench.at(&bench.compose, &probed).args(["-p", "bench-engine"]).args(command))
    };
    let ours = |command: &str| quiet(bench.at(&bench.supervisor, &probed).arg(command));
    let daemon = Daemon::start(bench, &probed, "healing")?;
    theirs(&["up", "-d"])?;
    let (mut killed, mut by_engine, mut hung) = (Vec::new(), Vec::new(), Vec::new());
    say(format!("killing and hanging one service, {rounds} times each"));
    for _ in 0..rounds {
        answers_a_probe(api)?;
        sleep(STEADY);
        killed.push(running_again(api, OURS, Signal::KILL)?);
        by_engine.push(running_again(api, THEIRS, Signal::KILL)?);
        // Somebody's own stop and start end what was counted against it.
        ours("stop")?;
        ours("start")?;
        sleep(STEADY);
        // The longest way: right after an answer.
        answers_a_probe(api)?;
        let answered = Instant::now();
        sleep(Duration::from_millis(100));
        let late = answered.elapsed();
        let took = late + running_again(api, OURS, Signal::STOP)?;
        hung.push(ms(took) - ms(PROBE));
        ours("stop")?;
        ours("start")?;
    }
    drop(daemon);
    ours("down")?;
    theirs(&["down"])?;
    let [killed, by_engine] =
        [killed, by_engine].map(|taken| middle_of(&taken.into_iter().map(ms).collect::<Vec<_>>()));
    compare("SIGKILL to running / the engine's own, ms", killed, by_engine, "", "1.1 at most");
    let text = format!("{:.0}", middle_of(&hung));
    row("hang to running, beyond its probe, ms", &text, "never", "", None, "600 ms at most");
    Ok(())
}

/// From a signal to all of a container's processes until the engine says that it has started it anew, both by the machine's
/// calendar. What an inspection says of its start is from before its process is made.
fn running_again(api: &Api, name: &str, signal: Signal) -> Result<Duration> {
    let (before, pid) = running(api, name)?.with_context(|| format!("`{name}` does not run"))?;
    let processes = tree(pid)?;
    let sent = Timestamp::now();
    for process in processes {
        // Where its process 1 was killed, the kernel has killed the rest.
        let _ = kill_process(Pid::from_raw(i32::try_from(process)?).context("not a process")?, signal);
    }
    wait(&format!("`{name}` to run again"), || {
        Ok(running(api, name)?.filter(|(since, _)| *since != before).map(drop))
    })?;
    Ok(Duration::try_from(started(api, name, sent)?.duration_since(sent))?)
}

/// When the engine said last that it has started a container.
fn started(api: &Api, name: &str, since: Timestamp) -> Result<Timestamp> {
    let filters = format!("%7B%22container%22%3A%5B%22{name}%22%5D%2C%22event%22%3A%5B%22start%22%5D%7D");
    let (since, until) = (seconds(since), seconds(Timestamp::now()));
    let path = format!("/events?since={since}&until={until}&filters={filters}");
    let event = api.send("GET", &path, &mut std::io::empty(), 0)?;
    let at = event.get("timeNano").and_then(Value::as_i64).context("the engine tells of no start")?;
    Ok(Timestamp::from_nanosecond(i128::from(at))?)
}

/// A time as the engine's queries take it.
fn seconds(at: Timestamp) -> String {
    format!("{}.{:09}", at.as_second(), at.subsec_nanosecond())
}

/// Since when it has run, and its process 1, if it runs.
fn running(api: &Api, name: &str) -> Result<Option<(Timestamp, u32)>> {
    let inspected = api.get(&format!("/containers/{name}/json"))?;
    let state = inspected.get("State").context("no state in the engine's answer")?;
    let since = state.get("StartedAt").and_then(Value::as_str).context("no start in the engine's answer")?;
    let pid = state.get("Pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
    let runs = state.get("Running") == Some(&Value::Bool(true));
    match pid.filter(|pid| runs && *pid != 0) {
        Some(pid) => Ok(Some((since.parse()?, pid))),
        None => Ok(None),
    }
}

/// Waits until the service has been asked once more: its network namespace counts the connections that it took.
fn answers_a_probe(api: &Api) -> Result<()> {
    let (_, pid) = wait("the service to run", || running(api, OURS))?;
    let before = taken(pid)?;
    wait("a probe", || Ok((taken(pid)? != before).then_some(()))).map(drop)
}

/// Connections that were taken in a process's network namespace (`PassiveOpens`, RFC 1213).
fn taken(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/snmp"))?;
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("Tcp: ")).map(str::split_whitespace);
    let (names, values) = (rows.next().context("no names")?, rows.next().context("no values")?);
    let found = names.zip(values).find(|(name, _)| *name == "PassiveOpens");
    Ok(found.context("no `PassiveOpens`")?.1.parse()?)
}
