//! What the endpoint answers from: one value, made by the loop, replaced as a whole.
//!
//! Its serialization is `/status`. Deliberately absent: secrets, anything that can reach the engine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use profiles::Kernel;
use serde::{Deserialize, Serialize};

use crate::decide::guard::listing::Counters;
use crate::sandbox::in_force::InForce;

use crate::decide::denials;
use crate::decide::egress::Row;
use crate::observe::denials::Way;

/// The loop counts as turning while its last turn ended no longer ago than this; it turns at least every 5 s.
pub const STALE_AFTER: Duration = Duration::from_secs(30);

/// Everything that the endpoint knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the supervisor.
    pub version: String,
    /// Project name; empty until a file could be read.
    pub project: String,
    /// When this process started.
    pub started_at: Timestamp,
    /// When this value was made.
    pub at: Timestamp,
    /// What the loop is at.
    pub phase: Phase,
    /// Why it is not healthy, one sentence each; empty where it is.
    pub reasons: Vec<String>,
    /// What is wrong and does not make it unhealthy: a newer file that was refused, while the old stack runs.
    pub warnings: Vec<String>,
    /// The stack's file.
    pub stack: StackStatus,
    /// The engine.
    pub engine: EngineStatus,
    /// By service name.
    pub services: BTreeMap<String, ServiceStatus>,
    /// Loopback ports that the supervisor listens on for services on internal networks.
    pub relays: Vec<RelayStatus>,
    /// What services asked the egress proxy for since this process started, and how that ended.
    pub egress: Vec<Row>,
    /// What the kernel denied to services since this process started.
    pub denials: Denials,
    /// What a control plane was told of the stack; absent where there is none.
    pub control_plane: Option<ControlPlaneStatus>,
    /// The last plan that changed something.
    pub last_plan: Option<PlanStatus>,
    /// Running totals since this process started.
    pub totals: Totals,
    /// How long the loop's last turn took, in seconds.
    pub turn_seconds: f64,
    /// How long the longest took since this process started, in seconds.
    pub longest_turn_seconds: f64,
    /// What this machine's kernel offers to confine with; nothing before the first turn.
    pub kernel: Option<KernelStatus>,
    /// What each of our own processes is left with.
    pub processes: BTreeMap<String, InForce>,
    /// The guard at the last look; nothing before the first.
    pub guard: Option<GuardStatus>,
}

/// What the kernel offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelStatus {
    /// Major and minor version.
    pub version: String,
    /// AppArmor is on, and its profiles can be loaded.
    pub apparmor: bool,
    /// The version of Landlock's interface, of those that are made use of; 0 is none.
    pub landlock_abi: u8,
}

impl From<Kernel> for KernelStatus {
    fn from(kernel: Kernel) -> Self {
        let (major, minor) = kernel.version;
        let version = format!("{major}.{minor}");
        Self { version, apparmor: kernel.apparmor, landlock_abi: kernel.landlock }
    }
}

/// The guard in the host's packet filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuardStatus {
    /// In a word.
    pub state: GuardState,
    /// Why it is not set, in a sentence.
    pub reason: Option<String>,
    /// What its rows counted since this process started, by row.
    pub counters: Counters,
}

/// How the guard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardState {
    /// It is in force as wanted.
    Set,
    /// It is to be set anew.
    Missing,
    /// It cannot be set.
    Unable,
    /// The file goes without, or nothing is on a network.
    Off,
}

/// What the loop is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No file was admitted yet.
    NoStack,
    /// The engine does not answer.
    EngineAway,
    /// A plan is being carried out, or the first one has not ended well yet.
    Converging,
    /// The wanted state was reached, and is watched.
    Watching,
    /// SIGTERM came; the containers stay.
    Stopping,
}

/// The stack's file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StackStatus {
    /// When the file that is in force was read.
    pub loaded_at: Option<Timestamp>,
    /// Why the file as it is now was not taken; the one before it stays in force, if there was one.
    pub refused: Option<Refusal>,
}

/// A file that was not taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// When it was read.
    pub at: Timestamp,
    /// It could not be read or understood at all, rather than being refused by the policy.
    pub unreadable: bool,
    /// Rule, place and message of each error.
    pub errors: Vec<String>,
}

/// The engine as last seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EngineStatus {
    /// It answered the last request.
    pub reachable: bool,
    /// Such as `28.5.2`.
    pub version: Option<String>,
    /// The last error, while it is away.
    pub error: Option<String>,
    /// The last full look that succeeded.
    pub looked_at: Option<Timestamp>,
    /// How long that look took, in seconds.
    pub look_seconds: f64,
    /// Its events are being heard.
    pub listening: bool,
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// In a word.
    pub state: ServiceState,
    /// Why, in a sentence.
    pub reason: String,
    /// Replicas that are wanted.
    pub wanted: usize,
    /// By name.
    pub containers: Vec<ContainerStatus>,
}

/// A service's or container's state in a word. A service has the worst of its containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Its check passes.
    Healthy,
    /// It runs, and nothing says how to check it.
    Running,
    /// It ended with 0, and is not wanted to run again.
    Completed,
    /// It runs, and its first health is awaited.
    Starting,
    /// It is not there yet.
    Absent,
    /// It ended, and is started again after the back-off.
    BackingOff,
    /// It ends again and again; it is still tried, at the longest back-off.
    CrashLoop,
    /// Its check fails.
    Unhealthy,
    /// Someone stopped it, and it stays so until someone starts it.
    Stopped,
    /// It was stopped for good: an exit code that says so, or an attestation that failed.
    Failed,
}

impl ServiceState {
    /// Every state in order, for the metrics.
    pub const ALL: &[Self] = &[
        Self::Healthy,
        Self::Running,
        Self::Completed,
        Self::Starting,
        Self::Absent,
        Self::BackingOff,
        Self::CrashLoop,
        Self::Unhealthy,
        Self::Stopped,
        Self::Failed,
    ];

    /// Whether nothing more is wanted of it.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Healthy | Self::Running | Self::Completed)
    }

    /// As in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Starting => "starting",
            Self::Absent => "absent",
            Self::BackingOff => "backing_off",
            Self::CrashLoop => "crash_loop",
            Self::Unhealthy => "unhealthy",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// One container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Engine name.
    pub name: String,
    /// The first 12 digits of its engine id; empty where it is not there.
    pub id: String,
    /// In a word.
    pub state: ServiceState,
    /// Why, in a sentence.
    pub reason: String,
    /// How often it was started again since this process started.
    pub restarts: u64,
    /// The code that it last ended with.
    pub exit_code: Option<i64>,
    /// What it wrote last, while it is not as it should be; control characters shown.
    pub last_lines: Vec<String>,
    /// Why it ended so, and what mends it, where that is understood.
    pub diagnosis: Option<String>,
    /// When it is started again, if it waits for that.
    pub next_start: Option<Timestamp>,
    /// Our own probe's last outcome.
    pub probe: Option<ProbeStatus>,
    /// The kernel's word on it.
    pub attestation: Attestation,
}

/// Our own probe's last outcome.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// When it ended.
    pub at: Option<Timestamp>,
    /// Why it failed; `None` where it passed.
    pub failure: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Asked since this process started.
    pub total: u64,
    /// Failed since this process started.
    pub failed: u64,
}

/// The kernel's word on one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Attestation {
    /// Not asked yet.
    #[default]
    Unknown,
    /// Every item is as promised.
    Passed {
        /// When.
        at: Timestamp,
        /// How many items were compared.
        checks: usize,
    },
    /// Something is not as promised; the container was stopped.
    Failed {
        /// When.
        at: Timestamp,
        /// Item, promise and what was seen instead, one sentence each.
        differences: Vec<String>,
    },
}

/// A port that the supervisor listens on for a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelayStatus {
    /// Where it listens.
    pub listen: SocketAddr,
    /// For whom.
    pub service: String,
    /// Where connections go now; empty while no container runs.
    pub to: Vec<SocketAddr>,
    /// Why it does not listen; `None` where it does.
    pub error: Option<String>,
    /// Connections now.
    pub open: usize,
    /// The most at once.
    pub bound: usize,
    /// Connections that were passed on since this process started.
    pub passed: u64,
    /// Connections that were closed at once: too many, or no container took them.
    pub refused: u64,
}

/// What the kernel denied to services.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Denials {
    /// How that is heard: by `audit` nothing is lost, by `log` what comes at once may be; empty where neither is open.
    pub heard_by: Vec<Way>,
    /// By service, and what denied it.
    pub rows: Vec<denials::Row>,
}

/// What a control plane was told of the stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlPlaneStatus {
    /// What it calls this machine.
    pub instance: String,
    /// When it took the news that the stack is up, for the first time and the last.
    pub announced_at: Option<Timestamp>,
    /// Why it did not take it yet.
    pub failure: Option<String>,
    /// When it is told again.
    pub next_attempt: Option<Timestamp>,
    /// Why the last heartbeat did not arrive.
    pub heartbeat_failure: Option<String>,
}

/// A plan that was carried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanStatus {
    /// When it ended; `None` while it is carried out.
    pub at: Option<Timestamp>,
    /// Its steps, as people read them.
    pub steps: Vec<String>,
    /// Why it stopped before its end.
    pub failure: Option<String>,
}

/// Running totals since this process started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Plans with at least one step.
    pub plans: u64,
    /// Of these, those that failed.
    pub plan_failures: u64,
    /// Full looks at the engine.
    pub looks: u64,
    /// Times that the event stream was opened again.
    pub reconnects: u64,
    /// Files that were read and not taken.
    pub refusals: u64,
    /// Times that the guard was put back after somebody had taken it away or changed it.
    pub guard_restorations: u64,
}

impl Snapshot {
    /// What is known before anything was read or asked.
    pub fn starting(now: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            project: String::new(),
            started_at: now,
            at: now,
            phase: Phase::NoStack,
            reasons: vec!["the supervisor has just started".to_owned()],
            warnings: Vec::new(),
            stack: StackStatus::default(),
            engine: EngineStatus::default(),
            services: BTreeMap::new(),
            relays: Vec::new(),
            egress: Vec::new(),
            denials: Denials::default(),
            control_plane: None,
            last_plan: None,
            totals: Totals::default(),
            turn_seconds: 0.0,
            longest_turn_seconds: 0.0,
            kernel: None,
            processes: BTreeMap::new(),
            guard: None,
        }
    }

    /// Whether everything that is wanted is there, healthy and attested.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Watching && self.reasons.is_empty()
    }
}

/// When the loop last ended a turn, as the endpoint heard of it.
#[derive(Clone, Debug)]
pub struct Pulse {
    base: Instant,
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// Beats for the first time now.
    pub fn new(now: Instant) -> Self {
        Self { base: now, last: Arc::default() }
    }

    /// A turn ended.
    pub fn beat(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.base).as_millis();
        self.last.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago the last turn ended.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.base)
            .saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}
