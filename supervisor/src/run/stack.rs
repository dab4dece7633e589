//! The stack that is in force: read from its files, judged, confined, with the contents of its secrets.
//!
//! Deliberately absent: the engine; image ids come from the caller.

use std::collections::{BTreeMap, BTreeSet};

use compose::{Admitted, Finding, Report, Severity};
use jiff::Timestamp;
use profiles::{Confinement, Kernel};

use super::event::Images;
use crate::args::GlobalArgs;
use crate::decide::spec::Wanted;
use crate::decide::wanted::{Given, Restarts, WantedError, is_active, wanted};
use crate::host::contents::Contents;
use crate::host::files::Files;
use crate::input;
use crate::serve::snapshot::Refusal;

/// A stack that may run.
#[derive(Debug)]
pub struct Stack {
    admitted: Admitted,
    confinements: BTreeMap<String, Confinement>,
    contents: Contents,
    hashes: BTreeMap<String, String>,
    profiles: BTreeSet<String>,
}

/// Reads and judges the stack that the command line names.
///
/// # Errors
/// It cannot be read, it is refused, or a secret or config of it cannot be read.
pub(super) fn load(global: &GlobalArgs, kernel: Kernel) -> Result<Box<Stack>, Refusal> {
    let judged = input::load_and_admit(global, false);
    let refused = |unreadable, errors| Refusal { at: Timestamp::now(), unreadable, errors };
    let Some(admitted) = judged.admitted else {
        return Err(refused(judged.report.unreadable, errors(&judged.report)));
    };
    let contents =
        Contents::read(admitted.project(), &Files).map_err(|error| refused(true, vec![error.to_string()]))?;
    let profiles = global.profiles().into_iter().collect();
    Ok(Box::new(Stack::new(admitted, kernel, contents, profiles)))
}

impl Stack {
    /// An admitted stack with what it is given.
    pub(super) fn new(
        admitted: Admitted,
        kernel: Kernel,
        contents: Contents,
        profiles: BTreeSet<String>,
    ) -> Self {
        let names = admitted.project().services.keys();
        let confinements = names
            .filter_map(|name| Some((name.clone(), profiles::confine(&admitted, name, &kernel)?)))
            .collect();
        let hashes = contents.hashes();
        Self { admitted, confinements, contents, hashes, profiles }
    }

    /// The project's name.
    pub fn project(&self) -> &str {
        &self.admitted.project().name
    }

    /// The contents of its secrets and configs.
    pub(super) const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Images of the services that are switched on, as the file says them.
    pub(super) fn images(&self) -> BTreeSet<String> {
        let services = self.admitted.project().services.values();
        let active = services.filter(|service| is_active(service, &self.profiles));
        active.filter_map(|service| Some(service.image.as_ref()?.value.clone())).collect()
    }

    /// The wanted state, with the ids of the images that are there.
    pub(super) fn wanted(&self, images: &Images) -> Result<Wanted, WantedError> {
        wanted(
            &self.admitted,
            &Given {
                confinements: &self.confinements,
                images,
                contents: &self.hashes,
                profiles: &self.profiles,
                restarts: Restarts::Ours,
            },
        )
    }
}

/// Each error of a report in one line: rule, place, message.
fn errors(report: &Report) -> Vec<String> {
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| format!("{}{}: {}", finding.rule, place(report, finding), finding.message)).collect()
}

fn place(report: &Report, finding: &Finding) -> String {
    let place = finding.span.and_then(|span| {
        let source = report.sources.get(span.source)?;
        Some(format!(" {}:{}", source.name(), source.position(span.start).line))
    });
    place.unwrap_or_default()
}
