//! Texts with variables in, what became of them out.

use super::*;
use crate::budget::Budget;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use std::fmt::Write as _;

fn environment() -> BTreeMap<String, String> {
    [("SET", "val"), ("EMPTY", ""), ("DOLLAR", "$SET")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn substituted(text: &str) -> (String, Vec<Fault>) {
    let environment = environment();
    substitute(text, &|name| environment.get(name).map(String::as_str), &mut Budget::default().text)
}

/// One text a line; the answer is the value, or what is wrong and the bytes that it is about.
#[track_caller]
fn check(texts: &[&str], expect: Expect) {
    let lines: Vec<_> = texts
        .iter()
        .map(|text| {
            let (value, faults) = substituted(text);
            let mut line = format!("{text} => {value}");
            for fault in faults {
                let at = text.get(fault.start..fault.end).unwrap();
                write!(line, " [{:?} at {at}]", fault.kind).unwrap();
            }
            line
        })
        .collect();
    expect.assert_eq(&lines.join("\n"));
}

#[test]
fn a_dollar_that_starts_no_variable_stays() {
    check(
        &["$", "5$", "$ x", "$1", "$$", "$$$SET", "$${SET}", "$SET$", "$SETé", "x${SET}y$SET-z", "$_x"],
        expect![[r#"
        $ => $
        5$ => 5$
        $ x => $ x
        $1 => $1
        $$ => $
        $$$SET => $val
        $${SET} => ${SET}
        $SET$ => val$
        $SETé => valé
        x${SET}y$SET-z => xvalyval-z
        $_x =>  [Unset("_x") at $_x]"#]],
    );
}

#[test]
fn defaults_requirements_and_replacements() {
    check(
        &[
            "${A:-d}",
            "${A-d}",
            "${EMPTY:-d}",
            "${EMPTY-d}",
            "${SET:-d}",
            "${SET:+x}",
            "${EMPTY:+x}",
            "${EMPTY+x}",
            "${A+x}",
            "${A:?}",
            "${A?m}",
            "${EMPTY?m}",
            "${EMPTY:?m}",
            "${A:?m ${SET}}",
            "${SET?-x}",
            "${A:- x }",
            "${A:-a:-b}",
        ],
        expect![[r#"
            ${A:-d} => d
            ${A-d} => d
            ${EMPTY:-d} => d
            ${EMPTY-d} => 
            ${SET:-d} => val
            ${SET:+x} => x
            ${EMPTY:+x} => 
            ${EMPTY+x} => x
            ${A+x} => 
            ${A:?} =>  [Required("A", "") at ${A:?}]
            ${A?m} =>  [Required("A", "m") at ${A?m}]
            ${EMPTY?m} => 
            ${EMPTY:?m} =>  [Required("EMPTY", "m") at ${EMPTY:?m}]
            ${A:?m ${SET}} =>  [Required("A", "m val") at ${A:?m ${SET}}]
            ${SET?-x} => val
            ${A:- x } =>  x 
            ${A:-a:-b} => a:-b"#]],
    );
}

#[test]
fn nesting_and_braces_as_compose_counts_them() {
    check(
        &[
            "${A-${B:-c}}",
            "${A:-$SET}",
            "${A:-$DOLLAR}",
            "${A:-$$x}",
            "${A:-a}b}",
            "${A:-}}",
            "${A:-{}",
            "${A:-{}}",
            "${A:-$${B}}",
            "${A:-$${B}",
            r#"${SET:-{"a": 1}}"#,
            "${A:- {{.Name}} }",
            "${SET:-${A:?no}}",
            "${SET:+${EMPTY:-q}}",
        ],
        expect![[r#"
            ${A-${B:-c}} => c
            ${A:-$SET} => val
            ${A:-$DOLLAR} => $SET
            ${A:-$$x} => $x
            ${A:-a}b} => ab}
            ${A:-}} => }
            ${A:-{} => {
            ${A:-{}} => {}
            ${A:-$${B}} => ${B}
            ${A:-$${B} => ${B
            ${SET:-{"a": 1}} => val
            ${A:- {{.Name}} } =>  {{.Name} }
            ${SET:-${A:?no}} => val [Required("A", "no") at ${A:?no}]
            ${SET:+${EMPTY:-q}} => q"#]],
    );
}

#[test]
fn what_breaks_the_grammar() {
    check(
        &[
            "${",
            "${}",
            "${A",
            "${A:}",
            "${1A}",
            "${A.b}",
            "${ A }",
            "${A:=x}",
            "${A!x}",
            "${A:-${}}",
            "a ${A:-${B",
        ],
        expect![[r#"
            ${ =>  [Invalid at ${]
            ${} =>  [Invalid at ${}]
            ${A =>  [Invalid at ${A]
            ${A:} =>  [Invalid at ${A:}]
            ${1A} =>  [Invalid at ${1A}]
            ${A.b} =>  [Invalid at ${A.b}]
            ${ A } =>  [Invalid at ${ A }]
            ${A:=x} =>  [Invalid at ${A:=x}]
            ${A!x} =>  [Invalid at ${A!x}]
            ${A:-${}} =>  [Invalid at ${}]
            a ${A:-${B => a  [Invalid at ${A:-${B]"#]],
    );
}

#[test]
fn a_long_value_is_put_in_a_few_times_only_used_or_not() {
    let long = "v".repeat(Budget::default().text.most() / 3);
    let count = |text: &str| {
        let (value, faults) = substitute(text, &|_| Some(long.as_str()), &mut Budget::default().text);
        let kinds: Vec<_> =
            faults.iter().map(|f| format!("{:?} at {}..{}", f.kind, f.start, f.end)).collect();
        (value.len() / long.len(), kinds.join(", "))
    };
    assert_eq!(count("$A$A$A"), (3, String::new()));
    assert_eq!(count("$A$A$A$A$A"), (3, "TooMuch at 6..8".to_owned()));
    assert_eq!(count("${A:-$A$A$A$A}"), (0, "TooMuch at 11..13, TooMuch at 0..14".to_owned()));
}

proptest! {
    #[test]
    fn any_text_gives_an_answer(text in "[$\\{\\}:?+A-C_a1 -]{0,80}") {
        let (value, faults) = substituted(&text);
        prop_assert!(faults.iter().all(|f| text.get(f.start..f.end).is_some()));
        prop_assert_eq!((value, faults), substituted(&text));
    }

    #[test]
    fn a_text_without_dollars_stays(text in "[^$]{0,40}") {
        prop_assert_eq!(substituted(&text).0, text);
    }
}
