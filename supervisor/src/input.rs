//! From the command line to a judged stack: which files, which variables, today's date; shared by every command.
//!
//! Deliberately absent: understanding of any text; that is `compose`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use compose::destination::Destination;
use compose::fix::Fixed;
use compose::host::{Kind, ReadError};
use compose::model::Date;
use compose::source::MOST_BYTES;
use compose::{Admitted, Environment, Host, Loaded, Notes, Policy, Report, Request, Source, problem};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::host::files::Files;
use crate::render;

/// In the order in which Docker Compose looks for them.
const DEFAULT_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// The same, of the file that is merged over the default one.
const OVERRIDE_FILES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Standard input was read: it cannot be again.
static TOOK_STANDARD_INPUT: AtomicBool = AtomicBool::new(false);

/// Whether a file was read from standard input: nobody can tell what is next there.
pub fn took_standard_input() -> bool {
    TOOK_STANDARD_INPUT.load(Ordering::Relaxed)
}

/// A stack and the policy's word on it.
#[derive(Debug)]
pub struct Judged {
    /// The hardened stack; `None` where an error refuses it.
    pub admitted: Option<Admitted>,
    /// Every finding.
    pub report: Report,
}

impl Judged {
    /// How a command ends that only judges.
    pub fn exit(&self) -> Exit {
        match &self.admitted {
            None if !self.report.unreadable => Exit::Refused,
            _ => verdict(&self.report),
        }
    }
}

/// What a report says of the files that it is about.
pub fn verdict(report: &Report) -> Exit {
    if report.unreadable {
        Exit::Unreadable
    } else if report.refuses() {
        Exit::Refused
    } else {
        Exit::Done
    }
}

/// Finds, reads, loads and judges the stack that the command line names; what is filled in is counted alone.
pub fn load_and_admit(global: &GlobalArgs, strict: bool) -> Judged {
    judge(global, strict, Notes::Counted)
}

/// The same for reports that may tell of what is filled in.
pub fn judge(global: &GlobalArgs, strict: bool, notes: Notes) -> Judged {
    judge_from(&Files, global, strict, notes)
}

/// The same from the files as somebody else reads them.
pub fn judge_from(host: &dyn Host, global: &GlobalArgs, strict: bool, notes: Notes) -> Judged {
    match load_from(host, global) {
        Ok(loaded) => {
            let (admitted, report) = compose::admit(loaded, &policy(strict, notes), host);
            Judged { admitted, report }
        }
        Err(report) => Judged { admitted: None, report },
    }
}

/// What the policy is told on this machine, today.
fn policy(strict: bool, notes: Notes) -> Policy {
    Policy { today: today(), strict, calls: profiles::recorded::call, notes }
}

/// Finds and reads the stack, and puts right what can be without asking. Writes nothing.
///
/// # Errors
/// What cannot be found or read, as findings.
pub fn fix(global: &GlobalArgs, strict: bool) -> Result<Fixed, Report> {
    Ok(compose::fix::fix(gather(&Files, global)?, &policy(strict, Notes::Told), &Files))
}

/// Finds, reads and loads the stack, unjudged.
///
/// # Errors
/// What cannot be found or read, as findings.
pub fn load(global: &GlobalArgs) -> Result<Loaded, Report> {
    load_from(&Files, global)
}

fn load_from(host: &dyn Host, global: &GlobalArgs) -> Result<Loaded, Report> {
    Ok(compose::load(gather(host, global)?, host))
}

/// The same for commands that act on the stack: what is refused is explained on standard error.
///
/// # Errors
/// The stack cannot be read, or may not run; the failure has been explained already.
pub fn admitted(global: &GlobalArgs) -> Result<Admitted, Failure> {
    admitted_by(&Files, global).map(|(admitted, _)| admitted)
}

/// The same from the files as somebody else reads them, with what was explained on standard error.
///
/// # Errors
/// As of [`admitted`].
pub fn admitted_by(host: &dyn Host, global: &GlobalArgs) -> Result<(Admitted, String), Failure> {
    let judged = judge_from(host, global, false, Notes::Counted);
    let exit = judged.exit();
    let colour = global.colours(std::io::stderr().is_terminal());
    let said = render::human::in_short(&judged.report, colour);
    eprint!("{said}");
    let admitted = judged.admitted.ok_or_else(|| Failure::explained(exit))?;
    Ok((admitted, said))
}

/// The same with nothing granted to any service, so that the egress proxy writes down what each asks for; and what the
/// file grants.
///
/// # Errors
/// As of [`admitted`].
pub fn admitted_with_nothing_granted(
    global: &GlobalArgs,
) -> Result<(Admitted, BTreeMap<String, BTreeSet<Destination>>), Failure> {
    let mut loaded = load(global).map_err(|_| Failure::explained(Exit::Unreadable))?;
    let granted = loaded.project.as_mut().map(compose::egress::deny_all).unwrap_or_default();
    let (admitted, report) = compose::admit(loaded, &policy(false, Notes::Counted), &Files);
    let colour = global.colours(std::io::stderr().is_terminal());
    if admitted.is_none() {
        eprint!("{}", render::human::without_notes(&report, colour));
    }
    Ok((admitted.ok_or_else(|| Failure::explained(verdict(&report)))?, granted))
}

/// The project's name for commands that look at what runs: the file need not be admitted, nor be there at all if a
/// name is given.
///
/// # Errors
/// No name is given and the file cannot be understood; the failure has been explained already.
pub fn project_name(global: &GlobalArgs) -> Result<String, Failure> {
    let variable = std::env::var("COMPOSE_PROJECT_NAME").ok();
    if let Some(name) = global.project_name.clone().or(variable).filter(|name| !name.is_empty()) {
        return Ok(name);
    }
    let report = match gather(&Files, global).and_then(|request| compose::name(request, &Files)) {
        Ok(name) => return Ok(name),
        Err(report) => report,
    };
    let colour = global.colours(std::io::stderr().is_terminal());
    eprint!("{}", render::human::without_notes(&report, colour));
    Err(Failure::explained(Exit::Unreadable))
}

/// Today, in UTC.
pub fn today() -> Date {
    let date = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    Date { year: date.year(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() }
}

/// Everything that a load starts from, in Docker Compose's order: variables, then files, then the variables beside them.
fn gather(host: &dyn Host, global: &GlobalArgs) -> Result<Request, Report> {
    let here = std::env::current_dir()
        .map_err(|error| unreadable(Path::new("."), &ReadError::Failed(error.to_string())))?;
    let first = global.file.first().filter(|file| *file != Path::new("-"));
    let folder = match (&global.project_directory, first) {
        (Some(folder), _) => here.join(folder),
        (None, Some(file)) => parent(&here.join(file)),
        (None, None) => here.clone(),
    };
    // `.env` may name the files, and a `.env` beside those files holds as well.
    let mut variables = environment(host, global, &here, &[&folder])?;
    let files = if global.file.is_empty() {
        find_files(host, &folder, &here, &variables)?
    } else {
        global.file.clone()
    };
    let beside = match files.first() {
        Some(file) if file != Path::new("-") && global.project_directory.is_none() => {
            parent(&here.join(file))
        }
        _ => folder.clone(),
    };
    if beside != folder {
        variables = environment(host, global, &here, &[&folder, &beside])?;
    }
    let project_name = global
        .project_name
        .clone()
        .or_else(|| variables.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).map(str::to_owned));
    let directory = std::path::absolute(&beside).unwrap_or(beside);
    let files = files.iter().map(|path| read_compose(host, path, &here)).collect::<Result<_, _>>()?;
    Ok(Request { files, directory, project_name, environment: variables })
}

fn parent(file: &Path) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

/// The variables of `--env-file`, else of `COMPOSE_ENV_FILES`, else of the `.env` in these folders, under the caller's own.
fn environment(
    host: &dyn Host,
    global: &GlobalArgs,
    here: &Path,
    folders: &[&Path],
) -> Result<Environment, Report> {
    let own: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let named = own.get("COMPOSE_ENV_FILES").map(String::as_str).unwrap_or_default();
    let named: Vec<PathBuf> = named.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    let named = if global.env_file.is_empty() { named } else { global.env_file.clone() };
    let files = if named.is_empty() {
        let default = folders
            .iter()
            .map(|folder| folder.join(".env"))
            .filter(|path| host.look(path).kind == Some(Kind::File));
        default.map(|path| read(host, &relative(here, path))).collect::<Result<Vec<_>, _>>()?
    } else {
        named.iter().map(|path| read(host, path)).collect::<Result<Vec<_>, _>>()?
    };
    let (variables, report) = compose::environment(files, own);
    if report.unreadable { Err(report) } else { Ok(variables) }
}

/// `COMPOSE_FILE`, else the default file and its override, in the folder or the nearest one above.
fn find_files(
    host: &dyn Host,
    folder: &Path,
    here: &Path,
    variables: &Environment,
) -> Result<Vec<PathBuf>, Report> {
    if let Some(list) = variables.get("COMPOSE_FILE").filter(|list| !list.is_empty()) {
        let separator = variables.get("COMPOSE_PATH_SEPARATOR").filter(|s| !s.is_empty());
        let paths = list.split(separator.unwrap_or(":")).filter(|path| !path.is_empty());
        return Ok(paths.map(|path| if path == "-" { path.into() } else { folder.join(path) }).collect());
    }
    for folder in folder.ancestors() {
        let first = |names: &[&str]| {
            names.iter().map(|name| folder.join(name)).find(|path| host.look(path).kind.is_some())
        };
        if let Some(file) = first(&DEFAULT_FILES) {
            let files = std::iter::once(file).chain(first(&OVERRIDE_FILES));
            return Ok(files.map(|file| relative(here, file)).collect());
        }
    }
    let mut report = unreadable(Path::new("compose.yaml"), &ReadError::Missing);
    if let Some(finding) = report.findings.first_mut() {
        "there is no compose.yaml here or in a folder above".clone_into(&mut finding.message);
        "name the file with `-f FILE`, or write one to start from with `supervisor init`"
            .clone_into(&mut finding.help);
    }
    Err(report)
}

/// As a user of this folder would type it.
fn relative(here: &Path, file: PathBuf) -> PathBuf {
    file.strip_prefix(here).map(Path::to_path_buf).unwrap_or(file)
}

/// A Compose file, with the place where an edit of it would be written.
fn read_compose(host: &dyn Host, path: &Path, here: &Path) -> Result<Source, Report> {
    let source = read(host, path)?;
    Ok(if path == Path::new("-") { source } else { source.at(here.join(path)) })
}

fn read(host: &dyn Host, path: &Path) -> Result<Source, Report> {
    if path == Path::new("-") {
        TOOK_STANDARD_INPUT.store(true, Ordering::Relaxed);
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(path, &ReadError::Failed(error.to_string())))?;
        let length = bytes.len() as u64;
        if length > MOST_BYTES {
            return Err(unreadable(Path::new("<stdin>"), &ReadError::TooLarge(length)));
        }
        return Ok(Source::from_bytes("<stdin>", bytes));
    }
    let bytes = host.read(path, MOST_BYTES).map_err(|error| unreadable(path, &error))?;
    Ok(Source::from_bytes(path.display().to_string(), bytes))
}

/// A report of nothing but a file that could not be read.
fn unreadable(path: &Path, error: &ReadError) -> Report {
    Report { findings: vec![problem::cannot_read(path, error)], unreadable: true, ..Report::default() }
}
