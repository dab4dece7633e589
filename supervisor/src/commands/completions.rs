//! `completions` and `man`: what a shell and `man` are told of the command line, from its one definition.
//!
//! Deliberately absent: putting them in place; the package does.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::{Cli, GlobalArgs};
use crate::exit::{Exit, Failure};

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor completions bash > /etc/bash_completion.d/supervisor
  supervisor completions zsh > /usr/local/share/zsh/site-functions/_supervisor
  supervisor completions fish > ~/.config/fish/completions/supervisor.fish")]
pub struct Args {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: For,
}

/// Shells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum For {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

/// Options of `man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Page: `supervisor`, or `supervisor-COMMAND`
    #[arg(value_name = "PAGE", default_value = "supervisor")]
    page: String,
    /// Name every page, one a line
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(_: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let shell = match args.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    generate(shell, &mut Cli::command(), "supervisor", &mut text);
    std::io::stdout().lock().write_all(&text)?;
    Ok(Exit::Done)
}

pub(crate) fn man(_: &GlobalArgs, args: &Man) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    if args.list {
        out.write_all((pages().join("\n") + "\n").as_bytes())?;
        return Ok(Exit::Done);
    }
    let text = page(&args.page).ok_or_else(|| {
        Failure::new(Exit::Unreadable, format!("there is no page `{}`", args.page))
            .help("`supervisor man --list` names them")
    })?;
    out.write_all(&text)?;
    Ok(Exit::Done)
}

/// The program's page, and one for each command.
fn pages() -> Vec<String> {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    std::iter::once("supervisor".to_owned())
        .chain(shown.map(|command| format!("supervisor-{}", command.get_name())))
        .collect()
}

fn page(name: &str) -> Option<Vec<u8>> {
    let mut whole = Cli::command();
    // Options of every command, and each command's full name, come with this.
    whole.build();
    let command = match name.strip_prefix("supervisor-") {
        None if name == "supervisor" => whole,
        None => return None,
        Some(command) => whole.find_subcommand(command)?.clone(),
    };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    clap_mangen::Man::new(command).render(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_every_shell_its_words() {
        for name in pages() {
            let text = String::from_utf8(page(&name).unwrap()).unwrap();
            assert!(text.contains(".SH NAME") && text.contains(&name.replace('-', "\\-")), "{name}: {text}");
        }
        assert!(pages().contains(&"supervisor-attest".to_owned()));
        assert!(page("supervisor-nothing").is_none() && page("other").is_none());
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            generate(shell, &mut Cli::command(), "supervisor", &mut text);
            assert!(String::from_utf8(text).unwrap().contains("attest"), "{shell}");
        }
    }
}
