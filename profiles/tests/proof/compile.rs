//! Our JSON through another compiler: seccompiler, which knows every name of Linux 6.12 and refuses any other.

use std::collections::BTreeMap;

use profiles::seccomp::{Action, Op, Profile, Rule};
use profiles::{Arch, Base, Kernel, seccomp};
use seccompiler::{BpfProgram, TargetArch};
use serde_json::{Value, json};

use crate::bpf::{ALLOW, Call, ENOSYS, EPERM, ERRNO, KILL_PROCESS, run, trace};

/// The newest kernel that seccompiler's table knows.
pub(crate) fn kernel(arch: Arch) -> Kernel {
    Kernel { arch, version: (6, 12), apparmor: false, landlock: 0 }
}

/// Both architectures.
pub(crate) const ARCHES: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];

/// A profile of a base without capabilities.
pub(crate) fn of(base: Base, arch: Arch) -> Profile {
    seccomp::profile(base, &std::collections::BTreeSet::new(), &kernel(arch))
}

/// A compiled profile: one filter an action, because seccompiler knows one match action a filter.
pub(crate) struct Compiled {
    arch: Arch,
    allow: BpfProgram,
    refuse: Option<BpfProgram>,
    kill: Option<BpfProgram>,
}

/// What a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Allow,
    Enosys,
    Eperm,
    Kill,
}

impl Compiled {
    /// Compiles a profile; an unknown name stops the test.
    pub(crate) fn new(profile: &Profile, arch: Arch) -> Self {
        let part = |action: Action, word: &Value, otherwise: &Value| {
            let rules: Vec<_> = profile.syscalls.iter().filter(|rule| rule.action == action).collect();
            (!rules.is_empty()).then(|| program(&rules, word, otherwise, arch))
        };
        Self {
            arch,
            allow: part(Action::Allow, &json!("allow"), &json!({"errno": profile.default_errno_ret}))
                .unwrap(),
            refuse: part(Action::Errno, &json!({"errno": 1}), &json!("allow")),
            kill: part(Action::KillProcess, &json!("kill_process"), &json!("allow")),
        }
    }

    /// What the profile answers. That no call is in two parts is asserted.
    pub(crate) fn answer(&self, number: u32, arguments: [u64; 6]) -> Answer {
        let call = Call { number, arch: self.arch, arguments };
        let ask = |part: &Option<BpfProgram>| part.as_ref().map_or(ALLOW, |filter| run(filter, &call));
        let answers = (run(&self.allow, &call), ask(&self.refuse), ask(&self.kill));
        match answers {
            (ALLOW, ALLOW, ALLOW) => Answer::Allow,
            (allow, ALLOW, ALLOW) if allow == ERRNO | ENOSYS => Answer::Enosys,
            (allow, refuse, ALLOW) if allow == ERRNO | ENOSYS && refuse == ERRNO | EPERM => Answer::Eperm,
            (allow, ALLOW, KILL_PROCESS) if allow == ERRNO | ENOSYS => Answer::Kill,
            other => panic!("call {number} {arguments:x?} is answered by several rules: {other:x?}"),
        }
    }

    /// Whether the profile lets a call through.
    pub(crate) fn allows(&self, number: u32, arguments: [u64; 6]) -> bool {
        run(&self.allow, &Call { number, arch: self.arch, arguments }) == ALLOW
    }

    /// Whether arguments can change that.
    pub(crate) fn depends_on_arguments(&self, number: u32) -> bool {
        trace(&self.allow, &Call { number, arch: self.arch, arguments: [0; 6] }).1
    }
}

/// Compiles rules of one action.
fn program(rules: &[&Rule], matched: &Value, otherwise: &Value, arch: Arch) -> BpfProgram {
    let rows = rules.iter().flat_map(|rule| rule.names.iter().map(|name| row(name, rule)));
    let rows: Vec<Value> = rows.collect();
    let text =
        json!({"main": {"mismatch_action": otherwise, "match_action": matched, "filter": rows}}).to_string();
    let target = match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    };
    seccompiler::compile_from_json(text.as_bytes(), target).unwrap().remove("main").unwrap()
}

/// One rule in seccompiler's words.
fn row(name: &str, rule: &Rule) -> Value {
    let arguments = rule.args.iter().map(|arg| match arg.op {
        Op::Eq => json!({"index": arg.index, "type": "qword", "op": "eq", "val": arg.value}),
        Op::MaskedEq => json!({
            "index": arg.index, "type": "qword", "op": {"masked_eq": arg.value}, "val": arg.value_two,
        }),
    });
    let arguments: Vec<Value> = arguments.collect();
    if arguments.is_empty() { json!({"syscall": name}) } else { json!({"syscall": name, "args": arguments}) }
}

/// The kernel's number of each name, found by compiling the name alone.
pub(crate) fn numbers(arch: Arch) -> BTreeMap<&'static str, u32> {
    let rows = profiles::syscalls::SYSCALLS.iter().filter(|row| row.exists(&kernel(arch)));
    rows.map(|row| (row.name, number(row.name, arch))).collect()
}

/// The kernel's number of a name.
fn number(name: &str, arch: Arch) -> u32 {
    let rule =
        Rule { names: vec![name.to_owned()], action: Action::Allow, errno_ret: None, args: Vec::new() };
    let filter = program(&[&rule], &json!("allow"), &json!({"errno": 38}), arch);
    let allows = |number: &u32| run(&filter, &Call { number: *number, arch, arguments: [0; 6] }) == ALLOW;
    (0..NUMBERS).find(allows).unwrap()
}

/// Numbers that are tried: Linux 6.17 ends at 470.
pub(crate) const NUMBERS: u32 = 600;

#[test]
fn every_profile_compiles_for_both_architectures() {
    for base in Base::ALL {
        for arch in ARCHES {
            Compiled::new(&of(base, arch), arch);
        }
    }
}

#[test]
fn the_table_has_every_call_that_the_compiler_knows() {
    for arch in ARCHES {
        let known: Vec<u32> = numbers(arch).into_values().collect();
        let distinct: std::collections::BTreeSet<_> = known.iter().collect();
        assert_eq!(known.len(), distinct.len(), "two names with one number on {arch:?}");
    }
}

#[test]
fn the_numbers_are_those_of_another_table() {
    for arch in ARCHES {
        for (name, number) in numbers(arch) {
            assert_eq!(profiles::numbers::number(arch, name), Some(number), "{name} on {arch:?}");
            assert_eq!(profiles::numbers::name(arch, number), Some(name), "{number} on {arch:?}");
        }
        assert_eq!(profiles::numbers::name(arch, NUMBERS), None);
    }
}
