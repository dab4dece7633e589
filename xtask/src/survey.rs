//! `cargo xtask survey`: how often each rule speaks up over folders of Compose files, as a table for the documents.
//!
//! Files that cannot be read are counted and not judged. The folders are other projects' and no part of this one; host paths are not
//! looked at. Deliberately absent: whether a finding is right, which somebody has to look at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Severity, problem, rules};

use crate::compat;

/// Options of `survey`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of Compose files, searched deeply
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Print every place where this rule speaks up instead
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
}

/// Findings of one rule, and the files that they are in.
#[derive(Default)]
struct Row {
    findings: usize,
    files: usize,
    last: usize,
}

/// Judges, and prints the table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut files = Vec::new();
    for folder in &args.folders {
        compat::find(folder, &mut files).with_context(|| format!("searching `{}`", folder.display()))?;
    }
    files.sort();
    // Exemptions do not depend on it: no file of others has one.
    let policy = Policy {
        today: Date { year: 2000, month: 1, day: 1 },
        strict: false,
        calls: compose::policy::no_calls,
        notes: compose::Notes::Told,
    };
    let mut rows = BTreeMap::<(&'static str, &'static str), Row>::new();
    let (mut unreadable, mut refused, mut services) = (0, 0, 0);
    for (number, file) in files.iter().enumerate() {
        let Ok(loaded) = compat::load(file) else { continue };
        unreadable += usize::from(loaded.report.unreadable);
        if loaded.report.unreadable {
            continue;
        }
        services += loaded.project.as_ref().map_or(0, |project| project.services.len());
        let (admitted, report) = compose::admit(loaded, &policy, &MemoryHost::default());
        refused += usize::from(admitted.is_none());
        for finding in report.findings.iter().filter(|finding| finding.severity != Severity::Note) {
            let weight = if finding.severity == Severity::Error { "error" } else { "warning" };
            let row = rows.entry((finding.rule, weight)).or_default();
            row.findings += 1;
            row.files += usize::from(row.last != number + 1);
            row.last = number + 1;
            if args.rule.as_deref() == Some(finding.rule) {
                let line =
                    finding.span.and_then(|s| Some(report.sources.get(s.source)?.position(s.start).line));
                println!("{}:{}: {}", file.display(), line.unwrap_or_default(), finding.message);
            }
        }
    }
    if args.rule.is_some() {
        return Ok(());
    }
    println!(
        "{} files with {services} services: {unreadable} cannot be read, {refused} are refused.\n",
        files.len()
    );
    println!("| rule | | findings | files | title |\n|---|---|---:|---:|---|");
    for ((id, weight), row) in rows {
        let title = rules::find(id).map(|rule| rule.title);
        let title = title.or_else(|| problem::PROBLEMS.iter().find(|p| p.id == id).map(|p| p.title));
        println!("| {id} | {weight} | {} | {} | {} |", row.findings, row.files, title.unwrap_or_default());
    }
    Ok(())
}
