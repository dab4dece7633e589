//! Compose's spellings of amounts: durations, sizes, CPUs, port ranges, command lines.
//!
//! Deliberately absent: where a value came from; a caller reports `None` at its place.

use std::time::Duration;

use crate::units::NanoCpus;

/// `1m30s`, `1.5h`, `500ms`, `2d`, `1w`; `0` alone needs no unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return None,
        };
        nanos = nanos.checked_add(decimal(number, unit)?)?;
        rest = tail;
    }
    // Go's longest duration is 292 years; nothing that waits needs more.
    u64::try_from(nanos).ok().filter(|n| i64::try_from(*n).is_ok()).map(Duration::from_nanos)
}

/// `512m`, `1.5g`, `1GiB`, `1024`: always powers of 1024.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
    let factor: u128 = match unit {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        "p" => 1 << 50,
        _ => return None,
    };
    i64::try_from(decimal(number, factor)?).ok()
}

/// `0.5`, `2`: CPUs.
pub(crate) fn cpus(text: &str) -> Option<NanoCpus> {
    u64::try_from(decimal(text.trim(), 1_000_000_000)?).ok().map(NanoCpus)
}

/// A decimal number times a whole one, without the rounding of floats.
fn decimal(number: &str, factor: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) || number.len() > 40 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = fraction.get(..fraction.len().min(15)).unwrap_or_default();
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(factor)?.checked_add(part.checked_mul(factor)? / scale)
}

/// `80` or `80-90`: first and last.
pub(crate) fn range(text: &str) -> Option<(u16, u16)> {
    let port = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<u16>().ok()).flatten();
    match text.split_once('-') {
        None => port(text).map(|p| (p, p)),
        Some((first, last)) => {
            let (first, last) = (port(first)?, port(last)?);
            (first <= last).then_some((first, last))
        }
    }
}

/// A command line as Compose cuts it into arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The arguments. Quotes and backslashes mean what they mean to a shell; nothing is expanded.
    pub(crate) words: Vec<String>,
    /// The first `;`, `&`, `|`, `<` or `>` without quotes: Compose drops it and what follows.
    pub(crate) dropped_from: Option<char>,
}

/// Cuts a command line as Compose does (`go-shellwords`, which runs no shell). `None` where a quote or a bracket is not
/// closed, or a bracket stands alone.
pub(crate) fn words(text: &str) -> Option<Words> {
    let mut line = Line::default();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && line.inside != Some('\'') {
            line.push(chars.next()?);
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') && line.inside.is_none() {
            line.end();
        } else if matches!(c, ';' | '&' | '|' | '<' | '>') && line.inside.is_none() {
            // The number in front of `2>` belongs to what is dropped.
            let number =
                c == '>' && line.word.as_ref().is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit()));
            if !number {
                line.end();
            }
            return Some(Words { words: line.words, dropped_from: Some(c) });
        } else {
            line.character(c)?;
        }
    }
    line.end();
    line.inside.is_none().then_some(Words { words: line.words, dropped_from: None })
}

/// A command line that is being cut.
#[derive(Default)]
struct Line {
    words: Vec<String>,
    word: Option<String>,
    /// What closes what was opened last: a quote, or the bracket of `$(`. These do not nest.
    inside: Option<char>,
}

impl Line {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end(&mut self) {
        self.words.extend(self.word.take());
    }

    /// A character that is neither escaped nor ends a word. `None` for a bracket that Compose does not take.
    fn character(&mut self, c: char) -> Option<()> {
        match (c, self.inside) {
            ('"' | '\'', None) => {
                self.inside = Some(c);
                self.word.get_or_insert_default();
            }
            ('"' | '\'', Some(open)) if open == c => self.inside = None,
            ('`', None) => {
                self.inside = Some(c);
                self.push(c);
            }
            ('`' | ')', Some(open)) if open == c => {
                self.inside = None;
                self.push(c);
            }
            ('(', None) if self.word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                self.inside = Some(')');
                self.push(c);
            }
            ('(', None | Some(')')) | (')', None) => return None,
            _ => self.push(c),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check<T: std::fmt::Debug>(read: impl Fn(&str) -> T, texts: &[&str], expect: Expect) {
        let lines: Vec<_> = texts.iter().map(|t| format!("{t} => {:?}", read(t))).collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn durations() {
        check(
            duration,
            &["1m30s", "1.5h", "500ms", "0", "2d", "1w", "", "10", "1x", "-1s", "s", "99999999999h"],
            expect![[r#"
            1m30s => Some(90s)
            1.5h => Some(5400s)
            500ms => Some(500ms)
            0 => Some(0ns)
            2d => Some(172800s)
            1w => Some(604800s)
             => None
            10 => None
            1x => None
            -1s => None
            s => None
            99999999999h => None"#]],
        );
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        check(
            bytes,
            &["1024", "512m", "1.5g", "1GiB", "1 kb", "64b", "1x", "", "-1", "9999999999p"],
            expect![[r#"
                1024 => Some(1024)
                512m => Some(536870912)
                1.5g => Some(1610612736)
                1GiB => Some(1073741824)
                1 kb => Some(1024)
                64b => Some(64)
                1x => None
                 => None
                -1 => None
                9999999999p => None"#]],
        );
    }

    #[test]
    fn cpus_are_exact() {
        check(
            cpus,
            &["0.5", "2", "0", ".25", "1.999999999", "", ".", "x", "1e3"],
            expect![[r#"
            0.5 => Some(NanoCpus(500000000))
            2 => Some(NanoCpus(2000000000))
            0 => Some(NanoCpus(0))
            .25 => Some(NanoCpus(250000000))
            1.999999999 => Some(NanoCpus(1999999999))
             => None
            . => None
            x => None
            1e3 => None"#]],
        );
    }

    #[test]
    fn command_lines_are_cut_as_compose_cuts_them() {
        let cut = |text: &str| words(text).map(|line| (line.words, line.dropped_from));
        check(
            cut,
            &[
                "a b",
                "sh -c 'a  b'",
                r#"a "b \" $c" d"#,
                r#""a\nb" '\n'"#,
                r"a\ b",
                "''",
                "a 'b",
                r"a \",
                r#"x"y"z"#,
                "a `b c`d $(e \"f g\")h",
                "a `b",
                "a $(b",
                "(a)",
                "a )",
                "a;b",
                "a > b",
                "a2>b",
                "a 2>b",
                "a '|' \"&\" \\; `<`",
                "&& a",
            ],
            expect![[r#"
                a b => Some((["a", "b"], None))
                sh -c 'a  b' => Some((["sh", "-c", "a  b"], None))
                a "b \" $c" d => Some((["a", "b \" $c", "d"], None))
                "a\nb" '\n' => Some((["anb", "\\n"], None))
                a\ b => Some((["a b"], None))
                '' => Some(([""], None))
                a 'b => None
                a \ => None
                x"y"z => Some((["xyz"], None))
                a `b c`d $(e "f g")h => Some((["a", "`b c`d", "$(e \"f g\")h"], None))
                a `b => None
                a $(b => None
                (a) => None
                a ) => None
                a;b => Some((["a"], Some(';')))
                a > b => Some((["a"], Some('>')))
                a2>b => Some((["a2"], Some('>')))
                a 2>b => Some((["a"], Some('>')))
                a '|' "&" \; `<` => Some((["a", "|", "&", ";", "`<`"], None))
                && a => Some(([], Some('&')))"#]],
        );
    }
}
