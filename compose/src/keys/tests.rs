//! Every key of the format, in a service, is read, passed on or refused by name.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_service_key_of_the_schema_has_one_row() {
    let names: Vec<_> = SERVICE.iter().map(|k| k.name).collect();
    let set: BTreeSet<_> = names.iter().copied().collect();
    assert_eq!(names.len(), 93);
    assert_eq!(set.into_iter().collect::<Vec<_>>(), names, "sorted, each once");
}

#[test]
fn every_row_says_why() {
    for key in [SERVICE, TOP, NETWORK, VOLUME, SECRET, CONFIG, DEPLOY].concat() {
        assert!(key.why.len() > 3 && !key.why.ends_with('.'), "{}", key.name);
    }
}

/// For each accepted key a value that means something.
const ACCEPTED: &[(&str, &str)] = &[
    ("attach", "false"),
    ("command", "[serve]"),
    ("cpu_shares", "512"),
    ("cpuset", "\"0-1,3\""),
    ("depends_on", "[db]"),
    ("dns_opt", "[\"ndots:1\"]"),
    ("dns_search", "[example.org]"),
    ("domainname", "example.org"),
    ("entrypoint", "[/bin/serve]"),
    ("expose", "[\"80\"]"),
    ("hostname", "web"),
    ("init", "true"),
    ("mem_reservation", "32m"),
    ("mem_swappiness", "10"),
    ("platform", "linux/amd64"),
    ("profiles", "[tools]"),
    ("stop_signal", "SIGINT"),
];

/// And for each refused one.
const REFUSED: &[(&str, &str)] = &[
    ("build", "."),
    ("cgroup_parent", "system.slice"),
    ("cpu_count", "2"),
    ("cpu_percent", "50"),
    ("cpu_rt_period", "1000"),
    ("cpu_rt_runtime", "1000"),
    ("credential_spec", "{file: spec.json}"),
    ("develop", "{watch: []}"),
    ("device_cgroup_rules", "[\"c 1:3 rwm\"]"),
    ("devices", "[/dev/kmsg]"),
    ("external_links", "[other]"),
    ("gpus", "all"),
    ("models", "[m]"),
    ("oom_kill_disable", "true"),
    ("pre_start", "[{command: id, image: a}]"),
    ("privileged", "true"),
    ("provider", "{type: vault}"),
    ("pull_refresh_after", "1h"),
    ("use_api_socket", "true"),
    ("volumes_from", "[db]"),
];

#[test]
fn what_a_row_calls_accepted_is_admitted_and_what_it_calls_refused_is_not() {
    use crate::rules::tests::judge;
    let file = |key: &str, value: &str| {
        format!(
            "services:\n  web:\n    image: a\n    mem_limit: 64m\n    {key}: {value}\n  db: {{image: a}}\n"
        )
    };
    for key in SERVICE.iter().filter(|key| key.class == Class::Accepted) {
        let (_, value) =
            ACCEPTED.iter().find(|(name, _)| *name == key.name).unwrap_or_else(|| panic!("{}", key.name));
        let (_, report) = judge(&file(key.name, value));
        assert!(!report.refuses(), "{}: {:?}", key.name, report.findings);
    }
    for key in SERVICE.iter().filter(|key| key.class == Class::Refused) {
        let (_, value) =
            REFUSED.iter().find(|(name, _)| *name == key.name).unwrap_or_else(|| panic!("{}", key.name));
        let (_, report) = judge(&file(key.name, value));
        assert!(!report.unreadable, "{}: {:?}", key.name, report.findings);
        assert!(report.refuses(), "{} is let through", key.name);
    }
}
