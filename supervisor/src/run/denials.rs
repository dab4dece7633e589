//! What the kernel denied to the services: heard as it happens, told once in the log, and shown with what to write.
//!
//! Deliberately absent: hearing (`observe::denials`), counting and what to do (`decide::denials`).

use jiff::Timestamp;
use profiles::{AppArmor, Arch};

use super::keep::Keep;
use super::watch::Watch;
use crate::decide::denials::{self, By, Denial, Tally};
use crate::observe::denials::{Ear, Running, Sources, Whose};
use crate::observe::kernel::records::{Record, What};
use crate::privileged::Rights;
use crate::render::plain;
use crate::serve::snapshot::{self, Snapshot};

/// Who hears, and the counts so far.
#[derive(Debug)]
pub(super) struct Denials {
    ear: Ear,
    rights: Rights,
    tally: Tally,
}

impl Denials {
    /// Listens from now on.
    pub(super) fn hear(sources: Sources, arch: Arch, rights: Rights) -> Self {
        let ear = Ear::listen(sources, arch, rights.clone());
        if ear.ways().is_empty() {
            tracing::warn!(
                "what the kernel denies to services is not heard: run as root, or with CAP_AUDIT_READ"
            );
        }
        Self { ear, rights, tally: Tally::default() }
    }

    /// What was denied next. May be dropped at any time.
    pub(super) async fn next(&mut self) -> (Record, Whose) {
        self.ear.next().await
    }

    /// Counts it, if it was denied to a service of this stack.
    pub(super) fn take(&mut self, (record, whose): &(Record, Whose), watch: &Watch) {
        let Some(keep) = keep_of(record, whose, watch, &self.rights) else { return };
        let Some((denial, remedy)) = denial(record, keep) else { return };
        let program = plain(&record.program);
        if let Some(row) = self.tally.take(denial, &program, remedy, Timestamp::now()) {
            let Denial { service, by, what, target } = &row.denial;
            let (by, about) = (by.name(), if target.is_empty() { "" } else { " of " });
            tracing::warn!(service, "{by} denied `{what}`{about}{target} to {program}: {}", row.remedy);
        }
    }

    /// Shows the totals.
    pub(super) fn show(&self, snapshot: &mut Snapshot) {
        snapshot.denials = snapshot::Denials { heard_by: self.ear.ways().to_vec(), rows: self.tally.rows() };
    }
}

/// The container whose process it was.
fn keep_of<'a>(record: &Record, whose: &Whose, watch: &'a Watch, rights: &Rights) -> Option<&'a Keep> {
    if let What::Access { profile, .. } = &record.denied {
        return watch.keeps.values().find(|keep| is_profile(keep, profile));
    }
    match whose {
        Whose::Container(id) => watch.keeps.values().find(|keep| keep.id() == Some(id)),
        Whose::Gone => {
            let running = watch.keeps.iter();
            let running =
                running.filter_map(|(name, keep)| Some(Running { name: name.clone(), pid: keep.pid()? }));
            watch.keeps.get(&rights.by_what_is_left(record, running.collect())?)
        }
    }
}

fn is_profile(keep: &Keep, profile: &str) -> bool {
    matches!(keep.spec.confinement.apparmor(), AppArmor::Profile { name, .. } if name == profile)
}

fn denial(record: &Record, keep: &Keep) -> Option<(Denial, String)> {
    let service = keep.spec.service.clone();
    Some(match &record.denied {
        What::Call { name, killed } => {
            let remedy = denials::call(&keep.spec, name, *killed)?;
            (Denial { service, by: By::Seccomp, what: (*name).to_owned(), target: String::new() }, remedy)
        }
        What::Access { operation, target, .. } => {
            let (what, target) = (plain(operation), plain(target));
            let remedy = denials::access(&keep.spec, &what, &target);
            (Denial { service, by: By::AppArmor, what, target }, remedy)
        }
    })
}
