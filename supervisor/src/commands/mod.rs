//! The commands, one file each: what it takes, what it prints, how it ends.
//!
//! Deliberately absent: decisions and effects; a command asks `compose`, `decide` and `engine`, and prints.

pub mod attest;
pub mod audit;
mod caddyfile;
pub mod call;
pub mod check;
mod chosen;
pub mod completions;
pub mod config;
pub mod control_plane;
pub mod cp;
pub mod down;
mod each;
pub mod egress;
pub mod egress_proxy;
pub mod endpoint;
pub mod events;
pub mod exec;
pub mod guard;
pub mod images;
pub mod init;
pub mod kill;
mod list;
pub mod logs;
pub mod output;
pub mod pause;
pub mod plan;
pub mod port;
pub mod privileged;
pub mod profile;
pub mod ps;
pub mod pull;
mod relayed;
pub mod render;
pub mod restart;
pub mod rules;
pub mod run;
pub mod shared;
pub mod start;
pub mod stats;
pub mod status;
pub mod stop;
pub mod top;
mod unchanged;
pub mod up;
pub mod volumes;
pub mod wait;
mod when;

use std::ffi::OsString;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser as _};
use tokio::runtime::LocalOptions;

use crate::args::{Cli, GlobalArgs};
use crate::compose_cli;
use crate::exit::{Exit, Failure};

use list::{commands, is_hidden};

commands! {
    /// Read and judge the stack; needs no engine and no root
    "check" => Check(check::Args),
    /// Print the stack as it would run, hardened
    "config" => Config(config::Args),
    /// Say what `up` would change, and why; changes nothing
    "plan" => Plan(plan::Args),
    /// Create and start what is wanted, and wait until it is healthy
    "up" => Up(up::Args),
    /// Stop and remove the stack's containers and networks
    "down" => Down(down::Args),
    /// Start the stack, and keep it running and healthy until told to end
    "run" => Run(run::Args),
    /// Compare every running container with its promise, by the kernel's word
    "attest" => Attest(attest::Args),
    /// Look at the host and the stack, row by row, as the hardening guide's checklist has them
    "audit" => Audit(audit::Args),
    /// List the stack's containers
    "ps" => Ps(ps::Args),
    /// Print what services write
    "logs" => Logs(logs::Args),
    /// Start services that are stopped
    "start" => Start(start::Args),
    /// Stop services without removing them
    "stop" => Stop(stop::Args),
    /// Stop and start services
    "restart" => Restart(restart::Args),
    /// Fetch the images of services
    "pull" => Pull(pull::Args),
    /// Freeze services where they are
    "pause" => Pause(pause::Args),
    /// Let services go on that are frozen
    "unpause" => Unpause(pause::Args),
    /// Send services a signal
    "kill" => Kill(kill::Args),
    /// Wait until services have ended
    "wait" => Wait(wait::Args),
    /// Run a program in a running service
    "exec" => Exec(exec::Args),
    /// Copy files between a service and this machine
    "cp" => Cp(cp::Args),
    /// Print what happens to the stack's containers
    "events" => Events(events::Args),
    /// Print where a port of a service is published
    "port" => Port(port::Args),
    /// List the images of the stack's containers
    "images" => Images(images::Args),
    /// List the stack's volumes
    "volumes" => Volumes(volumes::Args),
    /// List the processes of services
    "top" => Top(top::Args),
    /// Show what services use
    "stats" => Stats(stats::Args),
    /// Show how the stack is and what is in force, as `run` knows it
    "status" => Status(status::Args),
    /// Show what services asked the egress proxy for, or learn it
    "egress" => Egress(egress::Args),
    /// Show how the kernel confines a service: seccomp and AppArmor
    "profile" => Profile(profile::Args),
    /// Show or check the guard: the stack's table in the host's packet filter
    "guard" => Guard(guard::Args),
    /// List the rules, or explain one
    "rules" => Rules(rules::Args),
    /// Write a hardened stack to start from
    "init" => Init(init::Args),
    /// Print files for deploying a stack, made from a few answers
    "render" => Render(render::Args),
    /// Print what a shell is told of the command line
    "completions" => Completions(completions::Args),
    /// Print a page for `man`
    "man" hidden => Man(completions::Man),
    /// Pass services to the names that they were granted; started in a container by `up` and `run`
    "egress-proxy" hidden => EgressProxy(egress_proxy::Args),
    /// Answer what is asked of `run`; started by it
    "endpoint" hidden => Endpoint(endpoint::Args),
    /// Do for `run` what needs the machine's rights; started by it
    "privileged" hidden => Privileged(privileged::Args),
    /// Call a control plane for `run`; started by it
    "call" hidden => Call(call::Args),
}

/// Reads the command line, runs the command, prints its failure.
pub fn main() -> ExitCode {
    let cli = match read(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    match dispatch(&cli.global, cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprint!("{failure}");
            failure.exit().into()
        }
    }
}

/// Reads a command line. Whether it is one of the first command that it names shows without all others; if it is not, they
/// are there for the answer.
fn read(words: &[OsString]) -> Result<Cli, clap::Error> {
    if let Some(row) = words.iter().skip(1).find_map(|word| Command::row(word.to_str()?)) {
        let alone = clap::Command::new("supervisor").subcommand_required(true).subcommand(row);
        if let Ok(mut matches) = GlobalArgs::augment_args(alone).try_get_matches_from(words) {
            return Cli::from_arg_matches_mut(&mut matches);
        }
    }
    Cli::try_parse_from(words)
}

/// Ends as the parser does, but for words of Docker Compose that are left out on purpose: those are answered.
fn misread(error: &clap::Error) -> ExitCode {
    use clap::error::{ContextKind, ContextValue};
    let word = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| {
        match error.get(kind) {
            Some(ContextValue::String(word)) => Some(word.as_str()),
            _ => None,
        }
    });
    let known = Cli::command();
    let command = std::env::args().skip(1).find(|word| known.find_subcommand(word).is_some());
    let answer = word.and_then(|word| compose_cli::answer(command.as_deref().unwrap_or_default(), word));
    match answer {
        Some((what, instead)) => {
            let failure = Failure::new(Exit::Unreadable, what).help(instead);
            eprint!("{failure}");
            failure.exit().into()
        }
        None => error.exit(),
    }
}

fn dispatch(global: &GlobalArgs, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(global, &args),
        Command::Config(args) => config::run(global, &args),
        Command::Rules(args) => rules::run(global, &args),
        Command::Render(args) => render::run(global, &args),
        Command::Init(args) => init::run(global, &args),
        Command::Egress(args) => block_on(egress::run(global, &args)),
        Command::Completions(args) => completions::run(global, &args),
        Command::Man(args) => completions::man(global, &args),
        Command::Profile(args) => block_on(profile::run(global, &args)),
        Command::Guard(args) => block_on(guard::run(global, &args)),
        Command::EgressProxy(args) => block_on(egress_proxy::run(args)),
        Command::Endpoint(args) => endpoint::run(global, &args),
        Command::Privileged(args) => privileged::run(global, &args),
        Command::Call(args) => call::run(&args),
        Command::Plan(args) => block_on(plan::run(global, &args)),
        Command::Up(args) => block_on(up::run(global, &args)),
        Command::Down(args) => block_on(down::run(global, &args)),
        Command::Run(args) => block_on(run::run(global, &args)),
        Command::Attest(args) => block_on(attest::run(global, &args)),
        Command::Audit(args) => block_on(audit::run(global, &args)),
        Command::Ps(args) => block_on(ps::run(global, &args)),
        Command::Logs(args) => block_on(logs::run(global, &args)),
        Command::Start(args) => block_on(start::run(global, &args)),
        Command::Stop(args) => block_on(stop::run(global, &args)),
        Command::Restart(args) => block_on(restart::run(global, &args)),
        Command::Pull(args) => block_on(pull::run(global, &args)),
        Command::Pause(args) => block_on(pause::pause(global, &args)),
        Command::Unpause(args) => block_on(pause::unpause(global, &args)),
        Command::Kill(args) => block_on(kill::run(global, &args)),
        Command::Wait(args) => block_on(wait::run(global, &args)),
        Command::Exec(args) => block_on(exec::run(global, &args)),
        Command::Cp(args) => block_on(cp::run(global, &args)),
        Command::Events(args) => block_on(events::run(global, &args)),
        Command::Port(args) => block_on(port::run(global, &args)),
        Command::Images(args) => block_on(images::run(global, &args)),
        Command::Volumes(args) => block_on(volumes::run(global, &args)),
        Command::Top(args) => block_on(top::run(global, &args)),
        Command::Stats(args) => block_on(stats::run(global, &args)),
        Command::Status(args) => block_on(status::run(&args)),
    }
}

/// What a command that waits ends with. On the heap, so that there is one loop in the program and not one a command: a
/// fiftieth of it.
type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Exit, Failure>> + 'a>>;

/// One thread is enough: what takes time is the engine and the kernel.
fn block_on<'a>(future: impl Future<Output = Result<Exit, Failure>> + 'a) -> Result<Exit, Failure> {
    fn wait(future: Waiting<'_>) -> Result<Exit, Failure> {
        // A local one: a set of local tasks in an ordinary one wakes its thread by a system call for each of them.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build_local(LocalOptions::default())?.block_on(future)
    }
    wait(Box::pin(future))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read with the one command that is named, and with all of them.
    #[track_caller]
    fn check(line: &str) {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let shown = |read: Result<Cli, clap::Error>| match read {
            Ok(cli) => format!("{cli:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown(read(&words)), shown(Cli::try_parse_from(&words)), "{line}");
    }

    #[test]
    fn a_line_means_the_same_whether_all_commands_are_looked_at_or_one() {
        for line in [
            "supervisor",
            "supervisor ps",
            "supervisor ps --nothing",
            "supervisor ps --help",
            "supervisor --version",
            "supervisor up --project-name ps -f a.yaml -f b.yaml",
            "supervisor -p up ps",
            "supervisor -p ps up web",
            "supervisor -f up",
            "supervisor logs -f up",
            "supervisor -f a.yaml logs -f ps",
            "supervisor exec web ps -f",
            "supervisor nothing ps",
            "supervisor ps nothing",
            "supervisor help ps",
            "supervisor help",
            "supervisor profile show web",
            "supervisor profile",
            "supervisor egress-proxy",
        ] {
            check(line);
        }
    }
}
