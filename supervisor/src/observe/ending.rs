//! How a container ended: what the engine says, its last lines, and what is made of them.
//!
//! Deliberately absent: the making itself (`decide::diagnose`).

use std::pin::pin;

use futures_util::StreamExt as _;

use crate::decide::diagnose::{Diagnosis, Symptoms, diagnose};
use crate::decide::spec::ContainerSpec;
use crate::engine::{Engine, Inspected, LogQuery};
use crate::render::plain;

/// Lines of output that are looked at: an error that Node prints field by field takes some fifteen.
const TAIL: u64 = 20;
/// Pieces of output that are taken at most.
const PIECES: usize = 100;

/// The last lines of a container's output, neutralised. One request.
pub async fn last_lines<E: Engine>(engine: &E, id: &str) -> Vec<String> {
    let query = LogQuery { tail: Some(TAIL), ..LogQuery::default() };
    let chunks = engine.logs(id, &query).take(PIECES).filter_map(async |chunk| chunk.ok());
    let bytes: Vec<u8> = pin!(chunks).collect::<Vec<_>>().await.into_iter().flat_map(|c| c.bytes).collect();
    String::from_utf8_lossy(&bytes).lines().map(plain).collect()
}

/// Why a container that ended did so, as far as its end tells.
pub fn understand(spec: &ContainerSpec, seen: &Inspected, output: &[String]) -> Option<Diagnosis> {
    let symptoms = Symptoms {
        code: Some(seen.exit_code),
        out_of_memory: seen.oom_killed,
        pids_refused: 0,
        error: &seen.error,
        output,
    };
    diagnose(spec, &symptoms)
}
