//! What is looked for in one container: of its promise and of the engine's word, just what a look needs.
//!
//! A value that can be handed to whoever has the right to look. Deliberately absent: looking, and judging.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use profiles::AppArmor;
use profiles::apparmor::{Refused, refused};
use profiles::confinement::MountSource;
use serde::{Deserialize, Serialize};

use crate::decide::spec::ContainerSpec;
use crate::engine::Inspected;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// The engine's name of the container.
    pub container: String,
    /// The engine's id of it.
    pub id: String,
    /// Its process 1, as the host numbers it.
    pub pid: u32,
    /// Its AppArmor profile, with what that has to refuse; `None` where none is promised.
    pub profile: Option<(String, Vec<Refused>)>,
    /// Its user, as the file or the image says it.
    pub user: String,
    /// Further groups likewise.
    pub groups: Vec<String>,
    /// From when on denied calls are read, in seconds since 1970; `None` where its filter has none written down.
    pub denials_since: Option<u64>,
    /// Each promised target, with the path on the host that is bound there.
    pub mounts: BTreeMap<String, Option<String>>,
    /// The engine's own socket, which no container may see.
    pub socket: Option<PathBuf>,
}

impl Sought {
    /// Of a container that runs as `pid`.
    pub fn of(pid: u32, spec: &ContainerSpec, inspected: &Inspected, socket: Option<&Path>) -> Self {
        let promise = &spec.confinement;
        let profile = match promise.apparmor() {
            AppArmor::Profile { name, .. } => Some((name.clone(), refused(promise))),
            AppArmor::Absent => None,
        };
        let started = inspected.started_at.and_then(|at| u64::try_from(at.as_second()).ok());
        let mounts = promise.mounts().iter().map(|mount| {
            let source = match &mount.source {
                MountSource::Bind(path) => Some(path.clone()),
                _ => None,
            };
            (mount.target.clone(), source)
        });
        Self {
            container: inspected.name.clone(),
            id: inspected.id.clone(),
            pid,
            profile,
            user: promise.user().unwrap_or(&inspected.user).to_owned(),
            groups: promise.group_add().to_vec(),
            denials_since: promise.logs_denials().then(|| started.unwrap_or(0)),
            mounts: mounts.collect(),
            socket: socket.map(Path::to_path_buf),
        }
    }
}
