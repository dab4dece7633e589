//! What the process that has the machine's rights does for whoever asks it: each request is judged as if it came from
//! somebody who has taken `run` over.
//!
//! Pure, but for the one look at whose a process is. Deliberately absent: what the stack's file says; nobody here reads it.

use std::path::{Component, Path};

use profiles::apparmor;

use super::request::Request;
use super::wire::LONGEST_BODY;
use crate::decide::guard;
use crate::decide::live::LiveFile;
use crate::host::contents::Staged;

/// The first port for which no right is needed, unless a machine says otherwise (`net.ipv4.ip_unprivileged_port_start`).
const FIRST_OF_EVERYBODY: u16 = 1024;

/// Why it is not done.
pub(super) type Refusal = String;

/// Judges a request. `state` is the folder of all projects' states; `in_container` says whether a process is in a
/// container, and in that of an id if one is given, and `true` of one that has ended.
pub(super) fn permit(
    request: &Request,
    state: &Path,
    in_container: impl Fn(u32, Option<&str>) -> bool,
) -> Result<(), Refusal> {
    let container = |pid: u32, id: Option<&str>| {
        let why = || format!("process {pid} is not in the container that it is to be of");
        in_container(pid, id).then_some(()).ok_or_else(why)
    };
    match request {
        Request::Read { path, limit } => {
            plain(path)?;
            if *limit > u64::from(LONGEST_BODY) {
                return Err(format!("{limit} bytes of a file are too many"));
            }
            readable(path)
        }
        Request::Look { path } | Request::Resolve { path } => plain(path),
        Request::LoadProfile { name, text } => {
            let why = || format!("the text is not just the profile `{}`", name.escape_debug());
            apparmor::is_just(text, name).then_some(()).ok_or_else(why)
        }
        Request::UnloadProfiles { project, .. } => named(project),
        Request::SeeGuard { folder, project } | Request::RemoveGuard { folder, project } => {
            named(project)?;
            of_project(folder, state, project)
        }
        Request::SetGuard { folder, project, script, .. } => {
            named(project)?;
            of_project(folder, state, project)?;
            let why = || format!("the script is not just about the table `{}`", guard::table(project));
            guard::is_just(script, project).then_some(()).ok_or_else(why)
        }
        Request::Evidence(sought) => container(sought.pid, Some(&sought.id)),
        Request::IsFrozen { pid } | Request::PidsRefused { pid } => container(*pid, None),
        Request::Stage { folder, staged } => {
            of_some_project(folder, state)?;
            stageable(staged)
        }
        Request::Change { folder, file, .. } => {
            of_some_project(folder, state)?;
            changeable(file)
        }
        Request::SeeLive { folder } => of_some_project(folder, state),
        // What it tells is the id of a container.
        Request::Whose { .. } => Ok(()),
        // From there on `run` listens itself. Of another address it would be somebody's from another machine.
        Request::Listen { at } => {
            let good = at.ip().is_loopback() && (1..FIRST_OF_EVERYBODY).contains(&at.port());
            good.then_some(()).ok_or_else(|| format!("`{at}` is no low port of loopback"))
        }
        Request::ByWhatIsLeft { running, .. } => {
            running.iter().try_for_each(|running| container(running.pid, None))
        }
    }
}

/// The name of a project as the Compose specification has it: it becomes part of a path, a table and a profile.
fn named(project: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    let good = project.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && project.chars().all(plain);
    good.then_some(()).ok_or_else(|| format!("`{}` is not a project's name", project.escape_debug()))
}

fn of_project(folder: &Path, state: &Path, project: &str) -> Result<(), Refusal> {
    let why = || format!("`{}` is not the state folder of project `{project}`", folder.display());
    // Compared as bytes: a path compares equal to one with a dot or a slash more.
    (folder.as_os_str() == state.join(project).as_os_str()).then_some(()).ok_or_else(why)
}

fn of_some_project(folder: &Path, state: &Path) -> Result<(), Refusal> {
    let project = folder.strip_prefix(state).ok().and_then(Path::to_str).unwrap_or_default();
    named(project)?;
    of_project(folder, state, project)
}

fn plain(path: &Path) -> Result<(), Refusal> {
    path.is_absolute().then_some(()).ok_or_else(|| format!("`{}` is not absolute", path.display()))
}

/// Files of the machine that no stack is made of: what the kernel tells, and what proves who somebody is.
pub(super) fn readable(path: &Path) -> Result<(), Refusal> {
    const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];
    const OWN: [&str; 4] = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"];
    let of_the_kernel = KERNELS.iter().any(|folder| path.starts_with(folder));
    let in_ssh = path.components().any(|part| part == Component::Normal(".ssh".as_ref()))
        || path.starts_with("/etc/ssh");
    if of_the_kernel || in_ssh || OWN.iter().any(|own| path == Path::new(own)) {
        return Err(format!("`{}` is no file of a stack", path.display()));
    }
    Ok(())
}

/// It becomes a part of the name of a file.
fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.len() <= 128 && text.chars().all(fits)
}

fn changeable(file: &LiveFile) -> Result<(), Refusal> {
    let good = is_word(&file.service) && is_word(&file.key) && file.mode & !0o777 == 0;
    let why = || format!("`{}` is no config of a service", file.name().escape_debug());
    good.then_some(()).ok_or_else(why)
}

fn stageable(staged: &Staged) -> Result<(), Refusal> {
    let good = is_word(&staged.kind) && is_word(&staged.key) && staged.mode & !0o777 == 0;
    let why = || {
        format!("`{}` is no secret and no config", format!("{}/{}", staged.kind, staged.key).escape_debug())
    };
    good.then_some(()).ok_or_else(why)
}
