//! What the guide's checklist asks for and this host cannot show: listed, so that nobody takes it for checked.
//!
//! Deliberately absent: a verdict on any of it.

/// One thing to be looked at by hand.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// What has to be so.
    pub what: &'static str,
    /// Where it is seen, and how.
    pub how: &'static str,
    /// Section of the hardening guide; `B` is its checklist.
    pub guide: &'static str,
}

const fn row(what: &'static str, how: &'static str, guide: &'static str) -> Elsewhere {
    Elsewhere { what, how, guide }
}

/// Every one.
pub const ELSEWHERE: &[Elsewhere] = &[
    row(
        "the provider's firewall lets in SSH from known addresses, 80 and 443",
        "the provider's console or API: it judges before a packet reaches this host",
        "1.4, B",
    ),
    row(
        "ports are closed from outside",
        "a scan from another machine: what stands between it and this host is invisible from here",
        "4, B",
    ),
    row(
        "the DNS proxy verifies this host's certificate (Full, Strict)",
        "the proxy's own settings",
        "7.4, B",
    ),
    row("the DNS proxy's web application firewall is on", "the proxy's own settings", "7.1, B"),
    row(
        "this host's address is not known",
        "the DNS zone, its history and certificate transparency logs; `ALLOW_FROM` of the stack keeps others out all the same",
        "7.8, B",
    ),
    row("backups are made daily, and are kept elsewhere", "where they are kept", "9.1, B"),
    row("backups are encrypted, and the key is kept apart from them", "where both are kept", "9.2, B"),
    row("a backup was restored, not only made", "a restore on another machine, with its date", "9.3, B"),
    row("alerts reach somebody at night", "an alert that is set off on purpose", "8.6, B"),
    row(
        "API tokens and SSH keys of people are rotated, and those of past people gone",
        "the provider's console",
        "1.1, 1.3",
    ),
    row("no snapshot with secrets lies around", "the provider's console", "1.7"),
    row("accounts of the provider and of DNS ask for a second factor", "their settings", "1"),
];
