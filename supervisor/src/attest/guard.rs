//! The guard beside what the file wants of it, and what its rows dropped since it was set.
//!
//! A packet that was dropped is no broken promise: it is told, since somebody sent it. Deliberately absent: asking the
//! kernel, and setting it right.

use super::{Check, Verdict};
use crate::decide::guard::rows::{self, Deed};
use crate::decide::guard::{self, Verdict as Judged, judge};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;

/// Whether the guard is in force as wanted, and a row for each of its counters of drops that is not zero; no row where
/// nothing is on a network of the file.
pub fn guarded(wanted: &Wanted, seen: &Seen) -> Vec<Check> {
    if wanted.networks.values().all(|network| network.external) {
        return Vec::new();
    }
    let table = format!("table `inet {}`", guard::table(&wanted.project));
    let check =
        |promised: String, seen: String, verdict| Check { item: "guard".to_owned(), promised, seen, verdict };
    let host = seen.guard.as_ref();
    let (said, verdict) = match wanted.guard.as_ref().map(|spec| judge(&spec.on(host), seen)) {
        None => {
            return vec![check(
                "none: the file goes without it".to_owned(),
                "not asked for".to_owned(),
                Verdict::Noted,
            )];
        }
        Some(Judged::Keep) => ("in force as set".to_owned(), Verdict::Kept),
        Some(Judged::Set(why)) => (why.words().to_owned(), Verdict::Broken),
        Some(Judged::Blocked(why)) => (why.join("; "), Verdict::Unread),
    };
    let mut checks = vec![check(format!("{table} in force"), said, verdict)];
    let dropped = rows::ALL.iter().filter(|row| row.deed == Deed::Drop).filter_map(|row| {
        let count = host?.counters.get(row.name).filter(|count| count.packets > 0)?;
        Some(Check {
            item: format!("guard {}", row.name),
            promised: format!("drops {}", row.counts),
            seen: format!("{} dropped since it was set, {} bytes", count.packets, count.bytes),
            verdict: Verdict::Noted,
        })
    });
    checks.extend(dropped);
    checks
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::decide::guard::listing::Count;
    use crate::decide::seen::SeenTable;
    use crate::decide::testing::{bare, guarded as guard_it, want_guarded};

    #[track_caller]
    fn check(text: &str, change: impl FnOnce(&mut Seen), expect: Expect) {
        let wanted = want_guarded(text);
        let mut seen = bare();
        guard_it(&wanted, &mut seen);
        change(&mut seen);
        let rows = guarded(&wanted, &seen).into_iter();
        let lines = rows.map(|check| format!("{:?} {}\n", check.verdict, check.sentence()));
        expect.assert_eq(&lines.collect::<String>());
    }

    const SHOP: &str = "services: {web: {image: 'i:1'}}";

    fn table(table: SeenTable) -> impl FnOnce(&mut Seen) {
        |seen| seen.guard.as_mut().unwrap().table = table
    }

    #[test]
    fn it_is_as_wanted_or_says_why_not() {
        check(
            SHOP,
            |_| (),
            expect![[r#"
            Kept guard: promised table `inet supervisor-shop` in force, seen in force as set
        "#]],
        );
        check(
            SHOP,
            table(SeenTable::Absent { was_set: true }),
            expect![[r#"
            Broken guard: promised table `inet supervisor-shop` in force, seen it was there and is gone
        "#]],
        );
        check(
            SHOP,
            |seen| {
                if let SeenTable::There { intact, .. } = &mut seen.guard.as_mut().unwrap().table {
                    *intact = false;
                }
            },
            expect![[r#"
                Broken guard: promised table `inet supervisor-shop` in force, seen somebody changed it
            "#]],
        );
        check(
            SHOP,
            table(SeenTable::Unable("`nft` is not installed".into())),
            expect![[r#"
            Unread guard: promised table `inet supervisor-shop` in force, seen the guard cannot be set: `nft` is not installed; put that right, or say `x-supervisor: {guard: off}` to go without it
        "#]],
        );
        check(
            SHOP,
            |seen| seen.guard = None,
            expect![[r#"
            Unread guard: promised table `inet supervisor-shop` in force, seen the guard was not looked for, which is a mistake of this program
        "#]],
        );
    }

    #[test]
    fn what_it_dropped_is_told_and_what_it_let_pass_is_not() {
        check(
            SHOP,
            |seen| {
                let counters = &mut seen.guard.as_mut().unwrap().counters;
                counters.insert("to-metadata".into(), Count { packets: 2, bytes: 120 });
                counters.insert("to-host".into(), Count::default());
                counters.insert("published".into(), Count { packets: 9, bytes: 900 });
            },
            expect![[r#"
                Kept guard: promised table `inet supervisor-shop` in force, seen in force as set
                Noted guard to-metadata: promised drops packets of containers to metadata services and other link-local addresses, seen 2 dropped since it was set, 120 bytes
            "#]],
        );
    }

    #[test]
    fn who_goes_without_by_name_or_is_on_no_network_is_promised_nothing() {
        check(
            "x-supervisor: {guard: off}\nservices: {web: {image: 'i:1'}}",
            |_| (),
            expect![[r#"
                Noted guard: promised none: the file goes without it, seen not asked for
            "#]],
        );
        check("services: {job: {image: 'j:1', network_mode: none}}", |_| (), expect![[r#""#]]);
    }
}
