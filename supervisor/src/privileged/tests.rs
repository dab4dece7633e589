//! What is said stays as it was said, rubbish ends it, and nothing is done that is not for a stack.

use std::collections::BTreeSet;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::permit::permit;
use super::request::{Answer, Request, Unreadable};
use super::wire;
use super::{Rights, failure::Failure};
use crate::decide::guard;
use crate::decide::live::LiveFile;
use crate::decide::seen::SeenGuard;
use crate::host::apparmor::LoadError;
use crate::host::contents::Staged;
use crate::host::guard::GuardError;
use crate::host::live::Deed;
use crate::observe::denials::{Running, Whose};
use crate::observe::kernel::{EvidenceError, Sought};

fn sought() -> Sought {
    Sought {
        container: "shop-web-1".into(),
        id: "a".repeat(64),
        pid: 4711,
        profile: None,
        user: "1000".into(),
        groups: Vec::new(),
        denials_since: Some(7),
        mounts: [("/data".to_owned(), Some("/srv".to_owned()))].into(),
        socket: Some("/run/docker.sock".into()),
    }
}

fn live() -> LiveFile {
    LiveFile {
        service: "web".into(),
        number: 1,
        generation: 1,
        key: "site".into(),
        uid: 1000,
        gid: 1000,
        mode: 0o440,
    }
}

fn staged() -> Staged {
    Staged { kind: "secret".into(), key: "token".into(), uid: 1000, gid: 1000, mode: 0o400 }
}

/// One of each, as `run` asks it.
fn requests() -> Vec<Request> {
    let (folder, project) = (PathBuf::from("/state/shop"), "shop".to_owned());
    let path = PathBuf::from("/etc/supervisor/compose.yaml");
    let profile = "abi <abi/3.0>,\nprofile \"supervisor-shop.web-1\" flags=(attach_disconnected,mediate_deleted) {\n}\n";
    let script =
        "table inet supervisor-shop\ndelete table inet supervisor-shop\ntable inet supervisor-shop {\n}\n";
    vec![
        Request::Read { path: path.clone(), limit: 1024 },
        Request::Look { path: path.clone() },
        Request::Resolve { path },
        Request::LoadProfile { name: "supervisor-shop.web-1".into(), text: profile.into() },
        Request::UnloadProfiles { project: project.clone(), kept: BTreeSet::from(["a".to_owned()]) },
        Request::SeeGuard { folder: folder.clone(), project: project.clone() },
        Request::SetGuard {
            folder: folder.clone(),
            project: project.clone(),
            ruleset: "abcd".into(),
            script: script.into(),
        },
        Request::RemoveGuard { folder: folder.clone(), project },
        Request::Evidence(Box::new(sought())),
        Request::IsFrozen { pid: 4711 },
        Request::PidsRefused { pid: 4711 },
        Request::Stage { folder: folder.clone(), staged: staged() },
        Request::Change { folder: folder.clone(), file: live(), deed: Deed::Rewrite },
        Request::SeeLive { folder },
        Request::Whose { pid: 1 },
        Request::ByWhatIsLeft {
            uid: 1000,
            program: "/bin/sh".into(),
            running: vec![Running { name: "shop-web-1".into(), pid: 4711 }],
        },
        Request::Listen { at: "127.0.0.1:81".parse().unwrap() },
    ]
}

fn io_error() -> std::io::Error {
    std::io::Error::from_raw_os_error(13)
}

/// One of each.
fn answers() -> Vec<Answer> {
    let look = compose::Host::look(&Rights::Own, Path::new("/"));
    let own = Sought { pid: std::process::id(), ..sought() };
    let evidence = crate::observe::kernel::evidence(&own).expect("this process is here");
    vec![
        Answer::Refused("no".into()),
        Answer::Read(Err(Unreadable::TooLarge(5))),
        Answer::Looked(Box::new(look.into())),
        Answer::Resolved("/a".into(), vec!["/b".into()]),
        Answer::Loaded(Err(LoadError::Run(io_error()))),
        Answer::Unloaded(Err(Failure(io_error()))),
        Answer::Guard(SeenGuard::default()),
        Answer::GuardSet(Err(GuardError::Keep { path: "/a".into(), source: io_error() })),
        Answer::Evidence(Ok(Box::new(evidence))),
        Answer::Evidence(Err(EvidenceError::Gone { container: "a".into(), pid: 1 })),
        Answer::Frozen(true),
        Answer::Count(7),
        Answer::Staged(Err(Failure(std::io::Error::other("words")))),
        Answer::Changed(Ok(true)),
        Answer::Live(Ok([("a".to_owned(), "b".to_owned())].into())),
        Answer::Whose(Some(Whose::Container("a".into()))),
        Answer::Name(Some("a".into())),
        Answer::Listening(Err(Failure(io_error()))),
    ]
}

/// What comes out at the other end.
fn passed<T: Serialize + DeserializeOwned + Send>(head: &T, body: &[u8]) -> (T, Vec<u8>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        // A message may be longer than what a socket holds.
        let heard = scope.spawn(|| wire::receive(&theirs).unwrap().unwrap());
        wire::send(&ours, head, body).unwrap();
        heard.join().unwrap()
    })
}

#[test]
fn every_request_and_every_answer_arrives_as_it_was_said() {
    for request in requests() {
        assert_eq!(passed(&request, b"secret"), (request, b"secret".to_vec()));
    }
    for answer in answers() {
        let (heard, body) = passed(&answer, &[]);
        assert_eq!(serde_json::to_value(&heard).unwrap(), serde_json::to_value(&answer).unwrap());
        assert!(body.is_empty());
    }
}

/// A reader that a signal interrupts before each byte.
struct Interrupted<'a>(&'a [u8], bool);

impl std::io::Read for Interrupted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 { Err(std::io::ErrorKind::Interrupted.into()) } else { self.0.read(&mut into[..1]) }
    }
}

#[test]
fn a_signal_in_the_middle_of_an_answer_costs_nothing() {
    let mut bytes = Vec::new();
    wire::send(&mut bytes, &Answer::Count(7), b"x").unwrap();
    let (answer, body) = wire::receive::<Answer>(Interrupted(&bytes, false)).unwrap().unwrap();
    assert!(matches!(answer, Answer::Count(7)));
    assert_eq!(body, b"x");
}

#[test]
fn no_byte_of_a_file_is_shown_with_its_request() {
    let request = Request::Stage { folder: "/state/shop".into(), staged: staged() };
    assert!(!format!("{request:?}").contains("bytes"), "{request:?}");
}

/// What is said to a request for which the processes 4711 and 1 are in a container and not.
fn word(request: &Request) -> Result<(), String> {
    let in_container = |pid: u32, id: Option<&str>| pid == 4711 && id.is_none_or(|id| id == "a".repeat(64));
    permit(request, Path::new("/state"), in_container)
}

#[test]
fn what_run_asks_for_is_done() {
    for request in requests() {
        assert_eq!(word(&request), Ok(()), "{request:?}");
    }
}

#[track_caller]
fn check(request: Request, expect: Expect) {
    expect.assert_eq(&word(&request).expect_err("this is nothing that `run` asks for"));
}

#[test]
fn what_is_not_of_a_stack_is_refused() {
    let read = |path: &str| Request::Read { path: path.into(), limit: 1 };
    check(read("/etc/shadow"), expect!["`/etc/shadow` is no file of a stack"]);
    check(read("/proc/1/environ"), expect!["`/proc/1/environ` is no file of a stack"]);
    check(read("/root/.ssh/id_ed25519"), expect!["`/root/.ssh/id_ed25519` is no file of a stack"]);
    check(read("compose.yaml"), expect!["`compose.yaml` is not absolute"]);
    check(
        Request::Read { path: "/a".into(), limit: u64::MAX },
        expect!["18446744073709551615 bytes of a file are too many"],
    );
    let load = |name: &str, text: &str| Request::LoadProfile { name: name.into(), text: text.into() };
    check(load("runc", "profile \"runc\" {\n}\n"), expect!["the text is not just the profile `runc`"]);
    check(
        Request::UnloadProfiles { project: "../a".into(), kept: BTreeSet::new() },
        expect!["`../a` is not a project's name"],
    );
    let guard = |folder: &str, script: &str| Request::SetGuard {
        folder: folder.into(),
        project: "shop".into(),
        ruleset: "abcd".into(),
        script: script.into(),
    };
    check(
        guard("/state/shop", "flush ruleset\n"),
        expect!["the script is not just about the table `supervisor-shop`"],
    );
    check(
        guard("/state/shop", &guard::removal("shop")),
        expect!["the script is not just about the table `supervisor-shop`"],
    );
    check(guard("/etc", ""), expect!["`/etc` is not the state folder of project `shop`"]);
    check(
        guard("/state/../state/shop", ""),
        expect!["`/state/../state/shop` is not the state folder of project `shop`"],
    );
    check(
        Request::Evidence(Box::new(Sought { pid: 1, ..sought() })),
        expect!["process 1 is not in the container that it is to be of"],
    );
    check(
        Request::Evidence(Box::new(Sought { id: "b".repeat(64), ..sought() })),
        expect!["process 4711 is not in the container that it is to be of"],
    );
    check(Request::IsFrozen { pid: 1 }, expect!["process 1 is not in the container that it is to be of"]);
    let stage = |folder: &str, staged: Staged| Request::Stage { folder: folder.into(), staged };
    check(stage("/etc", staged()), expect!["`` is not a project's name"]);
    check(stage("/state/shop/x", staged()), expect!["`shop/x` is not a project's name"]);
    check(
        stage("/state/shop", Staged { key: "a/../../b".into(), ..staged() }),
        expect!["`secret/a/../../b` is no secret and no config"],
    );
    check(
        stage("/state/shop", Staged { mode: 0o4755, ..staged() }),
        expect!["`secret/token` is no secret and no config"],
    );
    let change =
        |folder: &str, file: LiveFile| Request::Change { folder: folder.into(), file, deed: Deed::Rewrite };
    check(change("/etc", live()), expect!["`` is not a project's name"]);
    check(Request::SeeLive { folder: "/state/shop/x".into() }, expect!["`shop/x` is not a project's name"]);
    check(
        change("/state/shop", LiveFile { service: "a/../../b".into(), ..live() }),
        expect!["`live@a/../../b@1@1@site@1000-1000-440` is no config of a service"],
    );
    check(
        change("/state/shop", LiveFile { key: "a@before".into(), ..live() }),
        expect!["`live@web@1@1@a@before@1000-1000-440` is no config of a service"],
    );
    check(
        change("/state/shop", LiveFile { mode: 0o4755, ..live() }),
        expect!["`live@web@1@1@site@1000-1000-4755` is no config of a service"],
    );
    let left = vec![Running { name: "a".into(), pid: 4711 }, Running { name: "b".into(), pid: 1 }];
    check(
        Request::ByWhatIsLeft { uid: 0, program: "/x".into(), running: left },
        expect!["process 1 is not in the container that it is to be of"],
    );
    let listen = |at: &str| Request::Listen { at: at.parse().unwrap() };
    check(listen("0.0.0.0:81"), expect!["`0.0.0.0:81` is no low port of loopback"]);
    check(listen("192.0.2.1:22"), expect!["`192.0.2.1:22` is no low port of loopback"]);
    check(listen("127.0.0.1:0"), expect!["`127.0.0.1:0` is no low port of loopback"]);
    check(listen("[::1]:1024"), expect!["`[::1]:1024` is no low port of loopback"]);
}

#[test]
fn a_link_does_not_lead_to_what_is_refused() {
    let bed = tempfile::tempdir().unwrap();
    let link = bed.path().join("link");
    std::os::unix::fs::symlink("/proc/self/environ", &link).unwrap();
    let request = Request::Read { path: link, limit: 1024 };
    assert_eq!(word(&request), Ok(()));
    let done = super::carry_out::carry_out(&request, &[], super::permit::readable);
    let answer = done.answer;
    assert!(matches!(&answer, Answer::Refused(why) if why.contains("/environ")), "{answer:?}");
    assert!(done.body.is_empty());
}

proptest! {
    /// Whatever comes on a lane: it is a request, or the end.
    #[test]
    fn rubbish_is_an_error_and_never_more(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        length in prop::option::of(0_u8..200),
    ) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // Sometimes with a length that fits.
        let head = length.map_or(Vec::new(), |length| vec![length, 0, 0, 0, 0, 0, 0, 0]);
        std::io::Write::write_all(&mut &ours, &[head, bytes].concat()).unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        let heard = wire::receive::<Request>(&theirs);
        prop_assert!(!matches!(heard, Ok(Some(_))), "{:?}", heard);
    }

    /// A request that is bent anywhere is one that is judged, or none.
    #[test]
    fn a_request_that_is_bent_is_judged_or_none(which in 0..16_usize, at: prop::sample::Index, byte: u8) {
        let mut bytes = serde_json::to_vec(&requests()[which]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(request) = serde_json::from_slice::<Request>(&bytes) {
            let _ = word(&request);
        }
    }
}
