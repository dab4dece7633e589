//! `cargo xtask compat`: what we load beside what Docker Compose loads, file by file, and the score.
//!
//! Every YAML file of the given folders is resolved by both, with every profile on and the same few variables.
//! A file scores if both refuse it, or if both accept it and print the same model. Deliberately absent: the files
//! themselves, which are other projects'.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use compose::emit::Credentials;
use compose::host::{Look, MemoryHost, ReadError};
use compose::{Host, Loaded, Request, Severity, Source};
use serde_json::Value;

/// Options of `compat`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of Compose files, searched deeply; without them the command lines alone are compared
    folders: Vec<PathBuf>,
    /// Docker Compose, as a program of its own
    #[arg(long, env = "DOCKER_COMPOSE", default_value = "docker-compose")]
    compose: PathBuf,
    /// Print every difference, not only the first of a file
    #[arg(long)]
    all: bool,
}

/// How two programs took one file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// The same model.
    Same,
    /// Both refuse it.
    BothRefuse,
    /// Different models: where, ours, theirs.
    Differ(Vec<String>),
    /// We refuse what Compose accepts, for this problem.
    WeRefuse(String),
    /// We accept what Compose refuses, with its words.
    WeAccept(String),
}

/// Compares, and prints the score with every difference.
pub(crate) fn run(args: &Args) -> Result<()> {
    words::run(&args.compose)?;
    if args.folders.is_empty() {
        return Ok(());
    }
    let mut files = Vec::new();
    for folder in &args.folders {
        find(folder, &mut files).with_context(|| format!("searching `{}`", folder.display()))?;
    }
    files.sort();
    if files.is_empty() {
        bail!("no YAML file in the given folders");
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    for file in &files {
        let verdict = compare(file, args)?;
        let (name, detail) = match &verdict {
            Verdict::Same => ("same", Vec::new()),
            Verdict::BothRefuse => ("both refuse", Vec::new()),
            Verdict::Differ(where_) => ("differ", where_.clone()),
            Verdict::WeRefuse(why) => ("we refuse alone", vec![why.clone()]),
            Verdict::WeAccept(why) => ("we accept alone", vec![why.clone()]),
        };
        *counts.entry(name).or_default() += 1;
        let shown = if args.all { detail.len() } else { 1 };
        for line in detail.iter().take(shown) {
            println!("{name}: {}: {line}", file.display());
        }
    }
    let count = |name| counts.get(name).copied().unwrap_or_default();
    let accepted = count("same") + count("differ") + count("we refuse alone");
    let refused = count("both refuse") + count("we accept alone");
    println!("{} files; Docker Compose accepts {accepted} and refuses {refused}", files.len());
    println!("the same model: {} of {accepted} ({})", count("same"), percent(count("same"), accepted));
    println!(
        "refused by both: {} of {refused} ({})",
        count("both refuse"),
        percent(count("both refuse"), refused)
    );
    Ok(())
}

fn percent(part: usize, whole: usize) -> String {
    format!("{}.{} %", part * 100 / whole.max(1), part * 1000 / whole.max(1) % 10)
}

/// Every YAML file below a folder.
pub(crate) fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(fs::canonicalize(path)?);
        }
    }
    Ok(())
}

fn compare(file: &Path, args: &Args) -> Result<Verdict> {
    let theirs = theirs(file, &args.compose)?;
    let ours = ours(file);
    Ok(match (ours, theirs) {
        (Err(_), Err(_)) => Verdict::BothRefuse,
        (Err(why), Ok(_)) => Verdict::WeRefuse(why),
        (Ok(_), Err(why)) => Verdict::WeAccept(why),
        (Ok(ours), Ok(theirs)) => {
            let mut differences = Vec::new();
            differ("", &ours, &theirs, &mut differences);
            if differences.is_empty() { Verdict::Same } else { Verdict::Differ(differences) }
        }
    })
}

/// The variables that both see.
fn environment() -> [(String, String); 2] {
    [("HOME".to_owned(), "/home/user".to_owned()), ("PATH".to_owned(), "/usr/bin:/bin".to_owned())]
}

fn theirs(file: &Path, compose: &Path) -> Result<Result<Value, String>> {
    let output = Command::new(compose)
        .args(["-f".as_ref(), file.as_os_str()])
        .args(["--profile", "*", "config", "--format", "json"])
        .env_clear()
        .envs(environment())
        .output()
        .with_context(|| format!("starting `{}`", compose.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last =
            words.lines().rfind(|l| !l.trim().is_empty() && !l.starts_with("time=")).unwrap_or_default();
        return Ok(Err(last.to_owned()));
    }
    Ok(Ok(serde_json::from_slice(&output.stdout).context("reading what Docker Compose printed")?))
}

fn ours(file: &Path) -> Result<Value, String> {
    let loaded = load(file)?;
    if let Some(error) = loaded.report.findings.iter().find(|f| f.severity == Severity::Error) {
        return Err(format!("{} {}", error.rule, error.message));
    }
    let all = BTreeSet::from(["*".to_owned()]);
    let text = compose::as_written(&loaded, &all, Credentials::Shown).ok_or("nothing was loaded")?;
    serde_json::from_str(&text).map_err(|e| e.to_string())
}

/// A file by itself, with its `.env`, loaded and not judged.
pub(crate) fn load(file: &Path) -> Result<Loaded, String> {
    let directory = file.parent().unwrap_or(Path::new("/")).to_path_buf();
    let host = Disk;
    let read = |path: &Path| host.read(path, compose::source::MOST_BYTES);
    let text = read(file).map_err(|e| format!("{e:?}"))?;
    let dotenv = read(&directory.join(".env")).ok().map(|bytes| Source::from_bytes(".env", bytes));
    let (environment, report) = compose::environment(dotenv.into_iter().collect(), environment().into());
    if report.unreadable {
        return Err("`.env` cannot be understood".to_owned());
    }
    let request = Request {
        files: vec![Source::from_bytes(file.display().to_string(), text)],
        directory,
        project_name: environment.get("COMPOSE_PROJECT_NAME").map(str::to_owned),
        environment,
    };
    Ok(compose::load(request, &host))
}

/// Every place where two values differ.
fn differ(at: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = format!("{at}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differ(&at, a, b, out),
                    (Some(a), None) => out.push(format!("{at}: ours alone: {a}")),
                    (None, Some(b)) => out.push(format!("{at}: theirs alone: {b}")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{at}[{i}]"), a, b, out);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{at}: ours {a}, theirs {b}")),
    }
}

/// This machine's files. No look at paths: nothing is judged here.
struct Disk;

impl Host for Disk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let metadata = fs::metadata(path).map_err(|_| ReadError::Missing)?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile);
        }
        if metadata.len() > limit {
            return Err(ReadError::TooLarge(metadata.len()));
        }
        fs::read(path).map_err(|e| ReadError::Failed(e.to_string()))
    }

    fn look(&self, path: &Path) -> Look {
        MemoryHost::default().look(path)
    }
}
