//! The ways in which one request goes wrong, for tests of every crash point.
//!
//! Deliberately absent: which requests there are; a run that nothing happens to is counted.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::bed::{Bed, Ran, signal};
use crate::proxy::{Fault, Proxy};
use crate::wait;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The supervisor is killed, and the request goes nowhere.
    KilledBefore,
    /// The request is carried out, and the supervisor killed before it hears of it.
    KilledAfter,
    /// Answered so, and not carried out.
    Answered500,
    /// Answered so, and not carried out.
    Answered409,
    /// The connection ends.
    Cut,
    /// It takes a while.
    Late,
}

/// All of them.
pub const KINDS: [Kind; 6] =
    [Kind::KilledBefore, Kind::KilledAfter, Kind::Answered500, Kind::Answered409, Kind::Cut, Kind::Late];

impl Kind {
    /// Whether the supervisor does not survive it.
    pub fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    /// What the proxy does; `pid` is the supervisor's, once it is known.
    pub fn fault(self, pid: &Arc<AtomicU32>) -> Fault {
        let pid = Arc::clone(pid);
        let kill = move || {
            signal(
                wait::until("the process", || Some(pid.load(Ordering::SeqCst)).filter(|pid| *pid != 0)),
                "KILL",
            );
        };
        match self {
            Self::KilledBefore => Fault::Before(Box::new(kill)),
            Self::KilledAfter => Fault::After(Box::new(kill)),
            Self::Answered500 => Fault::Answer(500),
            Self::Answered409 => Fault::Answer(409),
            Self::Cut => Fault::Cut,
            Self::Late => Fault::Late(Duration::from_millis(300)),
        }
    }
}

/// Runs a command through a proxy with one fault at one request. Whether it came to that request.
#[track_caller]
pub fn hit(bed: &Bed, proxy: &Proxy, command: &str, point: usize, kind: Kind) -> (Ran, bool) {
    let pid = Arc::new(AtomicU32::new(0));
    proxy.arm(point, kind.fault(&pid));
    let mut asked = bed.command();
    asked.env("DOCKER_HOST", proxy.host()).arg(command).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = asked.spawn().expect("the binary");
    pid.store(child.id(), Ordering::SeqCst);
    let output = child.wait_with_output().expect("its end");
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    proxy.settle();
    (ran, proxy.fired())
}
