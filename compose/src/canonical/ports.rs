//! `ports`: `[ADDRESS:][HOST:]CONTAINER[/PROTOCOL]` with ranges, to one mapping a port.
//!
//! Deliberately absent: whether an address or a port is one; a wrong long form is reported by `lower`.

use crate::node::{Entry, Map, Node, Value};
use crate::problem::{self, Problems};
use crate::scalar;
use crate::source::Span;
use crate::spell;

/// Most ports that one row may stand for.
const MOST: u16 = 1000;

pub(super) fn canonical(node: &mut Node, problems: &mut Problems) {
    let Value::List(items) = &mut node.value else { return };
    let mut ports = Vec::with_capacity(items.len());
    for item in std::mem::take(items) {
        match &item.value {
            Value::Scalar(scalar) => {
                if scalar.plain && scalar::is_sexagesimal(&scalar.text) {
                    let message = format!("`{}` is not in quotes", scalar.text);
                    problems.add(&problem::SEXAGESIMAL, item.span, message, "put it in quotes").fix =
                        Some(format!("\"{}\"", scalar.text));
                }
                let Some(text) = item.as_text() else { continue };
                if matches!(scalar.kind(), scalar::Kind::Float(_)) {
                    let message =
                        format!("the port `{}` is not a whole number", crate::yaml::shown(&scalar.text));
                    problems.add(&problem::BAD_VALUE, item.span, message, "put it in quotes");
                }
                match short(&text, item.span) {
                    Ok(made) => ports.extend(made.into_iter().map(|port| port.along(&item.trail))),
                    Err(what) => {
                        let message = format!("the port `{}` {what}", crate::yaml::shown(&text));
                        problems.add(
                            &problem::BAD_VALUE,
                            item.span,
                            message,
                            "write `\"127.0.0.1:8080:80\"`",
                        );
                    }
                }
            }
            Value::Map(_) => ports.push(long(item)),
            Value::List(_) => {}
        }
    }
    *items = ports;
}

/// A long form with the values that Compose fills in.
fn long(mut item: Node) -> Node {
    let span = item.span;
    if let Value::Map(map) = &mut item.value {
        for (key, value) in [("mode", "ingress"), ("protocol", "tcp")] {
            if map.get(key).is_none() {
                map.entries.push(Entry::made(key, span, Node::text(value, span)));
            }
        }
    }
    item
}

/// The ports that a short form stands for, or what is wrong with it.
fn short(text: &str, span: Span) -> Result<Vec<Node>, &'static str> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err("has an unknown protocol");
    }
    let (address, published, target) = split(text)?;
    let (first, last) = spell::range(target).ok_or("has no valid container port")?;
    if first == 0 {
        return Err("has the container port 0");
    }
    let published = match published {
        "" => None,
        text => Some(spell::range(text).ok_or("has no valid host port")?),
    };
    let count = last - first;
    if count >= MOST {
        return Err("stands for more than 1000 ports");
    }
    let port = |target: u16, published: Option<String>| {
        let mut map = Map::default();
        let mut put = |key: &str, value: Node| map.entries.push(Entry::made(key, span, value));
        put("mode", Node::text("ingress", span));
        if let Some(address) = address {
            put("host_ip", Node::text(address, span));
        }
        put("target", Node::plain(target.to_string(), span));
        if let Some(published) = published {
            put("published", Node::text(published, span));
        }
        put("protocol", Node::text(protocol.clone(), span));
        Node::new(Value::Map(map), span)
    };
    match published {
        None => Ok((first..=last).map(|target| port(target, None)).collect()),
        Some((from, to)) if to - from == count => {
            Ok((0..=count).map(|i| port(first + i, Some((from + i).to_string()))).collect())
        }
        Some((from, to)) if count == 0 => Ok(vec![port(first, Some(format!("{from}-{to}")))]),
        Some(_) => Err("has ranges of different lengths"),
    }
}

/// Address, host port and container port.
fn split(text: &str) -> Result<(Option<&str>, &str, &str), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once("]:").ok_or("has an address that is not closed")?;
        let (published, target) = rest.split_once(':').ok_or("has no container port")?;
        return Ok((Some(address), published, target));
    }
    let Some((front, target)) = text.rsplit_once(':') else { return Ok((None, "", text)) };
    match front.rsplit_once(':') {
        None => Ok((None, front, target)),
        Some((address, _)) if address.contains(':') => Err("has an IPv6 address without brackets"),
        Some((address, published)) => Ok((Some(address).filter(|a| !a.is_empty()), published, target)),
    }
}
