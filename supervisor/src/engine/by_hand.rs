//! What a person asks of an engine and no plan does: values of the requests behind `events`, `ps`, `images`, `volumes`, `cp`.
//!
//! Deliberately absent: the requests (`docker/by_hand.rs`), and anything that healing or a plan relies on (`port`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::decide::seen::{Health, State};
use crate::decide::spec::PortSpec;

/// Something that happened to a container, in the engine's own word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When, by the engine's clock.
    pub at: Timestamp,
    /// Engine id of the container.
    pub id: String,
    /// Service by our label.
    pub service: Option<String>,
    /// Such as `start`, `die`, `health_status: healthy`.
    pub action: String,
    /// What the engine says besides: `name`, `image`, `exitCode`, `signal`; labels are left out.
    pub attributes: BTreeMap<String, String>,
}

/// A container as the engine's list has it: all that a table shows, in one request for any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Engine id.
    pub id: String,
    /// Engine name without the slash.
    pub name: String,
    /// Service by our label.
    pub service: String,
    /// Image by our label, as the file said it.
    pub image: String,
    /// Id of the image that it was made of.
    pub image_id: String,
    /// Ids of the images that it has mounted, by target.
    pub mounted: BTreeMap<String, String>,
    /// Whether it runs.
    pub state: State,
    /// The engine's word on its health, where it checks it.
    pub health: Option<Health>,
    /// In the engine's words: `Up 3 minutes (healthy)`.
    pub status: String,
    /// Ports that are bound on the host.
    pub ports: BTreeSet<PortSpec>,
}

/// An image as the engine keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// `sha256:…`.
    pub id: String,
    /// `name:tag`.
    pub tags: Vec<String>,
    /// `name@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes on the disk, shared layers included.
    pub size: u64,
    /// When it was built.
    pub created: Option<Timestamp>,
}

/// A volume as the engine keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVolume {
    /// Engine name.
    pub name: String,
    /// Such as `local`.
    pub driver: String,
    /// Path on the host.
    pub place: String,
    /// Project by our label, if it carries one.
    pub project: Option<String>,
}

/// What a path in a container names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A folder.
    Folder,
    /// A symbolic link, and where it points as it is written.
    Link(String),
    /// A file, or something else that is none of the above.
    File,
}
