//! AppArmor's language: a small tree, printed; the only place that escapes a path.
//!
//! Deliberately absent: which rules a service gets.

use std::fmt;

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) name: String,
    /// Its rules.
    pub(crate) sections: Vec<Section>,
}

/// Rules that are there for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// The reason, printed above them.
    pub(crate) why: &'static str,
    /// The rules.
    pub(crate) rules: Vec<Rule>,
}

/// A rule, and whether it takes away. What is denied stays denied whatever else is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Takes away.
    pub(crate) deny: bool,
    /// What it is about.
    pub(crate) subject: Subject,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Files that match, with these permissions.
    File(Pattern, &'static str),
    /// Sockets of a family, perhaps of one type.
    Network(&'static str, Option<&'static str>),
    /// A capability, lower case.
    Capability(String),
    /// Signals: directions and the other side's profile.
    Signal(&'static str, String),
    /// Looking into processes: directions and the other side's profile.
    Ptrace(&'static str, String),
    /// A kind of rule with nothing further: `mount`, `unix`.
    Whole(&'static str),
}

/// A path pattern: a fixed part, taken literally, and a glob after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    literal: String,
    glob: &'static str,
}

impl Pattern {
    /// A glob of our own.
    pub(crate) const fn glob(glob: &'static str) -> Self {
        Self { literal: String::new(), glob }
    }

    /// A path as someone wrote it, itself and everything below: a file, or a folder and its content.
    pub(crate) fn below(path: &str) -> Self {
        Self { literal: path.trim_end_matches('/').to_owned(), glob: "{,/,/**}" }
    }
}

/// Allows it.
pub(crate) const fn allow(subject: Subject) -> Rule {
    Rule { deny: false, subject }
}

/// Takes it away.
pub(crate) const fn deny(subject: Subject) -> Rule {
    Rule { deny: true, subject }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "abi <abi/3.0>,")?;
        writeln!(f, "profile \"{}\" flags=(attach_disconnected,mediate_deleted) {{", name(&self.name))?;
        for section in &self.sections {
            writeln!(f, "  # {}", section.why)?;
            for rule in &section.rules {
                writeln!(f, "  {rule}")?;
            }
        }
        f.write_str("}\n")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.deny {
            f.write_str("deny ")?;
        }
        match &self.subject {
            Subject::File(pattern, permissions) => write!(f, "{pattern} {permissions},"),
            Subject::Network(family, None) => write!(f, "network {family},"),
            Subject::Network(family, Some(kind)) => write!(f, "network {family} {kind},"),
            Subject::Capability(capability) => write!(f, "capability {capability},"),
            Subject::Signal(access, peer) => write!(f, "signal ({access}) peer=\"{}\",", name(peer)),
            Subject::Ptrace(access, peer) => write!(f, "ptrace ({access}) peer=\"{}\",", name(peer)),
            Subject::Whole(word) => write!(f, "{word},"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.literal.chars() {
            match character {
                // These have no escape that every parser reads the same way; "any one character" is what is left.
                '\\' | '?' => f.write_str("?")?,
                c if c.is_control() => f.write_str("?")?,
                '"' | '*' | '[' | ']' | '{' | '}' | '(' | ')' | '^' | ',' | '@' | '!' | '#' | '$' | '%' => {
                    write!(f, "\\{character}")?;
                }
                c => write!(f, "{c}")?,
            }
        }
        write!(f, "{}\"", self.glob)
    }
}

/// A profile's name without anything that the language could read as more than a name.
pub(crate) fn name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::{Pattern, name};
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(path: &str, expected: &Expect) {
        expected.assert_eq(&Pattern::below(path).to_string());
    }

    #[test]
    fn a_plain_path_is_itself_and_what_is_below() {
        check("/var/lib/db/", &expect![[r#""/var/lib/db{,/,/**}""#]]);
    }

    #[test]
    fn what_the_language_would_read_is_escaped() {
        check("/a*{b}[c],@d\"e", &expect![[r#""/a\*\{b\}\[c\]\,\@d\"e{,/,/**}""#]]);
    }

    #[test]
    fn what_has_no_sure_escape_is_any_one_character() {
        check("/a\\b\nc?", &expect![[r#""/a?b?c?{,/,/**}""#]]);
    }

    #[test]
    fn a_name_is_plain() {
        assert_eq!(name("shop web\"{\n"), "shop_web___");
    }
}
