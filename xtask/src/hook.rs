//! `cargo xtask hook`: tries the examples of `docs/check.md` for commit hooks and workflows, as they are written there.
//!
//! pre-commit comes from the Python registry that the machine is configured with, into the cache. Deliberately absent: GitHub itself;
//! a workflow's commands are run here as a runner's shell runs them.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::product::{cargo, workspace};
use crate::shell::{command, loud, quiet, say};
use crate::{cache, debian};

const PRE_COMMIT: &str = "4.7.0";
const GOOD: &str = "services:\n  web:\n    image: registry.example/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n    \
                    user: \"1000:1000\"\n    mem_limit: 64m\n    healthcheck: {test: [CMD, /app, health]}\n";

/// Tries them; an error says which example does not do what it says.
pub(crate) fn run() -> Result<()> {
    debian::install(&[("python3", "python3-venv"), ("git", "git")])?;
    let tool = cache::entry(&format!("tools/pre-commit-{PRE_COMMIT}"), |folder| {
        say(format!("installing pre-commit {PRE_COMMIT}, once"));
        quiet(command("python3", ["-m", "venv"]).arg(folder))?;
        let install = ["-m", "pip", "install", "--quiet"];
        quiet(command(folder.join("bin/python3"), install).arg(format!("pre-commit=={PRE_COMMIT}")))
    })?;
    say("building the supervisor");
    loud(&mut command(cargo(), ["build", "--quiet", "--package", "supervisor"]))?;
    let path = path_with(&std::env::current_exe()?.with_file_name(""))?;
    let document = fs::read_to_string(workspace().join("docs/check.md"))?;
    let folder = cache::root()?.join("hook");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let here = |program: &mut Command| -> Result<bool> {
        let output = program
            .current_dir(&folder)
            .env("PATH", &path)
            .env("PRE_COMMIT_HOME", folder.join(".cache"))
            .output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        Ok(output.status.success())
    };
    let git = |arguments: &[&str]| -> Result<()> {
        ensure!(here(&mut command("git", arguments))?, "git {arguments:?} failed");
        Ok(())
    };
    git(&["init", "--quiet"])?;
    let hook = example(&document, "## In a commit hook")?;
    fs::write(folder.join(".pre-commit-config.yaml"), hook)?;
    let workflow = example(&document, "## In a workflow of GitHub")?;
    let steps: Vec<&str> = workflow.lines().filter_map(|line| line.trim().strip_prefix("- run: ")).collect();
    ensure!(!steps.is_empty(), "the workflow runs nothing");
    for (text, is_good) in [(GOOD.to_owned(), true), (format!("{GOOD}    privileged: true\n"), false)] {
        fs::write(folder.join("compose.yaml"), text)?;
        git(&["add", "."])?;
        // The script of the environment names the folder in which it was made, before it was moved.
        let mut pre_commit = command(tool.join("bin/python3"), ["-m", "pre_commit", "run", "--all-files"]);
        ensure!(here(&mut pre_commit)? == is_good, "the hook takes the wrong side (good: {is_good})");
        for step in &steps {
            let went_well = here(&mut command("bash", ["-e", "-c", step]))?;
            ensure!(went_well == is_good, "`{step}` takes the wrong side (good: {is_good})");
        }
    }
    println!("the commit hook and the workflow let the good stack pass and stop the bad one");
    Ok(())
}

/// The first block of code after a heading.
fn example<'a>(document: &'a str, heading: &str) -> Result<&'a str> {
    let (_, after) = document.split_once(heading).with_context(|| format!("no `{heading}`"))?;
    let (_, block) = after.split_once("```yaml\n").context("no example")?;
    Ok(block.split_once("```").context("an example without an end")?.0)
}

fn path_with(folder: &Path) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_path_buf()].into_iter().chain(std::env::split_paths(&path));
    Ok(std::env::join_paths(folders)?)
}
