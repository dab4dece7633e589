//! `/proc/PID/status` (proc(5)): identity, capabilities, seccomp.
//!
//! Pure. The kernel escapes line breaks in `Name`, so that no process can add a line; of a doubled key the first
//! counts all the same. Deliberately absent: what of it is right.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What one process is and may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The command's name, at most 15 bytes, escaped by the kernel. Any process can choose its own.
    pub name: String,
    /// Real, effective, saved and file system user id, in the reader's user namespace.
    pub uids: [u32; 4],
    /// The group ids likewise.
    pub gids: [u32; 4],
    /// Supplementary groups.
    pub groups: BTreeSet<u32>,
    /// Capability sets.
    pub capabilities: CapabilitySets,
    /// No program that it executes gains rights.
    pub no_new_privs: bool,
    /// 0 off, 1 strict, 2 filter.
    pub seccomp: u8,
    /// How many filters; absent before Linux 5.9.
    pub seccomp_filters: Option<u32>,
}

/// The five capability sets as bit masks; bit `n` is capability number `n` (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CapabilitySets {
    /// Kept over an execve, together with the file's.
    pub inheritable: u64,
    /// What may be made effective.
    pub permitted: u64,
    /// What is in force.
    pub effective: u64,
    /// What can ever be had.
    pub bounding: u64,
    /// Kept over an execve of any program.
    pub ambient: u64,
}

/// Reads the text. The error is the key that is missing or cannot be understood.
pub fn parse(text: &str) -> Result<Status, &'static str> {
    let mut rows: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        rows.entry(key).or_insert_with(|| value.trim());
    }
    let row = |key: &'static str| rows.get(key).copied().ok_or(key);
    let mask = |key| u64::from_str_radix(row(key)?, 16).map_err(|_| key);
    Ok(Status {
        name: row("Name")?.to_owned(),
        uids: four(row("Uid")?).ok_or("Uid")?,
        gids: four(row("Gid")?).ok_or("Gid")?,
        groups: row("Groups")?
            .split_ascii_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| "Groups")?,
        capabilities: CapabilitySets {
            inheritable: mask("CapInh")?,
            permitted: mask("CapPrm")?,
            effective: mask("CapEff")?,
            bounding: mask("CapBnd")?,
            ambient: mask("CapAmb")?,
        },
        no_new_privs: match row("NoNewPrivs")? {
            "0" => false,
            "1" => true,
            _ => return Err("NoNewPrivs"),
        },
        seccomp: row("Seccomp")?.parse().map_err(|_| "Seccomp")?,
        seccomp_filters: match rows.get("Seccomp_filters") {
            Some(text) => Some(text.parse().map_err(|_| "Seccomp_filters")?),
            None => None,
        },
    })
}

fn four(text: &str) -> Option<[u32; 4]> {
    let mut ids = text.split_ascii_whitespace().map(str::parse);
    let mut next = || ids.next()?.ok();
    let four = [next()?, next()?, next()?, next()?];
    ids.next().is_none().then_some(four)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const TEXT: &str = "Name:\tnode\nUmask:\t0022\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n\
        Groups:\t5 1000 \nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000400\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        expect.assert_eq(&match parse(text) {
            Ok(s) => format!(
                "{} {:?} {:?} {:?} bounding={:x} nnp={} seccomp={} filters={:?}",
                s.name,
                s.uids,
                s.gids,
                s.groups,
                s.capabilities.bounding,
                s.no_new_privs,
                s.seccomp,
                s.seccomp_filters
            ),
            Err(key) => format!("error: {key}"),
        });
    }

    #[test]
    fn every_row_that_is_asked_for_is_read() {
        check(
            TEXT,
            expect![[
                "node [1000, 1000, 1000, 1000] [1000, 1000, 1000, 1000] {5, 1000} bounding=400 nnp=true seccomp=2 filters=Some(1)"
            ]],
        );
    }

    #[test]
    fn a_kernel_before_5_9_counts_no_filters() {
        check(
            &TEXT.replace("Seccomp_filters:\t1\n", ""),
            expect![[
                "node [1000, 1000, 1000, 1000] [1000, 1000, 1000, 1000] {5, 1000} bounding=400 nnp=true seccomp=2 filters=None"
            ]],
        );
    }

    #[test]
    fn a_missing_or_strange_row_is_an_error_that_names_it() {
        check(&TEXT.replace("CapEff:\t0000000000000000\n", ""), expect![["error: CapEff"]]);
        check(&TEXT.replace("Uid:\t1000\t1000\t1000\t1000", "Uid:\t1000"), expect![["error: Uid"]]);
        check(&TEXT.replace("NoNewPrivs:\t1", "NoNewPrivs:\tyes"), expect![["error: NoNewPrivs"]]);
        check("", expect![["error: Name"]]);
    }

    #[test]
    fn a_second_row_of_the_same_key_is_not_believed() {
        check(
            &format!("{TEXT}Uid:\t0\t0\t0\t0\n"),
            expect![[
                "node [1000, 1000, 1000, 1000] [1000, 1000, 1000, 1000] {5, 1000} bounding=400 nnp=true seccomp=2 filters=Some(1)"
            ]],
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,400}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_single_line_broken_makes_it_believe_in_more_rights(line in 0_usize..13, junk in "[^\n]{0,30}") {
            let text: Vec<&str> = TEXT.lines().enumerate().map(|(n, l)| if n == line { junk.as_str() } else { l }).collect();
            if let Ok(status) = parse(&text.join("\n")) {
                prop_assert!(status.capabilities.effective == 0 || junk.starts_with("CapEff"));
            }
        }
    }
}
