//! What an engine in the machine's own namespaces changes of its network, remembered and put back.
//!
//! An engine leaves its chains, its forwarding policy, the forwarding switch and its bridge behind when it ends. Deliberately absent:
//! rules of anybody else; where another engine's chains were there before, nothing is put back.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::shell::{command, output, quiet};

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
const BRIDGE: &str = "docker0";
const PROGRAMS: [&str; 2] = ["iptables", "ip6tables"];
const TABLES: [&str; 3] = ["filter", "nat", "raw"];

/// Writes down how it is before an engine starts.
pub(crate) fn save(file: &Path) -> Result<()> {
    let mut text = format!("forward {}\n", fs::read_to_string(FORWARD)?.trim());
    for program in PROGRAMS {
        let rules = rules(program, "filter");
        let other = rules.iter().any(|rule| rule.contains("DOCKER"));
        let policy = rules.iter().find_map(|rule| rule.strip_prefix("-P FORWARD ")).unwrap_or("ACCEPT");
        writeln!(text, "{program} {} {policy}", if other { "other" } else { "none" })?;
    }
    if !Path::new("/sys/class/net").join(BRIDGE).exists() {
        writeln!(text, "{BRIDGE} none")?;
    }
    // What an interrupted start wrote before is what was true before.
    if !file.exists() {
        fs::write(file, text)?;
    }
    Ok(())
}

/// Puts it back after the engine has ended.
pub(crate) fn restore(file: &Path) -> Result<()> {
    for line in fs::read_to_string(file).unwrap_or_default().lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [BRIDGE, "none"] => {
                let _ = quiet(&mut command("ip", ["link", "delete", BRIDGE]));
            }
            ["forward", value] => fs::write(FORWARD, value)?,
            [program, "none", policy] => {
                for table in TABLES {
                    remove_chains(program, table);
                }
                quiet(&mut command(program, ["-P", "FORWARD", policy]))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes the engine's chains, the jumps to them and the rules about its bridge from one table. One that the kernel lacks
/// has none.
fn remove_chains(program: &str, table: &str) {
    let rules = rules(program, table);
    let chain = |name: &str| name.starts_with("DOCKER");
    let chains: Vec<&str> =
        rules.iter().filter_map(|r| r.strip_prefix("-N ")).filter(|name| chain(name)).collect();
    for rule in &rules {
        let Some(rest) = rule.strip_prefix("-A ") else { continue };
        let jumps = rule.split_whitespace().skip_while(|word| *word != "-j").nth(1).is_some_and(chain);
        let names_bridge = rest.split_whitespace().any(|word| word == BRIDGE);
        if (jumps || names_bridge) && !chain(rest) {
            let _ = quiet(command(program, ["-t", table, "-D"]).args(rest.split_whitespace()));
        }
    }
    for action in ["-F", "-X"] {
        for chain in &chains {
            let _ = quiet(&mut command(program, ["-t", table, action, chain]));
        }
    }
}

fn rules(program: &str, table: &str) -> Vec<String> {
    let listed = output(&mut command(program, ["-t", table, "-S"])).unwrap_or_default();
    listed.lines().map(String::from).collect()
}
