//! The machine that the program runs on: staged contents, AppArmor, the kernel's word, probes over the bridge.
//!
//! Deliberately absent: the engine.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use compose::model::Probe;
use jiff::Timestamp;
use profiles::confinement::AppArmor;

use super::{Machine, Occasion, PrepareError};
use crate::attest::Check;
use crate::decide::guard::Ruleset;
use crate::decide::hash;
use crate::decide::plan::Reload;
use crate::decide::seen::Seen;
use crate::decide::spec::{Bounds, ContainerSpec, Wanted};
use crate::engine::Inspected;
use crate::host::contents::Contents;
use crate::host::evidence;
use crate::host::guard::GuardError;
use crate::host::hooks;
use crate::host::live::{self, Deed};
use crate::observe::attested::{Attested, attest_running};
use crate::observe::probe::{Ask, probe};
use crate::privileged::Rights;

/// This machine, for one project.
#[derive(Clone, Copy, Debug)]
pub struct ThisMachine<'a> {
    /// Who carries out what needs the machine's rights.
    pub rights: &'a Rights,
    /// What secrets and configs hold.
    pub contents: &'a Contents,
    /// The project's state folder.
    pub folder: &'a Path,
    /// The engine's socket, which no container may see.
    pub socket: &'a Path,
    /// Whether it takes away what nothing uses any more: nobody may who does not hold the project's lock.
    pub settles: bool,
    /// Where the kernel's word on each container is noted that was started.
    pub attested: Option<&'a RefCell<Vec<Noted>>>,
    /// The containers that whoever watches them has refused by now, by engine id.
    pub refused: Option<&'a RefCell<BTreeSet<String>>>,
}

/// The kernel's word on a container that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its own name.
    pub name: String,
    /// Engine id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// How much was compared.
    pub checks: usize,
    /// What differs, one sentence each.
    pub differences: Vec<String>,
    /// What it was promised of what can be changed in place.
    pub promised: Bounds,
    /// What it has.
    pub seen: Bounds,
}

impl<'a> ThisMachine<'a> {
    /// For whoever holds the project's lock.
    pub const fn new(rights: &'a Rights, contents: &'a Contents, folder: &'a Path, socket: &'a Path) -> Self {
        Self { rights, contents, folder, socket, settles: true, attested: None, refused: None }
    }

    /// For plans after which nothing is taken away.
    #[must_use]
    pub const fn that_settles_nothing(self) -> Self {
        Self { settles: false, ..self }
    }
}

impl ThisMachine<'_> {
    /// What is not as promised, one sentence each; what was seen of it is kept, and the last says where.
    pub fn differences(&self, container: &Inspected, checks: &[Check]) -> Vec<String> {
        let broken = checks.iter().filter(|check| !check.holds());
        let mut differences: Vec<String> = broken.map(Check::sentence).collect();
        if !differences.is_empty() {
            differences.push(self.keep_evidence(container, checks));
        }
        differences
    }

    fn keep_evidence(&self, container: &Inspected, checks: &[Check]) -> String {
        match evidence::keep(self.folder, container, checks, Timestamp::now()) {
            Ok(path) => format!("the evidence is kept in `{}`", path.display()),
            Err(error) => format!("the evidence could not be kept: {error}"),
        }
    }
}

impl Machine for ThisMachine<'_> {
    fn prepare(
        &self,
        spec: &ContainerSpec,
        occasion: Occasion,
    ) -> Result<BTreeMap<String, PathBuf>, PrepareError> {
        if let AppArmor::Profile { name, text } = spec.confinement.apparmor() {
            self.rights
                .load_profile(name, text)
                .map_err(|error| PrepareError::AppArmor { name: name.clone(), reason: error.to_string() })?;
        }
        let deed = match occasion {
            Occasion::Creation => Deed::Make,
            Occasion::Start => Deed::Ensure,
        };
        if let (Occasion::Creation, Some(hooks)) = (occasion, &spec.hooks) {
            hooks::keep(self.folder, hash::container(spec), hooks).map_err(PrepareError::Hooks)?;
        }
        Ok(self.contents.stage(self.rights, self.folder, spec, deed)?)
    }

    fn change(&self, reload: &Reload, deed: Deed) -> Result<bool, PrepareError> {
        Ok(self.contents.change(self.rights, self.folder, reload, deed)?)
    }

    fn guard(&self, ruleset: &Ruleset) -> Result<(), GuardError> {
        self.rights.set_guard(self.folder, ruleset)
    }

    fn reguard(&self, project: &str, ruleset: &str, script: &str) -> Result<(), GuardError> {
        self.rights.set_guard_as_before(self.folder, project, ruleset, script)
    }

    fn unguard(&self, project: &str) -> Result<(), GuardError> {
        self.rights.remove_guard(self.folder, project)
    }

    fn owe(&self, container: &str, owes: bool) -> Result<(), PrepareError> {
        hooks::owe(self.folder, container, owes).map_err(PrepareError::Hooks)
    }

    fn settles(&self) -> bool {
        self.settles
    }

    fn settle(&self, wanted: &Wanted, seen: &Seen) -> Vec<String> {
        live::sweep(self.folder, seen);
        hooks::sweep(self.folder, seen);
        let specs = wanted.services.values().flat_map(|service| &service.containers);
        let kept: BTreeSet<String> = specs
            .filter_map(|spec| match spec.confinement.apparmor() {
                AppArmor::Profile { name, .. } => Some(name.clone()),
                AppArmor::Absent => None,
            })
            .collect();
        if kept.is_empty() {
            return Vec::new();
        }
        match self.rights.unload_profiles(&wanted.project, kept) {
            Ok(unloaded) => {
                for name in unloaded {
                    tracing::info!(profile = name, "unloaded: nothing runs under it");
                }
                Vec::new()
            }
            Err(error) => vec![format!("AppArmor profiles that nobody uses any more stay loaded: {error}")],
        }
    }

    async fn attest(&self, spec: &ContainerSpec, inspected: &Inspected) -> Result<(), Vec<String>> {
        let Attested::Running(checks) = attest_running(self.rights, spec, inspected, Some(self.socket)).await
        else {
            return Ok(());
        };
        let differences = self.differences(inspected, &checks);
        if let Some(attested) = self.attested {
            attested.borrow_mut().push(Noted {
                name: spec.name.clone(),
                id: inspected.id.clone(),
                at: Timestamp::now(),
                checks: checks.len(),
                differences: differences.clone(),
                promised: spec.bounds(),
                seen: inspected.bounds(),
            });
        }
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    }

    fn refused(&self) -> BTreeSet<String> {
        self.refused.map(|refused| refused.borrow().clone()).unwrap_or_default()
    }

    fn pids_refused(&self, pid: u32) -> u64 {
        self.rights.pids_refused(pid)
    }

    async fn probe(&self, asked: &Probe, path: &str, address: IpAddr) -> Result<(), String> {
        let body = if path == asked.http { asked.body.as_deref() } else { None };
        let address = SocketAddr::new(address, asked.port.get());
        let ask = Ask { address, path, body, timeout: asked.timeout };
        probe(&ask).await.map_err(|failure| failure.to_string())
    }
}
