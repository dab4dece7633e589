//! One row an attempt: what it tries, what its success means, why that matters, what is there to stop it.
//!
//! Deliberately absent: the attempts.

use std::io::Result;

/// An attempt.
pub(crate) struct Attempt {
    /// Its name, never reused.
    pub(crate) id: &'static str,
    /// What it does.
    pub(crate) tries: &'static str,
    /// What is so when it answers `done`.
    pub(crate) done: &'static str,
    /// Why that matters.
    pub(crate) why: &'static str,
    /// What should stop it, the first line of defence first.
    pub(crate) layers: &'static [Layer],
    /// Makes it.
    pub(crate) run: fn() -> Result<()>,
    /// What has to exist for it to be possible at all.
    pub(crate) needs: Needs,
}

/// What an attempt depends on besides rights.
pub(crate) enum Needs {
    /// Nothing: whoever has every right succeeds.
    Rights,
    /// A weakness that no container of this engine has. Whoever may puts it there, so that the attempt is seen to find it.
    Weakness(fn() -> Result<()>),
    /// Something that a kernel or a machine may be without.
    Machine(&'static str),
}

/// What stops attempts.
#[derive(Clone, Copy)]
pub(crate) enum Layer {
    /// The filter of system calls.
    Seccomp,
    /// No capabilities.
    Capabilities,
    /// No new privileges by executing something.
    NoNewPrivileges,
    /// The root that cannot be written to.
    ReadOnlyRoot,
    /// What is mounted, how (`noexec`, `nosuid`, `nodev`), and what is masked.
    Mounts,
    /// Namespaces of its own.
    Namespaces,
    /// The list of devices that may be opened.
    Devices,
    /// Bounds on memory, processes, files and the size of memory file systems.
    Limits,
    /// Networks without a way out.
    Network,
    /// The host's packet filter around the stack's networks.
    Guard,
    /// Secrets as files and not in the environment.
    Secrets,
    /// What files may be written and executed, by Landlock or AppArmor.
    Files,
}

impl Layer {
    /// Its name in the docs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Seccomp => "seccomp",
            Self::Capabilities => "no capabilities",
            Self::NoNewPrivileges => "no new privileges",
            Self::ReadOnlyRoot => "read-only root",
            Self::Mounts => "mounts",
            Self::Namespaces => "namespaces",
            Self::Devices => "device list",
            Self::Limits => "limits",
            Self::Network => "internal network",
            Self::Guard => "guard",
            Self::Secrets => "secrets as files",
            Self::Files => "Landlock or AppArmor",
        }
    }
}

/// Attempts of one kind.
pub(crate) struct Class {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its rows.
    pub(crate) attempts: &'static [Attempt],
}
