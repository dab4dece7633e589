//! Which run of the daemon answers; how it is set up, and what runs on it whoever started it: for `audit`.
//!
//! Deliberately absent: judging.

use bollard::models::{LocalNodeState, SystemInfo};
use bollard::query_parameters as query;

use super::list::{Row, Which};
use super::{Docker, LOOK};
use crate::engine::error::EngineError;

/// A daemon's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `name=seccomp,profile=builtin`, `name=apparmor`, …
    pub security: Vec<String>,
    /// Containers outlive the daemon.
    pub live_restore: bool,
    /// Default log driver.
    pub log_driver: String,
    /// Authorization plugins.
    pub authorization: Vec<String>,
    /// Registries that are spoken to without TLS, loopback left out.
    pub insecure_registries: Vec<String>,
    /// It is a member of a swarm.
    pub swarm: bool,
    /// Containers on the default bridge reach each other; `None` if there is no such bridge.
    pub default_bridge_icc: Option<bool>,
}

/// The option of the default bridge that says so.
const ICC: &str = "com.docker.network.bridge.enable_icc";

impl Docker {
    /// What each run of the engine has of its own: its default network, which it makes anew at each start that finds nothing running.
    /// `None` where it does not tell.
    pub async fn life(&self) -> Option<String> {
        let answer = self.client.inspect_network("bridge", None::<query::InspectNetworkOptions>);
        self.ask(LOOK, || "look at its own network".into(), answer).await.ok()?.id
    }

    /// How the daemon is set up. Two requests.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn settings(&self) -> Result<Settings, EngineError> {
        let info = self.ask(LOOK, || "read the engine's settings".into(), self.client.info()).await?;
        let answer = self.client.inspect_network("bridge", None::<query::InspectNetworkOptions>);
        let bridge = match self.ask(LOOK, || "inspect network `bridge`".into(), answer).await {
            Ok(network) => Some(network.options.unwrap_or_default()),
            Err(EngineError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        // Unsaid is on.
        let icc = bridge.map(|options| options.get(ICC).is_none_or(|value| value != "false"));
        Ok(settings(info, icc))
    }

    /// The ids of every container that runs, whoever started it. One request.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn running(&self) -> Result<Vec<String>, EngineError> {
        let list = self.get(Which::Running).await?;
        let rows: Vec<Row<'_>> = list.rows()?;
        Ok(rows.iter().filter_map(|row| Some(row.id.as_ref()?.as_str().to_owned())).collect())
    }
}

fn settings(info: SystemInfo, default_bridge_icc: Option<bool>) -> Settings {
    let registries = info.registry_config.unwrap_or_default();
    let loopback = |network: &String| network.starts_with("127.") || network.starts_with("::1");
    let ranges = registries.insecure_registry_cidrs.unwrap_or_default();
    let mut insecure: Vec<String> = ranges.into_iter().filter(|network| !loopback(network)).collect();
    let named = registries.index_configs.unwrap_or_default();
    insecure.extend(named.into_iter().filter(|(_, index)| index.secure == Some(false)).map(|(name, _)| name));
    insecure.sort();
    let outside = [LocalNodeState::EMPTY, LocalNodeState::INACTIVE];
    let swarm = info.swarm.and_then(|swarm| swarm.local_node_state);
    Settings {
        security: info.security_options.unwrap_or_default(),
        live_restore: info.live_restore_enabled.unwrap_or_default(),
        log_driver: info.logging_driver.unwrap_or_default(),
        authorization: info.plugins.and_then(|plugins| plugins.authorization).unwrap_or_default(),
        insecure_registries: insecure,
        swarm: swarm.is_some_and(|state| !outside.contains(&state)),
        default_bridge_icc,
    }
}
