//! Addresses that cannot be served yet: each is tried again until it can, and said why meanwhile.
//!
//! Under a service manager the process stays up: what is missing comes, and nobody has to start it again. Deliberately
//! absent: serving less than was asked for without saying so.

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::access::{Access, Token, TokenError};
use super::listen::{Bound, Listen};
use super::snapshot::Snapshot;
use super::{Endpoint, open, process};
use crate::sandbox::in_force::Own;

/// An address that could not be served is tried again after this long.
const AGAIN: Duration = Duration::from_secs(5);

/// Where the token comes from, read anew each time it is needed.
pub type ReadToken<'a> = dyn Fn() -> Result<Option<Token>, TokenError> + 'a;

/// Serves what is open already, and what waits as soon as it can be opened. Why an address is not served goes to `reasons`.
pub async fn keep(
    mut endpoint: Endpoint,
    mut waiting: Vec<Listen>,
    token: &ReadToken<'_>,
    (arguments, own): (&[OsString], &[Own]),
    snapshots: watch::Receiver<Arc<Snapshot>>,
    reasons: &watch::Sender<Vec<String>>,
) -> Infallible {
    endpoint.0.extend(open_some(&mut waiting, token, reasons));
    loop {
        let serving = async {
            if endpoint.0.is_empty() {
                return std::future::pending().await;
            }
            process::keep(&endpoint, arguments, own, snapshots.clone()).await
        };
        if waiting.is_empty() {
            return serving.await;
        }
        let more = async {
            loop {
                tokio::time::sleep(AGAIN).await;
                let opened = open_some(&mut waiting, token, reasons);
                if !opened.is_empty() {
                    return opened;
                }
            }
        };
        let opened = tokio::select! {
            never = serving => match never {},
            opened = more => opened,
        };
        endpoint.0.extend(opened);
    }
}

/// Opens those that can be opened, leaves the others, and tells why.
fn open_some(
    waiting: &mut Vec<Listen>,
    token: &ReadToken<'_>,
    reasons: &watch::Sender<Vec<String>>,
) -> Vec<(Bound, Access)> {
    let (mut opened, mut failures) = (Vec::new(), Vec::new());
    let token = token();
    waiting.retain(|address| {
        let outcome = match (&token, address) {
            // Its permissions are its guard: it needs no token.
            (_, Listen::Unix(_)) => open(address, None).map_err(|error| sentence(address, &error)),
            (Ok(token), _) => open(address, token.as_ref()).map_err(|error| sentence(address, &error)),
            (Err(error), _) => Err(sentence(address, error)),
        };
        match outcome {
            Ok(door) => {
                tracing::info!(%address, "answering");
                opened.push(door);
                false
            }
            Err(failure) => {
                failures.push(failure);
                true
            }
        }
    });
    if *reasons.borrow() != failures {
        for failure in &failures {
            tracing::error!("{failure}");
        }
        reasons.send_replace(failures);
    }
    opened
}

fn sentence(address: &Listen, error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("the endpoint does not answer on `{address}`: {error}{cause}")
}
