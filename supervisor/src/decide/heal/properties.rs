//! What holds of healing whatever happens: a simulated container, a simulated clock, faults by a seed.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::backoff;
use super::*;

/// Steps of a tenth of a second: ten minutes of faults, then peace.
const FAULTS: u64 = 6_000;
/// The longest back-off with its jitter, the longest stop, a start's budget, and some.
const PEACE: u64 = 10_000;
/// Half a minute between two looks.
const LOOK: u64 = 300;

/// Numbers that look random and are the same for the same seed (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// One container as the engine has it.
#[derive(Default)]
struct World {
    running: bool,
    hung: bool,
    started: u64,
    /// When a stop that was asked for takes effect.
    stops: Option<u64>,
    /// Events on their way, in the order in which they happened: the engine's stream keeps it.
    queue: VecDeque<(u64, Event)>,
}

impl World {
    fn tell(&mut self, at: u64, event: Event) {
        let at = self.queue.back().map_or(at, |(last, _)| at.max(*last));
        self.queue.push_back((at, event));
    }

    fn start(&mut self, now: u64, delay: u64) {
        if !self.running {
            (self.running, self.hung, self.started) = (true, false, now);
            self.tell(now + delay, Event::Started { id: id() });
        }
    }

    /// What a look at the engine says.
    fn look(&self, now: u64) -> Event {
        if self.running {
            Event::SeenRunning { id: id(), age: time(now - self.started), health: None }
        } else {
            Event::Exited { id: id(), code: 1, out_of_memory: false }
        }
    }

    fn end(&mut self, now: u64, delay: u64, code: i64) {
        if self.running {
            self.running = false;
            self.tell(now + delay, Event::Exited { id: id(), code, out_of_memory: false });
        }
    }
}

fn id() -> String {
    "c1".to_owned()
}

fn time(step: u64) -> Duration {
    Duration::from_millis(step * 100)
}

fn policy() -> impl Strategy<Value = Policy> {
    let check = prop_oneof![
        Just(Check::None),
        (1..4_u32).prop_map(|retries| Check::Probe { interval: Duration::from_secs(1), retries })
    ];
    let restart =
        prop_oneof![Just(Restart::Always), Just(Restart::UnlessStopped), Just(Restart::OnFailure(None))];
    (check, restart, 0..20_u64).prop_map(|(check, restart, grace)| Policy {
        check,
        start_period: Duration::from_secs(20),
        grace: Duration::from_secs(grace),
        on_exit: BTreeMap::from([(0, OnExit::Restart)]),
        restart,
    })
}

/// What a run of the simulation came to.
struct Outcome {
    state: State,
    running: bool,
    stopped_by_somebody: bool,
    starts: Vec<(Duration, u32)>,
    starts_against_somebody: usize,
}

fn simulate(policy: &Policy, seed: u64) -> Outcome {
    let mut dice = Dice(seed | 1);
    let mut world = World::default();
    let mut outcome = Outcome {
        state: State::default(),
        running: false,
        stopped_by_somebody: false,
        starts: Vec::new(),
        starts_against_somebody: 0,
    };
    let (mut timer, mut probed) = (None, 0);
    world.start(0, 0);
    for now in 0..FAULTS + PEACE {
        if now < FAULTS {
            fault(&mut world, &mut outcome, &mut dice, now);
        }
        if world.stops.is_some_and(|at| at <= now) {
            world.stops = None;
            world.end(now, dice.roll(3), 137);
        }
        let mut events: Vec<Event> = Vec::new();
        while world.queue.front().is_some_and(|(at, _)| *at <= now) {
            events.extend(world.queue.pop_front().map(|(_, event)| event));
        }
        if let Some(probing) = outcome.state.probing(policy)
            && time(now - probed) >= probing.interval
        {
            probed = now;
            let healthy = world.running && !world.hung && now - world.started > 20;
            let (reason, silence) = ("no answer".to_owned(), Silence::Silent);
            events.push(if healthy {
                Event::ProbeOk { id: id() }
            } else {
                Event::ProbeFailed { id: id(), reason, silence }
            });
        }
        if now % LOOK == 0 && world.queue.is_empty() && events.is_empty() {
            events.push(world.look(now));
        }
        if timer.is_some_and(|due| due <= time(now)) {
            events.push(Event::Tick);
        }
        for event in events {
            let turn = heal(policy, outcome.state.clone(), event, time(now), dice.roll(u64::MAX));
            for action in &turn.actions {
                match action {
                    Action::Start => {
                        outcome.starts.push((time(now), turn.state.restarts));
                        outcome.starts_against_somebody += usize::from(outcome.stopped_by_somebody);
                        if now < FAULTS && dice.roll(10) == 0 {
                            world.tell(now + 1, Event::StartFailed { reason: "fault".to_owned() });
                        } else {
                            world.start(now, dice.roll(3));
                        }
                    }
                    Action::Stop { grace } => {
                        let most = u64::try_from(grace.as_millis() / 100).unwrap();
                        world.stops = Some(now + dice.roll(most + 1));
                        world.tell(now, Event::Signalled { id: id(), signal: 15 });
                    }
                    Action::Alert(_) => {}
                }
            }
            (outcome.state, timer) = (turn.state, turn.look_again);
        }
    }
    outcome.running = world.running && (!world.hung || policy.check == Check::None);
    outcome
}

/// About one fault in ten seconds.
fn fault(world: &mut World, outcome: &mut Outcome, dice: &mut Dice, now: u64) {
    match dice.roll(1000) {
        0..=5 => world.end(now, dice.roll(3), 1),
        6 => world.end(now, dice.roll(3), 0),
        7..=8 => world.hung = world.running,
        9 if world.running && world.stops.is_none() => {
            world.tell(now, Event::Signalled { id: id(), signal: 15 });
            world.end(now, 0, 143);
            world.tell(now, Event::StopNotice { id: id() });
            outcome.stopped_by_somebody = true;
        }
        10..=20 if outcome.stopped_by_somebody => {
            outcome.stopped_by_somebody = false;
            world.start(now, 0);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn once_faults_stop_it_runs_and_is_healthy_or_somebody_stopped_it(policy in policy(), seed: u64) {
        let outcome = simulate(&policy, seed);
        if outcome.stopped_by_somebody {
            prop_assert!(!outcome.running, "started against an administrator: {:?}", outcome.state);
        } else {
            prop_assert!(outcome.running, "down for good: {:?}", outcome.state);
            prop_assert!(matches!(outcome.state.phase, Phase::Up { .. }), "not seen healthy: {:?}", outcome.state);
        }
    }

    #[test]
    fn what_somebody_stopped_is_never_started(policy in policy(), seed: u64) {
        prop_assert_eq!(simulate(&policy, seed).starts_against_somebody, 0);
    }

    #[test]
    fn two_starts_are_never_closer_than_the_back_off(policy in policy(), seed: u64) {
        let outcome = simulate(&policy, seed);
        for pair in outcome.starts.windows(2) {
            let ((before, _), (after, restarts)) = (pair[0], pair[1]);
            let least = backoff::delay(restarts.saturating_sub(1), 0);
            prop_assert!(after.saturating_sub(before) >= least, "{before:?} and {after:?} with {restarts} restarts");
        }
    }
}
