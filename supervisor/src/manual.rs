//! `docs/cli.md`: the manual of the command line, from the value that also parses it.
//!
//! Deliberately absent: words of its own about any command; they stand where the command is defined.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _};

use crate::args::Cli;
use crate::exit::Exit;

/// The whole manual as Markdown.
pub fn documentation() -> String {
    let cli = Cli::command();
    let mut out = String::from(
        "# The command line\n\nGenerated from the definitions in `supervisor/src/args.rs` and `supervisor/src/commands`.\n\n",
    );
    // Writing to a `String` does not fail.
    let _ = writeln!(out, "`supervisor COMMAND [OPTIONS]`\n\n## Options of every command\n");
    options(&mut out, &cli);
    let _ = writeln!(out, "\n## Exit codes\n\n| code | says |\n|---|---|");
    for (exit, says) in Exit::TABLE {
        let _ = writeln!(out, "| {} | {says} |", exit.code());
    }
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
        let _ = writeln!(
            out,
            "\n## {}\n\n{}",
            command.get_name(),
            text(command.get_long_about().or(command.get_about()))
        );
        if command.get_arguments().any(|argument| !argument.is_global_set()) {
            out.push('\n');
            options(&mut out, command);
        }
        if let Some(after) = command.get_after_help() {
            let _ = writeln!(out, "\n```text\n{}\n```", after.to_string().trim());
        }
    }
    let _ = write!(
        out,
        "\n## Beside Docker Compose\n\nEvery command and flag of Docker Compose, and what becomes of it. One that was left out is answered with the same \
         words (exit code 2).\n\n{}",
        crate::compose_cli::table()
    );
    out
}

fn options(out: &mut String, command: &Command) {
    let own = |argument: &&Arg| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    };
    let _ = writeln!(out, "| option | says |\n|---|---|");
    for argument in command.get_arguments().filter(own) {
        let says = text(argument.get_help()).replace('|', "\\|").replace('\n', " ");
        let default =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>();
        let takes_value = argument.get_action().takes_values() && !argument.is_hide_default_value_set();
        let default = match default.as_slice() {
            [] => String::new(),
            values if takes_value => format!(" (default `{}`)", values.join(" ")),
            _ => String::new(),
        };
        let _ = writeln!(out, "| `{}` | {says}{default} |", spelling(argument).replace('|', "\\|"));
    }
}

/// As it is typed: `-f, --file FILE`.
fn spelling(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let values = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let values: Vec<&str> = values.into_iter().flatten().map(clap::builder::Str::as_str).collect();
    match (names.as_slice(), values.as_slice()) {
        ([], values) => values.join(" "),
        (names, []) => names.join(", "),
        (names, values) => format!("{} {}", names.join(", "), values.join(" ")),
    }
}

fn text(styled: Option<&StyledStr>) -> String {
    styled.map(StyledStr::to_string).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_as_the_definitions_say() {
        expect_test::expect_file!["../../docs/cli.md"].assert_eq(&documentation());
    }
}
