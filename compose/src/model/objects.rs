//! What is declared for several services: volumes, and files as secrets and configs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::source::{At, Span};

/// A top-level volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its key.
    pub key: String,
    /// Where its key is written.
    pub span: Span,
    /// `name`, where it is written; else `PROJECT_KEY`.
    pub name: Option<At<String>>,
    /// `driver`.
    pub driver: Option<At<String>>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, At<String>>,
    /// Not made by us.
    pub external: Option<At<bool>>,
    /// Labels, ours not among them.
    pub labels: BTreeMap<String, At<String>>,
}

/// A top-level secret or config.
#[derive(Clone, Debug)]
pub struct FileObject {
    /// Its key.
    pub key: String,
    /// Where its key is written.
    pub span: Span,
    /// Where its content is.
    pub content: At<ContentSource>,
    /// `name`, where it is written.
    pub name: Option<At<String>>,
    /// The variable that `environment` names.
    pub from_environment: Option<At<String>>,
    /// Keys that are refused whatever they say: `driver`, `template_driver`.
    pub refused: Vec<(&'static str, Span)>,
}

/// Where the content of a secret or config is.
#[derive(Clone, PartialEq, Eq)]
pub enum ContentSource {
    /// A file of the host: absolute, lexically normal.
    File(PathBuf),
    /// `content:`, or the variable's value for `environment:`. Never printed.
    Inline(String),
    /// The variable that `environment:` names is not set: nothing that is given it can be launched.
    Unset(String),
    /// Made outside; refused.
    External,
}

impl std::fmt::Debug for ContentSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
            Self::Unset(name) => f.debug_tuple("Unset").field(name).finish(),
            Self::External => f.write_str("External"),
        }
    }
}
