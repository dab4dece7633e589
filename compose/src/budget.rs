//! What one load may use up in all, whatever leads to it: files, aliases, variables, bases.
//!
//! A short text can ask for a long one any number of times; each such way takes from the same room. Deliberately absent: limits of
//! one text alone, which are where it is read.

use std::path::Path;

use crate::host::{Host, ReadError};
use crate::problem::{self, Problems};
use crate::source::{MOST_BYTES, Span};

/// Most values, those that aliases repeat and `extends` copies included. A stack of 1,000 services has about two thirds of it.
const VALUES: usize = 64_000;
/// Most bytes that aliases repeat, variables put in, `extends` copies and environment files give.
const TEXT: usize = 4 * 1024 * 1024;
/// Most bytes of all files together.
const BYTES: usize = 4 * 1024 * 1024;
/// Most files that `extends`, `include`, `env_file` and `label_file` lead to.
const FILES: usize = 500;

/// What is left of each.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Values in trees.
    pub(crate) values: Room,
    /// Bytes that stand in trees more than once.
    pub(crate) text: Room,
    /// Bytes of files.
    pub(crate) bytes: Room,
    /// Files.
    pub(crate) files: Room,
}

impl Default for Budget {
    fn default() -> Self {
        let room = |most| Room { most, left: most, spent: false };
        Self { values: room(VALUES), text: room(TEXT), bytes: room(BYTES), files: room(FILES) }
    }
}

impl Budget {
    /// Whether more was asked for than there was: what was loaded is not whole, and nothing more can be.
    pub(crate) const fn is_spent(&self) -> bool {
        self.values.is_spent() || self.text.is_spent()
    }

    /// What is in a file that another leads to; `None` where it cannot be had, and a problem at `from`.
    pub(crate) fn read(
        &mut self,
        host: &dyn Host,
        path: &Path,
        from: Span,
        problems: &mut Problems,
    ) -> Option<Vec<u8>> {
        match self.try_read(host, path, from, problems)? {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let mut finding = problem::cannot_read(path, &error);
                finding.span = Some(from);
                problems.put(finding);
                None
            }
        }
    }

    /// The same where it may be missing; `None` alone where the room is used up, which is a problem.
    pub(crate) fn try_read(
        &mut self,
        host: &dyn Host,
        path: &Path,
        from: Span,
        problems: &mut Problems,
    ) -> Option<Result<Vec<u8>, ReadError>> {
        let is_news = !self.files.is_spent() && !self.bytes.is_spent();
        let mut too_much = |message: String, fix: &str| {
            // Said once: every further file fares no better.
            if is_news {
                problems.add(&problem::TOO_MUCH, from, message, fix);
            }
        };
        if !self.files.take(1) {
            let message = format!("more than {} files lead to each other", self.files.most);
            too_much(message, "use fewer files");
            return None;
        }
        let bytes = match host.read(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        if !self.bytes.take(bytes.len()) {
            let message = format!("the files have more than {} bytes together", self.bytes.most);
            too_much(message, "use fewer or shorter files");
            return None;
        }
        Some(Ok(bytes))
    }
}

/// How much of something is left.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    left: usize,
    spent: bool,
}

impl Room {
    /// Takes so much; `false` where it is not there, and then nothing is left.
    pub(crate) fn take(&mut self, amount: usize) -> bool {
        let left = self.left.checked_sub(amount);
        self.left = left.unwrap_or_default();
        self.spent |= left.is_none();
        left.is_some()
    }

    /// Whether more was asked for than there was.
    pub(crate) const fn is_spent(&self) -> bool {
        self.spent
    }

    /// How much there was.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }
}
