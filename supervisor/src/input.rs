//! From the command line to a judged stack: which files, which variables, today's date; shared by every command.
//!
//! Deliberately absent: understanding of any text; that is `compose`'s.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use compose::host::ReadError;
use compose::model::Date;
use compose::{Admitted, Finding, Host, Policy, Report, Request, Severity, Source};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::host::files::Files;
use crate::render;

/// The longest Compose file that is read.
const MAX_FILE: u64 = 1024 * 1024;
/// In the order in which Docker Compose looks for them.
const DEFAULT_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// The same, of the file that is merged over the default one.
const OVERRIDE_FILES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

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
            _ if self.report.unreadable => Exit::Unreadable,
            None => Exit::Refused,
            Some(_) => Exit::Done,
        }
    }
}

/// Finds, reads, loads and judges the stack that the command line names.
pub fn load_and_admit(global: &GlobalArgs, strict: bool) -> Judged {
    let request = match gather(global) {
        Ok(request) => request,
        Err(finding) => {
            let report = Report { findings: vec![*finding], unreadable: true, ..Report::default() };
            return Judged { admitted: None, report };
        }
    };
    let loaded = compose::load(request, &Files);
    let (admitted, report) = compose::admit(loaded, &Policy { today: today(), strict }, &Files);
    Judged { admitted, report }
}

/// The same for commands that act on the stack: what is refused is explained on standard error.
///
/// # Errors
/// The stack cannot be read, or may not run; the failure has been explained already.
pub fn admitted(global: &GlobalArgs) -> Result<Admitted, Failure> {
    let judged = load_and_admit(global, false);
    let exit = judged.exit();
    let colour = global.colours(std::io::stderr().is_terminal());
    eprint!("{}", render::human::worth_saying(&judged.report, colour));
    judged.admitted.ok_or_else(|| Failure::explained(exit))
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
    let loaded = match gather(global) {
        Ok(request) => compose::load(request, &Files),
        Err(finding) => {
            let report = Report { findings: vec![*finding], unreadable: true, ..Report::default() };
            compose::Loaded { project: None, report }
        }
    };
    loaded.project.map(|project| project.name).ok_or_else(|| {
        let colour = global.colours(std::io::stderr().is_terminal());
        eprint!("{}", render::human::worth_saying(&loaded.report, colour));
        Failure::explained(Exit::Unreadable)
    })
}

/// Today, in UTC.
fn today() -> Date {
    let date = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    Date { year: date.year(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() }
}

fn gather(global: &GlobalArgs) -> Result<Request, Box<Finding>> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let here =
        std::env::current_dir().map_err(|e| problem(format!("this folder cannot be found: {e}"), ""))?;
    let paths = if global.file.is_empty() { find_files(&here, &environment)? } else { global.file.clone() };
    let directory = match (&global.project_directory, paths.first()) {
        (Some(directory), _) => here.join(directory),
        (None, Some(first)) if first != Path::new("-") => {
            here.join(first).parent().map_or_else(|| here.clone(), Path::to_path_buf)
        }
        (None, _) => here,
    };
    let directory = std::path::absolute(&directory).unwrap_or(directory);
    let files = paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let project_name = global
        .project_name
        .clone()
        .or_else(|| environment.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned());
    Ok(Request { files, directory, project_name, environment })
}

/// `COMPOSE_FILE`, else the default file and its override, here or in the nearest folder above.
fn find_files(here: &Path, environment: &BTreeMap<String, String>) -> Result<Vec<PathBuf>, Box<Finding>> {
    if let Some(list) = environment.get("COMPOSE_FILE").filter(|list| !list.is_empty()) {
        let separator = environment.get("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
        return Ok(list.split(separator).filter(|p| !p.is_empty()).map(PathBuf::from).collect());
    }
    for folder in here.ancestors() {
        let first = |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.exists());
        if let Some(file) = first(&DEFAULT_FILES) {
            let mut files = vec![file];
            files.extend(first(&OVERRIDE_FILES));
            return Ok(files.into_iter().map(|file| relative(here, file)).collect());
        }
    }
    Err(problem(
        "no compose.yaml here or in a folder above".into(),
        "name the file with `-f FILE`, or write one to start from with `supervisor init`",
    ))
}

/// As a user of this folder would type it.
fn relative(here: &Path, file: PathBuf) -> PathBuf {
    file.strip_prefix(here).map(Path::to_path_buf).unwrap_or(file)
}

fn read(path: &Path) -> Result<Source, Box<Finding>> {
    let (name, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes);
        ("<stdin>".to_owned(), read.map_err(|e| ReadError::Failed(e.to_string())).map(|_| bytes))
    } else {
        (path.display().to_string(), Files.read(path, MAX_FILE))
    };
    let bytes = match bytes {
        Ok(bytes) if bytes.len() as u64 <= MAX_FILE => bytes,
        Ok(_) | Err(ReadError::TooLarge(_)) => {
            return Err(problem(
                format!("`{name}` is longer than 1 MiB"),
                "a Compose file has a few kilobytes; is this the file that you mean?",
            ));
        }
        Err(ReadError::Missing) => {
            return Err(problem(format!("`{name}` is not there"), "check the path given with `-f`"));
        }
        Err(ReadError::NotAFile) => {
            return Err(problem(
                format!("`{name}` is not a regular file"),
                "folders, pipes, devices and sockets are not read; use `-f -` for standard input",
            ));
        }
        Err(ReadError::Failed(why)) => {
            return Err(problem(format!("`{name}` cannot be read: {why}"), "check its permissions"));
        }
    };
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        problem(format!("`{name}` is not UTF-8 text: byte {at} is not"), "save it as UTF-8")
    })?;
    Ok(Source::new(name, text))
}

/// A problem that has no place in a text.
fn problem(message: String, help: &str) -> Box<Finding> {
    Box::new(Finding {
        rule: "SV001",
        severity: Severity::Error,
        message,
        span: None,
        related: Vec::new(),
        service: None,
        help: help.into(),
        fix: None,
    })
}
