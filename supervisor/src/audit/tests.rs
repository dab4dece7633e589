//! Each row passes on a good host, and fails on one that is spoilt for it.

mod good;

use std::collections::BTreeSet;

use super::evidence::{Attested, Evidence, Read, Source};
use super::{Verdict, judge, rows};

/// A row, what spoils it, and a part of what it then says.
type Spoilt = (&'static str, fn(&mut Evidence), &'static str);

fn replace(e: &mut Evidence, source: Source, from: &str, to: &str) {
    let Some(Read::Text(text)) = e.read.get_mut(&source) else { panic!("{source} has no text") };
    assert!(text.contains(from), "{source} does not say `{from}`: {text}");
    *text = text.replace(from, to);
}

fn set(e: &mut Evidence, source: Source, text: &str) {
    assert!(e.read.insert(source, Read::Text(text.to_owned())).is_some(), "{source} is not read");
}

const SSHD: Source = Source::Output(&["sshd", "-T"]);
const UFW: Source = Source::Output(&["ufw", "status", "verbose"]);
const NFT: Source = Source::Output(&["nft", "list", "ruleset"]);
const UNITS: Source =
    Source::Output(&["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager"]);

fn sshd(e: &mut Evidence, from: &str, to: &str) {
    replace(e, SSHD, from, to);
}

fn container(e: &mut Evidence) -> &mut super::evidence::Container {
    &mut e.containers.as_mut().unwrap()[0]
}

fn engine(e: &mut Evidence) -> &mut super::evidence::Engine {
    e.engine.as_mut().unwrap()
}

const SPOILT: &[Spoilt] = &[
    ("AU101", |e| sshd(e, "hostkeyalgorithms ", "hostkeyalgorithms ssh-rsa,"), "ssh-rsa"),
    ("AU102", |e| sshd(e, "permitrootlogin no", "permitrootlogin without-password"), "without-password"),
    (
        "AU103",
        |e| sshd(e, "passwordauthentication no", "passwordauthentication yes"),
        "passwordauthentication yes",
    ),
    ("AU104", |e| sshd(e, "loglevel VERBOSE", "loglevel INFO"), "INFO"),
    ("AU105", |e| sshd(e, "kexalgorithms ", "kexalgorithms diffie-hellman-group14-sha256,"), "group14"),
    ("AU106", |e| sshd(e, "allowusers operator\n", ""), "neither"),
    ("AU107", |e| sshd(e, "maxauthtries 3", "maxauthtries 6"), "maxauthtries 6"),
    ("AU108", |e| sshd(e, "allowagentforwarding no", "allowagentforwarding yes"), "allowagentforwarding yes"),
    ("AU109", |e| sshd(e, "clientaliveinterval 300", "clientaliveinterval 0"), "clientaliveinterval 0"),
    ("AU121", |e| replace(e, UFW, "deny (incoming)", "allow (incoming)"), "allow (incoming)"),
    ("AU122", |e| replace(e, UFW, "80,443/tcp ", "3000/tcp "), "3000/tcp from Anywhere"),
    ("AU123", |e| replace(e, UFW, "deny (outgoing)", "allow (outgoing)"), "allow (outgoing)"),
    (
        "AU124",
        |e| set(e, Source::Output(&["systemctl", "is-enabled", "ufw.service"]), "disabled\n"),
        "disabled",
    ),
    ("AU125", |e| set(e, NFT, ""), "nothing is dropped for IPv4; nothing is dropped for IPv6"),
    (
        "AU126",
        |e| {
            replace(e, UFW, "LIMIT IN", "ALLOW IN");
            set(e, Source::Output(&["systemctl", "is-active", "fail2ban.service"]), "inactive\n");
        },
        "nor is fail2ban",
    ),
    (
        "AU141",
        |e| replace(e, Source::File("/proc/1/net/tcp"), "0100007F:23DC", "00000000:0BB8"),
        "0.0.0.0:3000/tcp",
    ),
    (
        "AU142",
        |e| replace(e, Source::File("/proc/1/net/tcp"), "0100007F:23DC", "0100007F:0947"),
        "127.0.0.1:2375/tcp",
    ),
    (
        "AU143",
        |e| container(e).published.push((3000, "0.0.0.0:3000/tcp".into())),
        "a-web-1: 0.0.0.0:3000/tcp",
    ),
    ("AU144", |e| e.metadata.containers.push("a-web-1".into()), "answers in a-web-1"),
    ("AU161", |e| engine(e).advice.push("runc 1.1.0 has holes".into()), "runc 1.1.0"),
    ("AU162", |e| engine(e).security.retain(|option| option != "name=no-new-privileges"), "name=cgroupns"),
    (
        "AU163",
        |e| container(e).status = Read::Text("Uid:\t0\t0\t0\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n".into()),
        "run as root: a-web-1",
    ),
    ("AU164", |e| engine(e).default_bridge_icc = Some(true), "icc is on"),
    ("AU165", |e| engine(e).live_restore = false, "off"),
    ("AU166", |e| replace(e, Source::File("/etc/docker/daemon.json"), "false", "true"), "not switched off"),
    ("AU167", |e| replace(e, Source::File("/etc/docker/daemon.json"), "max-size", "tag"), "without max-size"),
    ("AU168", |e| engine(e).security[1] = "name=seccomp,profile=unconfined".into(), "unconfined"),
    ("AU169", |e| engine(e).authorization.push("gate".into()), "gate under engine 28.5.2"),
    (
        "AU170",
        |e| engine(e).insecure_registries.push("registry.test:5000".into()),
        "registry.test:5000 without TLS",
    ),
    ("AU171", |e| engine(e).swarm = true, "in a swarm"),
    (
        "AU172",
        |e| replace(e, Source::File("/etc/group"), "docker:x:997:", "docker:x:997:operator"),
        "operator",
    ),
    ("AU181", |e| container(e).binds.push("/var/run/docker.sock".into()), "docker.sock"),
    ("AU182", |e| container(e).memory = 0, "no limit of memory"),
    ("AU183", |e| container(e).label = Read::Text("unconfined\n".into()), "a-web-1: unconfined"),
    (
        "AU184",
        |e| container(e).status = Read::Text("Uid:\t1\nNoNewPrivs:\t1\nSeccomp:\t0\n".into()),
        "its calls are not filtered",
    ),
    ("AU185", |e| container(e).privileged = true, "privileged"),
    ("AU186", |e| container(e).host_namespaces.push("pid"), "the host's pid"),
    ("AU187", |e| container(e).read_only_root = false, "can be written"),
    (
        "AU201",
        |e| replace(e, Source::Sysctls, "kptr_restrict = 2", "kptr_restrict = 1"),
        "kernel.kptr_restrict is 1, not 2",
    ),
    (
        "AU202",
        |e| replace(e, Source::Sysctls, "tcp_syncookies = 1", "tcp_syncookies = 0"),
        "tcp_syncookies is 0",
    ),
    (
        "AU203",
        |e| replace(e, Source::Sysctls, "core_pattern = |/bin/false", "core_pattern = core"),
        "is core",
    ),
    (
        "AU204",
        |e| replace(e, Source::Sysctls, "nf_conntrack_max = 131072", "nf_conntrack_max = 8192"),
        "is 8192",
    ),
    ("AU205", |e| replace(e, Source::Folder("/etc/modprobe.d"), "install dccp ", "blacklist dccp "), "dccp"),
    (
        "AU206",
        |e| {
            let place = Source::Folder("/sys/devices/system/cpu/vulnerabilities");
            replace(e, place, "Mitigation: PTI", "Vulnerable");
        },
        "meltdown: Vulnerable",
    ),
    (
        "AU221",
        |e| set(e, Source::File("/sys/kernel/security/apparmor/profiles"), "x (complain)\n"),
        "no profile",
    ),
    (
        "AU222",
        |e| set(e, Source::Output(&["systemctl", "is-active", "auditd.service"]), "inactive\n"),
        "inactive",
    ),
    ("AU223", |e| set(e, Source::Output(&["auditctl", "-s"]), "enabled 1\n"), "can be changed"),
    (
        "AU224",
        |e| replace(e, Source::Output(&["apt-config", "dump"]), "Upgrade \"1\"", "Upgrade \"0\""),
        "is not on",
    ),
    ("AU225", |e| set(e, Source::Mode("/run/reboot-required"), "0644 0 0"), "is there"),
    (
        "AU226",
        |e| {
            set(
                e,
                Source::Output(&["timedatectl", "show", "--property=NTPSynchronized"]),
                "NTPSynchronized=no\n",
            );
            set(e, Source::Output(&["chronyc", "-n", "tracking"]), "Leap status     : Not synchronised\n");
        },
        "no time server",
    ),
    ("AU227", |e| replace(e, UNITS, "inactive dead    Snap", "active running Snap"), "snapd.service"),
    ("AU228", |e| replace(e, UNITS, "inactive dead    Snap", "failed failed Snap"), "snapd.service"),
    (
        "AU229",
        |e| replace(e, Source::File("/proc/1/mounts"), "nodev,noexec,relatime", "nodev"),
        "/tmp without noexec",
    ),
    (
        "AU230",
        |e| {
            e.read.insert(Source::Mode("/var/lib/aide/aide.db"), Read::Missing);
        },
        "no database",
    ),
    ("AU231", |e| replace(e, UNITS, "falco.service", "other.service"), "neither Falco"),
    ("AU232", |e| replace(e, UNITS, "prometheus-node-exporter", "other"), "no node exporter"),
    ("AU241", |e| set(e, Source::Mode("/etc/shadow"), "0644 0 42"), "`/etc/shadow`: mode 0644, owner 0:42"),
    (
        "AU242",
        |e| replace(e, Source::File("/etc/passwd"), "operator:x:1000", "operator:x:0"),
        "operator is root",
    ),
    (
        "AU243",
        |e| e.stack.as_mut().unwrap().files[1].mode.as_mut().unwrap().bits = 0o640,
        "`/etc/supervisor/secrets/token`: mode 0640",
    ),
    ("AU244", |e| set(e, Source::Mode("/var/lib/supervisor"), "0755 0 0"), "mode 0755"),
    ("AU245", |e| set(e, Source::Mode("/var/lib/cloud/instance/user-data.txt"), "0644 0 0"), "mode 0644"),
    (
        "AU261",
        |e| {
            let stack = e.stack.as_mut().unwrap();
            (stack.admitted, stack.findings) = (false, (2, 0));
        },
        "refused, with 2 errors",
    ),
    ("AU262", |e| e.attestation = Ok(Attested::Broken(vec!["a-web-1: seccomp".into()])), "a-web-1: seccomp"),
    (
        "AU263",
        |e| set(e, Source::Output(&["systemctl", "is-enabled", "supervisor.service"]), "disabled\n"),
        "disabled",
    ),
    (
        "AU264",
        |e| {
            let analyze =
                Source::Output(&["systemd-analyze", "security", "--no-pager", "supervisor.service"]);
            replace(e, analyze, "1.9 OK", "9.6 UNSAFE");
        },
        "9.6 is more than 2.0",
    ),
    ("AU265", |e| caddyfile(e, "protocols tls1.3", "protocols tls1.2"), "protocols tls1.3"),
    ("AU266", |e| caddyfile(e, "Strict-Transport-Security", "X-Nothing"), "Strict-Transport-Security"),
    ("AU267", |e| caddyfile(e, "admin off", "# admin off"), "admin off"),
];

fn caddyfile(e: &mut Evidence, from: &str, to: &str) {
    let text = e.stack.as_mut().unwrap().caddyfile.as_mut().unwrap();
    assert!(text.contains(from), "{text}");
    *text = text.replace(from, to);
}

fn failed(e: &Evidence) -> BTreeSet<String> {
    let failed = judge(e).into_iter().filter_map(|(_, row, verdict)| match verdict {
        Verdict::Failed(seen) => Some(format!("{}: {seen}", row.id)),
        _ => None,
    });
    failed.collect()
}

#[test]
fn every_row_passes_on_a_hardened_host() {
    for (_, row, verdict) in judge(&good::evidence()) {
        assert!(matches!(verdict, Verdict::Passed(_)), "{}: {verdict:?}", row.id);
    }
}

#[test]
fn the_words_of_sshd_are_read_as_older_and_as_newer_ones_say_them() {
    let mut evidence = good::evidence();
    let Some(Read::Text(text)) = evidence.read.get(&SSHD) else { panic!("no SSH server") };
    let capital =
        |line: &str| line.chars().take(1).flat_map(char::to_uppercase).chain(line.chars().skip(1)).collect();
    let lines: Vec<String> = text.lines().map(capital).collect();
    assert!(lines.iter().any(|line| line.starts_with("Permitrootlogin ")), "{lines:?}");
    set(&mut evidence, SSHD, &(lines.join("\n") + "\n"));
    assert_eq!(failed(&evidence), BTreeSet::new());
}

#[test]
fn every_row_fails_alone_on_a_host_that_is_spoilt_for_it() {
    for (id, spoil, said) in SPOILT {
        let mut evidence = good::evidence();
        spoil(&mut evidence);
        let failed = failed(&evidence);
        assert_eq!(failed.len(), 1, "{id}: {failed:?}");
        let row = failed.first().unwrap();
        assert!(row.starts_with(&format!("{id}: ")) && row.contains(said), "{id} should say `{said}`: {row}");
    }
    let spoilt: Vec<&str> = SPOILT.iter().map(|(id, ..)| *id).collect();
    let all: Vec<&str> = rows().map(|(_, row)| row.id).collect();
    assert_eq!(spoilt, all, "each row is spoilt once, in order");
}

#[test]
fn what_cannot_be_read_has_failed() {
    let mut evidence = good::evidence();
    for read in evidence.read.values_mut() {
        *read = Read::Unreadable("permission denied".to_owned());
    }
    evidence.engine = Err("permission denied".to_owned());
    evidence.containers = Err("permission denied".to_owned());
    evidence.attestation = Err("permission denied".to_owned());
    for (_, row, verdict) in judge(&evidence) {
        let ours = row.read.iter().all(|source| matches!(source, Source::Stack | Source::Metadata));
        assert!(ours || matches!(verdict, Verdict::Failed(_)), "{}: {verdict:?}", row.id);
    }
}

#[test]
fn nothing_passes_on_a_host_of_which_nothing_is_known() {
    let mut evidence = good::evidence();
    evidence.read.values_mut().for_each(|read| *read = Read::Missing);
    evidence.engine = Err("no engine".to_owned());
    evidence.containers = Ok(Vec::new());
    evidence.metadata = super::evidence::Metadata::default();
    evidence.stack = None;
    evidence.attestation = Ok(Attested::Idle);
    let passed: Vec<&str> = judge(&evidence)
        .into_iter()
        .filter(|(.., verdict)| matches!(verdict, Verdict::Passed(_)))
        .map(|(_, row, _)| row.id)
        .collect();
    // A kernel without modules loads none, no file asks for a reboot, and of paths that are not there nothing is open.
    assert_eq!(passed, ["AU205", "AU225", "AU241"]);
}

#[test]
fn a_row_with_no_object_says_why() {
    let mut evidence = good::evidence();
    evidence.containers = Ok(Vec::new());
    evidence.stack = None;
    evidence.metadata.tried = 0;
    evidence.read.insert(SSHD, Read::Missing);
    let reasons: BTreeSet<String> = judge(&evidence)
        .into_iter()
        .filter_map(|(.., verdict)| match verdict {
            Verdict::NotApplicable(why) => Some(why),
            _ => None,
        })
        .collect();
    let expected = [
        "no container runs",
        "no container with a network of its own runs",
        "no stack is named, and none is here",
        "there is no SSH server",
    ];
    assert_eq!(reasons, expected.map(String::from).into());
}

#[test]
fn the_guides_checklist_is_covered() {
    // Every line of the checklist's topics, by the section that a row or a thing to be seen elsewhere names.
    let named = |section: &str| {
        let elsewhere = super::elsewhere::ELSEWHERE.iter().map(|row| row.guide);
        rows()
            .map(|(_, row)| row.guide)
            .chain(elsewhere)
            .any(|guide| guide.split(", ").any(|part| part == section))
    };
    for section in [
        "1.1", "1.3", "1.4", "1.7", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "3.1", "3.3",
        "3.4", "3.7", "4.1", "4.3", "4.4", "4.5", "5.1", "5.2", "5.3", "5.4", "5.5", "5.7", "5.8", "6.1",
        "6.5", "7.1", "7.4", "7.8", "8.1", "8.3", "8.4", "8.5", "8.6", "9.1", "9.2", "9.3", "9.4", "B",
    ] {
        assert!(named(section), "no row names section {section} of the guide");
    }
}
