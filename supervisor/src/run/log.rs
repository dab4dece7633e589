//! The log: for people on a terminal, plain in a pipe, with journald's priorities under systemd, JSON on request.
//!
//! Goes to standard error. Deliberately absent: files and rotation; whoever starts us keeps the log.

use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal as _;

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people: in colour on a terminal, with priorities for journald under systemd
    #[default]
    Human,
    /// One JSON object a line
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// What needs a hand
    Error,
    /// And what was wrong and dealt with
    Warn,
    /// And every decision and effect
    #[default]
    Info,
    /// And every request
    Debug,
}

/// How a process of ours logs.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LogArgs {
    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log_format: LogFormat,
    /// How much is logged
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    log_level: LogLevel,
}

impl LogArgs {
    /// Logs so from now on. Only the first call counts.
    pub fn start(self, colour: bool) {
        start(self.log_format, self.log_level, colour);
    }

    /// The arguments by which another process of ours, started by this command, logs alike.
    pub fn arguments(self, command: &str, colour: bool) -> Vec<OsString> {
        let name =
            |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned()).unwrap_or_default();
        let ansi = if colour { "always" } else { "never" };
        let (format, level) =
            (name(self.log_format.to_possible_value()), name(self.log_level.to_possible_value()));
        [command, "--ansi", ansi, "--log-format", &format, "--log-level", &level].map(OsString::from).to_vec()
    }
}

/// Logs from now on. Only the first call counts.
pub fn start(format: LogFormat, level: LogLevel, colour: bool) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    // A failure means that somebody logs already, and that is fine.
    let _ = match (format, journal) {
        (LogFormat::Json, _) => log.json().flatten_event(true).with_target(false).try_init(),
        (LogFormat::Human, true) => log.with_ansi(false).event_format(Journal::default()).try_init(),
        (LogFormat::Human, false) => log.with_ansi(colour).with_target(false).try_init(),
    };
}

/// A line as journald reads it from a pipe: the priority in front (sd-daemon(3)), no time of its own.
#[derive(Debug)]
struct Journal(Format<Full, ()>);

impl Default for Journal {
    fn default() -> Self {
        Self(Format::default().without_time().with_target(false).with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
