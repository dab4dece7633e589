//! The command line: options that every command takes, and the list of commands.
//!
//! What a command alone takes is in its own file under `commands`. Deliberately absent: reading of any file.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::commands::Command;

/// Runs Docker Compose stacks hardened, proves from the kernel that they are, and heals them.
///
/// Reads an ordinary Compose file, refuses what is unsafe, hardens what is silent, and starts the rest through
/// the Docker Engine.
#[derive(Debug, Parser)]
#[command(
    name = "supervisor",
    version,
    max_term_width = 110,
    after_help = "Examples:
  supervisor check                      is compose.yaml fit to run, and if not, why
  supervisor up                         harden and start the stack, and wait until it is healthy
  supervisor run                        start the stack, and keep it running and healthy
  supervisor attest                     what the kernel says about every running container
  supervisor audit                      the host and the stack against the hardening guide's checklist
  supervisor rules SV151                why a rule is there, with a good and a bad example

Exit codes: 0 done, 1 the file is refused, 2 it cannot be read, 3 `plan` found changes,
4 the engine or a service failed, 5 `attest` or `audit` found a difference, 10 no engine, 11 engine too old,
12 image missing, 13 port taken, 14 not healthy in time."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes, before or after its name.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// Compose file; several are merged in order; `-` is standard input
    ///
    /// Without it `COMPOSE_FILE`, then compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml with its
    /// override, in this folder or the nearest one above.
    #[arg(id = "file", short = 'f', long = "file", global = true, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// Name of the project
    #[arg(short = 'p', long, global = true, value_name = "NAME")]
    pub project_name: Option<String>,
    /// File of variables, in place of `.env`; repeatable
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Folder that relative paths start from, in place of the first file's
    #[arg(long, global = true, value_name = "FOLDER")]
    pub project_directory: Option<PathBuf>,
    /// Profile to switch on; repeatable; `*` is all of them
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Vec<String>,
    /// The engine's socket, in place of `DOCKER_HOST`
    #[arg(short = 'H', long, global = true, value_name = "unix://PATH")]
    pub host: Option<String>,
    /// Folder for what has to outlive the program, in place of `SUPERVISOR_STATE_DIR` or /var/lib/supervisor
    #[arg(long, global = true, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Colours and movement on the terminal
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub ansi: Ansi,
    /// How the progress of what takes time is shown, in place of `COMPOSE_PROGRESS`
    #[arg(long, global = true, value_enum, value_name = "HOW")]
    pub progress: Option<Progress>,
    /// The same as `--ansi never`
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// When to use colours and movement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ansi {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Never
    Never,
    /// Always
    Always,
}

/// How the progress of what takes time is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// `tty` on a terminal, else `plain`
    #[default]
    Auto,
    /// Lines that change in place
    Tty,
    /// A line a change
    Plain,
    /// One JSON object a change and one at the end, on standard output
    Json,
    /// Nothing but failures
    Quiet,
}

impl GlobalArgs {
    /// How progress is shown: `--progress`, else `COMPOSE_PROGRESS`, in which a word that is not known counts as `auto`.
    pub fn progress(&self) -> Progress {
        let variable = || Progress::from_str(&std::env::var("COMPOSE_PROGRESS").ok()?, true).ok();
        self.progress.or_else(variable).unwrap_or_default()
    }

    /// Whether to colour what goes to a stream that is, or is not, a terminal.
    pub fn colours(&self, terminal: bool) -> bool {
        match self.ansi {
            _ if self.no_color => false,
            Ansi::Never => false,
            Ansi::Always => true,
            Ansi::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }

    /// The profiles that are switched on: `--profile`, else `COMPOSE_PROFILES`.
    pub fn profiles(&self) -> Vec<String> {
        if !self.profile.is_empty() {
            return self.profile.clone();
        }
        let names = std::env::var("COMPOSE_PROFILES").unwrap_or_default();
        names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(String::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_every_command_may_follow_its_name() {
        let cli =
            Cli::try_parse_from(["supervisor", "check", "-f", "a.yaml", "-f", "b.yaml", "-p", "x"]).unwrap();
        assert_eq!(cli.global.file, [PathBuf::from("a.yaml"), PathBuf::from("b.yaml")]);
        assert_eq!(cli.global.project_name.as_deref(), Some("x"));
    }

    #[test]
    fn logs_takes_f_as_follow_after_its_name_and_as_file_before() {
        let cli = Cli::try_parse_from(["supervisor", "-f", "a.yaml", "logs", "-f", "caddy"]).unwrap();
        assert_eq!(cli.global.file, [PathBuf::from("a.yaml")]);
        let cli = Cli::try_parse_from(["supervisor", "logs", "--file", "a.yaml", "-f"]).unwrap();
        assert_eq!(cli.global.file, [PathBuf::from("a.yaml")]);
    }
}
