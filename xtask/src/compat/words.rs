//! Whether every command and flag of Docker Compose has its row in `docs/cli.md`, by Docker Compose's own help.
//!
//! Deliberately absent: what the rows say; their test is beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::product::workspace;
use crate::shell::output;

/// Commands that mean something else here, whose flags are not compared.
const OTHERS: [&str; 2] = ["config", "run"];

/// Asks Docker Compose for its words; one without a row fails.
pub(crate) fn run(compose: &Path) -> Result<()> {
    let text = fs::read_to_string(workspace().join("docs/cli.md"))?;
    let rows = rows(&text);
    let help = output(Command::new(compose).arg("--help"))?;
    let commands = commands(&help);
    if commands.is_empty() {
        bail!("the help of Docker Compose is not understood");
    }
    let mut words: BTreeSet<(String, String)> = flags(&help).map(|flag| ("every".to_owned(), flag)).collect();
    for command in &commands {
        words.insert((command.clone(), String::new()));
        let left_out = rows.contains(&(command.clone(), String::new(), true));
        if !left_out && !OTHERS.contains(&command.as_str()) {
            let help = output(Command::new(compose).args([command, "--help"]))?;
            words.extend(flags(&help).map(|flag| (command.clone(), flag)));
        }
    }
    let known: BTreeSet<(String, String)> =
        rows.into_iter().map(|(command, flag, _)| (command, flag)).collect();
    let missing: Vec<_> =
        words.difference(&known).map(|(command, flag)| format!("{command} {flag}")).collect();
    println!("command line: {} of {} words have a row", words.len() - missing.len(), words.len());
    if !missing.is_empty() {
        bail!("without a row: {}", missing.join(", "));
    }
    Ok(())
}

/// The rows of the table: command, flag, and whether it is left out.
fn rows(text: &str) -> BTreeSet<(String, String, bool)> {
    let table = text.split("## Beside Docker Compose").nth(1).unwrap_or_default();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let bare = |cell: &str| cell.trim_matches(['`', ' ', '|']).to_owned();
        let (command, flag, here) = (bare(cells.next()?), bare(cells.next()?), cells.next()?);
        Some((command, flag, here.starts_with("left out")))
    });
    rows.collect()
}

/// `  up          Create and start containers` of the sections of commands.
fn commands(help: &str) -> Vec<String> {
    let sections = help.split("Commands:").skip(1);
    let lines =
        sections.flat_map(|section| section.lines().skip(1).take_while(|line| line.starts_with("  ")));
    lines.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

/// `  -d, --detach`, `      --build`.
fn flags(help: &str) -> impl Iterator<Item = String> {
    help.lines().filter_map(|line| {
        // What is further to the right goes on explaining the flag before.
        let text = line.trim_start();
        let line = Some(text).filter(|_| (1..=6).contains(&(line.len() - text.len())))?;
        let line = line.split_once(", ").filter(|(short, _)| short.len() == 2).map_or(line, |(_, rest)| rest);
        Some(line.split_whitespace().next()?.to_owned()).filter(|word| word.starts_with("--"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Options:
      --dry-run        Execute command in dry run mode
  -f, --follow         Follow log output
                       --tail and all

Management Commands:
  bridge      Convert

Commands:
  attach      Attach to --this
  up          Create

Run 'docker compose COMMAND --help'
";

    #[test]
    fn words_are_read_out_of_a_help() {
        assert_eq!(commands(HELP), ["bridge", "attach", "up"]);
        assert_eq!(flags(HELP).collect::<Vec<_>>(), ["--dry-run", "--follow"]);
    }

    #[test]
    fn rows_are_read_out_of_the_table() {
        let text = "| x | y | z |\n## Beside Docker Compose\n\n| command | flag | here |\n|---|---|---|\n| every | `--ansi` | the same |\n| `build` |  | left out: why |\n";
        let rows = rows(text);
        assert!(rows.contains(&("every".into(), "--ansi".into(), false)), "{rows:?}");
        assert!(rows.contains(&("build".into(), String::new(), true)), "{rows:?}");
    }
}
