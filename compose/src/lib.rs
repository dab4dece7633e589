//! Compose text to a spanned model, and the policy's word on it.
//!
//! Pure: files, environment and today's date come in as arguments (see [`Host`]), values go out.
//! Deliberately absent: any clock, file system, environment variable or socket.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod budget;
mod canonical;
pub mod destination;
mod dotenv;
pub mod edge;
pub mod egress;
pub mod emit;
pub mod finding;
pub mod fix;
mod harden;
pub mod host;
mod interpolate;
mod json;
pub mod keys;
mod load;
mod lower;
mod merge;
pub mod model;
mod node;
pub mod order;
mod paths;
pub mod policy;
pub mod prefix;
pub mod problem;
pub mod reach;
pub mod rules;
mod scalar;
mod schema;
pub mod shape;
pub mod source;
mod spell;
pub mod units;
mod variables;
mod way;
mod written;
mod yaml;

pub use finding::{Finding, Report, Severity};
pub use host::Host;
pub use model::{Project, Service};
pub use schema::schema;
pub use source::{At, Origin, Source, SourceId, Sources, Span};
pub use variables::{Environment, environment};
pub use written::as_written;

use std::path::PathBuf;

/// What a load starts from: texts already read, and everything pure code may not fetch by itself.
#[derive(Clone, Debug)]
pub struct Request {
    /// The Compose files in order of `-f`; later ones are merged over earlier ones.
    pub files: Vec<Source>,
    /// Absolute path of the project's folder.
    pub directory: PathBuf,
    /// `-p` or `COMPOSE_PROJECT_NAME`; else the file's `name`, else the folder's.
    pub project_name: Option<String>,
    /// The variables that interpolation sees: `.env` or `--env-file` under the caller's environment.
    pub environment: Environment,
}

/// A loaded file: the model where one could be made, and every problem met.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// `None` where the text could not be understood at all.
    pub project: Option<Project>,
    /// All problems of reading, in file order.
    pub report: Report,
    /// The merged tree, for what is printed as written.
    pub(crate) tree: Option<written::Tree>,
}

/// What the policy is told besides the model.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Today, for exemptions that end.
    pub today: model::Date,
    /// Warnings are errors.
    pub strict: bool,
    /// What is known of the system calls that recorded profiles name.
    pub calls: policy::Calls,
    /// What becomes of the notes on what is filled in.
    pub notes: Notes,
}

/// What becomes of the notes on what hardening fills in: of a large stack, they are most of what there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// Each is a finding.
    Told,
    /// They are counted alone, for reports that leave them out; but for a stack with exemptions, which may name them.
    Counted,
}

/// A stack that was loaded, judged, found free of errors, and hardened. Only [`admit`] makes one.
#[derive(Clone, Debug)]
pub struct Admitted(Project);

impl Admitted {
    /// The hardened model.
    pub const fn project(&self) -> &Project {
        &self.0
    }
}

/// Reads texts into a model, collecting every problem.
pub fn load(request: Request, host: &dyn Host) -> Loaded {
    load::load(request, host)
}

/// The name of the project that these texts are of, as [`load`] finds it, without understanding anything else of them.
///
/// # Errors
/// No text is YAML, as far as it has to be read.
pub fn name(request: Request, host: &dyn Host) -> Result<String, Report> {
    load::name(request, host)
}

/// Judges a loaded stack and hardens it. The report holds every finding either way, and the notes of hardening as the
/// policy says.
///
/// Nothing is admitted that has an error, be it of loading or of the policy.
pub fn admit(loaded: Loaded, policy: &Policy, host: &dyn Host) -> (Option<Admitted>, Report) {
    let Loaded { project, mut report, tree } = loaded;
    let Some(mut project) = project else { return (None, report) };
    let mut found = policy::judge(&policy::Stack::new(&project, policy.calls, host));
    if !report.unreadable {
        // What is filled in where the rest cannot be understood would never be launched.
        let told = policy.notes == Notes::Told || !project.stack.exempt.is_empty();
        let filled = harden::harden(&mut project, told);
        found.extend(filled.findings);
        report.untold = filled.untold;
    }
    policy::exempt(&mut found, &project.stack.exempt, policy.today);
    if policy.strict {
        for finding in found.iter_mut().chain(&mut report.findings) {
            if finding.severity == Severity::Warning {
                finding.severity = Severity::Error;
            }
        }
    }
    report.findings.append(&mut found);
    if let Some(tree) = &tree {
        way::explain(&mut report.findings, tree);
        variables::explain(&mut report.findings, &mut report.sources, &tree.scope());
    }
    report.sort();
    let refused = report.refuses();
    ((!refused).then_some(Admitted(project)), report)
}
