//! The requests that a person makes by a command and no plan does: freeze, wait, list, copy in and out.
//!
//! Deliberately absent: looking into the archives that are copied; `host::unpack` trusts none of them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::EventMessage;
use bollard::query_parameters as query;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::list::{Image, Text, Which};
use super::{Docker, LOOK, STREAM, WORK, create, failure, read, stream};
use crate::decide::labels;
use crate::engine::by_hand::{Happening, Listed, PathKind, StoredImage, StoredVolume};
use crate::engine::error::EngineError;
use crate::engine::port::{EngineStream, ExecSpec};

/// For an archive to be taken in whole: as long as somebody may wait for a copy.
const COPY: Duration = Duration::from_hours(1);
/// For a container to end: as long as there are seconds that the engine's crate can count.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);
/// What an event says besides its subject.
const ATTRIBUTES: [&str; 5] = ["name", "image", "exitCode", "signal", "oldName"];
/// The bits of Go's `fs.FileMode`, in which the engine says what a path is.
const GO_DIRECTORY: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;

impl Docker {
    /// Freezes a running container.
    ///
    /// # Errors
    /// It does not run, is frozen already, or the engine fails.
    pub async fn pause(&self, container: &str) -> Result<(), EngineError> {
        let action = || format!("pause container `{container}`");
        self.ask(WORK, action, self.client.pause_container(container)).await
    }

    /// Waits until a container has ended, however long that takes; its exit code.
    ///
    /// # Errors
    /// It is removed meanwhile, or the engine fails.
    pub async fn wait(&self, container: &str) -> Result<i64, EngineError> {
        let action = || format!("wait for the end of container `{container}`");
        let client = self.client.clone().with_timeout(FOR_EVER);
        let mut ends = client.wait_container(container, None::<query::WaitContainerOptions>);
        match ends.next().await {
            Some(Ok(end)) => Ok(end.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(failure::name(&self.address, action(), FOR_EVER, &error)),
            None => Err(EngineError::Broken { action: action(), message: "the answer is empty".into() }),
        }
    }

    /// Starts a command in a running container and leaves it to itself.
    ///
    /// # Errors
    /// The container does not run, has no such program, or the engine fails.
    pub async fn exec_detached(&self, container: &str, spec: &ExecSpec) -> Result<(), EngineError> {
        let action = || format!("run a command in container `{container}`");
        let made = self.ask(LOOK, action, self.client.create_exec(container, create::exec(spec))).await?;
        let options = bollard::exec::StartExecOptions { detach: true, tty: false, output_capacity: None };
        self.ask(WORK, action, self.client.start_exec(&made.id, Some(options))).await.map(drop)
    }

    /// What happens to a project's containers, from `since` on (from now on if `None`) and up to `until`. The stream ends
    /// there, if it is given. Commands that are run inside, health checks among them, are left out.
    pub fn happenings(
        &self,
        project: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> EngineStream<Happening> {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![format!("{}={project}", labels::PROJECT)]),
        ]);
        let mut options = query::EventsOptionsBuilder::new().filters(&filters);
        if let Some(at) = since {
            options = options.since(&stream::seconds(at));
        }
        if let Some(at) = until {
            options = options.until(&stream::seconds(at));
        }
        let address = Arc::clone(&self.address);
        let messages = self.client.events(Some(options.build()));
        Box::pin(
            messages
                .map_err(move |error| failure::name(&address, "follow its events".into(), STREAM, &error))
                .try_filter_map(async |message| Ok(happening(message))),
        )
    }

    /// A project's containers, stopped ones too, by name. One request.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn listed(&self, project: &str) -> Result<Vec<Listed>, EngineError> {
        self.labelled(labels::PROJECT, project).await
    }

    /// The same of those that Docker Compose made for a project of this name, and that nobody has taken over. One request.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn composed(&self, project: &str) -> Result<Vec<Listed>, EngineError> {
        self.labelled(labels::COMPOSE_PROJECT, project).await
    }

    async fn labelled(&self, label: &str, value: &str) -> Result<Vec<Listed>, EngineError> {
        let list = self.get(Which::Labelled(label, value)).await?;
        let mut listed: Vec<_> = list.rows()?.iter().map(read::listed).collect();
        listed.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(listed)
    }

    /// Every image on the engine. One request.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn stored_images(&self) -> Result<Vec<StoredImage>, EngineError> {
        let texts = |names: &Option<Vec<Text<'_>>>| {
            names.iter().flatten().map(|name| name.as_str().to_owned()).collect()
        };
        let list = self.get(Which::Images).await?;
        let list: Vec<Image<'_>> = list.rows()?;
        let images = list.iter().map(|image| StoredImage {
            id: image.id.as_str().to_owned(),
            tags: texts(&image.repo_tags),
            digests: texts(&image.repo_digests),
            size: u64::try_from(image.size).unwrap_or_default(),
            created: Timestamp::from_second(image.created).ok(),
        });
        Ok(images.collect())
    }

    /// Every volume on the engine, by name. One request.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn stored_volumes(&self) -> Result<Vec<StoredVolume>, EngineError> {
        let answer = self.client.list_volumes(None::<query::ListVolumesOptions>);
        let list = self.ask(LOOK, || "list volumes".into(), answer).await?.volumes.unwrap_or_default();
        let mut volumes: Vec<_> = list
            .into_iter()
            .map(|mut volume| StoredVolume {
                name: volume.name,
                driver: volume.driver,
                place: volume.mountpoint,
                project: volume.labels.remove(labels::PROJECT),
            })
            .collect();
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(volumes)
    }

    /// What a path in a container names; a link at its end is not followed, unless the path ends with a slash.
    ///
    /// # Errors
    /// Nothing is there, or the engine fails.
    pub async fn path_kind(&self, container: &str, path: &str) -> Result<PathKind, EngineError> {
        let options = query::ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let action = || format!("look at `{path}` in container `{container}`");
        let stat =
            self.ask(LOOK, action, self.client.get_container_archive_info(container, Some(options))).await?;
        Ok(match stat.file_mode {
            mode if mode & GO_DIRECTORY != 0 => PathKind::Folder,
            mode if mode & GO_LINK != 0 => PathKind::Link(stat.link_target),
            _ => PathKind::File,
        })
    }

    /// A path of a container as a tar stream, whose names begin with the path's last part.
    pub fn download(&self, container: &str, path: &str) -> EngineStream<Vec<u8>> {
        let options = query::DownloadFromContainerOptionsBuilder::new().path(path).build();
        let action = format!("copy `{path}` out of container `{container}`");
        let address = Arc::clone(&self.address);
        let pieces = self.client.download_from_container(container, Some(options));
        Box::pin(
            pieces
                .map_ok(|piece| piece.to_vec())
                .map_err(move |error| failure::name(&address, action.clone(), STREAM, &error)),
        )
    }

    /// Unpacks a tar stream in a folder of a container. `as_its_user` gives everything to the user that the container
    /// runs as; else the archive's numbers hold.
    ///
    /// # Errors
    /// The folder is not there or cannot be written to, the archive is broken, or the engine fails.
    pub async fn upload(
        &self,
        container: &str,
        folder: &str,
        archive: impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static,
        as_its_user: bool,
    ) -> Result<(), EngineError> {
        let options = query::UploadToContainerOptionsBuilder::new()
            .path(folder)
            .no_overwrite_dir_non_dir("true")
            .copy_uidgid(if as_its_user { "true" } else { "false" })
            .build();
        let action = || format!("copy into `{folder}` of container `{container}`");
        let body = bollard::body_try_stream(archive.map_ok(Into::into));
        let client = self.client.clone().with_timeout(COPY);
        self.ask(COPY, action, client.upload_to_container(container, Some(options), body)).await
    }
}

fn happening(message: EventMessage) -> Option<Happening> {
    let action = message.action.filter(|action| !action.starts_with("exec_"))?;
    let actor = message.actor?;
    let all = actor.attributes.unwrap_or_default();
    // The labels of the container and of its image are among them.
    let told = |name: &&str| Some(((*name).to_owned(), all.get(*name)?.clone()));
    let attributes: BTreeMap<_, _> = ATTRIBUTES.iter().filter_map(told).collect();
    Some(Happening {
        at: Timestamp::from_nanosecond(i128::from(message.time_nano?)).ok()?,
        id: actor.id?,
        service: all.get(labels::SERVICE).cloned(),
        action,
        attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expect: &str) {
        let message: EventMessage = serde_json::from_str(message).unwrap();
        let text = happening(message).map(|it| format!("{} {:?} {:?}", it.action, it.service, it.attributes));
        assert_eq!(text.as_deref().unwrap_or("left out"), expect);
    }

    #[test]
    fn labels_are_no_news_and_commands_are_left_out() {
        check(
            r#"{"Action":"die","Actor":{"ID":"ab","Attributes":{"name":"shop-web-1","exitCode":"3",
                "supervisor.service":"web","org.opencontainers.image.title":"x"}},"timeNano":1}"#,
            r#"die Some("web") {"exitCode": "3", "name": "shop-web-1"}"#,
        );
        check(
            r#"{"Action":"exec_start: cat /secret","Actor":{"ID":"ab","Attributes":{}},"timeNano":1}"#,
            "left out",
        );
    }
}
