//! A plan for people and machines: what changes, grouped by kind of change, why, and what waits for what.
//!
//! Deliberately absent: environments, contents and profiles of what is created; a plan can be pasted anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use compose::model::Condition;
use serde::Serialize;

use super::{plain, plain_json};
use crate::decide::hooks::Hook;
use crate::decide::labels::{print_bounds, print_restart};
use crate::decide::plan::{Again, Kept, Plan, Planned, Reload, Step};
use crate::decide::spare;

/// What happens to one thing, all its steps together. In the order in which people read a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Fetched.
    Pull,
    /// Made, and started if it is a container.
    Create,
    /// Put into the host's packet filter.
    Set,
    /// Removed and made anew.
    Recreate,
    /// Stopped and started.
    Restart,
    /// Started as it is.
    Start,
    /// Let go on.
    Unpause,
    /// Told of its new configs.
    Reload,
    /// Changed in place.
    Change,
    /// Stopped.
    Stop,
    /// Removed.
    Remove,
}

/// What happens to one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Deed,
    /// `container`, `network`, `volume` or `image`.
    pub kind: &'static str,
    /// Engine name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// What has to be true first, beyond its own steps: `db healthy`.
    pub waits_for: Vec<String>,
}

/// Everything that changes, one row a thing, grouped by kind of change; in a group in the order of the steps.
pub fn changes(plan: &Plan) -> Vec<Change> {
    let mut things: BTreeMap<(&'static str, &str), Vec<usize>> = BTreeMap::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        if let Some(thing) = subject(&planned.step) {
            things.entry(thing).or_default().push(index);
        }
    }
    let mut changes: Vec<_> = things
        .into_iter()
        .filter_map(|((kind, name), indices)| {
            let first = *indices.first()?;
            let steps: Vec<&Planned> = indices.iter().filter_map(|index| plan.steps.get(*index)).collect();
            let reason = steps.first()?.reason.clone();
            let waits_for = steps.iter().flat_map(|step| waits(plan, step)).collect();
            Some((first, Change { action: deed(&steps), kind, name: name.to_owned(), reason, waits_for }))
        })
        .collect();
    changes.sort_by_key(|(first, change)| (change.action, *first));
    changes.into_iter().map(|(_, change)| change).collect()
}

/// What of other services a container's start waits for.
fn waits(plan: &Plan, planned: &Planned) -> Vec<String> {
    let Step::Start { service: own, .. } = &planned.step else { return Vec::new() };
    let first = planned.after.iter().filter_map(|first| plan.steps.get(*first));
    first
        .filter_map(|first| match &first.step {
            Step::Await(wait) => Some(format!("{} {}", wait.service, condition(wait.condition))),
            Step::Start { service, .. } | Step::PostStart { service, .. } if service != own => {
                Some(format!("{service} started"))
            }
            _ => None,
        })
        .collect()
}

/// The plan as a table for people, with a summary and what comes after as its last lines.
pub fn human(plan: &Plan, again: Again) -> String {
    let changes = changes(plan);
    let width = changes.iter().map(|c| c.name.len()).chain(plan.kept.iter().map(|k| k.name.len())).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for change in &changes {
        let waits = match change.waits_for.as_slice() {
            [] => String::new(),
            waits => format!("; waits for: {}", waits.join(", ")),
        };
        row(
            &mut text,
            word(change.action),
            change.kind,
            &change.name,
            width,
            &(change.reason.clone() + &waits),
        );
    }
    for kept in &plan.kept {
        row(&mut text, "keep", kept.kind, &kept.name, width, &kept.reason);
    }
    for (service, why) in &plan.waiting {
        row(&mut text, "wait", "service", service, width, why);
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for blocked in &plan.blocked {
        let _ = writeln!(text, "error: {blocked}");
    }
    let _ = writeln!(text, "{}", summary(plan, &changes));
    let _ = writeln!(text, "{}", again.sentence(!changes.is_empty()));
    plain(&text)
}

fn row(text: &mut String, word: &str, kind: &str, name: &str, width: usize, reason: &str) {
    let _ = writeln!(text, "{word:<8} {kind:<9} {name:<width$}  {reason}");
}

fn summary(plan: &Plan, changes: &[Change]) -> String {
    if !plan.blocked.is_empty() {
        return "Nothing can be done before that is put right; nothing was changed.".to_owned();
    }
    if changes.is_empty() {
        return "Nothing to do: everything is as wanted.".to_owned();
    }
    let mut counts: BTreeMap<Deed, usize> = BTreeMap::new();
    for change in changes {
        *counts.entry(change.action).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(deed, count)| format!("{count} to {}", word(*deed))).collect();
    format!("{}, {} kept.", counts.join(", "), plan.kept.len())
}

/// The plan as one JSON object.
pub fn json(project: &str, plan: &Plan, again: Again) -> String {
    #[derive(Serialize)]
    struct Row<'a> {
        action: &'static str,
        kind: &'static str,
        name: &'a str,
        reason: &'a str,
        after: &'a [usize],
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        project: &'a str,
        changes: Vec<Change>,
        steps: Vec<Row<'a>>,
        kept: &'a [Kept],
        waiting: &'a BTreeMap<String, String>,
        warnings: &'a [String],
        blocked: &'a [String],
        #[serde(flatten)]
        again: Again,
    }
    let steps = plan.steps.iter().map(|planned| {
        let (action, kind, name, detail) = describe(&planned.step);
        Row { action, kind, name, reason: &planned.reason, after: &planned.after, detail }
    });
    let document = Document {
        project,
        changes: changes(plan),
        steps: steps.collect(),
        kept: &plan.kept,
        waiting: &plan.waiting,
        warnings: &plan.warnings,
        blocked: &plan.blocked,
        again,
    };
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    plain_json(&text) + "\n"
}

/// One step in words: what is done, to what, and what else there is to say of it.
fn describe(step: &Step) -> (&'static str, &'static str, &str, Option<String>) {
    match step {
        Step::Pull { image } => ("pull", "image", image, None),
        Step::CreateNetwork(spec) => ("create", "network", &spec.name, None),
        Step::Guard(spec) => ("set", "guard", &spec.project, None),
        Step::Reguard { project, .. } => ("set", "guard", project, None),
        Step::Unguard { project } => ("remove", "guard", project, None),
        Step::RemoveNetwork { name, .. } => ("remove", "network", name, None),
        Step::CreateVolume(spec) => ("create", "volume", &spec.name, None),
        Step::RemoveVolume { name } => ("remove", "volume", name, None),
        Step::Create { spec, name } => ("create", "container", name, Some(spec.image.clone())),
        Step::Delay { service, delay } => {
            ("delay", "service", service, Some(format!("{} s", delay.as_secs_f64())))
        }
        Step::Start { name, .. } => ("start", "container", name, None),
        Step::PostStart { name, commands, .. } => ("post_start", "container", name, Some(run(commands))),
        Step::PreStop { name, commands, .. } => ("pre_stop", "container", name, Some(run(commands))),
        Step::Await(wait) => {
            let timeout = wait.timeout.as_secs();
            let stays = match wait.stays {
                stays if stays.is_zero() => String::new(),
                stays => format!(", and for {} s from then on", stays.as_secs_f64()),
            };
            let detail = format!("{}, at most {timeout} s{stays}", condition(wait.condition));
            ("await", "service", &wait.service, Some(detail))
        }
        Step::Stop { name, grace, .. } => {
            ("stop", "container", name, Some(format!("killed after {} s", grace.as_secs())))
        }
        Step::Remove { name, .. } => ("remove", "container", name, None),
        Step::Unpause { name, .. } => ("unpause", "container", name, None),
        Step::SetRestart { name, restart, .. } => {
            ("change", "container", name, Some(format!("restart: {}", print_restart(*restart))))
        }
        Step::SetBounds { name, bounds, .. } => {
            ("change", "container", name, Some(print_bounds(*bounds).replace(',', ", ")))
        }
        Step::Connect { name, network, .. } | Step::Rejoin { name, network, .. } => {
            ("connect", "container", name, Some(network.clone()))
        }
        Step::Reload(reload) => ("reload", "container", &reload.name, Some(told(reload))),
        Step::Unreload { reload, .. } => ("put back", "container", &reload.name, Some(told(reload))),
        Step::Settle { name, .. } => ("settle", "container", name, None),
        Step::Disconnect { name, network, .. } => ("disconnect", "container", name, Some(network.clone())),
        Step::Rename { name, to, .. } => ("rename", "container", name, Some(to.clone())),
    }
}

/// The commands of hooks.
fn run(commands: &[Hook]) -> String {
    commands.iter().map(|hook| hook.command.join(" ")).collect::<Vec<_>>().join("; ")
}

/// How a container is told of its configs, and of which.
fn told(reload: &Reload) -> String {
    let configs: BTreeSet<&str> = reload.files.iter().map(|file| file.key.as_str()).collect();
    format!("{} for {}", reload.signal, configs.into_iter().collect::<Vec<_>>().join(", "))
}

/// What a step is about; a wait is about no thing of its own.
fn subject(step: &Step) -> Option<(&'static str, &str)> {
    let (action, kind, name, _) = describe(step);
    (!matches!(action, "await" | "delay")).then_some((kind, spare::base(name)))
}

fn deed(steps: &[&Planned]) -> Deed {
    let has = |wanted: fn(&Step) -> bool| steps.iter().any(|planned| wanted(&planned.step));
    let creates = has(|s| matches!(s, Step::Create { .. } | Step::CreateNetwork(_) | Step::CreateVolume(_)));
    let removes = has(|s| {
        matches!(
            s,
            Step::Remove { .. }
                | Step::RemoveNetwork { .. }
                | Step::RemoveVolume { .. }
                | Step::Unguard { .. }
        )
    });
    let sets = has(|s| matches!(s, Step::Guard(_) | Step::Reguard { .. }));
    let stops = has(|s| matches!(s, Step::Stop { .. }));
    let starts = has(|s| matches!(s, Step::Start { .. }));
    let unpauses = has(|s| matches!(s, Step::Unpause { .. }));
    let pulls = has(|s| matches!(s, Step::Pull { .. }));
    let runs = has(|s| matches!(s, Step::PostStart { .. }));
    let reloads = has(|s| matches!(s, Step::Reload(_) | Step::Unreload { .. }));
    match () {
        () if pulls => Deed::Pull,
        () if creates && removes => Deed::Recreate,
        () if sets => Deed::Set,
        () if creates => Deed::Create,
        () if removes => Deed::Remove,
        () if stops && starts => Deed::Restart,
        () if stops => Deed::Stop,
        () if starts => Deed::Start,
        () if unpauses => Deed::Unpause,
        () if runs => Deed::Start,
        () if reloads => Deed::Reload,
        () => Deed::Change,
    }
}

const fn word(deed: Deed) -> &'static str {
    match deed {
        Deed::Pull => "pull",
        Deed::Create => "create",
        Deed::Set => "set",
        Deed::Recreate => "recreate",
        Deed::Restart => "restart",
        Deed::Start => "start",
        Deed::Unpause => "unpause",
        Deed::Reload => "reload",
        Deed::Change => "change",
        Deed::Stop => "stop",
        Deed::Remove => "remove",
    }
}

const fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Started => "started",
        Condition::Healthy => "healthy",
        Condition::Completed => "completed",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::decide::plan::{Volumes, again, down, plan};
    use crate::decide::seen::{Seen, State};
    use crate::decide::testing::{simulate, want};
    use crate::decide::wanted::Restarts;

    const SHOP: &str = "
services:
  web:
    image: web:1
    depends_on: {db: {condition: service_healthy}, log: {condition: service_started}}
    environment: {TOKEN: hunter2}
  db: {image: 'db:1', healthcheck: {test: [CMD, ok]}, volumes: ['data:/data']}
  log: {image: 'log:1'}
volumes: {data: {}}
";

    fn up() -> Seen {
        simulate(&Seen::default(), &plan(&want(SHOP), &Seen::default()))
    }

    #[track_caller]
    fn check(plan: &Plan, expect: Expect) {
        let again = again(plan, Restarts::Engine);
        expect.assert_eq(&human(plan, again));
        assert!(!json("shop", plan, again).contains("hunter2"), "a secret is in the plan");
    }

    #[test]
    fn a_first_plan_says_what_waits_for_what() {
        check(
            &plan(&want(SHOP), &Seen::default()),
            expect![[r#"
                create   network   shop_default  it is not there
                create   volume    shop_data     it is not there
                create   container shop-db-1     it is not there
                create   container shop-log-1    it is not there
                create   container shop-web-1    it is not there; waits for: log started, db healthy
                5 to create, 0 kept.
                By the budgets of the file the steps take at most 240 s. Nobody looks again by itself: `run` would.
            "#]],
        );
    }

    #[test]
    fn nothing_to_do_is_said() {
        check(
            &plan(&want(SHOP), &up()),
            expect![[r#"
                keep     network   shop_default  as wanted
                keep     volume    shop_data     as wanted
                keep     container shop-db-1     as wanted, healthy
                keep     container shop-log-1    as wanted, healthy
                keep     container shop-web-1    as wanted, healthy
                Nothing to do: everything is as wanted.
                Nobody looks again by itself: `run` would.
            "#]],
        );
    }

    #[test]
    fn changes_are_grouped_by_kind() {
        let mut seen = up();
        for container in seen.containers.iter_mut().filter(|c| c.service.as_deref() == Some("log")) {
            container.state = State::Paused;
        }
        let changed =
            SHOP.replace("hunter2", "hunter3").replace("  db: {image: 'db:1'", "  db: {image: 'db:2'");
        check(
            &plan(&want(&changed), &seen),
            expect![[r#"
                recreate container shop-db-1     its image changed
                recreate container shop-web-1    its environment changed; waits for: db healthy
                unpause  container shop-log-1    somebody paused it
                keep     network   shop_default  as wanted
                keep     volume    shop_data     as wanted
                2 to recreate, 1 to unpause, 2 kept.
                By the budgets of the file the steps take at most 322 s. Nobody looks again by itself: `run` would.
            "#]],
        );
    }

    #[test]
    fn what_is_in_the_way_is_an_error_and_nothing_else_is_promised() {
        let mut seen = up();
        for container in &mut seen.containers {
            container.project = None;
            container.name.push_str(if container.name.contains("web") { "" } else { "\u{1b}[2J" });
        }
        check(
            &plan(&want(SHOP), &seen),
            expect![[r#"
                keep     network   shop_default  as wanted
                keep     volume    shop_data     as wanted
                error: the name `shop-web-1` of service `web` is taken by a container that is not ours (image `id-of-web:1`); it is not touched: remove or rename it, or choose another `container_name`
                Nothing can be done before that is put right; nothing was changed.
                Nobody looks again by itself: `run` would.
            "#]],
        );
    }

    #[test]
    fn going_down_is_shown_likewise() {
        check(
            &down("shop", Some(&want(SHOP)), &up(), Volumes::Keep),
            expect![[r#"
                remove   container shop-web-1    the project goes down
                remove   container shop-log-1    the project goes down
                remove   container shop-db-1     the project goes down
                remove   network   shop_default  the project goes down
                keep     volume    shop_data     holds data; `--volumes` removes it
                4 to remove, 1 kept.
                By the budgets of the file the steps take at most 20 s. Nobody looks again by itself: `run` would.
            "#]],
        );
    }

    #[test]
    fn a_machine_gets_changes_and_steps() {
        let plan = plan(&want("services: {web: {image: 'web:1'}}"), &Seen::default());
        let text = json("shop", &plan, again(&plan, Restarts::Ours));
        expect![[r#"
            {
              "project": "shop",
              "changes": [
                {
                  "action": "create",
                  "kind": "network",
                  "name": "shop_default",
                  "reason": "it is not there",
                  "waits_for": []
                },
                {
                  "action": "create",
                  "kind": "container",
                  "name": "shop-web-1",
                  "reason": "it is not there",
                  "waits_for": []
                }
              ],
              "steps": [
                {
                  "action": "create",
                  "kind": "network",
                  "name": "shop_default",
                  "reason": "it is not there",
                  "after": []
                },
                {
                  "action": "create",
                  "kind": "container",
                  "name": "shop-web-1",
                  "reason": "it is not there",
                  "after": [
                    0
                  ],
                  "detail": "web:1"
                },
                {
                  "action": "start",
                  "kind": "container",
                  "name": "shop-web-1",
                  "reason": "it is not there",
                  "after": [
                    1
                  ]
                }
              ],
              "kept": [],
              "waiting": {},
              "warnings": [],
              "blocked": [],
              "look_again_within_seconds": 30,
              "steps_take_at_most_seconds": 0
            }
        "#]]
        .assert_eq(&text);
    }
}
