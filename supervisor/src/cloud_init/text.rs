//! Text as YAML has it: the one place where it is escaped.
//!
//! Deliberately absent: reading YAML.

use std::fmt::Write as _;

/// One word or line, quoted: JSON's strings are YAML's.
pub(super) fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Several lines as a block, each this far in; where that cannot be, quoted.
pub(super) fn block(text: &str, indent: usize) -> String {
    let printable = |c: char| {
        c == '\n' || (!c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
    };
    let plain = text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n'])
        && text.chars().all(printable);
    if !plain {
        return format!("{}\n", scalar(text));
    }
    let mut out = String::from("|\n");
    for line in text.lines() {
        let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "{:indent$}{line}", "") };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_block_cannot_hold_is_quoted() {
        assert_eq!(block("a\n\nb: c\n", 2), "|\n  a\n\n  b: c\n");
        assert_eq!(block("  led in\n", 2), "\"  led in\\n\"\n");
        assert_eq!(block("no end", 2), "\"no end\"\n");
        assert_eq!(block("a\tb\n", 2), "\"a\\tb\\n\"\n");
    }
}
