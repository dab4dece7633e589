//! What fuzzing starts from: the examples of every rule, the stack that is shipped, and the words of the format.
//!
//! Deliberately absent: what was found; that is the corpus.

use std::fs;
use std::path::Path;

use anyhow::Result;
use compose::{keys, rules};

use crate::cache::key;
use crate::product::workspace;

/// Texts that the other seeds do not lead to: several files, and the grammar of variables.
const MERGES: [&str; 3] = [
    "services: {a: {image: x, ports: [\"1:1\"]}}\n--- over.yaml\nservices: {a: {ports: !override [\"2:2\"], image: !reset null}}\n",
    "include: [inc/a.yaml]\n--- inc/a.yaml\nservices: {b: {image: y, env_file: b.env}}\n--- inc/b.env\nA=1\n",
    "services: {a: {extends: {file: inc/a.yaml, service: b}}}\n--- inc/a.yaml\nservices: {b: {image: y}}\n--- .env\nA=${SET}\n",
];
const VARIABLES: [&str; 9] = [
    "$SET ${SET} $$SET",
    "${A:-b} ${A-b} ${EMPTY:-b} ${EMPTY-b}",
    "${SET:+b} ${SET+b} ${EMPTY:+b}",
    "${A:?no} ${SET?no}",
    "${A:-${B:-${SET}}}",
    "${A:-{b}} ${A-$$}",
    "$A\nA=1",
    "${A}\nA=\"x ${SET} \\n\"\nexport B='y' # z",
    "${1} ${} ${A",
];

/// Writes the seeds of a target.
pub(super) fn write(target: &str, folder: &Path) -> Result<()> {
    let texts: Vec<String> = if target == "interpolate" {
        VARIABLES.map(str::to_owned).into()
    } else {
        let shipped = fs::read_to_string(workspace().join("supervisor/src/stack/compose.yaml"))?;
        let examples = rules::all().flat_map(|rule| [rule.bad, rule.good]).map(str::to_owned);
        examples.chain(MERGES.map(str::to_owned)).chain([shipped]).collect()
    };
    for text in texts {
        fs::write(folder.join(key(&[&text])), text)?;
    }
    Ok(())
}

/// The fuzzer's dictionary: every key, and what the grammar is made of.
pub(super) fn dictionary() -> String {
    let tables =
        [keys::TOP, keys::SERVICE, keys::NETWORK, keys::VOLUME, keys::SECRET, keys::CONFIG, keys::DEPLOY];
    let rows = tables.concat();
    let nested = rows.iter().flat_map(|row| row.shape.keys());
    let mut words: Vec<String> = rows.iter().chain(nested).map(|row| format!("{}: ", row.name)).collect();
    words.extend(
        [
            "!reset ",
            "!override ",
            "<<: *a",
            "&a ",
            "*a",
            "${A:-",
            "${A:?",
            "${A:+",
            "$$",
            "x-supervisor:",
            "--- over.yaml\\x0a",
        ]
        .map(str::to_owned),
    );
    words.sort();
    words.dedup();
    words.iter().fold(String::new(), |text, word| text + "\"" + word + "\"\n")
}
