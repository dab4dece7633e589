//! Names that services may reach: what may stand under `x-supervisor.egress`.

use crate::egress::{IMAGE, PROXY, SERVICE, VARIABLES, is_as_made, is_proxy, proxy};
use crate::finding::Severity;
use crate::model::Destination;
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};
use crate::source::At;

use super::place;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV320",
        title: "a wildcard is over one owner's names",
        reason: "under a public suffix such as `com` or `github.io` anyone can have a name, an intruder too",
        severity: Severity::Error,
        fix: "name the hosts, or write the wildcard below a name that one owner holds, such as `*.example.com`",
        bad: "x-supervisor:\n  egress:\n    web: [\"*.github.io:443\"] # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  egress:\n    web: [\"*.example.org:443\"]\nservices:\n  web:\n    image: caddy:2\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(wide),
        repair: Repair::Author,
    },
    Rule {
        id: "SV321",
        title: "a name under `egress` is one of the public DNS",
        reason: "names of one label and names for local use lead inside, where the proxy goes for nobody",
        severity: Severity::Error,
        fix: "write the whole public name; services of this stack reach each other without the proxy",
        bad: "x-supervisor:\n  egress:\n    web: [\"metadata.google.internal:80\"] # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  egress:\n    web: [\"www.example.org:80\"]\nservices:\n  web:\n    image: caddy:2\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(local),
        repair: Repair::Author,
    },
    Rule {
        id: PROXY,
        title: "names are reached through a proxy in its own container",
        reason: "a route cannot be opened by name; a proxy can, and it is confined like every other service",
        severity: Severity::Note,
        fix: "nothing: it is made from `x-supervisor.egress`",
        bad: "x-supervisor:\n  egress:\n    web: [\"api.example.org:443\"]\nservices:\n  web: # <-\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Fill,
        repair: Repair::Author,
    },
    Rule {
        id: VARIABLES,
        title: "a service is told where its proxy is",
        reason: "programs find a forward proxy by variables of the environment, each by other ones",
        severity: Severity::Note,
        fix: "nothing: what the file says itself stays as it is",
        bad: "x-supervisor:\n  egress:\n    web: [\"api.example.org:443\"]\nservices:\n  web: # <-\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Fill,
        repair: Repair::Author,
    },
    Rule {
        id: "SV324",
        title: "the egress proxy is made, not written",
        reason: "the proxy is what stands between a service and the internet, and must be this program's own",
        severity: Severity::Error,
        fix: "remove the service, or give it another name and another image",
        bad: "services:\n  web:\n    image: supervisor-egress # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("4.4", "", "5"),
        exempt: Exempt::Never,
        check: Check::Stack(written),
        repair: Repair::Author,
    },
];

/// Names that are for local use: RFC 6761, RFC 6762, RFC 7686, RFC 8375, and ICANN's reservation of `internal`.
const LOCAL: [&str; 8] = ["localhost", "local", "internal", "test", "invalid", "onion", "home.arpa", "alt"];

fn rows<'a>(stack: &'a Stack<'_>) -> impl Iterator<Item = &'a At<Destination>> {
    stack.project.stack.egress.values().flatten()
}

pub(super) fn nowhere(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.stack.egress.iter().filter_map(|(name, rows)| {
        let first = rows.first()?;
        let Some(service) = stack.project.services.get(name) else {
            return Some(Hit::at(first, format!("no service is called `{name}`")));
        };
        if stack.is_edge(name) {
            return Some(Hit::at(first, format!("`{name}` is the edge, which has a way out to everything")));
        }
        let nowhere = service.networks.is_empty() || service.network_mode.is_some();
        nowhere.then(|| Hit::at(first, format!("`{name}` is on no network that the proxy could join")))
    });
    hits.collect()
}

fn wide(stack: &Stack<'_>) -> Vec<Hit> {
    let wide = rows(stack).filter(|row| row.value.is_wildcard() && is_public_suffix(row.value.base()));
    wide.map(|row| Hit::at(row, format!("`{}` covers names of everyone", row.value))).collect()
}

/// Whether anyone can have a name below this one (the Public Suffix List, its private part included): it is a suffix, or the list
/// has all names below it as suffixes, as with `kawasaki.jp`.
fn is_public_suffix(name: &str) -> bool {
    let list = public_suffix::DEFAULT_PROVIDER;
    list.is_effective_tld(name) || list.is_effective_tld(&format!("any.{name}"))
}

fn local(stack: &Stack<'_>) -> Vec<Hit> {
    let local = rows(stack).filter(|row| is_local_name(&row.value));
    local.map(|row| Hit::at(row, format!("`{}` is no name of the public DNS", row.value))).collect()
}

/// Whether a name is one that leads inside, and that no file may grant.
pub fn is_local_name(to: &Destination) -> bool {
    let base = to.base();
    let below =
        |zone: &str| base.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    (!to.is_wildcard() && !base.contains('.')) || LOCAL.iter().any(|zone| below(zone))
}

fn written(stack: &Stack<'_>) -> Vec<Hit> {
    let made = proxy(stack.project);
    let hits = stack.project.services.values().filter_map(|service| {
        let image = service.image.as_ref().filter(|image| image.value == IMAGE);
        match (&made, image) {
            (Some(made), _) if is_proxy(stack.project, service) => {
                let differs = !is_as_made(service, made);
                differs.then(|| Hit::on(service.span, format!("`{SERVICE}` is not as it would be made")))
            }
            (_, Some(image)) => Some(Hit::at(image, format!("`{IMAGE}` is the supervisor's own image"))),
            (Some(_), None) if service.name == SERVICE => {
                Some(Hit::on(service.span, format!("`{SERVICE}` is the name of the proxy that is made")))
            }
            _ => None,
        }
    });
    hits.collect()
}

#[cfg(test)]
mod tests {
    use super::is_public_suffix;

    #[test]
    fn names_below_which_anyone_can_have_one() {
        for open in
            ["com", "co.uk", "github.io", "kawasaki.jp", "ck", "s3.amazonaws.com", "nobody-has-this-one"]
        {
            assert!(is_public_suffix(open), "{open}");
        }
        for owned in [
            "example.com",
            "anthropic.com",
            "api.example.co.uk",
            "city.kawasaki.jp",
            "www.ck",
            "someone.github.io",
        ] {
            assert!(!is_public_suffix(owned), "{owned}");
        }
    }
}
