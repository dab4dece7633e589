//! SSH, from what the server itself says is in force.
//!
//! Deliberately absent: reading `sshd_config`, in which the first of several words counts and a `Match` may say another.

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, unless};
use crate::hardened::sshd::{SETTINGS, Topic};

const SSHD: Source = Source::Output(&["sshd", "-T"]);
const HOW: &str = "put the settings of `supervisor render cloud-init` into `/etc/ssh/sshd_config.d/10-hardened.conf`, try \
                   `sshd -t`, and restart the server while another session is open";

const fn row(
    id: &'static str,
    title: &'static str,
    reason: &'static str,
    guide: &'static str,
    judge: fn(&Evidence) -> Judged,
) -> Row {
    Row { id, title, reason, guide, read: &[SSHD], fix: HOW, judge }
}

pub(super) const ROWS: &[Row] = &[
    row(
        "AU101",
        "only Ed25519 keys are taken",
        "other kinds depend on parameters that somebody has to choose well",
        "3.1, B",
        |e| settings(e, Topic::Keys),
    ),
    row("AU102", "root cannot log in", "a name that everybody knows is half of a login", "3.1, B", |e| {
        settings(e, Topic::Root)
    }),
    row(
        "AU103",
        "no password lets anybody in",
        "a password can be guessed, and is, all day",
        "3.1, B",
        |e| settings(e, Topic::Passwords),
    ),
    row(
        "AU104",
        "the fingerprint of each key that logs in is logged",
        "without it, the log does not say who it was",
        "3.1, 3.7, B",
        |e| settings(e, Topic::Log),
    ),
    row(
        "AU105",
        "key exchange, ciphers and codes are modern",
        "what is recorded today can be broken later, where old algorithms are agreed on",
        "3.1",
        |e| settings(e, Topic::Algorithms),
    ),
    row(
        "AU106",
        "only named users or groups log in",
        "an account that some package makes is no way in then",
        "3.3",
        named_users,
    ),
    row("AU107", "attempts are few and short", "guessing has to be slow", "3.4", |e| {
        settings(e, Topic::Limits)
    }),
    row(
        "AU108",
        "a session carries a terminal and local tunnels, and no more",
        "a forwarded agent, display or remote port is a way on to other machines",
        "3.1",
        |e| settings(e, Topic::Forwarding),
    ),
    row("AU109", "a silent session ends", "one that was left open is anybody's", "3.1", |e| {
        settings(e, Topic::Idle)
    }),
];

/// The lines of `sshd -T`: a word, in small letters, and its value. Newer ones say the words as they are written in its file
/// (`PermitRootLogin`, seen of 10.6), older ones in small letters.
fn lines(e: &Evidence) -> Result<Vec<(String, &str)>, super::Not> {
    let Some(text) = e.optional(SSHD)? else { return Err(not_applicable("there is no SSH server")) };
    let words = text.lines().filter_map(|line| line.trim().split_once(' '));
    let lines: Vec<_> = words.map(|(key, value)| (key.to_ascii_lowercase(), value)).collect();
    if !lines.iter().any(|(key, _)| key == "permitrootlogin") {
        return Err(not_so(format!("{SSHD} says: {}", text.lines().next().unwrap_or("nothing"))));
    }
    Ok(lines)
}

fn settings(e: &Evidence, topic: Topic) -> Judged {
    let lines = lines(e)?;
    let mut wrong = Vec::new();
    let mut right = Vec::new();
    for setting in SETTINGS.iter().filter(|setting| setting.topic == topic) {
        let key = setting.key.to_ascii_lowercase();
        let mut values = lines.iter().filter(|(word, _)| *word == key).map(|(_, value)| *value).peekable();
        if values.peek().is_none() {
            wrong.push(format!("{key} is not said"));
        }
        for value in values {
            let list = if setting.takes(value) { &mut right } else { &mut wrong };
            list.push(format!("{key} {value}"));
        }
    }
    unless(wrong, right.join("; "))
}

fn named_users(e: &Evidence) -> Judged {
    let lines = lines(e)?;
    let named: Vec<String> = lines
        .iter()
        .filter(|(key, _)| matches!(key.as_str(), "allowusers" | "allowgroups"))
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    if named.is_empty() {
        Err(not_so("neither allowusers nor allowgroups is set"))
    } else {
        Ok(named.join("; "))
    }
}

/// The ports of the SSH server; 22 where it cannot be asked, since a port too many is seen then.
pub(super) fn ports(e: &Evidence) -> Vec<u16> {
    let found: Vec<u16> = lines(e)
        .into_iter()
        .flatten()
        .filter(|(key, _)| key == "port")
        .filter_map(|(_, value)| value.parse().ok())
        .collect();
    if found.is_empty() { vec![22] } else { found }
}
