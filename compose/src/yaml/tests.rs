//! Every node of a text with its bytes.

use super::*;
use crate::node::Mark;
use crate::source::Sources;
use expect_test::{Expect, expect};
use std::fmt::Write as _;

/// Every node on a line: what it is, and its bytes.
fn write(out: &mut String, deep: usize, label: &str, node: &Node, text: &str) {
    let bytes = text.get(node.span.start as usize..node.span.end as usize).unwrap();
    let mark = if node.mark == Mark::None { String::new() } else { format!(" {:?}", node.mark) };
    let what = match &node.value {
        Value::Scalar(s) if s.plain => format!("plain {:?}", s.text),
        Value::Scalar(s) => format!("text {:?}", s.text),
        Value::List(_) => "list".to_owned(),
        Value::Map(_) => "map".to_owned(),
    };
    writeln!(out, "{}{label}{what}{mark} at {bytes:?}", "  ".repeat(deep)).unwrap();
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|n| write(out, deep + 1, "", n, text)),
        Value::Map(map) => {
            for e in &map.entries {
                let key = text.get(e.key_span.start as usize..e.key_span.end as usize).unwrap();
                let odd = if e.odd { " (odd)" } else { "" };
                write(out, deep + 1, &format!("{key}{odd}: "), &e.value, text);
            }
        }
    }
}

#[track_caller]
fn check(text: &str, expect: Expect) {
    expect.assert_eq(&read(text));
}

/// What is wrong, and every node.
fn read(text: &str) -> String {
    let mut sources = Sources::default();
    let source = Source::new("compose.yaml", text);
    let id = sources.add(source.clone());
    let mut problems = Problems::default();
    let node = parse(&source, id, &mut Budget::default(), &mut problems);
    let mut out = String::new();
    for f in problems.finish() {
        let at = f.span.map(|s| text.get(s.start as usize..s.end as usize).unwrap());
        writeln!(out, "{} {} at {:?}", f.rule, f.message, at.unwrap_or_default()).unwrap();
    }
    if let Some(node) = node {
        write(&mut out, 0, "", &node, text);
    }
    out
}

#[test]
fn places_are_bytes_whatever_the_letters() {
    check(
        "é: 'ü'\nlist:\n  - \"日\\n本\"\n  - {ß: 1}\n",
        expect![[r#"
        map at "é: 'ü'\nlist:\n  - \"日\\n本\"\n  - {ß: 1}"
          é: text "ü" at "'ü'"
          list: list at "- \"日\\n本\"\n  - {ß: 1}"
            text "日\n本" at "\"日\\n本\""
            map at "{ß: 1}"
              ß: plain "1" at "1"
    "#]],
    );
    check(
        "\u{feff}a: b\r\nc:\r\n  - d\r\n",
        expect![[r#"
        map at "a: b\r\nc:\r\n  - d"
          a: plain "b" at "b"
          c: list at "- d"
            plain "d" at "d"
    "#]],
    );
}

#[test]
fn block_scalars_end_with_their_text() {
    check(
        "a: |\n  one\n  two\n\nb: >-\n  three\n  four\nc: x\n",
        expect![[r#"
        map at "a: |\n  one\n  two\n\nb: >-\n  three\n  four\nc: x"
          a: text "one\ntwo\n" at "one\n  two"
          b: text "three four" at "three\n  four"
          c: plain "x" at "x"
    "#]],
    );
}

#[test]
fn an_alias_stands_where_it_is_and_points_where_it_was_written() {
    check(
        "a: &x {k: v}\nb: *x\nc: [*x, 1]\n",
        expect![[r#"
        map at "a: &x {k: v}\nb: *x\nc: [*x, 1]"
          a: map at "&x {k: v}"
            k: plain "v" at "v"
          b: map at "&x {k: v}"
            k: plain "v" at "v"
          c: list at "[*x, 1]"
            map at "&x {k: v}"
              k: plain "v" at "v"
            plain "1" at "1"
    "#]],
    );
}

#[test]
fn own_keys_win_over_merged_ones_and_the_first_merged_over_the_next() {
    check(
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\nd: {\"<<\": 1}\n",
        expect![[r#"
            map at "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\nd: {\"<<\": 1}"
              a: map at "&a {x: 1, y: 1}"
                x: plain "1" at "1"
                y: plain "1" at "1"
              b: map at "&b {y: 2, z: 2}"
                y: plain "2" at "2"
                z: plain "2" at "2"
              c: map at "<<: [*a, *b]\n  x: 3"
                x: plain "3" at "3"
                y: plain "1" at "1"
                z: plain "2" at "2"
              d: map at "{\"<<\": 1}"
                "<<": plain "1" at "1"
        "#]],
    );
    check(
        "a: {<<: 1}\nb: {<<: [{x: 1}, 2]}\n",
        expect![[r#"
        SV009 `<<` is not given a mapping at "1"
        SV009 `<<` is not given a mapping at "[{x: 1}, 2]"
        map at "a: {<<: 1}\nb: {<<: [{x: 1}, 2]}"
          a: map at "{<<: 1}"
          b: map at "{<<: [{x: 1}, 2]}"
    "#]],
    );
}

#[test]
fn tags_and_keys_that_are_not_text() {
    check(
        "a: !reset [1]\nb: !override {c: d}\nc: !!str 1\nd: !!int \"1\"\ne: !foo x\n1: x\n~: y\n[a]: z\ntrue: !!binary x\n",
        expect![[r#"
            SV010 the tag `!foo` is not known at "!foo x"
            SV007 a list or a mapping stands as a key at "[a]"
            SV010 the tag `tag:yaml.org,2002:!binary` is not known at "!!binary x"
            map at "a: !reset [1]\nb: !override {c: d}\nc: !!str 1\nd: !!int \"1\"\ne: !foo x\n1: x\n~: y\n[a]: z\ntrue: !!binary x"
              a: list Reset at "!reset [1]"
                plain "1" at "1"
              b: map Override at "!override {c: d}"
                c: plain "d" at "d"
              c: text "1" at "!!str 1"
              d: plain "1" at "!!int \"1\""
              e: plain "x" at "!foo x"
              1 (odd): plain "x" at "x"
              ~ (odd): plain "y" at "y"
              true (odd): plain "x" at "!!binary x"
        "#]],
    );
}

#[test]
fn a_key_twice_and_a_second_document() {
    check(
        "a: 1\nb: 2\na: 3\n",
        expect![[r#"
        SV006 `a` is written twice at "a"
        map at "a: 1\nb: 2\na: 3"
          a: plain "1" at "1"
          b: plain "2" at "2"
    "#]],
    );
    check(
        "---\na: 1\n---\nb: 2\n",
        expect![[r#"
        SV008 a second document starts here at "---"
    "#]],
    );
    check(
        "---\na: 1\n...\n",
        expect![[r#"
        map at "a: 1"
          a: plain "1" at "1"
    "#]],
    );
    check(
        "a: [1\nb: 2\n",
        expect![[r#"
        SV003 illegal placement of ':' indicator at ""
    "#]],
    );
    check(
        "a:\n\t- b\n",
        expect![[r#"
        SV003 tabs disallowed within this context (block indentation) at ""
    "#]],
    );
}

#[test]
fn what_resets_says_nothing_itself_so_that_what_is_merged_in_holds() {
    check(
        "a: &a {x: 1, y: 2}\nb: {<<: *a, x: !reset null}\nc: {<<: [{y: !reset null}, *a], z: !reset null}\n",
        expect![[r#"
            map at "a: &a {x: 1, y: 2}\nb: {<<: *a, x: !reset null}\nc: {<<: [{y: !reset null}, *a], z: !reset null}"
              a: map at "&a {x: 1, y: 2}"
                x: plain "1" at "1"
                y: plain "2" at "2"
              b: map at "{<<: *a, x: !reset null}"
                x: plain "1" Override at "1"
                y: plain "2" at "2"
              c: map at "{<<: [{y: !reset null}, *a], z: !reset null}"
                z: plain "null" Reset at "!reset null"
                y: plain "2" Override at "2"
                x: plain "1" at "1"
        "#]],
    );
    check(
        "a: &a !override {x: 1}\nb: &b !reset {y: 1}\nc: {<<: *a}\nd: {<<: *b, z: 1}\n",
        expect![[r#"
        map at "a: &a !override {x: 1}\nb: &b !reset {y: 1}\nc: {<<: *a}\nd: {<<: *b, z: 1}"
          a: map Override at "&a !override {x: 1}"
            x: plain "1" at "1"
          b: map Reset at "&b !reset {y: 1}"
            y: plain "1" at "1"
          c: map Override at "{<<: *a}"
            x: plain "1" at "1"
          d: map Override at "{<<: *b, z: 1}"
            z: plain "1" at "1"
    "#]],
    );
    check(
        "a: [1, !reset 2, !override 3]\n",
        expect![[r#"
        map at "a: [1, !reset 2, !override 3]"
          a: list at "[1, !reset 2, !override 3]"
            plain "1" at "1"
            plain "3" Override at "!override 3"
    "#]],
    );
}

#[test]
fn a_tag_under_a_star_would_be_about_every_entry() {
    check(
        "a: {'*': {b: [!override c]}}\nd: {'*': e}\n",
        expect![[r#"
        SV010 to Compose, a tag under the key `*` is about every entry of earlier files at "'*'"
        map at "a: {'*': {b: [!override c]}}\nd: {'*': e}"
          a: map at "{'*': {b: [!override c]}}"
            '*': map at "{b: [!override c]}"
              b: list at "[!override c]"
                plain "c" Override at "!override c"
          d: map at "{'*': e}"
            '*': plain "e" at "e"
    "#]],
    );
}

#[test]
fn what_other_readers_take_for_the_end_of_a_line_and_nul() {
    for line_end in ['\u{2028}', '\u{2029}', '\u{85}'] {
        let message = format!(
            "SV002 a character that ends a line for some readers alone, U+{:04X} at \"\"\n",
            u32::from(line_end)
        );
        assert_eq!(read(&format!("a: 1 # {line_end}b: 2\n")), message);
    }
    check(
        "a: \"x\\0y\"\n",
        expect![[r#"
        SV002 an escape that stands for NUL at "\"x\\0y\""
        map at "a: \"x\\0y\""
          a: text "x\0y" at "\"x\\0y\""
    "#]],
    );
}

#[test]
fn tabs_are_blanks_where_docker_compose_takes_them_for_some() {
    for odd in [
        "a:\n\t\n  b: c\n",
        "a: b\n\t\n",
        "a: b\n\t# c\n",
        "\t\na: b\n",
        "a:\n  b: c\n  \t\n",
        "a:\n  - b\n  \t\n",
        "a: b # c\n  \t\n",
        "a: [b]\n  \t\n",
        "a:\n  -\tb\n",
        "a:\n  - \tb\n",
        "a:\n  -\t\n    b\n",
        "a:\n  - b\n  -\t# c\n    d\n",
        "a:\n  -\tb: c\n",
        "a:\n  - -\tb\n",
        "?\ta\n: b\n",
        "a: |\n  b\n\t\n",
        "a: |\n  b\n \tc\n",
        "a: [b]\n\t\n",
        "a: \"b\"\n\t\n",
    ] {
        assert!(read(odd).starts_with("SV003 "), "{odd:?}");
    }
    for usual in [
        "a: b\t\n",
        "a: b\t# c\n",
        "a: b # c\td\n",
        "# a\tb\n# -\tc\na: b\n",
        "a: b\n  \t\n",
        "a:\n  b: c\n   \t\n  d: e\n",
        "a:\n  - b\n\n   \t# c\n",
        "a:\t\n  b: c\n",
        "a\t: b\n",
        "a: b\tc\n",
        "a: &b\tc\n",
        "a: |\t\n  b\n",
        "a: |\n  b\tc\n",
        "a: |\n  b\n  \tc\n  -\td\n",
        "a: |\n  b\n  \t\n",
        "a: [\tb,\tc]\n",
        "a: \"b\tc\"\n",
        "a: \"\\\n    -\tc\"\n",
        "a: -1\n",
        "é: b\tc\nd: |\n  é\n  \té\n",
    ] {
        assert!(!read(usual).starts_with("SV0"), "{usual:?}: {}", read(usual));
    }
}
