//! Docker Compose's command line, word by word (2.40 and 5), and what becomes of each word here.
//!
//! From these rows come the answer to a word that was left out and the table in `docs/cli.md`. Deliberately absent:
//! words of our own.

use std::fmt::Write as _;

/// What becomes of a word of Docker Compose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It is there and means the same.
    Same,
    /// It is there, with this difference.
    Differs(&'static str),
    /// It is not there.
    LeftOut {
        /// Why.
        why: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// A command, or a flag of one.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The command; empty for flags before it.
    pub command: &'static str,
    /// Its flag, with its dashes; empty for the command itself.
    pub flag: &'static str,
    /// What becomes of it.
    pub stance: Stance,
}

const fn same(command: &'static str, flag: &'static str) -> Word {
    Word { command, flag, stance: Stance::Same }
}

const fn differs(command: &'static str, flag: &'static str, how: &'static str) -> Word {
    Word { command, flag, stance: Stance::Differs(how) }
}

const fn left_out(
    command: &'static str,
    flag: &'static str,
    why: &'static str,
    instead: &'static str,
) -> Word {
    Word { command, flag, stance: Stance::LeftOut { why, instead } }
}

const NOT_BUILT: &str =
    "nothing is built here: what runs is an image by name or digest that somebody has built and tested";
const BUILD_IT: &str = "build it with `docker build`, and name the image in the file";
const LOOKS_ONLY: &str = "it changes nothing";
const JUST_RUN: &str = "run it";
const NOT_CUT: &str = "nothing is cut";
const LEAVE_OUT: &str = "leave it out";
const NOT_ATTACHED: &str =
    "`up` starts the whole stack and waits for it; which output is read is the reader's choice";
const FOLLOW: &str = "`supervisor up -d`, then `supervisor logs -f SERVICE`";
const NO_ENDING: &str = "a service's end is healed or shown, and never takes the others down";
const WAIT_FOR_IT: &str = "`supervisor up -d && supervisor wait SERVICE`, then `supervisor down`";

/// Every word of Docker Compose's that a user of these commands may type.
pub const WORDS: &[Word] = &[
    same("", "--ansi"),
    same("", "--env-file"),
    same("", "--file"),
    same("", "--profile"),
    same("", "--progress"),
    same("", "--project-directory"),
    same("", "--project-name"),
    left_out("", "--all-resources", "`config` shows the whole stack as it would run", "`supervisor config`"),
    left_out("", "--compatibility", "names are those of Compose since version 2", LEAVE_OUT),
    left_out(
        "",
        "--dry-run",
        "it belongs to the commands that change something",
        "`supervisor COMMAND --dry-run`",
    ),
    left_out("", "--parallel", "steps that do not depend on each other always run side by side", LEAVE_OUT),
    left_out(
        "attach",
        "",
        "a terminal in a service's main process would be one that restarts and rollbacks cut",
        "`supervisor logs -f SERVICE` reads along, `supervisor exec SERVICE sh` opens a shell",
    ),
    left_out(
        "bridge",
        "",
        "the file is made to run hardened, and not to be turned into others",
        "`supervisor config` prints the final stack",
    ),
    left_out("build", "", NOT_BUILT, BUILD_IT),
    left_out(
        "commit",
        "",
        "an image out of a running container would hold whatever came to be in it",
        BUILD_IT,
    ),
    left_out("convert", "", "it is an old name", "`supervisor config`"),
    left_out("create", "", "it is a flag of `up`", "`supervisor up --no-start`"),
    left_out(
        "export",
        "",
        "a container's root is its image, and read-only; what is worth keeping is in volumes",
        "`supervisor cp SERVICE:/FOLDER - > FILE.tar`",
    ),
    left_out("ls", "", "each command is about one stack", "`docker ps --filter label=supervisor.project`"),
    left_out("publish", "", "a stack is a few text files", "keep them in a repository"),
    left_out("push", "", NOT_BUILT, "`docker push IMAGE`"),
    left_out(
        "rm",
        "",
        "a container that stands still is kept for a look at it, and replaced by `up`",
        "`supervisor down SERVICE` removes it",
    ),
    left_out(
        "scale",
        "",
        "how many there are is part of the file, which a running supervisor keeps to",
        "write `scale: NUMBER` at the service, then `supervisor up`",
    ),
    left_out("version", "", "it is a flag", "`supervisor --version`"),
    left_out("watch", "", NOT_BUILT, "bind-mount the folder, and reload in the service"),
    same("up", ""),
    left_out("up", "--abort-on-container-exit", NO_ENDING, WAIT_FOR_IT),
    left_out("up", "--abort-on-container-failure", NO_ENDING, WAIT_FOR_IT),
    left_out(
        "up",
        "--always-recreate-deps",
        "what has not changed stays",
        "`supervisor up --force-recreate SERVICE`, with the names of those that it depends on",
    ),
    left_out("up", "--attach", NOT_ATTACHED, FOLLOW),
    left_out("up", "--attach-dependencies", NOT_ATTACHED, FOLLOW),
    left_out("up", "--build", NOT_BUILT, BUILD_IT),
    differs(
        "up",
        "--detach",
        "without it too, `up` waits until everything is healthy; it follows the output on a terminal alone",
    ),
    same("up", "--dry-run"),
    left_out("up", "--exit-code-from", NO_ENDING, WAIT_FOR_IT),
    same("up", "--force-recreate"),
    left_out("up", "--menu", "there is nothing to choose from while it runs", LEAVE_OUT),
    left_out("up", "--no-attach", NOT_ATTACHED, FOLLOW),
    left_out("up", "--no-build", "nothing is ever built here", LEAVE_OUT),
    same("up", "--no-color"),
    same("up", "--no-deps"),
    same("up", "--no-log-prefix"),
    same("up", "--no-recreate"),
    same("up", "--no-start"),
    differs("up", "--pull", "`always`, `missing` or `never`; there is no `build`"),
    left_out("up", "--quiet-build", "nothing is ever built here", LEAVE_OUT),
    left_out(
        "up",
        "--quiet-pull",
        "progress is chosen for all steps together",
        "`--progress plain` says one line a pull",
    ),
    same("up", "--remove-orphans"),
    left_out(
        "up",
        "--renew-anon-volumes",
        "no volume is given up unless its removal is asked for by name",
        "`supervisor down --volumes`",
    ),
    left_out(
        "up",
        "--scale",
        "how many there are is part of the file, which a running supervisor keeps to",
        "write `scale: NUMBER` at the service",
    ),
    same("up", "--timeout"),
    same("up", "--timestamps"),
    differs("up", "--wait", "`up` waits anyway; with it, it then ends on a terminal too"),
    differs("up", "--wait-timeout", "for each service; without it, each has a budget of its own"),
    left_out("up", "--watch", NOT_BUILT, "bind-mount the folder, and reload in the service"),
    left_out("up", "--yes", "nothing is ever asked", LEAVE_OUT),
    same("down", ""),
    same("down", "--dry-run"),
    differs("down", "--remove-orphans", "they always go"),
    left_out(
        "down",
        "--rmi",
        "other stacks may use the image, and the next `up` would have to fetch it",
        "`docker image rm IMAGE`",
    ),
    same("down", "--timeout"),
    differs("down", "--volumes", "the volumes that the stack made; never external ones"),
    same("start", ""),
    same("start", "--dry-run"),
    same("stop", ""),
    same("stop", "--dry-run"),
    same("stop", "--timeout"),
    same("restart", ""),
    same("restart", "--dry-run"),
    same("restart", "--no-deps"),
    same("restart", "--timeout"),
    same("pull", ""),
    same("pull", "--dry-run"),
    left_out("pull", "--ignore-buildable", "nothing is ever built here", LEAVE_OUT),
    same("pull", "--ignore-pull-failures"),
    same("pull", "--include-deps"),
    same("pull", "--policy"),
    differs("pull", "--quiet", "nothing but failures"),
    same("ps", ""),
    same("ps", "--all"),
    left_out("ps", "--dry-run", LOOKS_ONLY, JUST_RUN),
    differs("ps", "--filter", "`status=STATE`, as in Compose; `health=HEALTH` too"),
    differs("ps", "--format", "`table` or `json`; no templates"),
    left_out("ps", "--no-trunc", NOT_CUT, LEAVE_OUT),
    left_out("ps", "--orphans", "whatever runs under the project's label is shown, always", LEAVE_OUT),
    same("ps", "--quiet"),
    same("ps", "--services"),
    same("ps", "--status"),
    same("logs", ""),
    left_out("logs", "--dry-run", LOOKS_ONLY, JUST_RUN),
    differs("logs", "--follow", "containers that are started later join"),
    same("logs", "--index"),
    same("logs", "--no-color"),
    same("logs", "--no-log-prefix"),
    differs("logs", "--since", "a time without a zone is in UTC"),
    same("logs", "--tail"),
    same("logs", "--timestamps"),
    differs("logs", "--until", "a time without a zone is in UTC"),
    differs("exec", "", "without `-T`, a terminal is given where there is one on both ends"),
    same("exec", "--detach"),
    left_out(
        "exec",
        "--dry-run",
        "what the program would do is not known",
        "look with `supervisor top SERVICE`",
    ),
    same("exec", "--env"),
    same("exec", "--index"),
    same("exec", "--no-tty"),
    left_out(
        "exec",
        "--privileged",
        "a program gets the confinement of its service, and no more",
        "use a container of your own for what needs more, outside of the stack",
    ),
    same("exec", "--user"),
    same("exec", "--workdir"),
    same("top", ""),
    left_out("top", "--dry-run", LOOKS_ONLY, JUST_RUN),
    differs("stats", "", "several services may be named"),
    left_out("stats", "--all", "what does not run uses nothing", "`supervisor ps --all`"),
    left_out("stats", "--dry-run", LOOKS_ONLY, JUST_RUN),
    differs("stats", "--format", "`table` or `json`; no templates"),
    same("stats", "--no-stream"),
    left_out("stats", "--no-trunc", NOT_CUT, LEAVE_OUT),
    differs("events", "", "commands that run inside, health checks among them, are left out"),
    left_out("events", "--dry-run", LOOKS_ONLY, JUST_RUN),
    same("events", "--json"),
    same("events", "--since"),
    same("events", "--until"),
    differs("cp", "", "without `-a`, what is copied in belongs to the service's user"),
    left_out("cp", "--all", "there are no one-off containers", LEAVE_OUT),
    same("cp", "--archive"),
    left_out(
        "cp",
        "--dry-run",
        "what a copy would do is seen by listing it",
        "`supervisor cp SERVICE:/PATH - | tar -t`",
    ),
    same("cp", "--follow-link"),
    same("cp", "--index"),
    same("port", ""),
    left_out("port", "--dry-run", LOOKS_ONLY, JUST_RUN),
    same("port", "--index"),
    same("port", "--protocol"),
    same("images", ""),
    left_out("images", "--dry-run", LOOKS_ONLY, JUST_RUN),
    same("images", "--format"),
    same("images", "--quiet"),
    same("volumes", ""),
    left_out("volumes", "--dry-run", LOOKS_ONLY, JUST_RUN),
    differs("volumes", "--format", "`table` or `json`; no templates"),
    same("volumes", "--quiet"),
    same("wait", ""),
    left_out(
        "wait",
        "--down-project",
        "two commands say it, and the first one's exit code is kept",
        "`supervisor wait SERVICE && supervisor down`",
    ),
    left_out("wait", "--dry-run", LOOKS_ONLY, JUST_RUN),
    same("kill", ""),
    same("kill", "--dry-run"),
    left_out("kill", "--remove-orphans", "a signal removes nothing", "`supervisor up --remove-orphans`"),
    same("kill", "--signal"),
    same("pause", ""),
    same("pause", "--dry-run"),
    same("unpause", ""),
    same("unpause", "--dry-run"),
    differs("config", "", "the stack as it would run, hardened; its flags are its own"),
    differs(
        "run",
        "",
        "the daemon that keeps the stack up; there are no one-off containers: `supervisor exec SERVICE COMMAND` runs a program in a running service",
    ),
];

/// Short spellings of flags that were left out.
const SHORT: [(&str, &str, &str); 4] = [
    ("up", "-V", "--renew-anon-volumes"),
    ("up", "-w", "--watch"),
    ("up", "-y", "--yes"),
    ("stats", "-a", "--all"),
];

/// Why a word is not understood here and what to do instead, if it is one of Docker Compose's.
pub fn answer(command: &str, word: &str) -> Option<(String, &'static str)> {
    let long = SHORT.iter().find(|(c, short, _)| *c == command && *short == word).map(|(.., long)| *long);
    let word = long.unwrap_or(word);
    let flag = word.split('=').next().unwrap_or(word);
    // `run SERVICE COMMAND` is the one whose meaning is another one here.
    if command == "run" && !word.starts_with('-') {
        let what = "`run` is the daemon that keeps the stack up; it takes no service".to_owned();
        return Some((what, "`supervisor exec SERVICE COMMAND` runs a program in a running service"));
    }
    let row = WORDS.iter().find(|row| {
        let of_all = row.command.is_empty() && command.is_empty();
        (row.command == command || of_all) && row.flag == flag
            || (command.is_empty() && row.command == word && row.flag.is_empty())
    })?;
    let Stance::LeftOut { why, instead } = row.stance else { return None };
    let name = if row.flag.is_empty() { format!("`{}`", row.command) } else { format!("`{flag}`") };
    Some((format!("{name} of Docker Compose is left out on purpose: {why}"), instead))
}

/// The table for `docs/cli.md`.
pub fn table() -> String {
    let mut out = String::from("| command | flag | here |\n|---|---|---|\n");
    for Word { command, flag, stance } in WORDS {
        let command = if command.is_empty() { "every".to_owned() } else { format!("`{command}`") };
        let flag = if flag.is_empty() { String::new() } else { format!("`{flag}`") };
        let here = match stance {
            Stance::Same => "the same".to_owned(),
            Stance::Differs(how) => (*how).to_owned(),
            Stance::LeftOut { why, instead } => format!("left out: {why}. Instead: {instead}"),
        };
        // Writing to a `String` does not fail.
        let _ = writeln!(out, "| {command} | {flag} | {} |", here.replace('|', "\\|"));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    /// Whether the program takes a word.
    fn is_taken(cli: &clap::Command, word: &Word) -> bool {
        let command = match word.command {
            "" => Some(cli),
            name => cli.find_subcommand(name),
        };
        let has = |command: &clap::Command| {
            command
                .get_arguments()
                .any(|arg| arg.get_long().map(|long| format!("--{long}")).as_deref() == Some(word.flag))
        };
        command.is_some_and(|command| {
            word.flag.is_empty()
                || has(command)
                || cli.get_arguments().any(|arg| {
                    arg.is_global_set()
                        && arg.get_long().map(|long| format!("--{long}")).as_deref() == Some(word.flag)
                })
        })
    }

    #[test]
    fn what_is_said_to_be_there_is_and_what_is_said_to_be_left_out_is_not() {
        let cli = Cli::command();
        let mut seen = BTreeSet::new();
        for word in WORDS {
            let name = format!("{} {}", word.command, word.flag);
            let there = !matches!(word.stance, Stance::LeftOut { .. });
            assert_eq!(is_taken(&cli, word), there, "{name}");
            assert!(seen.insert(name.clone()), "{name} has two rows");
        }
    }

    #[track_caller]
    fn check(command: &str, word: &str, expect: &str) {
        let said = answer(command, word).map(|(what, instead)| format!("{what}; {instead}"));
        let said = said.unwrap_or_default();
        assert!(said.contains(expect) && said.is_empty() == expect.is_empty(), "{said}");
    }

    #[test]
    fn whoever_asks_for_what_was_left_out_is_told_why_and_what_instead() {
        check("", "build", "`build` of Docker Compose is left out on purpose: nothing is built here");
        check("", "build", "build it with `docker build`");
        check("up", "--build", "`--build`");
        check("up", "--scale=web=3", "write `scale: NUMBER`");
        check("up", "-V", "`--renew-anon-volumes`");
        check("run", "web", "`supervisor exec SERVICE COMMAND`");
        check("", "--parallel", "`--parallel`");
        check("up", "--nonsense", "");
        check("", "nonsense", "");
        check("run", "--nonsense", "");
    }
}
