//! Whether a script for nft sets one table and touches nothing besides: whoever runs it may not have made it.
//!
//! By its form alone, which is that of `print`. Deliberately absent: whether its rules guard anything.

/// Words by which a script reads a file, or names something for later (nft(8)).
const FOREIGN: [&str; 4] = ["include", "define", "redefine", "undefine"];

/// One table of this name, in place of the one that is there.
pub(super) fn is_just(script: &str, table: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let head = format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n");
    let body = script.strip_prefix(head.as_str()).and_then(|rest| rest.strip_suffix("}\n"));
    table.chars().all(plain) && body.is_some_and(|body| is_inside(body) == Some(0))
}

/// How many blocks are open at the end of what is inside of one; `None` where it leads out on the way, or says what no
/// table says.
fn is_inside(body: &str) -> Option<usize> {
    let mut depth: usize = 0;
    for line in body.split_terminator('\n') {
        let mut bare = String::new();
        for (at, part) in line.split('"').enumerate() {
            // Every second part is between two quotes, which know no escape.
            bare.push_str(if at % 2 == 0 { part } else { "." });
        }
        let quotes = line.matches('"').count();
        let odd = |c: char| c.is_control() && c != '\t' || "#$\\'`".contains(c);
        let words = bare.split(|c: char| !c.is_ascii_alphanumeric());
        if quotes % 2 != 0 || bare.contains(odd) || words.into_iter().any(|word| FOREIGN.contains(&word)) {
            return None;
        }
        for character in bare.chars() {
            depth = match character {
                '{' => depth + 1,
                '}' => depth.checked_sub(1)?,
                _ => depth,
            };
        }
    }
    Some(depth)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "table inet supervisor-a\ndelete table inet supervisor-a\ntable inet supervisor-a {\n";

    #[track_caller]
    fn check(body: &str, good: bool) {
        assert_eq!(is_just(&format!("{HEAD}{body}}}\n"), "supervisor-a"), good, "{body}");
    }

    #[test]
    fn what_leads_out_of_its_table_is_told() {
        check("", true);
        check("\tchain a {\n\t\tiifname \"br-1\" comment \"} x {\" drop\n\t}\n", true);
        for bad in [
            "}\nflush ruleset\ntable inet supervisor-a {\n",
            "} ; flush ruleset ; table inet supervisor-a {\n",
            "\tchain a {\n",
            "\tinclude \"/etc/shadow\"\n",
            "\tchain a { include \"/etc/shadow\"; }\n",
            "\tdefine x = { 1 }\n",
            "\t# {\n}\nflush ruleset\n",
            "\tx \\\n}\n",
            "\t\"a\n}\nflush ruleset\n{ \"\n",
            "\t$x\n",
        ] {
            check(bad, false);
        }
        assert!(!is_just(&format!("{HEAD}}}\n"), "supervisor-b"));
        assert!(!is_just(&format!("{HEAD}}}\nflush ruleset\n"), "supervisor-a"));
    }

    proptest! {
        #[test]
        fn no_text_opens_what_it_does_not_close(body in "[{}\"a \n\t;#]{0,40}") {
            let script = format!("{HEAD}{body}}}\n");
            if is_just(&script, "supervisor-a") {
                let bare: String = body.split('"').step_by(2).collect();
                prop_assert_eq!(bare.matches('{').count(), bare.matches('}').count());
            }
        }
    }
}
