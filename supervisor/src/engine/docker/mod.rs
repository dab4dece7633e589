//! The port over Docker Engine's API: requests with their time limits. The only place that names the engine's crate.
//!
//! Every request carries the version that was agreed on, so that a newer engine answers as the one that we know.
//! Deliberately absent: decisions, retries, and anything of a request's body in a log line or error.

mod by_hand;
mod create;
mod failure;
mod image;
mod list;
mod own_image;
mod read;
mod settings;
mod stream;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::query_parameters as query;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

pub use settings::Settings;

use list::Which;
use wire::Wire;

use super::error::{EngineError, OLDEST_API, Unreachable};
use super::ground::{Ground, Standing};
use super::port::{
    Engine, EngineEvent, EngineStream, EngineVersion, ExecIo, ExecSpec, Inspected, LogChunk, LogQuery,
    ProcessTable, PullProgress, Scope, Usage,
};
use super::version::takes_filter_flags;
use crate::decide::labels;
use crate::decide::seen::{ImageStart, Seen, SeenImage};
use crate::decide::spec::{AttachSpec, Bounds, ContainerSpec, NetworkShape, Restart, VolumeSpec};
use crate::decide::start::Start;

/// The newest API that this adapter was tried with; a newer engine is spoken to in this one.
const NEWEST_API: (u16, u16) = (1, 51);
/// For an answer that only has to be looked up.
const LOOK: Duration = Duration::from_secs(15);
/// For an answer that has to be worked for: a volume to fill, a container to start.
const WORK: Duration = Duration::from_mins(2);
/// For the first byte of a stream.
const STREAM: Duration = Duration::from_mins(2);

/// For the next news of a pull: what is slow says something all the time, and what says nothing stands still.
const STALL: Duration = Duration::from_mins(2);

/// A Docker Engine on a unix socket of this machine.
#[derive(Clone)]
pub struct Docker {
    client: bollard::Docker,
    address: Arc<str>,
    wire: Arc<Wire>,
    /// For what only looks.
    line: Arc<list::Kept>,
    /// What the last `up` saw that containers stand on, while the engine is still to be asked whether they do.
    ground: Arc<Mutex<Option<Ground>>>,
    /// A pull of which nothing comes for so long is given up.
    stall: Duration,
}

/// What has gone over the socket, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Those of them that could change something.
    pub mutations: u64,
    /// Bytes of their bodies.
    pub sent: u64,
}

impl Docker {
    /// Opens the socket and agrees on a version, without asking for more of it than that. One request.
    ///
    /// # Errors
    /// Nobody answers there, or the engine is too old.
    pub async fn greet(socket: &Path) -> Result<Self, EngineError> {
        let docker = Self::open(socket)?;
        let answer = docker.get(Which::Ping).await?;
        match answer.header("api-version") {
            Some(api) => {
                let engine = answer.header("server").map_or("", read::engine_in_header);
                docker.agree(engine, api)?;
            }
            // Something stands between that passes bodies alone.
            None => drop(docker.version().await?),
        }
        Ok(docker)
    }

    /// Opens the socket, agrees on a version, and tells who answers. One request, of which an engine makes work.
    ///
    /// # Errors
    /// As of [`Self::greet`].
    pub async fn connect(socket: &Path) -> Result<(Self, EngineVersion), EngineError> {
        let docker = Self::open(socket)?;
        let version = docker.version().await?;
        Ok((docker, version))
    }

    fn open(socket: &Path) -> Result<Self, EngineError> {
        let address: Arc<str> = format!("unix://{}", socket.display()).into();
        let wire = Arc::new(Wire::default());
        let client =
            bollard::Docker::connect_with_unix(&address, STREAM.as_secs(), bollard::API_DEFAULT_VERSION)
                .map_err(|_| EngineError::Unreachable {
                    address: address.to_string(),
                    reason: Unreachable::Missing,
                })?;
        let hook = Arc::clone(&wire);
        let client = client.with_request_modifier(move |request| hook.pass(request));
        let line = Arc::default();
        Ok(Self { client, address, wire, line, ground: Arc::default(), stall: STALL })
    }

    /// Agrees on the API of the requests that follow, with an engine of this version that speaks this one at most.
    fn agree(&self, engine: &str, api: &str) -> Result<(), EngineError> {
        let newest = read::api_version(api);
        if newest < OLDEST_API {
            return Err(EngineError::TooOld { engine: engine.to_owned(), api: api.to_owned() });
        }
        self.wire.minor.store(u64::from(newest.min(NEWEST_API).1), Ordering::Relaxed);
        self.wire.newest.store(u64::from(newest.1), Ordering::Relaxed);
        Ok(())
    }

    /// Whether the runtime takes a profile's filter flags. Asks who answers, where nobody did so far.
    async fn takes_filter_flags(&self) -> Result<bool, EngineError> {
        if let Some(takes) = self.wire.takes_filter_flags.get() {
            return Ok(*takes);
        }
        Ok(takes_filter_flags(&self.version().await?))
    }

    /// What has gone over the socket since it was opened.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.wire.requests.load(Ordering::Relaxed),
            mutations: self.wire.mutations.load(Ordering::Relaxed),
            sent: self.wire.sent.load(Ordering::Relaxed),
        }
    }

    /// Waits for an answer as long as may be, and says what failed in words for people.
    async fn ask<T>(
        &self,
        limit: Duration,
        action: impl Fn() -> String,
        answer: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failure::name(&self.address, action(), limit, &error)),
            Err(_) => Err(EngineError::Slow { action: action(), after: limit }),
        }
    }
}

impl Engine for Docker {
    async fn version(&self) -> Result<EngineVersion, EngineError> {
        let answer = self.get(Which::Version).await?;
        let answer: list::Answerer<'_> = answer.read()?;
        let version = read::version(&answer);
        self.agree(&version.engine, answer.api_version.as_ref().map_or("", list::Text::as_str))?;
        let _ = self.wire.takes_filter_flags.set(takes_filter_flags(&version));
        Ok(version)
    }

    async fn images(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, SeenImage>, EngineError> {
        let list = self.get(Which::Images).await?;
        let list = list.rows()?;
        let mut found = image::find(names, &list);
        // The name stands for the image of this very program, and never for what somebody else gave that name.
        if names.contains(compose::egress::IMAGE) {
            found.remove(compose::egress::IMAGE);
            let own = own_image::tag().map(|tag| format!("{}:{tag}", compose::egress::IMAGE));
            let own = own.map(|own| image::find(&BTreeSet::from([own]), &list));
            found.extend(
                own.into_iter().flatten().map(|(_, image)| (compose::egress::IMAGE.to_owned(), image)),
            );
        }
        Ok(found)
    }

    async fn observe(&self, scope: &Scope) -> Result<Seen, EngineError> {
        let known = self.ground.lock().ok().and_then(|ground| ground.clone());
        let Some(known) = known else { return Ok(self.look(scope).await?.0) };
        let list = self.get(Which::All).await?;
        let containers = list.rows()?;
        let Some((networks, volumes)) = known.recall(scope, &read::standing(&containers)) else {
            self.rely_on(None);
            return Ok(self.look(scope).await?.0);
        };
        Ok(Seen { api: self.api(), ..read::seen(scope, &containers, networks, volumes) })
    }

    async fn create_network(&self, shape: &NetworkShape) -> Result<String, EngineError> {
        let action = || format!("create network `{}`", shape.name);
        let made = self.ask(WORK, action, self.client.create_network(create::network(shape))).await;
        Ok(made.map_err(|error| failure::about_network(&shape.name, error))?.id)
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        self.ask(WORK, || format!("remove network `{id}`"), self.client.remove_network(id)).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), EngineError> {
        let action = || format!("create volume `{}`", spec.name);
        self.ask(WORK, action, self.client.create_volume(create::volume(spec))).await.map(drop)
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let options = None::<query::RemoveVolumeOptions>;
        self.ask(WORK, || format!("remove volume `{name}`"), self.client.remove_volume(name, options)).await
    }

    async fn image_start(&self, image: &str) -> Result<ImageStart, EngineError> {
        let action = || format!("inspect image `{image}`");
        let found = self.ask(LOOK, action, self.client.inspect_image(image)).await?;
        let config = found.config.unwrap_or_default();
        Ok(ImageStart {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
        })
    }

    async fn create_container(
        &self,
        spec: &ContainerSpec,
        name: &str,
        contents: &BTreeMap<String, PathBuf>,
        start: &Start,
    ) -> Result<String, EngineError> {
        let action = || format!("create container `{name}`");
        let mut body = create::container(spec, contents, start)
            .map_err(|message| EngineError::Broken { action: action(), message })?;
        if !self.takes_filter_flags().await? {
            create::drop_filter_flags(&mut body, &spec.confinement);
        }
        let options = query::CreateContainerOptionsBuilder::new().name(name).build();
        let made = self.ask(WORK, action, self.client.create_container(Some(options), body)).await;
        let made = made.map_err(|error| failure::about_container(spec, error))?;
        for warning in made.warnings {
            tracing::warn!(container = spec.name, warning, "the engine warns");
        }
        Ok(made.id)
    }

    async fn start(&self, container: &str) -> Result<(), EngineError> {
        let options = None::<query::StartContainerOptions>;
        let action = || format!("start container `{container}`");
        let started = self.ask(WORK, action, self.client.start_container(container, options)).await;
        started.map_err(|error| failure::about_start(container, error))
    }

    async fn stop(&self, container: &str, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(create::whole_seconds(grace)).unwrap_or(i32::MAX);
        let options = query::StopContainerOptionsBuilder::new().t(seconds).build();
        let action = || format!("stop container `{container}`");
        self.ask(grace + WORK, action, self.stop_slowly(grace).stop_container(container, Some(options))).await
    }

    async fn kill(&self, container: &str, signal: &str) -> Result<(), EngineError> {
        let options = query::KillContainerOptionsBuilder::new().signal(signal).build();
        let action = || format!("send {signal} to container `{container}`");
        self.ask(WORK, action, self.client.kill_container(container, Some(options))).await
    }

    async fn unpause(&self, container: &str) -> Result<(), EngineError> {
        let action = || format!("unpause container `{container}`");
        self.ask(WORK, action, self.client.unpause_container(container)).await
    }

    async fn remove(&self, container: &str) -> Result<(), EngineError> {
        let options = query::RemoveContainerOptionsBuilder::new().v(false).force(false).build();
        let action = || format!("remove container `{container}`");
        self.ask(WORK, action, self.client.remove_container(container, Some(options))).await
    }

    async fn set_restart(&self, container: &str, restart: Restart) -> Result<(), EngineError> {
        let action = || format!("change the restart policy of container `{container}`");
        let body = create::restart_update(restart);
        self.ask(WORK, action, self.client.update_container(container, body)).await
    }

    async fn set_bounds(&self, container: &str, bounds: Bounds) -> Result<(), EngineError> {
        let action = || format!("change the limits of container `{container}`");
        let body = create::bounds_update(bounds);
        self.ask(WORK, action, self.client.update_container(container, body)).await
    }

    async fn connect(&self, container: &str, network: &str, at: &AttachSpec) -> Result<(), EngineError> {
        let action = || format!("connect container `{container}` to network `{network}`");
        let body = create::connection(container, at);
        self.ask(WORK, action, self.client.connect_network(network, body)).await
    }

    async fn rejoin(&self, container: &str, network: &str) -> Result<(), EngineError> {
        let looked = self.client.inspect_container(container, None::<query::InspectContainerOptions>);
        let found = self.ask(LOOK, || format!("inspect container `{container}`"), looked).await?;
        let places = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let action = || format!("connect container `{container}` to network `{network}` again");
        // One request: the engine replaces what it knows of a network that is gone, or leaves it.
        let body = create::reconnection(container, places.get(network));
        self.ask(WORK, action, self.client.connect_network(network, body)).await
    }

    async fn disconnect(&self, container: &str, network: &str) -> Result<(), EngineError> {
        let action = || format!("disconnect container `{container}` from network `{network}`");
        let body = create::disconnection(container);
        self.ask(WORK, action, self.client.disconnect_network(network, body)).await
    }

    async fn rename(&self, container: &str, to: &str) -> Result<(), EngineError> {
        let action = || format!("rename container `{container}` to `{to}`");
        let options = query::RenameContainerOptionsBuilder::new().name(to).build();
        self.ask(WORK, action, self.client.rename_container(container, options)).await
    }

    fn pull(&self, image: &str) -> EngineStream<PullProgress> {
        if image == compose::egress::IMAGE {
            return self.make_own_image();
        }
        let (name, tag) = image::split_tag(image);
        let options = query::CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
        let steps = self.client.create_image(Some(options), None, None);
        let (address, image, stall) = (Arc::clone(&self.address), image.to_owned(), self.stall);
        let name = image.clone();
        let stalled = move || EngineError::PullFailed {
            image: name.clone(),
            message: format!("nothing came of it for {} s", stall.as_secs()),
        };
        let steps = steps
            .map_ok(stream::pull)
            .map_err(move |error| failure::about_pull(&image, &address, STREAM, &error));
        Box::pin(stream::moving(steps, stall, stalled))
    }

    async fn inspect(&self, container: &str) -> Result<Inspected, EngineError> {
        let options = None::<query::InspectContainerOptions>;
        let action = || format!("inspect container `{container}`");
        let answer = self.ask(LOOK, action, self.client.inspect_container(container, options)).await?;
        Ok(read::inspected(answer))
    }

    fn events(&self, project: &str, since: Option<Timestamp>) -> EngineStream<EngineEvent> {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![format!("{}={project}", labels::PROJECT)]),
        ]);
        let options = query::EventsOptionsBuilder::new().filters(&filters);
        let options = match since {
            Some(at) => options.since(&stream::seconds(at)),
            None => options,
        };
        let address = Arc::clone(&self.address);
        let messages = self.client.events(Some(options.build()));
        Box::pin(
            messages
                .map_err(move |error| failure::name(&address, "follow its events".into(), STREAM, &error))
                .try_filter_map(async |message| Ok(stream::event(&message))),
        )
    }

    fn logs(&self, container: &str, query: &LogQuery) -> EngineStream<LogChunk> {
        let options = stream::log_options(query);
        let (address, name) = (Arc::clone(&self.address), container.to_owned());
        let chunks = self.client.logs(container, Some(options));
        Box::pin(chunks.map_ok(stream::chunk).map_err(move |error| {
            failure::name(&address, format!("read the logs of container `{name}`"), STREAM, &error)
        }))
    }

    async fn exec(&self, container: &str, spec: &ExecSpec) -> Result<ExecIo, EngineError> {
        use bollard::exec::{StartExecOptions, StartExecResults};
        let action = || format!("run a command in container `{container}`");
        let made = self.ask(LOOK, action, self.client.create_exec(container, create::exec(spec))).await?;
        let options = StartExecOptions { detach: false, tty: spec.tty, output_capacity: None };
        let started = self.ask(WORK, action, self.client.start_exec(&made.id, Some(options))).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Broken { action: action(), message: "it was not attached".into() });
        };
        let (address, name) = (Arc::clone(&self.address), container.to_owned());
        let output = output.map_ok(stream::chunk).map_err(move |error| {
            failure::name(&address, format!("read from a command in container `{name}`"), STREAM, &error)
        });
        Ok(ExecIo { id: made.id, output: output.boxed_local(), input })
    }

    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>, EngineError> {
        let action = || "say how the command ended".to_owned();
        let answer = self.ask(LOOK, action, self.client.inspect_exec(exec)).await?;
        Ok(answer.exit_code.filter(|_| answer.running != Some(true)))
    }

    async fn exec_resize(&self, exec: &str, rows: u16, columns: u16) -> Result<(), EngineError> {
        let options = bollard::exec::ResizeExecOptions { height: rows, width: columns };
        self.ask(LOOK, || "resize the terminal".into(), self.client.resize_exec(exec, options)).await
    }

    async fn top(&self, container: &str) -> Result<ProcessTable, EngineError> {
        let action = || format!("list the processes of container `{container}`");
        let options = None::<query::TopOptions>;
        let answer = self.ask(LOOK, action, self.client.top_processes(container, options)).await?;
        Ok(ProcessTable {
            titles: answer.titles.unwrap_or_default(),
            rows: answer.processes.unwrap_or_default(),
        })
    }

    fn stats(&self, container: &str, follow: bool) -> EngineStream<Usage> {
        let options = query::StatsOptionsBuilder::new().stream(follow).one_shot(false).build();
        let (address, name) = (Arc::clone(&self.address), container.to_owned());
        let readings = self.client.stats(container, Some(options));
        Box::pin(readings.map_ok(|reading| stream::usage(&reading)).map_err(move |error| {
            failure::name(&address, format!("read what container `{name}` uses"), STREAM, &error)
        }))
    }
}

impl Docker {
    /// The same, with another limit on the silence of a pull.
    #[must_use]
    pub fn with_pull_stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// From here on a look takes this for what it is where a container vouches for it: one request instead of three.
    pub fn rely_on(&self, ground: Option<Ground>) {
        if let Ok(mut known) = self.ground.lock() {
            *known = ground;
        }
    }

    /// Whether the last look did not have to ask for everything.
    pub fn relied(&self) -> bool {
        self.ground.lock().is_ok_and(|known| known.is_some())
    }

    /// What a project's things stand on now, for the next look to rely on. Three requests.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn ground(&self, scope: &Scope) -> Result<Option<Ground>, EngineError> {
        let (seen, standing) = self.look(scope).await?;
        Ok(Ground::of(&seen, &standing))
    }

    async fn look(&self, scope: &Scope) -> Result<(Seen, BTreeMap<String, Standing>), EngineError> {
        let networks = None::<query::ListNetworksOptions>;
        let volumes = None::<query::ListVolumesOptions>;
        let (containers, networks, volumes) = tokio::try_join!(
            self.get(Which::All),
            self.ask(LOOK, || "list networks".into(), self.client.list_networks(networks)),
            self.ask(LOOK, || "list volumes".into(), self.client.list_volumes(volumes)),
        )?;
        let containers = containers.rows()?;
        let networks = networks.into_iter().map(|network| read::network(network, scope)).collect();
        let volumes = volumes.volumes.unwrap_or_default().into_iter().map(read::volume).collect();
        let seen = Seen { api: self.api(), ..read::seen(scope, &containers, networks, volumes) };
        Ok((seen, read::standing(&containers)))
    }

    /// The engine's newest API, once it said so.
    fn api(&self) -> Option<(u16, u16)> {
        let minor = u16::try_from(self.wire.newest.load(Ordering::Relaxed)).ok();
        minor.filter(|minor| *minor > 0).map(|minor| (1, minor))
    }

    /// Gives the engine the image of this very program.
    fn make_own_image(&self) -> EngineStream<PullProgress> {
        let action = || format!("make image `{}`", compose::egress::IMAGE);
        let made = own_image::archive().map(|archive| {
            let options = query::CreateImageOptionsBuilder::new()
                .from_src("-")
                .repo(compose::egress::IMAGE)
                .tag(own_image::tag().unwrap_or_default())
                .changes(own_image::CHANGES.map(str::to_owned).to_vec());
            self.client.create_image(Some(options.build()), Some(bollard::body_full(archive.into())), None)
        });
        let address = Arc::clone(&self.address);
        match made {
            Ok(steps) => Box::pin(
                steps
                    .map_ok(stream::pull)
                    .map_err(move |error| failure::name(&address, action(), STREAM, &error)),
            ),
            Err(error) => {
                let error = EngineError::Broken { action: action(), message: error.to_string() };
                Box::pin(futures_util::stream::once(async move { Err(error) }))
            }
        }
    }

    /// The client with a limit of its own that leaves room for a container's grace.
    fn stop_slowly(&self, grace: Duration) -> bollard::Docker {
        self.client.clone().with_timeout(grace + WORK)
    }
}
