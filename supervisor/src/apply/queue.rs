//! Which step of a plan may begin: those whose predecessors have all ended well, the first in the plan before the others.
//!
//! What a step's end sets free is counted and not looked for, so that a plan of thousands of steps costs no more for each than
//! one of ten. Deliberately absent: how many go on at the same time.

use std::collections::BTreeSet;

use crate::decide::plan::{Plan, Step};

/// The steps that have not begun.
#[derive(Debug)]
pub(super) struct Queue {
    /// All of them.
    open: BTreeSet<usize>,
    /// Of each step, how many predecessors have not ended well.
    missing: Vec<usize>,
    /// Of each step, those that it is a predecessor of.
    followers: Vec<Vec<usize>>,
    /// Those that may begin and do something.
    work: BTreeSet<usize>,
    /// Those that may begin and only wait.
    waits: BTreeSet<usize>,
}

/// Whether a step waits for what others do, and does nothing.
pub(super) const fn only_waits(step: &Step) -> bool {
    matches!(step, Step::Await(_) | Step::Delay { .. })
}

impl Queue {
    /// Of a plan of which nothing was done.
    pub(super) fn new(plan: &Plan) -> Self {
        let count = plan.steps.len();
        let mut followers = vec![Vec::new(); count];
        for (index, planned) in plan.steps.iter().enumerate() {
            for first in &planned.after {
                if let Some(followers) = followers.get_mut(*first) {
                    followers.push(index);
                }
            }
        }
        let missing = plan.steps.iter().map(|planned| planned.after.len()).collect();
        let [work, waits] = [BTreeSet::new(), BTreeSet::new()];
        let mut queue = Self { open: (0..count).collect(), missing, followers, work, waits };
        for (index, planned) in plan.steps.iter().enumerate().filter(|(_, planned)| planned.after.is_empty())
        {
            queue.may_begin(index, &planned.step);
        }
        queue
    }

    fn may_begin(&mut self, index: usize, step: &Step) {
        let steps = if only_waits(step) { &mut self.waits } else { &mut self.work };
        steps.insert(index);
    }

    /// Takes the first step that may begin; one that does something only if there is room for it.
    pub(super) fn begin(&mut self, has_room: bool) -> Option<usize> {
        let work = self.work.first().filter(|_| has_room);
        let index = *[self.waits.first(), work].into_iter().flatten().min()?;
        for steps in [&mut self.open, &mut self.work, &mut self.waits] {
            steps.remove(&index);
        }
        Some(index)
    }

    /// A step ended well.
    pub(super) fn ended_well(&mut self, plan: &Plan, index: usize) {
        for follower in self.followers.get_mut(index).map(std::mem::take).unwrap_or_default() {
            let Some(missing) = self.missing.get_mut(follower) else { continue };
            *missing = missing.saturating_sub(1);
            if *missing == 0
                && let Some(planned) = plan.steps.get(follower)
            {
                self.may_begin(follower, &planned.step);
            }
        }
    }

    /// Those that have not begun.
    pub(super) fn left(&self) -> impl Iterator<Item = usize> {
        self.open.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::decide::plan::Planned;

    /// Steps of which some only wait, each after some of those before it.
    fn plans() -> impl Strategy<Value = Plan> {
        let step = (any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..4));
        prop::collection::vec(step, 1..30).prop_map(|steps| {
            let steps = steps.into_iter().enumerate().map(|(index, (waits, after))| {
                let step = if waits {
                    Step::Delay { service: "a".to_owned(), delay: Duration::ZERO }
                } else {
                    Step::RemoveVolume { name: "a".to_owned() }
                };
                let after = after.iter().filter(|_| index > 0).map(|first| first.index(index.max(1)));
                Planned { step, reason: String::new(), after: after.collect() }
            });
            Plan { steps: steps.collect(), ..Plan::default() }
        })
    }

    /// What may begin, by a look at every step.
    fn free(plan: &Plan, begun: &BTreeSet<usize>, done: &BTreeSet<usize>, has_room: bool) -> Option<usize> {
        let planned = plan.steps.iter().enumerate();
        let mut free = planned.filter(|(index, planned)| {
            let room = has_room || only_waits(&planned.step);
            room && !begun.contains(index) && planned.after.iter().all(|first| done.contains(first))
        });
        free.next().map(|(index, _)| index)
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_a_look_at_every_step_finds(
            plan in plans(),
            turns in prop::collection::vec((any::<bool>(), any::<bool>(), any::<prop::sample::Index>()), 0..120),
        ) {
            let mut queue = Queue::new(&plan);
            let (mut begun, mut done) = (BTreeSet::new(), BTreeSet::new());
            for (begins, has_room, which) in turns {
                if begins {
                    let expected = free(&plan, &begun, &done, has_room);
                    prop_assert_eq!(queue.begin(has_room), expected);
                    begun.extend(expected);
                } else {
                    let running: Vec<usize> = begun.difference(&done).copied().collect();
                    if !running.is_empty() {
                        let index = *which.get(&running);
                        queue.ended_well(&plan, index);
                        done.insert(index);
                    }
                }
                let left: BTreeSet<usize> = (0..plan.steps.len()).filter(|index| !begun.contains(index)).collect();
                prop_assert_eq!(queue.left().collect::<BTreeSet<_>>(), left);
            }
        }
    }
}
