//! The containers that a command is about: those of some services, or one replica of one.
//!
//! Deliberately absent: what is done with them.

use crate::decide::seen::{SeenContainer, State};
use crate::engine::{Docker, Engine as _, Scope};
use crate::exit::{Exit, Failure};

/// The running containers of a project, or of some of its services.
pub(crate) async fn running(
    engine: &Docker,
    project: &str,
    services: &[String],
) -> Result<Vec<SeenContainer>, Failure> {
    let mut containers = engine.observe(&Scope::project(project)).await?.containers;
    containers.retain(|container| container.state == State::Running);
    of_services(containers, project, services)
}

/// Those of these services; of all if there are none. Each service has one at least.
pub(crate) fn of_services(
    containers: Vec<SeenContainer>,
    project: &str,
    services: &[String],
) -> Result<Vec<SeenContainer>, Failure> {
    let is_of = |container: &SeenContainer, service: &String| container.service.as_ref() == Some(service);
    let without = |service: &&String| !containers.iter().any(|container| is_of(container, service));
    let missing: Vec<String> = services.iter().filter(without).cloned().collect();
    if !missing.is_empty() || containers.is_empty() {
        return Err(nothing(project, &missing));
    }
    let named = |container: &SeenContainer| {
        services.is_empty() || services.iter().any(|service| is_of(container, service))
    };
    Ok(containers.into_iter().filter(named).collect())
}

/// One replica of a service, whether it runs or not.
pub(crate) async fn replica(
    engine: &Docker,
    project: &str,
    service: &str,
    index: u32,
) -> Result<SeenContainer, Failure> {
    let seen = engine.observe(&Scope::project(project)).await?;
    let of_service = seen.containers.into_iter().filter(|c| c.service.as_deref() == Some(service));
    let containers: Vec<SeenContainer> = of_service.collect();
    if containers.is_empty() {
        return Err(nothing(project, &[service.to_owned()]));
    }
    let count = containers.len();
    containers.into_iter().find(|container| container.number == Some(index)).ok_or_else(|| {
        let what = format!("service `{service}` has no container number {index}");
        Failure::new(Exit::Failed, what)
            .help(format!("it has {count}; `supervisor ps --all {service}` shows them"))
    })
}

/// That there is nothing to do something with.
pub(crate) fn nothing(project: &str, services: &[String]) -> Failure {
    let what = match services {
        [] => format!("project `{project}` has no containers"),
        [service] => format!("project `{project}` has no container of service `{service}`"),
        several => format!("project `{project}` has no containers of services `{}`", several.join("`, `")),
    };
    Failure::new(Exit::Failed, what)
        .help("`supervisor up` makes them; `supervisor ps --all` shows what is there")
}
