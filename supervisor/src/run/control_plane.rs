//! What a control plane is told: once that the stack is up, with what runs in it; and, where it wants to hear it, how it is.
//!
//! Deliberately absent: when (`decide::announce`), and how a call is made (`net::call`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::event::Now;
use super::journal::replace;
use super::watch::Watch;
use crate::decide::announce::{Announcement, Heartbeat};
use crate::decide::hash::digits;
use crate::net::call::{Call, CallError, post};
use crate::serve::process::THIS_PROGRAM;
use crate::serve::snapshot::{ControlPlaneStatus, Snapshot};

/// The form of the file; another one is not read.
const FORM: u32 = 1;
/// The file in the project's state folder.
const NAME: &str = "announced.json";
/// A record or a secret that is longer is none.
const LONGEST: u64 = 4096;

/// Whom to tell, and as whom.
#[derive(Clone, Debug)]
pub struct Recipient {
    url: String,
    heartbeat: Option<String>,
    instance: String,
    secret: PathBuf,
    ca: Option<PathBuf>,
}

impl Recipient {
    /// A recipient whose addresses and name can be told as they are. `secret` is a file, read anew for each call.
    ///
    /// # Errors
    /// What is wrong with which of them, and what it has to be.
    pub fn new(
        url: &str,
        heartbeat: Option<&str>,
        instance: &str,
        secret: PathBuf,
        ca: Option<PathBuf>,
    ) -> Result<Self, String> {
        let of_url = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~/:%?=&[]".contains(&byte);
        for (what, url) in [("callback", Some(url)), ("heartbeat", heartbeat)] {
            let Some(url) = url else { continue };
            if !(url.starts_with("https://") && url.len() > 8 && url.bytes().all(of_url)) {
                return Err(format!("the {what}'s address `{url}` is no plain https:// address"));
            }
        }
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&instance.len()) || !instance.bytes().all(of_name) {
            return Err(format!(
                "the instance id `{instance}` is not 1 to 64 letters, digits, `.`, `_` and `-`"
            ));
        }
        let (url, heartbeat) = (url.to_owned(), heartbeat.map(str::to_owned));
        Ok(Self { url, heartbeat, instance: instance.to_owned(), secret, ca })
    }

    /// What was told to whom: another instance, or another address, is told anew.
    fn digest(&self) -> String {
        half(&Sha256::digest(format!("{}\n{}", self.instance, self.url)))
    }
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Told {
    Announcement(Result<(), String>),
    Heartbeat(Result<(), String>),
}

/// What is remembered: it outlives the process and the boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    form: u32,
    /// [`Recipient::digest`].
    to: String,
    /// The call's own name, the same for each attempt: if this process dies between the answer and this file, the next one
    /// calls once more, and whoever took the first knows the second by it.
    key: String,
    taken_at: Option<Timestamp>,
}

/// The state of telling.
#[derive(Debug)]
pub(super) struct ControlPlane {
    to: Option<Recipient>,
    /// Why nobody is told who was to be.
    unusable: Option<String>,
    record: Option<(PathBuf, Record)>,
    announcement: Announcement,
    heartbeat: Heartbeat,
    failure: Option<String>,
    heartbeat_failure: Option<String>,
}

impl ControlPlane {
    pub(super) fn new(to: Result<Option<Recipient>, String>) -> Self {
        let (to, unusable) = match to {
            Ok(to) => (to, None),
            Err(reason) => (None, Some(reason)),
        };
        Self {
            to,
            unusable,
            record: None,
            announcement: Announcement::new(false),
            heartbeat: Heartbeat::default(),
            failure: None,
            heartbeat_failure: None,
        }
    }

    /// The project's folder is known: what an earlier process told is recalled.
    pub(super) fn settle(&mut self, folder: &Path, now: Now) {
        let Some(to) = &self.to else { return };
        let (path, to) = (folder.join(NAME), to.digest());
        let record = match read(&path) {
            Ok(record) if record.to == to => record,
            Ok(_) => Record::new(to, now),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "what the control plane was told cannot be read, and it is told again");
                }
                Record::new(to, now)
            }
        };
        self.announcement = Announcement::new(record.taken_at.is_some());
        self.record = Some((path, record));
    }

    /// The calls that are to be made now.
    pub(super) fn turn(
        &mut self,
        watch: &Watch,
        snapshot: &Snapshot,
        now: Now,
    ) -> Vec<LocalBoxFuture<'static, Told>> {
        let (Some(to), Some((path, record))) = (&self.to, &self.record) else { return Vec::new() };
        let mut calls: Vec<LocalBoxFuture<'static, Told>> = Vec::new();
        if self.announcement.begin(snapshot.is_ready(), now.boot) {
            // Before the first attempt, so that the next process calls it by the same name.
            let kept = write(path, record).map_err(|error| format!("cannot write down its name: {error}"));
            let call = kept.and_then(|()| call(to, &to.url, &record.key, announcement(watch, snapshot)));
            calls.push(Box::pin(async { Told::Announcement(made(call).await) }));
        }
        if let Some(url) = &to.heartbeat
            && self.heartbeat.begin(now.boot)
        {
            let key = half(&Sha256::digest(format!("{}{}", record.key, now.wall)));
            let call = call(to, url, &key, heartbeat(snapshot));
            calls.push(Box::pin(async { Told::Heartbeat(made(call).await) }));
        }
        calls
    }

    /// What came of one.
    pub(super) fn told(&mut self, told: Told, now: Now) {
        match told {
            Told::Announcement(outcome) => {
                self.announcement.end(outcome.is_ok(), now.boot, now.jitter);
                match &outcome {
                    Ok(()) => tracing::info!("the control plane knows that the stack is up"),
                    Err(reason) if self.failure.as_ref() != Some(reason) => {
                        tracing::warn!(
                            "the control plane was not told that the stack is up, and will be: {reason}"
                        );
                    }
                    Err(_) => {}
                }
                if let (Ok(()), Some((path, record))) = (&outcome, &mut self.record) {
                    record.taken_at = Some(now.wall);
                    if let Err(error) = write(path, record) {
                        tracing::error!(%error, "that the control plane knows cannot be written down: after a restart it is told again");
                    }
                }
                self.failure = outcome.err();
            }
            Told::Heartbeat(outcome) => {
                self.heartbeat.end(now.boot, now.jitter);
                let failure = outcome.err();
                match &failure {
                    Some(reason) if self.heartbeat_failure.is_none() => {
                        tracing::warn!("a heartbeat did not arrive: {reason}");
                    }
                    None if self.heartbeat_failure.is_some() => tracing::info!("heartbeats arrive again"),
                    _ => {}
                }
                self.heartbeat_failure = failure;
            }
        }
    }

    /// Shows how far it is.
    pub(super) fn show(&self, snapshot: &mut Snapshot, now: Now) {
        if let Some(reason) = &self.unusable {
            snapshot.warnings.push(format!("the control plane is not told of the stack: {reason}"));
        }
        let Some(to) = &self.to else { return };
        let next = self.announcement.next().map(|at| at.saturating_sub(now.boot));
        if let Some(reason) = &self.failure {
            let attempts = self.announcement.failed();
            snapshot.warnings.push(format!(
                "the control plane does not know yet that the stack is up, after {attempts} attempts: {reason}"
            ));
        }
        snapshot.control_plane = Some(ControlPlaneStatus {
            instance: to.instance.clone(),
            announced_at: self.record.as_ref().and_then(|(_, record)| record.taken_at),
            failure: self.failure.clone(),
            next_attempt: next.map(|wait| now.wall.saturating_add(wait).unwrap_or(now.wall)),
            heartbeat_failure: self.heartbeat_failure.clone(),
        });
    }
}

impl Record {
    fn new(to: String, now: Now) -> Self {
        let key = half(&Sha256::digest(format!("{to}{}{}", now.wall, now.jitter)));
        Self { form: FORM, to, key, taken_at: None }
    }
}

async fn made(call: Result<Call, String>) -> Result<(), String> {
    let outcome = post(&call?, Path::new(THIS_PROGRAM)).await;
    outcome.map_err(|error| match error {
        CallError::Start(source) => format!("cannot start `curl`: {source}"),
        error => error.to_string(),
    })
}

/// A call with the secret in it, which is read for each: it may come later, and may change.
fn call(to: &Recipient, url: &str, key: &str, mut body: Map<String, Value>) -> Result<Call, String> {
    let secret =
        secret(&to.secret).map_err(|why| format!("the secret in `{}`: {why}", to.secret.display()))?;
    body.insert("instance_id".to_owned(), to.instance.as_str().into());
    body.insert("callback_secret".to_owned(), secret.into());
    let body = Value::Object(body).to_string();
    Ok(Call { url: url.to_owned(), ca: to.ca.clone(), key: key.to_owned(), body })
}

fn secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.contains(char::is_control) {
        return Err("it has to be one line".to_owned());
    }
    Ok(secret.to_owned())
}

/// `SERVICE_version` of every service, as its image's name says it, and those of the two programs that keep it.
fn announcement(watch: &Watch, snapshot: &Snapshot) -> Map<String, Value> {
    let services = watch.wanted.iter().flat_map(|wanted| &wanted.services);
    let versions = services.filter_map(|(name, service)| Some((name, service.containers.first()?)));
    let versions: BTreeMap<String, String> =
        versions.map(|(name, spec)| (format!("{name}_version"), version(&spec.image).to_owned())).collect();
    let mut body: Map<String, Value> =
        versions.into_iter().map(|(name, version)| (name, version.into())).collect();
    body.insert("supervisor_version".to_owned(), snapshot.version.as_str().into());
    body.insert("engine_version".to_owned(), json!(snapshot.engine.version));
    body
}

fn heartbeat(snapshot: &Snapshot) -> Map<String, Value> {
    let fields = [
        ("supervisor_version", json!(snapshot.version)),
        ("ready", json!(snapshot.is_ready())),
        ("phase", json!(snapshot.phase)),
        ("reasons", json!(snapshot.reasons)),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// What an image's name says of its version: its tag, else its digest.
fn version(image: &str) -> &str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    if name.starts_with("sha256:") {
        return name;
    }
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    last.split_once(':').map(|(_, tag)| tag).or(digest).unwrap_or("latest")
}

/// Half of a hash, which is enough to tell one record from another.
fn half(digest: &[u8]) -> String {
    digits(digest.get(..16).unwrap_or(digest))
}

fn read(path: &Path) -> io::Result<Record> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    let record: Record = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    if record.form == FORM { Ok(record) } else { Err(io::Error::other("it is of another form")) }
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    replace(path, &serde_json::to_vec(record).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(seconds: u64) -> Now {
        let wall = Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
        Now { boot: std::time::Duration::from_secs(seconds), wall, jitter: seconds }
    }

    fn to(instance: &str) -> Recipient {
        Recipient::new("https://c.example/ready", None, instance, "/nowhere".into(), None).unwrap()
    }

    fn settled(folder: &Path, instance: &str, at: u64) -> ControlPlane {
        let mut plane = ControlPlane::new(Ok(Some(to(instance))));
        plane.settle(folder, now(at));
        plane
    }

    fn ready() -> Snapshot {
        let mut snapshot = Snapshot::starting(Timestamp::UNIX_EPOCH);
        snapshot.phase = crate::serve::snapshot::Phase::Watching;
        snapshot.reasons.clear();
        snapshot
    }

    #[test]
    fn what_was_taken_is_told_to_nobody_again_and_another_instance_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(now(1));
        let calls = |plane: &mut ControlPlane, at| plane.turn(&watch, &ready(), now(at)).len();
        let mut first = settled(folder.path(), "a1", 1);
        assert_eq!(calls(&mut first, 2), 1);
        first.told(Told::Announcement(Ok(())), now(3));
        assert_eq!(calls(&mut first, 9999), 0);
        assert_eq!(calls(&mut settled(folder.path(), "a1", 5), 6), 0);
        assert_eq!(calls(&mut settled(folder.path(), "a2", 7), 8), 1);
    }

    #[test]
    fn the_next_process_calls_by_the_same_name_until_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(now(1));
        let mut first = settled(folder.path(), "a1", 1);
        assert_eq!(first.turn(&watch, &ready(), now(1)).len(), 1);
        let key = |plane: &ControlPlane| plane.record.as_ref().unwrap().1.key.clone();
        assert_eq!(key(&settled(folder.path(), "a1", 99)), key(&first));
        let mut snapshot = ready();
        first.told(Told::Announcement(Err("it answered 503".into())), now(2));
        first.show(&mut snapshot, now(2));
        assert_eq!(snapshot.warnings.len(), 1);
        let shown = snapshot.control_plane.unwrap();
        assert_eq!((shown.announced_at, shown.failure.as_deref()), (None, Some("it answered 503")));
        assert!(shown.next_attempt.is_some());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", r#"{"form":2,"to":"","key":"","taken_at":null}"#] {
            std::fs::write(folder.path().join(NAME), text).unwrap();
            assert_eq!(settled(folder.path(), "a1", 1).announcement, Announcement::new(false), "{text}");
        }
    }

    #[test]
    fn addresses_and_names_that_would_be_read_as_more_are_refused() {
        let new = |url: &str, instance: &str| Recipient::new(url, None, instance, "/s".into(), None).is_ok();
        assert!(new("https://c.example:8443/ready?a=b", "i-0.1_x"));
        assert!(!new("http://c.example/", "a"));
        assert!(!new("https://user@c.example/", "a"));
        assert!(!new("https://c.example/\nurl=x", "a"));
        assert!(!new("https://c.example/", "a b"));
        assert!(!new("https://c.example/", ""));
    }

    #[test]
    fn an_images_version_is_its_tag_or_its_digest() {
        let versions =
            ["a/b:1.2@sha256:ff", "reg:5000/a", "reg:5000/a@sha256:ff", "a:3", "sha256:ee"].map(version);
        assert_eq!(versions, ["1.2", "latest", "sha256:ff", "3", "sha256:ee"]);
    }

    #[test]
    fn the_secret_is_one_line_of_a_file_and_is_in_the_body_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let mut to = to("a1");
        to.secret.clone_from(&path);
        assert!(call(&to, &to.url, "k", Map::new()).is_err());
        for (text, fits) in [("", false), ("a\nb\n", false), ("s3cret\n", true)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(call(&to, &to.url, "k", Map::new()).is_ok(), fits, "{text:?}");
        }
        let call = call(&to, &to.url, "k", Map::new()).unwrap();
        assert_eq!(call.body, r#"{"callback_secret":"s3cret","instance_id":"a1"}"#);
        assert!(!format!("{call:?}").contains("s3cret"));
    }
}
