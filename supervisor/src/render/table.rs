//! Rows in columns, for people.
//!
//! Deliberately absent: colours, and fitting to a width; a terminal wraps.

use super::plain;

/// Columns as wide as their widest cell, two blanks between them; control characters shown, not sent.
pub fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&titles)
        .chain(rows)
        .map(|row| row.iter().map(|cell| plain(cell).replace('\n', " ")).collect())
        .collect();
    let widths: Vec<usize> = (0..titles.len())
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_are_shown() {
        let rows =
            [vec!["a".to_owned(), "running".to_owned()], vec!["longer\u{1b}".to_owned(), "x".to_owned()]];
        expect![[r"
            NAME          STATE
            a             running
            longer\u{1b}  x
        "]]
        .assert_eq(&table(&["NAME", "STATE"], &rows));
    }
}
