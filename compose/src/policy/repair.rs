//! What a rule has written in the place of what it refuses, where nobody has to be asked.
//!
//! Safe is what takes rights away, or bounds what had no bound, without changing what else the file says: no mount,
//! network or credential is moved, and no number is made up that a service might need to be larger. Deliberately
//! absent: how it gets into a text (`fix`).

/// What `check --fix` does about a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repair {
    /// Nothing: only the author can say what belongs there.
    Author,
    /// This takes the place of the value.
    Value(&'static str),
    /// The key with its value, or the item, is taken out.
    Remove,
    /// What is written decides; no change where only the author can say.
    By(fn(&Site<'_>) -> Vec<Change>),
}

/// One change at the place of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The scalar there reads so.
    Text(String),
    /// It is taken out.
    Remove,
    /// In the mapping there, the value under these keys is this; a text in `"` is a string whatever it looks like.
    Set(&'static [&'static str], String),
    /// In the mapping there, the last of these keys is taken out.
    Drop(&'static [&'static str]),
}

/// What stands at the place of a finding.
pub(crate) struct Site<'a> {
    /// Its text, if it is a scalar.
    pub(crate) text: Option<&'a str>,
    /// The text below it under these keys, if it is a mapping and that is a scalar.
    pub(crate) below: &'a dyn Fn(&[&str]) -> Option<String>,
    /// Whether anything stands below it under these keys.
    pub(crate) has: &'a dyn Fn(&[&str]) -> bool,
}

impl Site<'_> {
    /// The text below the mapping under these keys.
    pub(crate) fn get(&self, path: &[&str]) -> Option<String> {
        (self.below)(path)
    }

    /// One change of the scalar, or none.
    pub(crate) fn text(&self, change: impl FnOnce(&str) -> Option<Change>) -> Vec<Change> {
        self.text.and_then(change).into_iter().collect()
    }
}
