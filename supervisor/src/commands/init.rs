//! `init`: writes the stack's own files to start from.
//!
//! Deliberately absent: overwriting. What is there already and differs is named, and nothing is written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::stack;

/// Where the gateway's token lies, from the stack's folder.
const TOKEN: &str = "secrets/gateway-token";
/// Where Caddy keeps certificates and keys, from the stack's folder.
const CADDY_DATA: &str = "data/caddy";

/// Options of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor init --site openclaw.example.com --tls admin@example.com
  supervisor init demo --site localhost --tls internal --set HTTPS_BIND=127.0.0.1:8443")]
pub struct Args {
    /// Folder to write to; made if it is not there
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Host name under which OpenClaw is reached
    #[arg(long, value_name = "NAME")]
    site: String,
    /// E-mail address for public certificates, or `internal` for certificates of Caddy's own
    #[arg(long, value_name = "EMAIL|internal")]
    tls: String,
    /// Another variable of the stack, as its `.env` explains them; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

pub(crate) fn run(_: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let mut values = vec![("SITE".to_owned(), args.site.clone()), ("TLS".to_owned(), args.tls.clone())];
    values.extend(args.set.iter().cloned());
    let variables = stack::variables(&values).map_err(|e| Failure::new(Exit::Unreadable, e))?;

    let files = [
        ("compose.yaml", stack::COMPOSE, 0o644),
        ("Caddyfile", stack::CADDYFILE, 0o644),
        ("openclaw.json", stack::OPENCLAW, 0o644),
        (".env", variables.as_str(), 0o600),
    ];
    let differing: Vec<&str> = files
        .iter()
        .filter(|(name, text, _)| fs::read(args.folder.join(name)).is_ok_and(|old| old != text.as_bytes()))
        .map(|(name, ..)| *name)
        .collect();
    if !differing.is_empty() {
        let error = format!("`{}` already has another {}", args.folder.display(), differing.join(", "));
        return Err(Failure::new(Exit::Failed, error)
            .help("nothing was written; choose another folder, or move these files away"));
    }

    let done = write_all(&args.folder, &files).map_err(|e| Failure::new(Exit::Failed, e))?;
    let mut out = io::stdout().lock();
    writeln!(out, "wrote {} to {}", files.map(|(name, ..)| name).join(", "), args.folder.display())?;
    writeln!(out, "the gateway's token is in {}", args.folder.join(TOKEN).display())?;
    if let Ownership::NotGiven = done {
        let user = stack::CADDY_USER;
        writeln!(
            out,
            "before the first start, as root: chown {user}:{user} {}",
            args.folder.join(CADDY_DATA).display()
        )?;
    }
    writeln!(out, "next: `supervisor check`, then `supervisor up`, both in that folder")?;
    Ok(Exit::Done)
}

/// Whether Caddy's folder could be given to Caddy.
enum Ownership {
    Given,
    NotGiven,
}

/// A step of writing the files that failed.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("could not make the folder `{0}`")]
    Folder(PathBuf, #[source] io::Error),
    #[error("could not write `{0}`")]
    File(PathBuf, #[source] io::Error),
    #[error("could not read randomness for the token")]
    Randomness(#[source] io::Error),
    #[error("could not give `{0}` to Caddy's user")]
    Owner(PathBuf, #[source] io::Error),
}

fn write_all(folder: &Path, files: &[(&str, &str, u32)]) -> Result<Ownership, WriteError> {
    make_folder(folder, 0o755)?;
    for (name, text, mode) in files {
        write_new(&folder.join(name), text.as_bytes(), *mode)?;
    }
    make_folder(&folder.join("secrets"), 0o700)?;
    write_new(&folder.join(TOKEN), token().map_err(WriteError::Randomness)?.as_bytes(), 0o600)?;
    let data = folder.join(CADDY_DATA);
    make_folder(&data, 0o700)?;
    match chown(&data, Some(stack::CADDY_USER), Some(stack::CADDY_USER)) {
        Ok(()) => Ok(Ownership::Given),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Ownership::NotGiven),
        Err(error) => Err(WriteError::Owner(data, error)),
    }
}

fn make_folder(path: &Path, mode: u32) -> Result<(), WriteError> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|error| WriteError::Folder(path.to_owned(), error))
}

/// Leaves what is there as it is: it is the same text, or a token in use.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WriteError> {
    let written = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        opened => opened.and_then(|mut file| file.write_all(bytes)),
    };
    written.map_err(|error| WriteError::File(path.to_owned(), error))
}

/// 256 bits from the kernel, as 64 hexadecimal digits.
fn token() -> io::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    Ok(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).flatten().collect())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[track_caller]
    fn init(folder: &Path, site: &str) -> Result<Exit, Failure> {
        let args = Args {
            folder: folder.to_owned(),
            site: site.to_owned(),
            tls: "internal".to_owned(),
            set: Vec::new(),
        };
        run(&GlobalArgs::default(), &args)
    }

    #[test]
    fn the_token_is_private_and_stays_the_same_on_a_second_run() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "a.test").unwrap();
        let path = folder.path().join(TOKEN);
        let token = fs::read_to_string(&path).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        init(folder.path(), "a.test").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), token);
    }

    #[test]
    fn files_that_differ_are_named_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Caddyfile"), "mine").unwrap();
        let failure = init(folder.path(), "a.test").unwrap_err().to_string();
        assert!(failure.contains("already has another Caddyfile"), "{failure}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_written_is_admitted_without_a_warning_once_images_are_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let digest = format!("sha256:{}", "0".repeat(64));
        let image = |name: &str| (name.to_owned(), digest.clone());
        let args = Args {
            folder: folder.path().to_owned(),
            site: "a.test".to_owned(),
            tls: "internal".to_owned(),
            set: vec![image("CADDY_IMAGE"), image("OPENCLAW_IMAGE")],
        };
        run(&GlobalArgs::default(), &args).unwrap();
        let global = GlobalArgs { file: vec![folder.path().join("compose.yaml")], ..GlobalArgs::default() };
        let judged = crate::input::load_and_admit(&global, true);
        let said: Vec<_> =
            judged.report.findings.iter().filter(|f| f.severity != compose::Severity::Note).collect();
        assert!(said.is_empty(), "{said:#?}");
        assert!(judged.admitted.is_some());
    }
}
