//! A plan being written: steps with their numbers, and what the planners share.
//!
//! Deliberately absent: any decision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compose::model::Condition;

use super::super::hooks::Hook;
use super::super::seen::{SeenContainer, State};
use super::super::spec::{Await, ServiceSpec, Wanted};
use super::{Kept, Plan, Planned, Step};

/// From the signal to the kill, where no spec says: the engine's default.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// How long a service that has to run to its end may take.
const COMPLETION: Duration = Duration::from_hours(1);
/// How long a start may take.
const START: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Draft {
    plan: Plan,
    /// Steps that end a container, by service.
    stops: BTreeMap<String, BTreeSet<usize>>,
    /// Steps that start a container, by service.
    starts: BTreeMap<String, BTreeSet<usize>>,
    /// Waits already written.
    awaits: Vec<(Await, usize)>,
    /// Nothing runs on before this.
    gate: Option<usize>,
}

impl Draft {
    pub(super) fn finish(self) -> Plan {
        let mut plan = self.plan;
        if !plan.blocked.is_empty() {
            plan.steps.clear();
            plan.tidy_from = None;
        }
        plan
    }

    pub(super) fn step(&mut self, step: Step, reason: &str, after: impl IntoIterator<Item = usize>) -> usize {
        let after: BTreeSet<usize> = after.into_iter().collect();
        self.plan.steps.push(Planned { step, reason: reason.to_owned(), after: after.into_iter().collect() });
        self.plan.steps.len() - 1
    }

    pub(super) fn keep(&mut self, kind: &'static str, name: &str, reason: impl Into<String>) {
        self.plan.kept.push(Kept { kind, name: name.to_owned(), reason: reason.into() });
    }

    /// A service is left as it is for what it depends on.
    pub(super) fn waits(&mut self, service: &str, why: &str) {
        self.plan.waiting.insert(service.to_owned(), why.to_owned());
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.plan.warnings.push(warning);
    }

    pub(super) fn block(&mut self, blocked: String) {
        self.plan.blocked.push(blocked);
    }

    /// Stops a container, if it is not down already; a frozen one is let go first, since it hears no signal.
    pub(super) fn stop(
        &mut self,
        container: &SeenContainer,
        grace: Duration,
        reason: &str,
        after: &BTreeSet<usize>,
    ) -> Option<usize> {
        let (id, name) = (container.id.clone(), container.name.clone());
        let mut after = after.clone();
        match container.state {
            State::Created | State::Exited(_) | State::Dead | State::Removing => return None,
            State::Paused => {
                let step = Step::Unpause { id: id.clone(), name: name.clone() };
                after = BTreeSet::from([self.step(step, reason, after)]);
            }
            State::Running | State::Restarting => {}
        }
        if !container.hooks.pre_stop.is_empty() {
            let commands = container.hooks.pre_stop.clone();
            let step = Step::PreStop { id: id.clone(), name: name.clone(), commands, within: grace };
            after = BTreeSet::from([self.step(step, reason, after)]);
        }
        let index = self.step(Step::Stop { id, name, grace }, reason, after);
        if let Some(service) = &container.service {
            self.stops.entry(service.clone()).or_default().insert(index);
        }
        Some(index)
    }

    pub(super) fn remove(
        &mut self,
        container: &SeenContainer,
        reason: &str,
        after: impl IntoIterator<Item = usize>,
    ) -> usize {
        let step = Step::Remove { id: container.id.clone(), name: container.name.clone() };
        self.step(step, reason, after)
    }

    /// Starts a container and runs its hooks; the last step of that.
    pub(super) fn start(
        &mut self,
        (id, name): (Option<&str>, &str),
        service: &str,
        hooks: &[Hook],
        reason: &str,
        after: impl IntoIterator<Item = usize>,
    ) -> usize {
        let step = Step::Start {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            service: service.to_owned(),
            owes: !hooks.is_empty(),
        };
        let started = self.step(step, reason, after.into_iter().chain(self.gate));
        if hooks.is_empty() {
            self.serves_after(service, started);
            return started;
        }
        self.post_start((id, name), service, hooks, reason, [started])
    }

    /// Runs the hooks of a container that has been started: only then has its service.
    pub(super) fn post_start(
        &mut self,
        (id, name): (Option<&str>, &str),
        service: &str,
        hooks: &[Hook],
        reason: &str,
        after: impl IntoIterator<Item = usize>,
    ) -> usize {
        let step = Step::PostStart {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            service: service.to_owned(),
            commands: hooks.to_vec(),
        };
        let index = self.step(step, reason, after);
        self.serves_after(service, index);
        index
    }

    /// What depends on a service comes after this step too.
    pub(super) fn serves_after(&mut self, service: &str, step: usize) {
        self.starts.entry(service.to_owned()).or_default().insert(step);
    }

    /// From here on every start waits for this step.
    pub(super) const fn starts_come_after(&mut self, step: usize) {
        self.gate = Some(step);
    }

    /// Lets a frozen container go on.
    pub(super) fn unpause(&mut self, container: &SeenContainer, reason: &str) -> usize {
        let step = Step::Unpause { id: container.id.clone(), name: container.name.clone() };
        let index = self.step(step, reason, self.gate);
        self.serves_after(container.service.as_deref().unwrap_or_default(), index);
        index
    }

    /// All that was needed is proved; what follows removes what was kept for the way back.
    pub(super) const fn tidy_from_here(&mut self) {
        self.plan.tidy_from = Some(self.plan.steps.len());
    }

    /// Every stop written so far.
    pub(super) fn all_stops(&self) -> BTreeSet<usize> {
        self.stops.values().flatten().copied().collect()
    }

    /// Every start written so far.
    pub(super) fn all_starts(&self) -> BTreeSet<usize> {
        self.starts.values().flatten().copied().collect()
    }

    /// The stops of those that depend on a service: they end before it does.
    pub(super) fn stops_of_dependents(&self, wanted: &Wanted, service: &str) -> BTreeSet<usize> {
        wanted
            .services
            .values()
            .filter(|other| other.depends_on.contains_key(service))
            .filter_map(|other| self.stops.get(&other.service))
            .flatten()
            .copied()
            .collect()
    }

    /// What a service's start waits for: its dependencies as its `depends_on` wants them. `seen` says what is so
    /// already.
    pub(super) fn dependencies(
        &mut self,
        wanted: &Wanted,
        service: &ServiceSpec,
        in_scope: &BTreeSet<&str>,
        so_already: impl Fn(&ServiceSpec, Condition) -> bool,
    ) -> BTreeSet<usize> {
        let mut first = BTreeSet::new();
        for (name, dependency) in &service.depends_on {
            let Some(other) = wanted.services.get(name).filter(|_| in_scope.contains(name.as_str())) else {
                continue;
            };
            let starts = self.starts.get(name).cloned().unwrap_or_default();
            if dependency.condition == Condition::Started {
                first.extend(starts);
                continue;
            }
            if starts.is_empty() && so_already(other, dependency.condition) {
                continue;
            }
            let wait = Await {
                timeout: timeout(other, dependency.condition),
                required: dependency.required,
                ..Await::of(other, dependency.condition)
            };
            let reason = match wait.condition {
                Condition::Completed => "another service starts when it has run to its end",
                _ => "another service starts when it is healthy",
            };
            first.insert(self.wait(wait, reason, starts));
        }
        first
    }

    /// A wait; one that is written already serves again.
    pub(super) fn wait(&mut self, wait: Await, reason: &str, after: BTreeSet<usize>) -> usize {
        if let Some((_, index)) = self.awaits.iter().find(|(known, _)| *known == wait) {
            return *index;
        }
        let index = self.step(Step::Await(wait.clone()), reason, after);
        self.awaits.push((wait, index));
        index
    }
}

/// How long a condition on a service may take to come true.
pub(super) fn timeout(service: &ServiceSpec, condition: Condition) -> Duration {
    match condition {
        Condition::Started => START,
        Condition::Healthy => service.start_period,
        Condition::Completed => COMPLETION,
    }
}

/// From the signal to the kill of a container seen.
pub(super) fn grace(wanted: Option<&Wanted>, container: &SeenContainer) -> Duration {
    container
        .service
        .as_ref()
        .and_then(|service| wanted?.services.get(service)?.containers.first())
        .map_or(DEFAULT_GRACE, |spec| spec.stop_grace)
}
