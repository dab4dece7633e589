//! One arm a request: what is done, and what is answered.
//!
//! The same for the process beside and for a command that an administrator gives. Deliberately absent: judging.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;

use compose::Host as _;

use super::failure::Failure;
use super::request::{Answer, Request};
use crate::decide::seen::SeenGuard;
use crate::host::files::{self, Files};
use crate::host::{apparmor, guard, live};
use crate::observe::{denials, kernel};

/// What comes of a request.
#[derive(Debug)]
pub(super) struct Done {
    /// What is said.
    pub(super) answer: Answer,
    /// Bytes of a file, beside it.
    pub(super) body: Vec<u8>,
    /// What is passed on after it.
    pub(super) socket: Option<OwnedFd>,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        Self { answer, body: Vec::new(), socket: None }
    }
}

/// Does it. Of a file only the bytes of one whose real place, behind all links, is `readable`.
pub(super) fn carry_out(
    request: &Request,
    body: &[u8],
    readable: impl Fn(&Path) -> Result<(), String>,
) -> Done {
    let answer = match request {
        Request::Read { path, limit } => match files::read(path, *limit, readable) {
            Ok(Ok(body)) => return Done { answer: Answer::Read(Ok(())), body, socket: None },
            Ok(Err(why)) => Answer::Refused(why),
            Err(error) => Answer::Read(Err(error.into())),
        },
        Request::Look { path } => Answer::Looked(Box::new(Files.look(path).into())),
        Request::Resolve { path } => {
            let (resolved, links) = Files.resolve(path);
            Answer::Resolved(resolved, links)
        }
        Request::LoadProfile { text, .. } => Answer::Loaded(apparmor::load(text)),
        Request::UnloadProfiles { project, kept } => {
            let prefix = profiles::apparmor::prefix(project);
            Answer::Unloaded(apparmor::unload_unused(&prefix, kept).map_err(Failure))
        }
        Request::SeeGuard { folder, project } => {
            Answer::Guard(SeenGuard { links: guard::links(), ..guard::look(folder, project, None) })
        }
        Request::SetGuard { folder, project, ruleset, script } => {
            Answer::GuardSet(guard::set(folder, project, ruleset, script))
        }
        Request::RemoveGuard { folder, project } => Answer::GuardSet(guard::remove(Some(folder), project)),
        Request::Evidence(sought) => Answer::Evidence(kernel::evidence(sought).map(Box::new)),
        Request::IsFrozen { pid } => Answer::Frozen(kernel::is_frozen(*pid)),
        Request::PidsRefused { pid } => Answer::Count(kernel::pids_refused(*pid)),
        Request::Stage { folder, staged } => Answer::Staged(staged.place(folder, body).map_err(Failure)),
        Request::Change { folder, file, deed } => {
            Answer::Changed(file.change(folder, *deed, body).map_err(Failure))
        }
        Request::SeeLive { folder } => Answer::Live(live::list(folder).map_err(Failure)),
        Request::Whose { pid } => Answer::Whose(denials::whose(*pid)),
        Request::ByWhatIsLeft { uid, program, running } => {
            Answer::Name(denials::by_what_is_left(*uid, program, running))
        }
        Request::Listen { at } => match TcpListener::bind(at) {
            Ok(listener) => {
                let answer = Answer::Listening(Ok(()));
                return Done { answer, body: Vec::new(), socket: Some(listener.into()) };
            }
            Err(error) => Answer::Listening(Err(Failure(error))),
        },
    };
    answer.into()
}
