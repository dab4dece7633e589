//! Prints what the profiles come to: calls allowed, and the time that a stack's profiles take to make.
//!
//! `cargo xtask figures` runs it, optimised as the product is. Deliberately absent: bounds; people compare.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use profiles::seccomp::{narrowed, profile};
use profiles::{Arch, Base, Kernel, confine_all, floor};

const STACK: &str = "
x-supervisor: {edge: web}
services:
  web:
    image: caddy:2
    user: '1000:1000'
    ports: ['80:80', '443:443']
    tmpfs: [/tmp]
    volumes: ['data:/data', 'config:/config']
    networks: [front, back]
    x-supervisor: {runtime: go}
  app:
    image: app:1
    user: '1000:1000'
    tmpfs: [/tmp, /home/node/.cache]
    volumes: ['state:/home/node/.state']
    networks: [back]
    x-supervisor: {runtime: node, tcp: {bind: [8080]}}
networks: {front: {}, back: {internal: true}}
volumes: {data: {}, config: {}, state: {}}
";

/// Stacks made in a row.
const TIMES: u32 = 1000;

fn main() {
    let none = BTreeSet::new();
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let kernel = Kernel { arch, version: (7, 0), apparmor: false, landlock: 0 };
        for base in Base::ALL {
            let whole = profile(base, &none, &kernel);
            println!(
                "{:<8} {:<8} {:>4} calls, {} bytes",
                base.name(),
                arch.name(),
                whole.allowed().len(),
                whole.to_json().len()
            );
        }
        let least = narrowed(Base::Generic, &BTreeSet::new(), &none, &kernel).allowed().len();
        println!("{:<8} {:<8} {least:>4} calls, what every container keeps", "least", arch.name());
    }
    let kernel = Kernel { arch: Arch::X86_64, version: (7, 0), apparmor: false, landlock: 0 };
    let calls: BTreeSet<&str> = floor::FLOOR.iter().map(|(name, _)| *name).collect();
    let began = cpu();
    for _ in 0..TIMES {
        black_box(profile(black_box(Base::Go), &none, &kernel).to_json());
        black_box(narrowed(black_box(Base::Node), &calls, &none, &kernel).to_json());
    }
    let each = cpu().saturating_sub(began) / TIMES;
    println!("seccomp profiles of two services, one recorded: {each:?}");
    let Some(stack) = stack() else { return eprintln!("the stack is refused") };
    let kernel = Kernel { apparmor: true, landlock: 6, ..kernel };
    let began = cpu();
    for _ in 0..TIMES {
        black_box(confine_all(black_box(&stack), &kernel));
    }
    let each = cpu().saturating_sub(began) / TIMES;
    println!("everything that a stack of two services is promised, AppArmor and Landlock included: {each:?}");
}

/// This process's time on a processor so far (proc(5), `schedstat`): whoever else is busy does not count.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// A stack of two services, as `init` writes one.
fn stack() -> Option<compose::Admitted> {
    let host = compose::host::MemoryHost::default();
    let request = compose::Request {
        files: vec![compose::Source::new("compose.yaml", STACK)],
        directory: "/srv/shop".into(),
        project_name: Some("shop".to_owned()),
        environment: compose::Environment::default(),
    };
    let today = compose::model::Date { year: 2026, month: 1, day: 1 };
    let policy = compose::Policy {
        today,
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    compose::admit(compose::load(request, &host), &policy, &host).0
}
