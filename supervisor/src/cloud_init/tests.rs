//! Answers in, user-data or every problem out.

use expect_test::{Expect, expect};

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2v5n5V8V5H3a0y7m6mQm3mJp8J1n4oQv1w0d3Yx9aB someone";

fn raw(lines: &str) -> Vec<Raw> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let place = |number: usize| format!("answers:{number}");
    lines
        .enumerate()
        .map(|(at, text)| Raw { place: place(at + 1), exposed: false, text: text.to_owned() })
        .collect()
}

fn good(more: &str) -> Answers {
    let digest = "0".repeat(64);
    let text = format!(
        "ssh-key={KEY}
         domain=openclaw.example.com
         tls=admin@example.com
         caddy-image=caddy:2@sha256:{digest}
         openclaw-image=sha256:{digest}
         package=/root/supervisor.deb
         {more}"
    );
    read(&raw(&text)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[track_caller]
fn check_problems(answers: &str, expect: Expect) {
    let problems = read(&raw(answers)).err().unwrap_or_default();
    let text: Vec<String> =
        problems.iter().map(|p| format!("{}: {}: {}", p.place, p.message, p.help)).collect();
    expect.assert_eq(&text.join("\n"));
}

#[test]
fn everything_that_is_wrong_with_the_answers_is_told_at_once() {
    check_problems(
        "ssh-key=ssh-rsa AAAA
         ssh-port=443
         user=root
         domain=local host
         tls=nobody
         caddy-image=caddy:2
         allow-from=10.0.0.0/33
         package=http://example.com/a.deb
         callback-url=http://example.com
         userns-remap=maybe
         reboot-at=25:00
         nonsense
         colour=blue
         user=me",
        expect![[r#"
            answers:1: this is no answer to `ssh-key`: the line of an Ed25519 key's `.pub` file, which `ssh-keygen -t ed25519` makes: other kinds are not let in
            answers:2: this is no answer to `ssh-port`: a number from 1 to 65535, and neither 80 nor 443, which are the edge's
            answers:3: this is no answer to `user`: up to 32 small letters, digits, `-` and `_`, a letter first, and no name that Debian or Ubuntu give to a user or group of their own, such as `root`, `admin` or `operator`
            answers:4: this is no answer to `domain`: a host name, such as openclaw.example.com
            answers:5: this is no answer to `tls`: an e-mail address, or `internal`
            answers:6: this is no answer to `caddy-image`: NAME:TAG@sha256:DIGEST, or sha256:ID of an image that is on the machine: a tag alone can be moved
            answers:7: this is no answer to `allow-from`: ranges such as `192.0.2.0/24 2001:db8::/32`
            answers:8: this is no answer to `package`: an https:// address, or an absolute path on the machine
            answers:9: this is no answer to `callback-url`: an https:// address
            answers:10: this is no answer to `userns-remap`: `yes` or `no`
            answers:11: this is no answer to `reboot-at`: hours and minutes, such as 03:30
            answers:12: this is no answer: write NAME=VALUE
            answers:13: there is no question `colour`: there are ssh-key, ssh-port, user, domain, tls, caddy-image, openclaw-image, allow-from, compose, package, package-sha256, instance-id, callback-url, callback-secret, userns-remap, reboot-at, upgrade
            : `openclaw-image` is not answered: openclaw-image=VALUE: OpenClaw's image, pinned by digest or id"#]],
    );
}

#[test]
fn what_is_missing_is_named_with_what_it_is() {
    check_problems(
        "package=https://example.com/a.deb\ncallback-url=https://example.com/ready",
        expect![[r#"
            : `ssh-key` is not answered: ssh-key=VALUE: public key of whoever looks after the machine, Ed25519; several times for several
            : `domain` is not answered: domain=VALUE: host name under which the stack is reached
            : `tls` is not answered: tls=VALUE: e-mail address for public certificates, or `internal` for certificates of Caddy's own
            : `caddy-image` is not answered: caddy-image=VALUE: Caddy's image, pinned by digest or id
            : `openclaw-image` is not answered: openclaw-image=VALUE: OpenClaw's image, pinned by digest or id
            : `package-sha256` is not answered: package-sha256=VALUE: its SHA-256, where it is downloaded
            : `instance-id` is not answered: instance-id=VALUE: what the control plane calls the machine
            : `callback-secret` is not answered: callback-secret=VALUE: what proves to it who calls; in a file of answers alone"#]],
    );
}

#[test]
fn a_secret_is_not_taken_from_the_command_line_and_never_shown() {
    let secret = "callback-secret=hunter2hunter2hunter2";
    let on_the_line = Raw { place: "the command line".into(), exposed: true, text: secret.into() };
    let problems = read(&[on_the_line]).err().unwrap();
    assert!(problems.iter().any(|p| p.message.contains("seen by everybody")));
    assert!(!format!("{problems:?}").contains("hunter2"));
    let made = user_data(&good(
        "callback-url=https://example.com/ready\ninstance-id=a1\ncallback-secret=hunter2hunter2hunter2",
    ));
    assert_eq!(made.text.matches("hunter2hunter2hunter2").count(), 1);
    let (before, _) = made.text.split_once("hunter2").unwrap();
    assert!(before.trim_end_matches(['"', ' ']).ends_with("permissions: \"0600\"\n    content:"), "{before}");
    assert!(made.warnings.iter().any(|warning| warning.contains("metadata service")), "{:?}", made.warnings);
    assert_eq!(user_data(&good("")).warnings, Vec::<String>::new());
}

#[test]
fn an_account_has_no_name_that_the_system_gives_to_its_own() {
    // Those of base-passwd are on every Debian and Ubuntu: useradd makes no user beside a group of its name.
    for name in ["operator", "backup", "staff", "docker", "sudo", "systemd-network"] {
        let problems = read(&raw(&format!("user={name}"))).err().unwrap_or_default();
        assert!(problems.iter().any(|problem| problem.message.contains("`user`")), "{name}: {problems:?}");
    }
    assert_eq!(good("").user, "keeper");
}

#[test]
fn nothing_that_listens_is_installed_before_the_firewall_stands() {
    let text = user_data(&good("")).text;
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no `{part}`"));
    let order = [
        "ufw --force enable",
        "systemctl restart edge-filter.service",
        "systemctl restart ssh.service",
        "install docker.io",
        "install '/root/supervisor.deb'",
        "supervisor init /etc/supervisor --site 'openclaw.example.com'",
        "systemctl start --no-block supervisor.service",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{text}");
    assert!(text.contains("set -eu\n") && !PACKAGES.contains(&"docker.io"));
}

#[test]
fn a_value_is_a_word_whatever_is_in_it() {
    let compose = "services:\n  web:\n    image: \"it's\"\n";
    let answers = Answers { stack: answers::Stack::Compose(compose.to_owned()), ..good("") };
    let text = user_data(&answers).text;
    assert!(text.contains("      services:\n        web:\n          image: \"it's\"\n"), "{text}");
    let odd = Answers { package: "/root/a'; reboot; '.deb".into(), ..good("") };
    assert!(user_data(&odd).text.contains(r"install '/root/a'\''; reboot; '\''.deb'"));
}

#[test]
fn choices_are_in_it_where_they_were_made() {
    let plain = user_data(&good("")).text;
    assert!(!plain.contains("userns-remap") && plain.contains("Automatic-Reboot \"false\""));
    let chosen =
        user_data(&good("userns-remap=yes\nreboot-at=03:30\nssh-port=22022\nallow-from=192.0.2.0/24"));
    for part in [
        "\"userns-remap\": \"default\"",
        "Reboot-Time \"03:30\"",
        "Port 22022",
        "ufw limit 22022/tcp",
        "tcp dport 22022 accept",
        "--set 'ALLOW_FROM=192.0.2.0/24'",
    ] {
        assert!(chosen.text.contains(part), "no `{part}`");
    }
    assert_eq!(chosen.warnings.len(), 1);
}

#[test]
fn the_documentation_of_the_user_data_is_current() {
    expect_test::expect_file!["../../../docs/cloud-init.md"].assert_eq(&divergences::markdown());
}
