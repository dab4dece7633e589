//! A command in a running container, to its end.
//!
//! Deliberately absent: what its end means.

use std::time::Duration;

use futures_util::StreamExt as _;

use crate::engine::{Engine, EngineError, ExecSpec};
use crate::render::plain;

/// Lines of output that are shown of what failed.
const LINES: usize = 10;
/// What is kept of a command's output, in bytes, at the most.
const KEPT: usize = 64 << 10;
/// Between two questions whether a command has ended whose output has.
const ENDED: Duration = Duration::from_millis(50);

/// How a command ended.
pub(super) struct End {
    /// Its exit code; `None`: its time was up, and it runs on for as long as it likes: the engine ends no command.
    pub(super) code: Option<i64>,
    /// The last of what it printed.
    output: Vec<u8>,
}

impl End {
    /// The last lines of what it printed, neutralised.
    pub(super) fn last_lines(&self) -> Vec<String> {
        last_lines(&self.output)
    }
}

/// Runs it, for as long as it may take.
///
/// # Errors
/// The engine did not run it, or was lost.
pub(super) async fn run<E: Engine>(
    engine: &E,
    container: &str,
    spec: &ExecSpec,
    within: Duration,
) -> Result<End, EngineError> {
    let mut output = Vec::new();
    let code = tokio::time::timeout(within, async {
        let mut io = engine.exec(container, spec).await?;
        while let Some(chunk) = io.output.next().await {
            output.extend(chunk?.bytes);
            let excess = output.len().saturating_sub(KEPT);
            output.drain(..excess);
        }
        loop {
            if let Some(code) = engine.exec_exit_code(&io.id).await? {
                return Ok::<i64, EngineError>(code);
            }
            tokio::time::sleep(ENDED).await;
        }
    });
    let code = code.await.ok().transpose()?;
    Ok(End { code, output })
}

/// The last lines of a text.
pub(super) fn last_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| plain(line)).collect()
}
