//! The stack and its supervisor: the file's verdict, the unit, the edge's configuration, and the attestation.
//!
//! Deliberately absent: judging any of these anew; `check`, `attest` and systemd do.

use super::evidence::{Attested, Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, unless};

const ACTIVE: Source = Source::Output(&["systemctl", "is-active", "supervisor.service"]);
const ENABLED: Source = Source::Output(&["systemctl", "is-enabled", "supervisor.service"]);
const SCORE: Source = Source::Output(&["systemd-analyze", "security", "--no-pager", "supervisor.service"]);
/// In the words of `systemd-analyze security`: 0 is no exposure, 10 all of it.
const MOST_EXPOSED: f32 = 2.0;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "AU261",
        title: "the stack's file is admitted",
        reason: "what is refused is not run, and what ran before stays as it was",
        guide: "5",
        read: &[Source::Stack],
        fix: "`supervisor check` names each line, and what to write instead",
        judge: admitted,
    },
    Row {
        id: "AU262",
        title: "every container of the stack is confined as promised, by the kernel's word",
        reason: "a setting is what was asked for; this is what is in force",
        guide: "5, B",
        read: &[Source::Attestation],
        fix: "`supervisor attest` names each item; `supervisor up` makes the container anew",
        judge: attested,
    },
    Row {
        id: "AU263",
        title: "the supervisor runs, and is started at boot",
        reason: "a service that dies is started again by it alone",
        guide: "9.4",
        read: &[ACTIVE, ENABLED],
        fix: "`systemctl enable --now supervisor.service`",
        judge: unit,
    },
    Row {
        id: "AU264",
        title: "the supervisor's unit is sandboxed",
        reason: "it holds the engine's socket: what is not needed must not be there",
        guide: "B",
        read: &[SCORE],
        fix: "`systemd-analyze security supervisor.service` names each item; take out what a drop-in loosened",
        judge: score,
    },
    edge("AU265", "the edge speaks TLS 1.3 alone", "older versions agree on what can be broken", |e| {
        said(e, &[&["protocols tls1.3"]])
    }),
    edge(
        "AU266",
        "the edge sends security headers",
        "browsers keep to them: no framing, no guessing of types, no way back to HTTP",
        |e| {
            said(
                e,
                &[
                    &["Strict-Transport-Security"],
                    &["X-Content-Type-Options"],
                    &["X-Frame-Options", "frame-ancestors"],
                    &["Referrer-Policy"],
                ],
            )
        },
    ),
    edge("AU267", "the edge's administration is off", "whoever reaches it routes everything anew", |e| {
        said(e, &[&["admin off"]])
    }),
];

const fn edge(
    id: &'static str,
    title: &'static str,
    reason: &'static str,
    judge: fn(&Evidence) -> Judged,
) -> Row {
    let fix = "write it into the Caddyfile, as that of `supervisor init` has it";
    Row { id, title, reason, guide: "6.1, 6.5, B", read: &[Source::Stack], fix, judge }
}

fn admitted(e: &Evidence) -> Judged {
    let stack = e.stack()?;
    let (errors, warnings) = stack.findings;
    if stack.admitted {
        Ok(format!("admitted, with {warnings} warnings"))
    } else {
        Err(not_so(format!("refused, with {errors} errors")))
    }
}

fn attested(e: &Evidence) -> Judged {
    e.stack()?;
    match &e.attestation {
        Ok(Attested::Held(count)) => Ok(format!("{count} containers")),
        Ok(Attested::Broken(items)) => Err(not_so(items.join("; "))),
        Ok(Attested::Idle) => Err(not_so("no container of the stack runs")),
        Err(why) => Err(not_so(why.clone())),
    }
}

fn unit(e: &Evidence) -> Judged {
    let Some(active) = e.optional(ACTIVE)? else { return Err(not_applicable("this host has no systemd")) };
    let enabled = e.optional(ENABLED)?.unwrap_or_default();
    let mut wrong = Vec::new();
    for (word, wanted) in [(active.trim(), "active"), (enabled.trim(), "enabled")] {
        if word != wanted {
            let word = word.lines().next().filter(|word| !word.is_empty()).unwrap_or("unknown");
            wrong.push(format!("{word}, not {wanted}"));
        }
    }
    unless(wrong, "active and enabled")
}

fn score(e: &Evidence) -> Judged {
    let Some(text) = e.optional(SCORE)? else {
        return Err(not_applicable("this host has no systemd-analyze"));
    };
    let line = text.lines().find(|line| line.contains("Overall exposure level"));
    let number =
        line.and_then(|line| line.rsplit(": ").next()?.split_whitespace().next()?.parse::<f32>().ok());
    match number {
        Some(number) if number <= MOST_EXPOSED => Ok(format!("{number:.1}")),
        Some(number) => Err(not_so(format!("{number:.1} is more than {MOST_EXPOSED:.1}"))),
        None => Err(not_so(format!("{SCORE} says: {}", text.lines().next_back().unwrap_or("nothing")))),
    }
}

/// Whether the edge's Caddyfile says one of each of these, outside of comments.
fn said(e: &Evidence, wanted: &[&[&str]]) -> Judged {
    let Some(text) = &e.stack()?.caddyfile else { return Err(not_applicable("the stack has no Caddyfile")) };
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.starts_with('#'))
        .collect();
    let is_said = |word: &&str| lines.iter().any(|line| line.contains(*word));
    let missing = wanted.iter().filter(|words| !words.iter().any(is_said));
    let wrong: Vec<String> = missing.map(|words| format!("it does not say {}", words.join(" or "))).collect();
    unless(wrong, "the Caddyfile says so")
}
