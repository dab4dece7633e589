//! What a plain scalar stands for: YAML 1.2's core schema, with the spellings that Compose's own parser adds to it.
//!
//! Compose's parser reads `0777` as octal, drops `_` in numbers, and knows `0b11`; the values it prints are told
//! here too. Deliberately absent: booleans of YAML 1.1, which are strings here and a problem where a boolean stands.

use std::borrow::Cow;

/// The kind of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Empty, `~`, `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Anything else.
    Text,
}

/// The kind of a plain scalar.
pub(crate) fn kind(text: &str) -> Kind {
    // Nearly every scalar is none of what follows, and says so with its first byte.
    if text.bytes().next().is_some_and(|first| !is_first(first)) {
        return Kind::Text;
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Kind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Kind::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) || text.len() > 64 {
        return Kind::Text;
    }
    let bare = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if let Some(number) = whole(&bare) {
        return Kind::Int(number);
    }
    if is_float(&bare)
        && let Ok(number) = bare.parse()
    {
        return Kind::Float(number);
    }
    Kind::Text
}

/// Whether null, a boolean or a number can begin so.
const fn is_first(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F')
}

/// The text as Compose prints it.
pub(crate) fn canonical(text: &str) -> String {
    match kind(text) {
        Kind::Null => String::new(),
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => float(value),
        Kind::Text => text.to_owned(),
    }
}

/// The kind of a string that stands where a number is asked for: as Compose converts it, in base 10 alone, whatever the
/// same characters mean to YAML without quotes.
pub(crate) fn quoted(text: &str) -> Kind {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || text.len() > 64 || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Kind::Text;
    }
    let in_range = |n: &i128| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(n);
    if let Some(number) = text.parse().ok().filter(in_range) {
        return Kind::Int(number);
    }
    match text.parse() {
        Ok(number) if is_float(text) => Kind::Float(number),
        _ => Kind::Text,
    }
}

/// A number between -2^63 and 2^64-1 in base 10, or base 2, 8, 16 by its prefix.
fn whole(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let number_ok = match number.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((integer, fraction)) => digits(integer) && digits(fraction),
        None => !number.is_empty() && digits(number),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    number_ok && exponent_ok
}

/// A number the way Go prints a `float64`: shortest digits, an exponent from 1e21 up and below 1e-4.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value}")
}

/// Whether YAML 1.1 reads a plain scalar as a date: `2001-12-14`, perhaps with a time of day after `T`, `t` or a blank.
pub(crate) fn is_date(text: &str) -> bool {
    let (date, time) =
        text.split_once(['T', 't', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('-');
    let number = |part: Option<&str>, length: std::ops::RangeInclusive<usize>| {
        let part = part.filter(|p| length.contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u16>().ok()
    };
    let year = number(parts.next(), 4..=4);
    let month = number(parts.next(), 1..=2).filter(|month| (1..=12).contains(month));
    let day = number(parts.next(), 1..=2).filter(|day| (1..=31).contains(day));
    let of_day = |time: &str| {
        time.contains(':')
            && time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'Z' | b'+' | b'-'))
    };
    year.and(month).and(day).is_some() && parts.next().is_none() && time.is_none_or(of_day)
}

/// Whether YAML 1.1 reads a plain scalar as a number in base 60.
pub(crate) fn is_sexagesimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = text.split(':');
    let head = parts.next().unwrap_or_default();
    let mut count = 0;
    let rest = parts.all(|p| {
        count += 1;
        (p.len() <= 2 && !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
            && p.parse::<u8>().is_ok_and(|n| n < 60)
    });
    count > 0
        && rest
        && head.starts_with(|c: char| ('1'..='9').contains(&c))
        && head.bytes().all(|b| b.is_ascii_digit())
}

/// The boolean that YAML 1.1 reads in a word, where it is not `true` or `false`.
pub(crate) fn old_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "on" => Some(true),
        "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(words: &str, expect: Expect) {
        let lines: Vec<_> = words.split(' ').map(|w| format!("{w} {:?} {}", kind(w), canonical(w))).collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn plain_scalars_are_read_as_compose_reads_them() {
        check(
            "~ true True yes 0777 0o17 0x1F 0b11 08 1_000 -5 +7 1.50 1e3 1e30 .5 5. -.inf 1.2.3 1e 22:22 - 18446744073709551616",
            expect![[r#"
                ~ Null 
                true Bool(true) true
                True Bool(true) true
                yes Text yes
                0777 Int(511) 511
                0o17 Int(15) 15
                0x1F Int(31) 31
                0b11 Int(3) 3
                08 Float(8.0) 8
                1_000 Int(1000) 1000
                -5 Int(-5) -5
                +7 Int(7) 7
                1.50 Float(1.5) 1.5
                1e3 Float(1000.0) 1000
                1e30 Float(1e30) 1e+30
                .5 Float(0.5) 0.5
                5. Float(5.0) 5
                -.inf Float(-inf) -Inf
                1.2.3 Text 1.2.3
                1e Text 1e
                22:22 Text 22:22
                - Text -
                18446744073709551616 Float(1.8446744073709552e19) 18446744073709552000"#]],
        );
    }

    #[test]
    fn in_quotes_a_number_is_in_base_10_alone() {
        let lines: Vec<_> =
            ["0777", "-0500", "+7", "08", "1.50", "1e3", "0x1F", "0o17", "1_000", " 1", "-", "1-", ".", ""]
                .into_iter()
                .map(|text| format!("{text} {:?}", quoted(text)))
                .collect();
        expect![[r#"
            0777 Int(777)
            -0500 Int(-500)
            +7 Int(7)
            08 Int(8)
            1.50 Float(1.5)
            1e3 Float(1000.0)
            0x1F Text
            0o17 Text
            1_000 Text
             1 Text
            - Text
            1- Text
            . Text
             Text"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn numbers_in_base_60_are_told_from_times_and_ports() {
        let odd: Vec<_> = ["22:22", "1:30:00", "80:80", "3000:59", "0:10", "a:10", "22:", "22"]
            .into_iter()
            .filter(|t| is_sexagesimal(t))
            .collect();
        assert_eq!(odd, ["22:22", "1:30:00", "3000:59"]);
    }
}
