//! The engine itself: called, away, back, and another run of it than before.
//!
//! Deliberately absent: what it says of containers.

use std::time::Duration;

use super::super::event::{Answering, Effect, Fault, FaultKind, Level, Now};
use super::{Watch, launching, say};
use crate::decide::heal;
use crate::decide::spec::Restart;

const CALL_AGAIN: Duration = Duration::from_secs(1);
/// An engine that is told to end gives its containers this long, together, before it goes (`--shutdown-timeout` of dockerd(8) is
/// 15 s, and a container's own longer grace counts where it has one).
const ENDING: Duration = Duration::from_mins(1);

impl Watch {
    pub(super) fn connected(&mut self, outcome: Result<Answering, Fault>, now: Now, out: &mut Vec<Effect>) {
        self.under_way.connecting = false;
        match outcome {
            Ok(Answering { version, life }) => {
                say(out, Level::Info, "", format!("engine {} answers", version.engine));
                self.due.connect = None;
                self.engine.reachable = true;
                self.engine.version = Some(version.engine);
                // What was known is from before it was away: a look comes first.
                self.converged = false;
                self.engine.error = None;
                self.due.listen = Some(now.boot);
                self.due.look = Some(now.boot);
                self.due.converge = now.boot;
                let before = self.life.take();
                if life.is_some() && before.is_some() && life != before {
                    self.began_anew(now, out);
                }
                self.life = life.or(before);
            }
            Err(fault) => {
                self.away(&fault, now, out);
                self.due.connect = Some(now.boot + CALL_AGAIN);
            }
        }
    }

    /// What the engine did not do; where it is out of reach, everything waits until it is back.
    pub(super) fn fault(&mut self, fault: &Fault, now: Now, out: &mut Vec<Effect>) {
        if fault.kind == FaultKind::EngineAway {
            self.away(fault, now, out);
            if !self.under_way.connecting {
                self.due.connect = Some(now.boot + CALL_AGAIN);
            }
            // What it was asked to start it may have forgotten. Once it is back, a plan starts it in order.
            for keep in self.keeps.values_mut().filter(|keep| launching(keep)) {
                keep.feed(heal::Event::PlannedStop, now, out);
            }
        } else {
            self.engine.error = Some(fault.message.clone());
            say(out, Level::Warn, "", fault.message.clone());
        }
    }

    fn away(&mut self, fault: &Fault, now: Now, out: &mut Vec<Effect>) {
        self.gone(now);
        let told = !self.engine.reachable && self.engine.error.as_ref() == Some(&fault.message);
        self.engine.reachable = false;
        self.engine.listening = false;
        self.engine.error = Some(fault.message.clone());
        if !told {
            say(out, Level::Error, "", format!("the engine is away: {}", fault.message));
        }
    }

    pub(super) fn deaf(&mut self, fault: &Fault, now: Now, out: &mut Vec<Effect>) {
        self.engine.listening = false;
        if !self.engine.reachable {
            return;
        }
        self.gone(now);
        say(out, Level::Warn, "", format!("the engine's events ended: {}", fault.message));
        // Whether it is away, or only hung up, the next call tells; it opens the events where they ended.
        self.engine.reachable = false;
        self.engine.error = Some(fault.message.clone());
        self.due.connect = Some(now.boot + Duration::from_millis(100));
    }

    fn gone(&mut self, now: Now) {
        if self.engine.reachable {
            self.away_since = now.boot;
        }
    }

    /// Another run of the engine answers. One that ends stops what it runs; one that was killed does so as it starts again. It
    /// tells of both as of somebody's stop. What was stopped so shortly before it went is its doing, and so is all that
    /// it tells of from before it answered; a plan starts it all in order. Who has nothing restarted has nothing restarted.
    fn began_anew(&mut self, now: Now, out: &mut Vec<Effect>) {
        say(out, Level::Info, "", "the engine was started anew".to_owned());
        self.heard.at = None;
        let earliest = self.away_since.saturating_sub(ENDING);
        for keep in self.keeps.values_mut().filter(|keep| keep.policy.restart != Restart::No) {
            if keep.runs() || keep.stopped_since(earliest) || keep.waits_for_images() {
                keep.feed(heal::Event::PlannedStop, now, out);
            }
        }
    }
}
