//! The packet filter: ufw, nftables, and what stands before the engine's own rules.
//!
//! Deliberately absent: the provider's firewall, which only its own interface shows (`elsewhere`).

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, ssh, unless};
use crate::hardened::packet_filter::TABLE;

const UFW: Source = Source::Output(&["ufw", "status", "verbose"]);
const NFT: Source = Source::Output(&["nft", "list", "ruleset"]);
const DOCKER_USER: Source = Source::Output(&["iptables", "-S", "DOCKER-USER"]);
const DOCKER_USER_6: Source = Source::Output(&["ip6tables", "-S", "DOCKER-USER"]);
const ENABLED: Source = Source::Output(&["systemctl", "is-enabled", "ufw.service"]);
const FAIL2BAN: Source = Source::Output(&["systemctl", "is-active", "fail2ban.service"]);

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "AU121",
        title: "what is not asked for does not come in",
        reason: "every service that listens, also by mistake, is open to the world otherwise",
        guide: "4.1, B",
        read: &[UFW, NFT],
        fix: "`ufw default deny incoming`, allow SSH's port, 80 and 443, then `ufw enable`",
        judge: incoming,
    },
    Row {
        id: "AU122",
        title: "only SSH, HTTP and HTTPS are let in",
        reason: "each further port is a further program that has to be without a fault",
        guide: "4.1, B",
        read: &[UFW],
        fix: "`ufw status numbered`, then `ufw delete NUMBER` for each rule that is too many",
        judge: allowed,
    },
    Row {
        id: "AU123",
        title: "what the host sends is limited, too",
        reason: "whoever has got in wants to talk to somebody outside",
        guide: "4.4",
        read: &[UFW, NFT],
        fix: "`ufw default deny outgoing`, and allow 53, 80/tcp, 443/tcp and 123/udp out",
        judge: outgoing,
    },
    Row {
        id: "AU124",
        title: "the firewall is there after a boot",
        reason: "between a boot and somebody's look, the host would be open",
        guide: "4.1",
        read: &[ENABLED, UFW],
        fix: "`systemctl enable ufw.service`",
        judge: at_boot,
    },
    Row {
        id: "AU125",
        title: "ports that containers publish pass a filter of the host, for IPv4 and IPv6",
        reason: "the engine forwards them before ufw is asked",
        guide: "4.3, B",
        read: &[NFT, DOCKER_USER, DOCKER_USER_6, Source::Engine],
        fix: "load `edge.nft` of `supervisor render cloud-init`, which judges before the engine rewrites; or drop by \
              `--ctorigdstport` in `DOCKER-USER`, in both families",
        judge: forwarded,
    },
    Row {
        id: "AU126",
        title: "who guesses at SSH is slowed down",
        reason: "a thousand guesses a minute fill the log, and the table of connections",
        guide: "4.1, 8.6",
        read: &[FAIL2BAN, UFW],
        fix: "`ufw limit PORT/tcp`, or install and start fail2ban",
        judge: limited,
    },
];

/// ufw's word, if it is there and switched on.
fn ufw(e: &Evidence) -> Result<Option<&str>, super::Not> {
    let Some(text) = e.optional(UFW)? else { return Ok(None) };
    if text.starts_with("ERROR") {
        return Err(not_so(format!("{UFW} says: {}", text.lines().next().unwrap_or_default())));
    }
    Ok(text.contains("Status: active").then_some(text))
}

/// The words of `Default: deny (incoming), allow (outgoing), disabled (routed)`.
fn default(text: &str, direction: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("Default: "))?;
    let part = line.split(", ").find(|part| part.contains(&format!("({direction})")))?;
    part.split_whitespace().next().map(str::to_owned)
}

/// Whether a base chain of nftables on this hook drops what no rule takes.
fn drops(nft: &str, hook: &str) -> bool {
    nft.lines().any(|line| line.contains(&format!("hook {hook} ")) && line.contains("policy drop"))
}

fn incoming(e: &Evidence) -> Judged {
    by_default(e, "incoming", "input")
}

fn outgoing(e: &Evidence) -> Judged {
    by_default(e, "outgoing", "output")
}

fn by_default(e: &Evidence, direction: &str, hook: &str) -> Judged {
    if let Some(text) = ufw(e)? {
        let word = default(text, direction).unwrap_or_default();
        return if matches!(word.as_str(), "deny" | "reject") {
            Ok(format!("ufw: {word} ({direction})"))
        } else {
            Err(not_so(format!("ufw: {word} ({direction})")))
        };
    }
    match e.optional(NFT)? {
        Some(nft) if drops(nft, hook) => Ok(format!("nftables: a chain on {hook} drops by default")),
        _ => Err(not_so(format!("ufw is not active, and no chain of nftables on {hook} drops by default"))),
    }
}

fn allowed(e: &Evidence) -> Judged {
    let Some(text) = ufw(e)? else { return Err(not_applicable("ufw is not active")) };
    let ssh = ssh::ports(e);
    let mut wrong = Vec::new();
    let mut right = Vec::new();
    for line in text.lines() {
        let Some((to, rest)) = ["ALLOW IN", "LIMIT IN"].iter().find_map(|word| line.split_once(word)) else {
            continue;
        };
        let to = to.trim().trim_end_matches(" (v6)");
        let (port, protocol) = to.split_once('/').unwrap_or((to, ""));
        let ports: Option<Vec<u16>> = port.split(',').map(|port| port.parse().ok()).collect();
        let known = |port: &u16| {
            (protocol == "tcp" && (ssh.contains(port) || [80, 443].contains(port)))
                || (protocol == "udp" && *port == 443)
        };
        let fine = ports.is_some_and(|ports| ports.iter().all(known));
        let from = rest.split_whitespace().next().unwrap_or_default();
        if fine {
            right.push(to.to_owned());
        } else {
            wrong.push(format!("{to} from {from}"));
        }
    }
    right.dedup();
    unless(wrong, right.join(", "))
}

fn at_boot(e: &Evidence) -> Judged {
    if ufw(e)?.is_none() {
        return Err(not_applicable("ufw is not active"));
    }
    match e.text(ENABLED)?.trim() {
        "enabled" => Ok("enabled".to_owned()),
        other => Err(not_so(format!("ufw.service is {other}"))),
    }
}

fn forwarded(e: &Evidence) -> Judged {
    e.engine()?;
    let nft = e.optional(NFT)?.unwrap_or_default();
    // Ours, or anybody's: before addresses are rewritten, and with an end that drops.
    if nft.contains(&format!("table inet {TABLE} ")) || drops(nft, "prerouting") {
        return Ok("nftables: a chain before the engine's own drops what is not let in".to_owned());
    }
    let mut wrong = Vec::new();
    for (family, source) in [("IPv4", DOCKER_USER), ("IPv6", DOCKER_USER_6)] {
        let text = e.optional(source)?.unwrap_or_default();
        if !text.lines().any(|line| line.contains("-j DROP") || line.contains("-j REJECT")) {
            wrong.push(format!("nothing is dropped for {family}"));
        }
    }
    unless(wrong, "DOCKER-USER drops, in both families")
}

fn limited(e: &Evidence) -> Judged {
    if ufw(e)?.is_some_and(|text| text.contains("LIMIT IN")) {
        return Ok("ufw limits it".to_owned());
    }
    match e.optional(FAIL2BAN)?.map(str::trim) {
        Some("active") => Ok("fail2ban is active".to_owned()),
        _ => Err(not_so("neither does ufw limit it, nor is fail2ban active")),
    }
}
