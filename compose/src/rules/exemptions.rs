//! What can be wrong with an exemption. They are checked where they are applied, in `policy`.

use crate::finding::Severity;
use crate::policy::{Check, Exempt, Repair, Rule};

use super::place;

/// No such rule.
pub(crate) const UNKNOWN: &str = "SV300";
/// A rule that cannot be exempted.
pub(crate) const IMPOSSIBLE: &str = "SV301";
/// No reason.
pub(crate) const NO_REASON: &str = "SV302";
/// Its end has passed.
pub(crate) const ENDED: &str = "SV303";
/// It covers nothing.
pub(crate) const UNUSED: &str = "SV304";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: UNKNOWN,
        title: "an exemption names a rule",
        reason: "an exemption of something that does not exist protects nobody from a misspelling",
        severity: Severity::Error,
        fix: "name a rule that `supervisor rules` lists",
        bad: "x-supervisor:\n  exempt:\n    - {rule: SV999, service: web, reason: as agreed in March, until: 2030-01-31} # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  exempt:\n    - {rule: SV240, service: web, reason: as agreed in March, until: 2030-01-31}\nservices:\n  web:\n    image: caddy:2\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Exemption,
        repair: Repair::Author,
    },
    Rule {
        id: IMPOSSIBLE,
        title: "some rules have no exemption",
        reason: "what these rules forbid gives the host away, whatever the reason",
        severity: Severity::Error,
        fix: "remove the exemption, and what it was for",
        bad: "x-supervisor:\n  exempt:\n    - {rule: SV105, service: web, reason: as agreed in March, until: 2030-01-31} # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Exemption,
        repair: Repair::Author,
    },
    Rule {
        id: NO_REASON,
        title: "an exemption has a reason",
        reason: "whoever reads the file later must be able to judge whether it still holds",
        severity: Severity::Error,
        fix: "write the reason in a sentence",
        bad: "x-supervisor:\n  exempt:\n    - {rule: SV150, service: web, reason: \"-\", until: 2030-01-31} # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  exempt:\n    - {rule: SV150, service: web, reason: writes beside its binary, until: 2030-01-31}\nservices:\n  web:\n    image: caddy:2\n    read_only: false\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Exemption,
        repair: Repair::Author,
    },
    Rule {
        id: ENDED,
        title: "an exemption that has ended is renewed or removed",
        reason: "an exemption ends so that its reason is looked at again",
        severity: Severity::Error,
        fix: "remove the exemption and what it was for, or set a new end",
        bad: "x-supervisor:\n  exempt:\n    - {rule: SV240, service: web, reason: as agreed in March, until: 2020-01-31} # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  exempt:\n    - {rule: SV240, service: web, reason: as agreed in March, until: 2030-01-31}\nservices:\n  web:\n    image: caddy:2\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Exemption,
        repair: Repair::Author,
    },
    Rule {
        id: UNUSED,
        title: "an exemption covers something",
        reason: "one that covers nothing today silently allows something tomorrow",
        severity: Severity::Warning,
        fix: "remove it",
        bad: "x-supervisor:\n  exempt:\n    - {rule: SV150, service: web, reason: as agreed in March, until: 2030-01-31} # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Exemption,
        repair: Repair::Author,
    },
];
