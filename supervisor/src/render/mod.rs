//! Findings for people and machines: the same values as text under its line, JSON, SARIF and annotations.
//!
//! Deliberately absent: deciding what is a finding.

pub mod human;

/// Text in which no control character but the line feed is left, so that a file cannot drive the terminal.
///
/// Controls, and the marks that change the direction of text, are shown as Rust writes them: `\u{1b}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push(' '),
            _ if hidden(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

/// Control characters, and the invisible ones with which a text can be made to look like another.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_sequences_lose_their_power() {
        assert_eq!(plain("a\u{1b}[31mred\u{7}\r\n"), "a\\u{1b}[31mred\\u{7}\\u{d}\n");
        assert_eq!(plain("\u{9b}31m \u{202e}"), "\\u{9b}31m \\u{202e}");
    }
}
