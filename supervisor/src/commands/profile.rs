//! `profile`: how the kernel confines a service, and how that is narrowed to what the service uses.
//!
//! Deliberately absent: what each of them does, in files of their own.

mod diff;
mod record;
mod show;

use clap::Subcommand;
use compose::Admitted;

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::render::plain;

pub use record::Args as RecordArgs;
pub use show::Format;

/// Options of `profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do with it.
    #[command(subcommand)]
    pub action: Action,
}

/// What `profile` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Print a service's profiles
    #[command(after_help = "Examples:
  supervisor profile show web                       base, number of calls, capabilities, AppArmor
  supervisor profile show web --format flat         seccomp as a file for Kubernetes or containerd
  supervisor profile show web --format apparmor     what `apparmor_parser` is given")]
    Show {
        /// The service
        service: String,
        /// Which profile, and in whose words
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Write down the system calls that a running service uses
    ///
    /// The service is recreated under a filter that tells each of its calls to this program, and put back afterwards; for
    /// that time it is slower. What is recorded is within its base.
    #[command(after_help = "Examples:
  supervisor profile record web                     until an interrupt (^C): use the service meanwhile
  supervisor profile record web --seconds 300       for five minutes, from when it is healthy
  supervisor profile diff web                       what the recorded profile makes of the base")]
    Record(RecordArgs),
    /// Compare a service's recorded profile with its base
    Diff {
        /// The service
        service: String,
    },
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    match &args.action {
        Action::Show { service, format } => show::run(global, service, *format),
        Action::Record(args) => Box::pin(record::run(global, args)).await,
        Action::Diff { service } => diff::run(global, service),
    }
}

/// A service that the file does not have.
fn unknown(stack: &Admitted, service: &str) -> Failure {
    let services = stack.project().services.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    Failure::new(Exit::Unreadable, format!("there is no service `{}`", plain(service)))
        .help(format!("the file has {}", services.join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;
    use crate::commands::Command;

    #[test]
    fn a_service_and_a_format_are_read() {
        let cli = Cli::try_parse_from(["supervisor", "profile", "show", "web", "--format", "flat"]).unwrap();
        let Command::Profile(Args { action: Action::Show { service, format } }) = cli.command else {
            panic!("another command was read");
        };
        assert_eq!((service.as_str(), format), ("web", Format::Flat));
    }
}
