//! The least that any program can do to bring two services up: the raw API's requests, and nothing else.
//!
//! Deliberately absent: looking first, hardening, attestation.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::api::Api;

/// Services of the floor's stack, as of the Compose file beside it.
const SERVICES: [&str; 2] = ["floor-web", "floor-app"];
const NETWORK: &str = "floor-back";

/// Creates, starts and waits until both are healthy; how long that took.
pub(crate) fn up(api: &Api, image: &str) -> Result<Duration> {
    let start = Instant::now();
    api.post("/networks/create", &json!({"Name": NETWORK, "Internal": true}))?;
    scope(|threads| {
        let started = SERVICES.map(|name| threads.spawn(move || start_one(api, name, image)));
        started
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })?;
    while !all_healthy(api)? {
        if start.elapsed() > Duration::from_mins(1) {
            bail!("the floor's services are not healthy after a minute");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(start.elapsed())
}

/// Removes all of it.
pub(crate) fn down(api: &Api) -> Result<()> {
    for name in SERVICES {
        api.delete(&format!("/containers/{name}?force=1&v=1"))?;
    }
    api.delete(&format!("/networks/{NETWORK}"))
}

fn start_one(api: &Api, name: &str, image: &str) -> Result<()> {
    let seconds = |n: u64| n * 1_000_000_000;
    let body = json!({
        "Image": image,
        "Cmd": ["caddy", "respond", "--listen", ":8080", "ok"],
        "Healthcheck": {
            "Test": ["CMD", "caddy", "version"],
            "Interval": seconds(1), "Timeout": seconds(1), "Retries": 3, "StartPeriod": seconds(30)
        },
        "HostConfig": {"NetworkMode": NETWORK},
    });
    let made = api.post(&format!("/containers/create?name={name}"), &body)?;
    let id = made.get("Id").and_then(Value::as_str).context("no id in the engine's answer")?;
    api.post(&format!("/containers/{id}/start"), &Value::Null).map(drop)
}

fn all_healthy(api: &Api) -> Result<bool> {
    let filter =
        "/containers/json?filters=%7B%22health%22%3A%5B%22healthy%22%5D%2C%22name%22%3A%5B%22floor-%22%5D%7D";
    Ok(api.get(filter)?.as_array().is_some_and(|healthy| healthy.len() == SERVICES.len()))
}
