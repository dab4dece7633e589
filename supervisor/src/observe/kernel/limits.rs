//! `/proc/PID/limits`: the resource limits of a process (getrlimit(2)), under Compose's names for them.
//!
//! Pure. Deliberately absent: which limits are right.

use super::cgroup::Bound;

/// Compose's name, and what the kernel calls it.
const NAMES: &[(&str, &str)] = &[
    ("as", "Max address space"),
    ("core", "Max core file size"),
    ("cpu", "Max cpu time"),
    ("data", "Max data size"),
    ("fsize", "Max file size"),
    ("locks", "Max file locks"),
    ("memlock", "Max locked memory"),
    ("msgqueue", "Max msgqueue size"),
    ("nice", "Max nice priority"),
    ("nofile", "Max open files"),
    ("nproc", "Max processes"),
    ("rss", "Max resident set"),
    ("rtprio", "Max realtime priority"),
    ("rttime", "Max realtime timeout"),
    ("sigpending", "Max pending signals"),
    ("stack", "Max stack size"),
];

/// The soft and hard limit of a Compose `ulimits` name; `None` where the kernel lists no such limit.
pub fn limit(text: &str, name: &str) -> Option<(Bound, Bound)> {
    let (_, kernel_name) = NAMES.iter().find(|(compose, _)| *compose == name)?;
    let row = text.lines().find_map(|line| line.strip_prefix(kernel_name)?.strip_prefix(' '))?;
    let mut values = row.split_ascii_whitespace().map(|value| match value {
        "unlimited" => Some(Bound::Unlimited),
        number => number.parse().ok().map(Bound::At),
    });
    Some((values.next()??, values.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const TEXT: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max core file size        0                    unlimited            bytes     \n\
        Max open files            1024                 2048                 files     \n";

    #[track_caller]
    fn check(name: &str, expect: Expect) {
        expect.assert_eq(&format!("{:?}", limit(TEXT, name)));
    }

    #[test]
    fn limits_are_found_by_their_compose_name() {
        check("nofile", expect![["Some((At(1024), At(2048)))"]]);
        check("core", expect![["Some((At(0), Unlimited))"]]);
    }

    #[test]
    fn what_is_not_listed_is_none() {
        check("nproc", expect![["None"]]);
        check("bogus", expect![["None"]]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = limit(&format!("Max open files {text}"), "nofile");
        }
    }
}
