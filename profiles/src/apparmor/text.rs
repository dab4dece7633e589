//! AppArmor's language: a small tree, printed; the only place that escapes a path.
//!
//! Deliberately absent: which rules a service gets.

use std::borrow::Cow;
use std::collections::BTreeSet;
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
    glob: Cow<'static, str>,
}

impl Pattern {
    /// A glob of our own.
    pub(crate) const fn glob(glob: &'static str) -> Self {
        Self { literal: String::new(), glob: Cow::Borrowed(glob) }
    }

    /// A path as someone wrote it, itself and everything below: a file, or a folder and its content.
    pub(crate) fn below(path: &str) -> Self {
        Self { literal: path.trim_end_matches('/').to_owned(), glob: Cow::Borrowed("{,/,/**}") }
    }

    /// As [`Pattern::below`], without these paths in it and what is below them. They are relative, and of letters,
    /// digits and `/._+-` alone.
    pub(crate) fn below_without(path: &str, left_out: &BTreeSet<&str>) -> Self {
        Self { literal: path.trim_end_matches('/').to_owned(), glob: Cow::Owned(others(left_out)) }
    }
}

/// A glob for everything that is neither one of these relative paths nor below one. The language has no "all but", so
/// that it is spelled out: each beginning of a path, and each followed by a character with which none of them goes on.
fn others(paths: &BTreeSet<&str>) -> String {
    let starts: BTreeSet<&str> =
        paths.iter().flat_map(|path| (0..=path.len()).filter_map(|end| path.get(..end))).collect();
    let mut globs = vec![String::new()];
    for start in &starts {
        let whole = paths.contains(start);
        let next = starts.iter().filter_map(|longer| longer.strip_prefix(start)?.chars().next());
        let next: BTreeSet<char> = next.chain(whole.then_some('/')).collect();
        // A dash between two others would be a range.
        let class: String =
            next.iter().filter(|c| **c != '-').chain(next.iter().filter(|c| **c == '-')).collect();
        if !whole {
            globs.push(format!("/{start}"));
        }
        globs.push(format!("/{start}[^{class}]**"));
    }
    format!("{{{}}}", globs.join(","))
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

/// Whether a text is one profile of this name, in the form in which [`Profile`] prints it.
pub(crate) fn is_just(text: &str, wanted: &str) -> bool {
    let head = format!(
        "abi <abi/3.0>,\nprofile \"{}\" flags=(attach_disconnected,mediate_deleted) {{\n",
        name(wanted)
    );
    let body = text.strip_prefix(head.as_str()).and_then(|rest| rest.strip_suffix("}\n"));
    name(wanted) == wanted && body.is_some_and(|body| body.split_terminator('\n').all(is_line))
}

/// A comment, or one rule that ends with its line.
fn is_line(line: &str) -> bool {
    let Some(line) = line.strip_prefix("  ").filter(|line| !line.chars().any(char::is_control)) else {
        return false;
    };
    if line.starts_with("# ") {
        return true;
    }
    let rule = line.strip_prefix("deny ").unwrap_or(line);
    let known =
        ["network ", "capability ", "signal ", "ptrace ", "unix,", "mount,", "umount,", "pivot_root,"];
    (rule.starts_with('"') || known.iter().any(|word| rule.starts_with(word)))
        && rule.ends_with(',')
        && outside_of_quotes(rule)
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric() || " ,_=()".contains(c)))
}

/// What is left of a rule without its texts in quotes; `None` where one has no end, or could have another.
fn outside_of_quotes(rule: &str) -> Option<String> {
    let (mut rest, mut quoted) = (String::new(), false);
    let mut characters = rule.chars();
    while let Some(character) = characters.next() {
        match (character, quoted) {
            ('"', _) => quoted = !quoted,
            ('\\', true) if matches!(characters.next(), None | Some('\\')) => return None,
            (_, true) => {}
            (character, false) => rest.push(character),
        }
    }
    (!quoted).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Pattern, is_just, name, others};
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

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
    fn what_is_left_out_is_spelled_out() {
        let pattern = Pattern::below_without("/data/", &BTreeSet::from(["ab/c", "a"]));
        expect![[r#""/data{,/,/[^a]**,/a[^/b]**,/ab,/ab[^/]**,/ab/,/ab/[^c]**,/ab/c[^/]**}""#]]
            .assert_eq(&pattern.to_string());
    }

    /// Whether a text matches a glob of the language, as far as [`others`] writes it.
    fn matches(glob: &[u8], text: &[u8]) -> bool {
        match (glob, text) {
            ([], text) => text.is_empty(),
            ([b'*', b'*', glob @ ..], text) => (0..=text.len()).any(|at| matches(glob, &text[at..])),
            ([b'[', b'^', rest @ ..], [first, text @ ..]) => {
                let end = rest.iter().position(|c| *c == b']').unwrap();
                let dash = rest[..end].iter().position(|c| *c == b'-').is_none_or(|at| at + 1 == end);
                assert!(dash, "a range in {}", String::from_utf8_lossy(glob));
                !rest[..end].contains(first) && matches(&rest[end + 1..], text)
            }
            ([one, glob @ ..], [first, text @ ..]) => one == first && matches(glob, text),
            ([_, ..], []) => false,
        }
    }

    proptest! {
        #[test]
        fn all_but_some_paths_is_just_that(
            paths in prop::collection::btree_set("[ab-]{1,3}(/[a.+]{1,2}){0,1}", 1..4),
            text in "(/[ab.+-]{0,3}){0,3}",
        ) {
            let below = |path: &str, other: &str| {
                path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let apart: BTreeSet<&str> = paths
                .iter()
                .map(String::as_str)
                .filter(|path| !paths.iter().any(|other| other != path && below(path, other)))
                .collect();
            let globs = others(&apart);
            let globs = globs.trim_start_matches('{').trim_end_matches('}');
            let matched = globs.split(',').any(|glob| matches(glob.as_bytes(), text.as_bytes()));
            let left_out = text.strip_prefix('/').is_some_and(|text| apart.iter().any(|path| below(text, path)));
            prop_assert_eq!(matched, !left_out, "{} in {}", text, globs);
        }
    }

    #[test]
    fn a_text_that_is_more_than_one_profile_of_its_name_is_told() {
        let head =
            "abi <abi/3.0>,\nprofile \"supervisor-a.web\" flags=(attach_disconnected,mediate_deleted) {\n";
        let with = |rule: &str| is_just(&format!("{head}  # why\n  {rule}\n}}\n"), "supervisor-a.web");
        for good in [
            "deny \"/a\\\"b{,/**}\" rwklmx,",
            "network inet stream,",
            "signal (send) peer=\"a-b.c\",",
            "mount,",
        ] {
            assert!(with(good), "{good}");
        }
        let bad = [
            "}\nprofile \"runc\" {\n  mount,",
            "} profile \"runc\" { mount,",
            "include \"/etc/shadow\",",
            "#include <tunables/global>",
            "profile child { mount, }",
            "^hat { mount, }",
            "change_profile -> unconfined,",
            "\"/a\" px -> unconfined,",
            "\"/a\\\\\" } profile x { \"/b\" r,",
            "network inet, } profile x { mount,",
            "\"/a r,",
            "mount",
            "",
        ];
        for bad in bad {
            assert!(!with(bad), "{bad}");
        }
        assert!(!is_just(&format!("{head}}}\n"), "supervisor-a.db"));
        assert!(!is_just(&format!("{head}}}\n").replace("supervisor-a.web", "a\" {}"), "a\" {}"));
        assert!(is_just(&format!("{head}}}\n"), "supervisor-a.web"));
    }

    #[test]
    fn a_name_is_plain() {
        assert_eq!(name("shop web\"{\n"), "shop_web___");
    }
}
