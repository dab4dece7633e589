//! The least that any program can do to bring two services up, to change one of them, and to take them down: the raw API's
//! requests, and nothing else.
//!
//! Deliberately absent: looking first, hardening, attestation.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::measure::Usage;
use crate::api::Api;

/// Services of the floor's stack, as of the Compose file beside it.
const SERVICES: [&str; 2] = ["floor-web", "floor-app"];
const NETWORK: &str = "floor-back";

/// Creates, starts and waits until both are healthy; how long that took.
pub(super) fn up(api: &Api, image: &str) -> Result<Usage> {
    timed(|| {
        api.post("/networks/create", &json!({"Name": NETWORK, "Internal": true}))?;
        each(|name| {
            let id = create(api, name, image, None)?;
            api.post(&format!("/containers/{id}/start"), &Value::Null).map(drop)
        })?;
        until_healthy(api)
    })
}

/// Another environment for the first: the new one is made before the old one stops, and the old one is kept until the new one
/// is healthy; how long that took.
pub(super) fn change(api: &Api, image: &str, variable: (&str, &str)) -> Result<Usage> {
    let [name, _] = SERVICES;
    let (next, previous) = (format!("{name}-next"), format!("{name}-previous"));
    timed(|| {
        let id = create(api, &next, image, Some(variable))?;
        api.post(&format!("/containers/{name}/stop"), &Value::Null)?;
        api.post(&format!("/containers/{name}/rename?name={previous}"), &Value::Null)?;
        api.post(&format!("/containers/{id}/rename?name={name}"), &Value::Null)?;
        api.post(&format!("/containers/{id}/start"), &Value::Null)?;
        until_healthy(api)?;
        api.delete(&format!("/containers/{previous}?v=1"))
    })
}

/// Stops and removes all of it; how long that took.
pub(super) fn down(api: &Api) -> Result<Usage> {
    timed(|| {
        each(|name| {
            api.post(&format!("/containers/{name}/stop"), &Value::Null)?;
            api.delete(&format!("/containers/{name}?v=1"))
        })?;
        api.delete(&format!("/networks/{NETWORK}"))
    })
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Usage> {
    let start = Instant::now();
    work()?;
    Ok(Usage { wall: start.elapsed(), ..Usage::default() })
}

/// Both services at the same time.
fn each(work: impl Fn(&str) -> Result<()> + Sync) -> Result<()> {
    let work = &work;
    scope(|threads| {
        let done = SERVICES.map(|name| threads.spawn(move || work(name)));
        done.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

/// A service's container; its id.
fn create(api: &Api, name: &str, image: &str, variable: Option<(&str, &str)>) -> Result<String> {
    let seconds = |n: u64| n * 1_000_000_000;
    let body = json!({
        "Image": image,
        "Cmd": ["caddy", "respond", "--listen", ":8080", "ok"],
        "User": "1001:1001",
        "Env": variable.map(|(name, value)| format!("{name}={value}")).into_iter().collect::<Vec<_>>(),
        "StopTimeout": 1,
        "Healthcheck": {
            "Test": ["CMD", "caddy", "version"],
            "Interval": seconds(1), "Timeout": seconds(1), "Retries": 3,
            "StartPeriod": seconds(30), "StartInterval": seconds(1)
        },
        "HostConfig": {
            "Init": true, "NetworkMode": NETWORK, "Memory": 128 << 20, "PidsLimit": 64, "NanoCpus": 500_000_000
        },
    });
    let made = api.post(&format!("/containers/create?name={name}"), &body)?;
    Ok(made.get("Id").and_then(Value::as_str).context("no id in the engine's answer")?.to_owned())
}

/// Waits until one container of each service's name is healthy: one that was put aside has stopped, and counts no more.
fn until_healthy(api: &Api) -> Result<()> {
    let filter =
        "/containers/json?filters=%7B%22health%22%3A%5B%22healthy%22%5D%2C%22name%22%3A%5B%22floor-%22%5D%7D";
    let start = Instant::now();
    while api.get(filter)?.as_array().is_none_or(|healthy| healthy.len() != SERVICES.len()) {
        if start.elapsed() > Duration::from_mins(1) {
            bail!("the floor's services are not healthy after a minute");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
