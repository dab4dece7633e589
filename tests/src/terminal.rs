//! A terminal: a program on a real pseudo-terminal of some size, and what its user sees in the end.
//!
//! The pseudo-terminal is made by script(1); the few sequences that the supervisor sends are interpreted here, and one
//! that is not known fails the test. Deliberately absent: scrolling; tests stay below its height.

use std::process::{Command, Stdio};

use crate::Bed;

/// What was on the terminal.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// Its rows from the top, without blanks at their ends.
    pub rows: Vec<String>,
    /// How often a row was written over: what moved.
    pub redrawn: usize,
    /// Everything as it was sent.
    pub sent: String,
    /// Exit code of the program.
    pub code: i32,
}

/// Runs the binary of this bed on a terminal of so many rows and columns.
#[track_caller]
pub fn run(bed: &Bed, rows: usize, columns: usize, arguments: &[&str]) -> Screen {
    let command = bed.command();
    let program = command.get_program().display().to_string();
    let words: Vec<String> = std::iter::once(program.as_str())
        .chain(arguments.iter().copied())
        .map(|word| format!("'{word}'"))
        .collect();
    let line = format!("stty rows {rows} cols {columns}; exec {}", words.join(" "));
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(bed.folder())
        .env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("SHELL", "/bin/sh");
    let ran = crate::bed::ran(script.stdin(Stdio::null()));
    Screen { code: ran.code, ..read(&ran.out, columns) }
}

/// What is on a screen of so many columns after this was sent.
#[track_caller]
pub fn read(sent: &str, columns: usize) -> Screen {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column, mut redrawn) = (0_usize, 0_usize, 0);
    let mut text = sent.chars().peekable();
    while let Some(c) = text.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                assert_eq!(text.next(), Some('['), "an unknown sequence");
                let mut number = String::new();
                while let Some(digit) = text.next_if(|c| c.is_ascii_digit() || *c == ';') {
                    number.push(digit);
                }
                match text.next() {
                    Some('A') => {
                        row = row.checked_sub(number.parse().unwrap_or(1)).expect("above the first row");
                    }
                    Some('K') => {
                        redrawn += usize::from(!rows[row].is_empty());
                        rows[row].clear();
                    }
                    Some('m') => {}
                    other => panic!("an unknown sequence: {number}{other:?}"),
                }
            }
            c => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                }
                while rows.len() <= row {
                    rows.push(Vec::new());
                }
                if rows[row].len() <= column {
                    rows[row].resize(column + 1, ' ');
                }
                rows[row][column] = c;
                column += 1;
            }
        }
        while rows.len() <= row {
            rows.push(Vec::new());
        }
    }
    let rows = rows.into_iter().map(|row| row.into_iter().collect::<String>().trim_end().to_owned());
    let mut rows: Vec<String> = rows.collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    Screen { rows, redrawn, sent: sent.to_owned(), code: 0 }
}
