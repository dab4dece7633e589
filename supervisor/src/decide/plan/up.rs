//! The plan that makes the seen the wanted: create, replace, start, and nothing that is right already.
//!
//! Only what carries our project's label is stopped or removed; no volume is ever removed. Deliberately absent:
//! what heals a running container (`heal`), and the way back from an update (`rollback`).

use std::collections::BTreeSet;

use compose::model::{Condition, UpdateOrder};

use super::super::seen::Seen;
use super::super::spec::{Await, ServiceSpec, Wanted};
use super::Plan;
use super::choice::{Choice, in_scope, scope};
use super::draft::{Draft, timeout};
use super::ground::{Made, create_networks, create_volumes, mounted_images, pulls, volumes};
use super::guard::guard;
use super::judge::{leaving, runs_to_its_end, verdicts};
use super::networks::networks;
use super::slot::Places;
use super::update::Update;

/// The steps from what is seen to what is wanted. The same input gives the same plan, byte for byte, and a plan
/// against its own result is empty.
pub fn plan(wanted: &Wanted, seen: &Seen) -> Plan {
    plan_with(wanted, seen, &Choice::default())
}

/// [`plan`], with a say in what takes part.
pub fn plan_with(wanted: &Wanted, seen: &Seen, choice: &Choice) -> Plan {
    let mut draft = Draft::default();
    let scope = scope(wanted, choice, &mut draft);
    let networks = networks(wanted, seen, choice, &scope, &mut draft);
    volumes(wanted, seen, &scope, &mut draft);
    mounted_images(wanted, seen, &scope, &mut draft);
    let places = Places::of(wanted, seen);
    let verdicts = verdicts(wanted, &places, choice, &scope, &networks.anew, &mut draft);
    let leaving = leaving(wanted, &places, choice, &scope, &mut draft);
    warn_of_ports(wanted, &scope, &mut draft);
    warn_of_order(wanted, &scope, &mut draft);

    let mut made = Made::default();
    pulls(&verdicts, &mut draft, &mut made);
    create_networks(wanted, &networks.missing, &mut draft, &mut made);
    create_volumes(wanted, seen, &scope, &mut draft, &mut made);
    networks.write_notes(&mut draft, &mut made);

    if networks.replaced.is_empty() {
        let first = made.networks.values().copied().collect();
        made.guard = guard(wanted, seen, &first, &mut draft);
    }

    let mut update = Update::new(wanted, &places, &scope, &verdicts, &leaving, &networks.anew, choice);
    update.make_ready(&mut draft, &made);
    update.take_down(&mut draft);
    let gone = update.out_of_the_way().chain(made.all()).collect();
    networks.put_in_place(&gone, &mut draft, &mut made);
    if !networks.replaced.is_empty() {
        let first = made.networks.values().copied().collect();
        made.guard = guard(wanted, seen, &first, &mut draft);
    }
    update.bring_up(&mut draft, &made);
    update.prove(&mut draft);
    update.tidy(&made, &mut draft);
    Plan { standing: choice.standing, ..draft.finish() }
}

/// What has to be true of a service for it to be as wanted: ended well where others wait for that, healthy where
/// somebody checks, else started.
pub fn readiness(wanted: &Wanted, service: &ServiceSpec) -> Await {
    let condition = if runs_to_its_end(wanted, service) {
        Condition::Completed
    } else if service.probe.is_some() || service.engine_health {
        Condition::Healthy
    } else {
        Condition::Started
    };
    Await { timeout: timeout(service, condition), ..Await::of(service, condition) }
}

/// What the file says of the order, and cannot be.
fn warn_of_order(wanted: &Wanted, scope: &BTreeSet<&str>, draft: &mut Draft) {
    for service in in_scope(wanted, scope) {
        let held = service.containers.iter().any(|spec| {
            !spec.ports.is_empty() || spec.networks.values().any(|at| at.ipv4.is_some() || at.ipv6.is_some())
        });
        if service.update.order == UpdateOrder::StartFirst && held {
            draft.warn(format!(
                "service `{}` is updated `stop-first`, although `update_config.order` is `start-first`: two containers \
                 cannot have one host port or one fixed address",
                service.service
            ));
        }
        if service.rollback.order == UpdateOrder::StartFirst {
            draft.warn(format!(
                "`rollback_config.order: start-first` of service `{}` has no effect: what is put back is started when \
                 the one that failed has ended",
                service.service
            ));
        }
    }
}

fn warn_of_ports(wanted: &Wanted, scope: &BTreeSet<&str>, draft: &mut Draft) {
    for service in in_scope(wanted, scope) {
        for (port, why) in &service.unpublished {
            draft.warn(format!(
                "port `{}` of service `{}` is not published: the service is only on internal networks, of which the \
                 engine publishes nothing, and {why}",
                std::net::SocketAddr::new(port.host_ip, port.host_port),
                service.service
            ));
        }
    }
}
