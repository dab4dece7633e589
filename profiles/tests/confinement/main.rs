//! From a Compose file to the promise, and the promise's AppArmor profile under AppArmor's own parser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

mod apparmor;
mod landlock;
mod promise;
mod recorded;

use std::path::PathBuf;

use compose::host::{Kind, Look, MemoryHost};
use compose::model::Date;
use compose::{Admitted, Policy, Request, Source};
use profiles::{Arch, Confinement, Kernel};

/// Files that the examples and the shipped stack name.
const FILES: [&str; 8] = [
    "key",
    "site",
    "app.env",
    "token.txt",
    "db_password.txt",
    "Caddyfile",
    "openclaw.json",
    "secrets/gateway-token",
];

/// A kernel with AppArmor.
pub(crate) const KERNEL: Kernel =
    Kernel { arch: Arch::X86_64, version: (6, 12), apparmor: true, landlock: 0 };

/// The promise for service `web` of a file that the policy admits.
#[track_caller]
pub(crate) fn web(text: &str, kernel: Kernel) -> Confinement {
    profiles::confine(&admitted(text), "web", &kernel).unwrap()
}

/// A file that the policy admits.
#[track_caller]
pub(crate) fn admitted(text: &str) -> Admitted {
    judged(text, &[]).unwrap_or_else(|findings| panic!("refused: {findings:#?}"))
}

/// A file with these variables, if the policy admits it; else what it finds.
pub(crate) fn judged(text: &str, variables: &[(&str, &str)]) -> Result<Admitted, Vec<compose::Finding>> {
    let directory = PathBuf::from("/srv/stack");
    let mut host = MemoryHost::default();
    for path in ["/srv/stack", "/srv/stack/data"] {
        let look = Look {
            resolved: path.into(),
            links: Vec::new(),
            kind: Some(Kind::Directory),
            sockets: Vec::new(),
            identity: None,
            owner: None,
            mode: Some(0o755),
        };
        host.looks.insert(path.into(), look);
    }
    for file in FILES {
        host.files.insert(PathBuf::from("/srv/stack").join(file), b"text".to_vec());
    }
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory,
        project_name: Some("shop".to_owned()),
        environment: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into(),
    };
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    let (admitted, report) = compose::admit(compose::load(request, &host), &policy, &host);
    admitted.ok_or(report.findings)
}
