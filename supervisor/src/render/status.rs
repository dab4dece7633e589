//! What `run` knows, for people.
//!
//! Deliberately absent: the JSON, which is `/status` itself.

use std::fmt::Write as _;

use super::plain;
use super::table::table;
use crate::sandbox::Landlock;
use crate::serve::snapshot::{Attestation, Snapshot};

/// The stack in a line, why it is not as wanted, its services, and what our own processes are left with.
pub fn status(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let word = if snapshot.is_ready() { "as wanted" } else { "not as wanted" };
    let project = if snapshot.project.is_empty() {
        "no stack yet".to_owned()
    } else {
        format!("stack `{}`", snapshot.project)
    };
    let _ = writeln!(
        text,
        "{}: {word}, kept by supervisor {} since {}",
        plain(&project),
        snapshot.version,
        snapshot.started_at
    );
    for (what, lines) in [("not well", &snapshot.reasons), ("warning", &snapshot.warnings)] {
        for line in lines {
            let _ = writeln!(text, "{what}: {}", plain(line));
        }
    }
    let engine = snapshot.engine.version.as_deref().unwrap_or("unknown");
    let reached = if snapshot.engine.reachable { "answers" } else { "is away" };
    let _ = writeln!(text, "engine {} {reached}", plain(engine));
    if let Some(kernel) = &snapshot.kernel {
        let apparmor = if kernel.apparmor { "AppArmor" } else { "no AppArmor" };
        let landlock = match kernel.landlock_abi {
            0 => "no Landlock".to_owned(),
            abi => format!("Landlock {abi}"),
        };
        let _ = writeln!(text, "kernel {} with {apparmor} and {landlock}", kernel.version);
    }
    if let Some(told) = &snapshot.control_plane {
        let _ = match told.announced_at {
            Some(at) => writeln!(text, "the control plane knows of `{}` since {at}", plain(&told.instance)),
            None => writeln!(text, "the control plane does not know of `{}` yet", plain(&told.instance)),
        };
    }
    let rows: Vec<Vec<String>> = snapshot
        .services
        .iter()
        .flat_map(|(name, service)| service.containers.iter().map(move |container| (name, container)))
        .map(|(name, container)| {
            let attested = match &container.attestation {
                Attestation::Unknown => "not yet".to_owned(),
                Attestation::Passed { checks, .. } => format!("{checks} kept"),
                Attestation::Failed { differences, .. } => format!("{} broken", differences.len()),
            };
            let restarts = container.restarts.to_string();
            vec![
                name.clone(),
                container.state.name().to_owned(),
                attested,
                restarts,
                container.reason.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["SERVICE", "STATE", "PROMISES", "RESTARTS", "WHY"], &rows));
    }
    let rows: Vec<Vec<String>> = snapshot
        .processes
        .iter()
        .map(|(name, left)| {
            let landlock = match left.landlock {
                Some(Landlock::Full) => "full",
                Some(Landlock::Partial) => "partial",
                Some(Landlock::None) => "the kernel has none",
                None => "not asked for",
            };
            let filters =
                left.seccomp_filters.map_or_else(|| "not counted".to_owned(), |count| count.to_string());
            let new = if left.no_new_privs { "none" } else { "possible" };
            let capabilities = if left.capabilities.is_empty() { "none" } else { &left.capabilities };
            let cells =
                [name, &left.pid.to_string(), &left.uid.to_string(), capabilities, new, &filters, landlock];
            cells.map(str::to_owned).to_vec()
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(
            &["PROCESS", "PID", "USER", "CAPABILITIES", "NEW RIGHTS", "FILTERS", "LANDLOCK"],
            &rows,
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;
    use jiff::Timestamp;

    use super::*;
    use crate::sandbox::in_force::{InForce, Seccomp};
    use crate::serve::snapshot::{
        ContainerStatus, ControlPlaneStatus, KernelStatus, ServiceState, ServiceStatus,
    };

    #[test]
    fn all_that_is_known_in_columns_and_no_control_character() {
        let mut snapshot = Snapshot::starting(Timestamp::UNIX_EPOCH);
        snapshot.version = "1.0.0".into();
        snapshot.project = "shop".into();
        snapshot.reasons = vec!["service `web` is unhealthy: \u{1b}[2Jno answer".into()];
        snapshot.warnings = vec!["the file is not taken".into()];
        snapshot.engine.version = Some("28.5.2".into());
        snapshot.engine.reachable = true;
        snapshot.kernel = Some(KernelStatus { version: "6.12".into(), apparmor: true, landlock_abi: 6 });
        let container = ContainerStatus {
            name: "shop-web-1".into(),
            id: "abc".into(),
            state: ServiceState::Unhealthy,
            reason: "no answer".into(),
            restarts: 3,
            exit_code: None,
            last_lines: Vec::new(),
            diagnosis: None,
            next_start: None,
            probe: None,
            attestation: Attestation::Passed { at: Timestamp::UNIX_EPOCH, checks: 38 },
        };
        let service = ServiceStatus {
            state: ServiceState::Unhealthy,
            reason: String::new(),
            wanted: 1,
            containers: vec![container],
        };
        snapshot.services = BTreeMap::from([("web".into(), service)]);
        snapshot.control_plane = Some(ControlPlaneStatus {
            instance: "i-1".into(),
            announced_at: None,
            failure: None,
            next_attempt: None,
            heartbeat_failure: None,
        });
        let left = |capabilities: &str, landlock| InForce {
            pid: 708,
            uid: 0,
            capabilities: capabilities.into(),
            no_new_privs: true,
            seccomp: Seccomp::Filter,
            seccomp_filters: Some(2),
            landlock,
        };
        snapshot.processes = BTreeMap::from([
            ("endpoint".into(), left("", Some(Landlock::Full))),
            ("supervisor".into(), left("CAP_CHOWN", None)),
        ]);
        expect![[r#"
            stack `shop`: not as wanted, kept by supervisor 1.0.0 since 1970-01-01T00:00:00Z
            not well: service `web` is unhealthy: \u{1b}[2Jno answer
            warning: the file is not taken
            engine 28.5.2 answers
            kernel 6.12 with AppArmor and Landlock 6
            the control plane does not know of `i-1` yet

            SERVICE  STATE      PROMISES  RESTARTS  WHY
            web      unhealthy  38 kept   3         no answer

            PROCESS     PID  USER  CAPABILITIES  NEW RIGHTS  FILTERS  LANDLOCK
            endpoint    708  0     none          none        2        full
            supervisor  708  0     CAP_CHOWN     none        2        not asked for
        "#]]
        .assert_eq(&status(&snapshot));
    }
}
