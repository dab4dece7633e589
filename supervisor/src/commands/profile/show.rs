//! `profile show`: a service's profiles, in short for people or in the words of those who load them.
//!
//! Deliberately absent: loading anything; it needs no engine and no root.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::ValueEnum;
use compose::model::ServiceOptions;
use profiles::{AppArmor, Base, Confinement, Kernel, Landlock, seccomp};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::render::plain;
use crate::{host, input};

/// What `profile show` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// In short, for people
    #[default]
    Human,
    /// Seccomp as the engine is given it, inline
    Engine,
    /// The same over several lines, as a file for Kubernetes or containerd
    Flat,
    /// The AppArmor profile
    Apparmor,
}

pub(super) fn run(global: &GlobalArgs, service: &str, format: Format) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let kernel = host::kernel::read();
    // Shown on a kernel without AppArmor too; what is true of this one, the short form says.
    let shown = Kernel { apparmor: true, ..kernel };
    let confinement =
        profiles::confine(&stack, service, &shown).ok_or_else(|| super::unknown(&stack, service))?;
    let options = stack.project().services.get(service).map(|service| &service.supervisor);
    let text = match format {
        Format::Human => human(options, &confinement, kernel),
        Format::Engine => format!("{}\n", confinement.seccomp()),
        Format::Flat => profile(&confinement).map_or_else(String::new, |profile| profile.to_pretty_json()),
        Format::Apparmor => apparmor(&confinement).1.to_owned(),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The profile, read back from what the engine is given.
fn profile(confinement: &Confinement) -> Option<seccomp::Profile> {
    serde_json::from_str(confinement.seccomp()).ok()
}

/// Name and text.
fn apparmor(confinement: &Confinement) -> (&str, &str) {
    match confinement.apparmor() {
        AppArmor::Profile { name, text } => (name, text),
        AppArmor::Absent => ("", ""),
    }
}

/// The rules, or why there are none.
fn landlock(confinement: &Confinement) -> String {
    match confinement.landlock() {
        Landlock::Rules { arguments, .. } => arguments.join(" "),
        Landlock::Absent { why, .. } => format!("none: {why}"),
        Landlock::Off => "none: the file switches it off".to_owned(),
    }
}

/// A few lines for people.
fn human(options: Option<&ServiceOptions>, confinement: &Confinement, kernel: Kernel) -> String {
    let mut text = String::new();
    let allowed = profile(confinement).map_or(0, |profile| profile.allowed().len());
    let base = Base::of(options.and_then(|options| options.runtime.as_ref()).map(|runtime| runtime.value));
    let whole = seccomp::profile(base, confinement.capabilities(), &kernel).allowed().len();
    let recorded = options.and_then(|options| options.seccomp.as_ref());
    let recorded = recorded
        .map(|at| format!(", recorded in {}, of {whole}", plain(&at.value.path.display().to_string())));
    let recorded = recorded.unwrap_or_default();
    let capabilities = confinement.capabilities().iter().map(String::as_str).collect::<Vec<_>>();
    let capabilities = if capabilities.is_empty() { "none".to_owned() } else { capabilities.join(", ") };
    let (major, minor) = kernel.version;
    let rows = [
        (
            "seccomp",
            format!("base `{}`, {allowed} calls allowed{recorded}, of Linux {major}.{minor}", base.name()),
        ),
        ("capabilities", capabilities),
        ("AppArmor", apparmor(confinement).0.to_owned()),
        ("Landlock", landlock(confinement)),
    ];
    for (what, value) in rows {
        let _ = writeln!(text, "{what:<13} {value}");
    }
    if !kernel.apparmor {
        let _ = writeln!(text, "{:<13} this kernel has no AppArmor: here, the profile is not in force", "");
    }
    text
}
