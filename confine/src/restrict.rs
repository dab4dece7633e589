//! Grants to the kernel's own terms, and into force for this process and everything that comes of it.
//!
//! Deliberately absent: best effort. Every right of the asked version is handled, or nothing is.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::places::{Grant, Right, grants};
use crate::rules::{NEWEST, OLDEST, Rules};

/// `O_PATH | O_NOFOLLOW`: the place itself, without reading it and without following a link (Linux uapi, `fcntl.h`).
#[cfg(target_arch = "x86_64")]
const THE_PLACE_ITSELF: i32 = 0o10_000_000 | 0o400_000;
/// The same, with the numbers of this architecture.
#[cfg(target_arch = "aarch64")]
const THE_PLACE_ITSELF: i32 = 0o10_000_000 | 0o100_000;

/// Why the rules are not in force.
#[derive(Debug)]
pub enum RestrictError {
    /// The kernel does not offer what the rules need.
    Kernel {
        /// The Landlock version that was asked for.
        abi: u8,
        /// The kernel's word.
        source: RulesetError,
    },
    /// A place is there and cannot be named to the kernel.
    Place {
        /// Which.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel took the rules and does not keep all of them.
    Partly,
}

impl std::fmt::Display for RestrictError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kernel { abi, source } => write!(
                f,
                "this kernel does not keep the Landlock rules of version {abi} that the container was created with \
                 ({source}); `supervisor up` creates it anew for the kernel that runs now"
            ),
            Self::Place { place, source } => write!(f, "`{}` cannot be opened: {source}", place.display()),
            Self::Partly => f.write_str("this kernel keeps only a part of the Landlock rules"),
        }
    }
}

impl std::error::Error for RestrictError {}

/// Puts the rules into force. Afterwards this process, and whatever it becomes, has no right that they do not give.
///
/// # Errors
/// Nothing is in force that was not before: the kernel does not offer it, or a place cannot be opened.
pub fn restrict(rules: &Rules) -> Result<(), RestrictError> {
    let refused = |source| RestrictError::Kernel { abi: rules.abi, source };
    let mut ruleset = ruleset(rules).map_err(refused)?;
    for grant in grants(Path::new("/"), rules) {
        let place = open(&grant.place);
        let place = place.map_err(|source| RestrictError::Place { place: grant.place.clone(), source })?;
        let rights = rights(&grant, abi(rules.abi));
        ruleset = ruleset.add_rule(PathBeneath::new(place, rights)).map_err(refused)?;
    }
    for (ports, right) in [(&rules.bind, AccessNet::BindTcp), (&rules.connect, AccessNet::ConnectTcp)] {
        for port in ports.iter().flatten() {
            ruleset = ruleset.add_rule(NetPort::new(*port, right)).map_err(refused)?;
        }
    }
    let status = ruleset.restrict_self().map_err(refused)?;
    if status.ruleset == RulesetStatus::FullyEnforced { Ok(()) } else { Err(RestrictError::Partly) }
}

/// The version of Landlock that this kernel offers, of those that are made use of; 0 where it offers none of them.
///
/// A set of rules is made for the asking and thrown away.
pub fn offered() -> u8 {
    let offers = |version: &u8| ruleset(&Rules { abi: *version, ..Rules::default() }).is_ok();
    (OLDEST..=NEWEST).rev().find(offers).unwrap_or(0)
}

fn ruleset(rules: &Rules) -> Result<RulesetCreated, RulesetError> {
    let abi = abi(rules.abi);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    if rules.bind.is_some() {
        ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    }
    if rules.connect.is_some() {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    ruleset.create()
}

const fn abi(version: u8) -> ABI {
    match version {
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        _ => ABI::Unsupported,
    }
}

fn rights(grant: &Grant, abi: ABI) -> BitFlags<AccessFs> {
    let rights = match grant.right {
        Right::Read => AccessFs::ReadFile | AccessFs::ReadDir,
        Right::Execute => AccessFs::Execute.into(),
        Right::Device => AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev,
        Right::Write => {
            let never = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
            AccessFs::from_write(abi) & !never
        }
    };
    let known = rights & AccessFs::from_all(abi);
    if grant.folder { known } else { known & AccessFs::from_file(abi) }
}

fn open(place: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(THE_PLACE_ITSELF).open(place)
}
