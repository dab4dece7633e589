//! `cp`: copies files out of a service and into it, by name or as a tar stream.
//!
//! What comes out of a container is trusted as little as the container: `host::unpack` says how. Deliberately absent:
//! copying from one service to another; two commands with `-` between them do that.

mod names;
mod pipe;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use rustix::fs::{Mode, OFlags};

use self::names::{Copied, Found, Landing, Side};
use super::chosen;
use crate::args::GlobalArgs;
use crate::decide::seen::SeenContainer;
use crate::engine::by_hand::PathKind;
use crate::engine::{Docker, Engine as _, EngineError, Scope};
use crate::exit::{Exit, Failure};
use crate::host::pack::{self, Source};
use crate::host::unpack::{self, Owners, Target, Unpacked};
use crate::render::plain;
use crate::{input, session};

/// As many links as the kernel follows in one path.
const LINKS: usize = 40;

/// What to do where the engine does not answer a copy that is fed by another.
const BUSY: &str = "the engine does one copy of a container at a time: where this one's input is copied out of the same container and \
                    is large, write it to a file first, and copy that in";

/// Options of `cp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor cp openclaw:/data/log .              out of the service, into this folder
  supervisor cp openclaw:/data/. saved            what is in the folder, into the folder `saved`
  supervisor cp ./Caddyfile caddy:/data/          into a volume of the service
  supervisor cp openclaw:/data - | tar -t         as a tar stream; `cp - SERVICE:FOLDER` takes one

A service's root is read-only: copy into one of its volumes. The engine does not reach a `tmpfs`; for those,
`supervisor exec -T SERVICE sh -c 'cat > FILE' < FILE`.

Without `--archive`, what is copied belongs to whoever gets it: to you here, to the service's user there. Nothing that
a container holds is written outside the folder that is named: links that lead out of it, devices, and names with `..`
are left out and named (exit code 4), and set-user-ID bits are dropped.")]
pub struct Args {
    /// Keep user and group, by their numbers
    #[arg(short, long)]
    pub archive: bool,
    /// Follow a link that SOURCE itself is
    #[arg(short = 'L', long)]
    pub follow_link: bool,
    /// Which replica; without it out of the first, and into all
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,
    /// `SERVICE:PATH`, a path on this machine, or `-` for a tar stream on standard input
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// `SERVICE:PATH`, a path on this machine, or `-` for a tar stream on standard output
    #[arg(value_name = "TARGET")]
    pub target: String,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let unreadable = |what: &str, help: &str| Err(Failure::new(Exit::Unreadable, what.to_owned()).help(help));
    let (source, target) = (names::side(&args.source), names::side(&args.target));
    match (&source, &target) {
        (Side::Service { .. }, Side::Service { .. }) => {
            return unreadable(
                "cannot copy from one service to another",
                "join two: `supervisor cp ONE:/PATH - | supervisor cp - OTHER:/FOLDER`",
            );
        }
        (Side::Here(_) | Side::Stream, Side::Here(_) | Side::Stream) => {
            return unreadable("neither side names a service", "write it as `SERVICE:PATH`");
        }
        _ => {}
    }
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let engine = &session.engine;
    match (source, target) {
        (Side::Service { service, path }, target) => {
            let container = chosen::replica(engine, &project, &service, args.index.unwrap_or(1)).await?;
            out_of(engine, &container.id, &names::absolute(&path), &target, args).await
        }
        (source, Side::Service { service, path }) => {
            let containers = if let Some(index) = args.index {
                vec![chosen::replica(engine, &project, &service, index).await?]
            } else {
                let seen = engine.observe(&Scope::project(&project)).await?;
                chosen::of_services(seen.containers, &project, &[service])?
            };
            if matches!(source, Side::Stream) && containers.len() > 1 {
                return unreadable(
                    "one stream cannot go into several containers",
                    "choose one with `--index`",
                );
            }
            for container in &containers {
                into(engine, container, &names::absolute(&path), &source, args).await?;
            }
            Ok(Exit::Done)
        }
        _ => Ok(Exit::Done),
    }
}

async fn out_of(
    engine: &Docker,
    container: &str,
    path: &str,
    target: &Side,
    args: &Args,
) -> Result<Exit, Failure> {
    let (path, kind) = if args.follow_link {
        followed(engine, container, path).await?
    } else {
        (path.to_owned(), engine.path_kind(container, path).await?)
    };
    let copied = Copied::of_container(&path, kind == PathKind::Folder);
    // The dot says what becomes of it here; the engine would put it into the names of the archive.
    let asked = if copied.content { path.trim_end_matches('.') } else { path.as_str() };
    let Side::Here(place) = target else { return stream_out(engine, container, asked).await };
    let found = match std::fs::metadata(place) {
        Ok(seen) if seen.is_dir() => Found::Folder,
        Ok(_) => Found::File,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Missing,
        Err(error) => return Err(on(place, error)),
    };
    let landing = names::landing(&copied, place, found).map_err(|why| misfit(place, &why))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(landing.folder.as_str(), flags, Mode::empty());
    let target = Target {
        folder: folder.map_err(|error| on(&landing.folder, error.into()))?,
        strip: usize::from(!copied.is_root()),
        prefix: PathBuf::from(landing.name),
        owners: if args.archive { Owners::Archive } else { Owners::Caller },
    };
    let (sender, archive) = pipe::reader();
    let work = tokio::task::spawn_blocking(move || unpack::unpack(archive, &target));
    let mut pieces = engine.download(container, asked);
    let mut failed = None;
    while let Some(piece) = pieces.next().await {
        let wanted = match piece {
            Ok(piece) => sender.send(piece).await,
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        if !wanted {
            break;
        }
    }
    sender.end(failed.is_none()).await;
    let unpacked = work.await.map_err(std::io::Error::other).and_then(|unpacked| unpacked);
    match (failed, unpacked) {
        (Some(error), _) => Err(error.into()),
        (None, Err(error)) => Err(on(place, error)),
        (None, Ok(unpacked)) => Ok(told(&unpacked)),
    }
}

/// Says what was left out.
fn told(unpacked: &Unpacked) -> Exit {
    for (path, why) in &unpacked.left_out {
        eprintln!("left out: {}: {why}", plain(&path.display().to_string()).replace('\n', " "));
    }
    if unpacked.left_out.is_empty() { Exit::Done } else { Exit::Failed }
}

async fn stream_out(engine: &Docker, container: &str, path: &str) -> Result<Exit, Failure> {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        return Err(Failure::new(Exit::Unreadable, "a tar stream is not for a terminal")
            .help("send it somewhere: `supervisor cp SERVICE:PATH - > FILE.tar`"));
    }
    let mut pieces = engine.download(container, path);
    while let Some(piece) = pieces.next().await {
        out.write_all(&piece?)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

async fn into(
    engine: &Docker,
    container: &SeenContainer,
    path: &str,
    source: &Side,
    args: &Args,
) -> Result<(), Failure> {
    // Before the engine is asked for anything: whoever writes what comes in may be copying out of this very container.
    let ahead = match source {
        Side::Stream => Some(
            tokio::task::spawn_blocking(|| pipe::ahead(std::io::stdin()))
                .await
                .map_err(std::io::Error::other)
                .and_then(|ahead| ahead)
                .map_err(|error| Failure::new(Exit::Failed, error))?,
        ),
        _ => None,
    };
    let (path, found) = match followed(engine, &container.id, path).await {
        Ok((path, PathKind::Folder)) => (path, Found::Folder),
        Ok((path, _)) => (path, Found::File),
        Err(EngineError::NotFound { .. }) => (path.to_owned(), Found::Missing),
        Err(error @ EngineError::Slow { .. }) if ahead.is_some() => {
            return Err(Failure::from(error).help(BUSY));
        }
        Err(error) => return Err(error.into()),
    };
    let owner = if args.archive { None } else { numbers(&engine.inspect(&container.id).await?.user) };
    let as_its_user = !args.archive && (owner.is_none() || matches!(source, Side::Stream));
    let (folder, source) = match source {
        Side::Here(place) => {
            let seen =
                if args.follow_link { std::fs::metadata(place) } else { std::fs::symlink_metadata(place) };
            let seen = seen.map_err(|error| on(place, error))?;
            let copied = Copied::of_host(place, seen.is_dir()).map_err(|error| on(place, error))?;
            let Landing { folder, name } =
                names::landing(&copied, &path, found).map_err(|why| misfit(&path, &why))?;
            (folder, Some(Source { path: place.into(), name: name.into(), follow: args.follow_link, owner }))
        }
        _ if found == Found::Folder => (path.clone(), None),
        _ => return Err(misfit(&path, "a stream is unpacked in a folder, and this is none")),
    };
    let (archive, writer) = pipe::writer();
    let work = tokio::task::spawn_blocking(move || match (source, ahead) {
        (Some(source), _) => writer.fill(|out| pack::pack(&source, out)),
        (None, Some(mut ahead)) => writer.fill(|out| std::io::copy(&mut ahead, out).map(|_| Vec::new())),
        (None, None) => Ok(Vec::new()),
    });
    let sent = engine.upload(&container.id, &folder, archive, as_its_user).await;
    let packed = work.await.map_err(std::io::Error::other).and_then(|packed| packed);
    // A source that could not be read says more than the engine, which only saw the stream break.
    match (sent, packed) {
        (_, Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, error))
        }
        (Err(error), _) => Err(explained(error)),
        (Ok(()), packed) => {
            for path in packed.unwrap_or_default() {
                eprintln!("left out: {}: it is neither a file, a folder nor a link", path.display());
            }
            Ok(())
        }
    }
}

/// A path behind every link at its end, and what is there.
async fn followed(engine: &Docker, container: &str, path: &str) -> Result<(String, PathKind), EngineError> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match engine.path_kind(container, &path).await? {
            PathKind::Link(to) => path = names::joined(&path, &to),
            kind => return Ok((path, kind)),
        }
    }
    Err(EngineError::NotFound { action: format!("follow the links of `{path}`") })
}

/// `UID:GID` as the engine was given it; names are for the engine to look up in the container.
fn numbers(user: &str) -> Option<(u32, u32)> {
    if user.is_empty() {
        return Some((0, 0));
    }
    let (user, group) = user.split_once(':')?;
    Some((user.parse().ok()?, group.parse().ok()?))
}

fn on(place: impl AsRef<Path>, error: std::io::Error) -> Failure {
    let place = place.as_ref().display().to_string();
    Failure::new(Exit::Failed, std::io::Error::new(error.kind(), format!("cannot copy: `{place}`: {error}")))
}

fn misfit(place: &str, why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("cannot copy to `{place}`: {why}"))
}

fn explained(error: EngineError) -> Failure {
    let read_only = matches!(&error, EngineError::Refused { message, .. } if message.contains("read-only"));
    let failure = Failure::from(error);
    if !read_only {
        return failure;
    }
    failure.help(
        "the service's root is read-only, as hardening wants it: copy into one of its volumes (`supervisor volumes SERVICE`), \
         or give it the file with `configs:` or a bind mount",
    )
}
