//! What each layer of ours stops alone, and what goes through where it alone is missing: how much they lean on each other.
//!
//! Deliberately absent: layers that are not a container's own (what a file may ask for, the log's bound, secrets).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::bed::Bed;
use crate::engine::Engine;

use super::containers::{self, Column};
use super::run::{Addresses, Verdict, verdict, write_token};
use super::{NOT_STOPPED, Row, build, rows};

/// A layer: its name, and the keys of a container's description that are it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: &'static str,
    keys: &'static [&'static str],
    /// Which of `SecurityOpt` are it.
    option: Option<&'static str>,
}

const fn keys(name: &'static str, keys: &'static [&'static str]) -> Layer {
    Layer { name, keys, option: None }
}

/// The layers that a container of ours has on a kernel without AppArmor.
pub const LAYERS: [Layer; 7] = [
    Layer { name: "seccomp", keys: &[], option: Some("seccomp") },
    keys("no capabilities", &["CapDrop"]),
    Layer { name: "no new privileges", keys: &[], option: Some("no-new-privileges") },
    keys("read-only root", &["ReadonlyRootfs"]),
    keys("bounded and `noexec` memory file systems", &["Tmpfs", "ShmSize"]),
    keys("limits", &["PidsLimit", "Memory", "MemorySwap", "NanoCpus", "Ulimits"]),
    keys("internal network", &["NetworkMode"]),
];

/// What went through with some layers.
pub type Through = BTreeSet<String>;

/// What went through, layer by layer.
#[derive(Clone, Debug)]
pub struct Layers {
    /// What it ran on.
    pub on: String,
    /// The attempts.
    pub rows: Vec<Row>,
    /// Without any layer.
    pub none: Through,
    /// With all of them.
    pub all: Through,
    /// With this one alone, and with all but this one, in the order of [`LAYERS`].
    pub each: Vec<(Layer, Through, Through)>,
}

/// Makes every attempt with each layer alone and without each layer.
#[track_caller]
pub fn run() -> Layers {
    let _turn = crate::stack::turn();
    let bed = Bed::new("layers");
    let program = bed.folder().join("attack");
    build(&program);
    let image = containers::image(&bed.engine, &program);
    bed.write("compose.yaml", &containers::ours(&image));
    write_token(&bed);
    bed.supervisor(&["up"]).expect(0);
    let ours = bed.engine.inspect(&bed.container("user"))["HostConfig"].clone();
    let _addresses = Addresses::answering();
    let through = |layers: &[Layer]| through(&bed, &image, &host(&ours, layers));
    let each = LAYERS.map(|layer| {
        let others: Vec<Layer> = LAYERS.into_iter().filter(|other| *other != layer).collect();
        (layer, through(&[layer]), through(&others))
    });
    let layers = Layers {
        on: containers::versions(&bed.engine),
        rows: rows(&program),
        none: through(&[]),
        all: through(&LAYERS),
        each: each.into(),
    };
    bed.supervisor(&["down", "--volumes"]).expect(0);
    layers
}

/// The part of our container's description that these layers are.
fn host(ours: &Value, layers: &[Layer]) -> Value {
    let mut host = Map::from_iter([("Tmpfs".to_owned(), json!({"/scratch": ""}))]);
    let mut options = Vec::new();
    for layer in layers {
        host.extend(layer.keys.iter().map(|key| ((*key).to_owned(), ours[*key].clone())));
        let own = |option: &&Value| {
            layer.option.is_some_and(|own| option.as_str().is_some_and(|text| text.starts_with(own)))
        };
        options.extend(ours["SecurityOpt"].as_array().into_iter().flatten().filter(own).cloned());
    }
    host.insert("SecurityOpt".to_owned(), json!(options));
    Value::Object(host)
}

/// The attempts that go through in a container of this description, as a user of its own or as root.
fn through(bed: &Bed, image: &str, host: &Value) -> Through {
    let engine = &bed.engine;
    // Both at once.
    let names = [("layer-user", "1000:1000"), ("layer-root", "0:0")].map(|(name, user)| {
        let name = bed.container(name);
        start(engine, bed, &name, user, image, host);
        name
    });
    let [user, root] = names.map(|name| {
        let answers = containers::finished(engine, &name);
        engine.remove(&name);
        answers
    });
    let column = Column { user, root };
    let ids = column.user.keys();
    ids.filter(|id| verdict(&column, id) == Verdict::Through).cloned().collect()
}

fn start(engine: &Engine, bed: &Bed, name: &str, user: &str, image: &str, host: &Value) {
    let body = json!({
        "Image": image,
        "User": user,
        "Cmd": ["/attack", "stand", "try"],
        "Volumes": {"/data": {}},
        "Labels": {"com.docker.compose.project": bed.project},
        "HostConfig": host,
    });
    engine.run(name, &body);
}

impl Layers {
    /// The attempts of these that can be stopped, in the order of the docs.
    pub fn stoppable<'a>(&'a self, through: &'a Through) -> Vec<&'a Row> {
        let rows = self.rows.iter().filter(|row| row.class != NOT_STOPPED);
        rows.filter(|row| through.contains(&row.id)).collect()
    }

    /// As a document.
    pub fn document(&self) -> String {
        let none = self.stoppable(&self.none).len();
        let mut text = format!(
            "# What each layer stops

Made by `cargo xtask docs --attacks` from a run on a real engine; do not edit. Seen on {}.

The attempts of [the attack suite](attacks.md), as a user and as root, in containers that have one layer of ours and
otherwise what an engine gives that is told nothing, and in containers that have all but one. Without any layer {none}
go through, with all of them {}.

| layer | of the {none} it alone stops | where it alone is missing, these go through |
|---|---|---|
",
            self.on,
            self.stoppable(&self.all).len()
        );
        for (layer, alone, without) in &self.each {
            let stopped = none - self.stoppable(&(alone & &self.none)).len();
            let open: Vec<String> =
                self.stoppable(without).iter().map(|row| format!("`{}`", row.id)).collect();
            let open = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
            let _ = writeln!(text, "| {} | {stopped} | {open} |", layer.name);
        }
        text
    }

    /// Writes the document to this path, or says whether it is as there.
    #[track_caller]
    pub fn is_kept_at(&self, path: &Path) {
        let text = self.document();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, &text).expect("the document");
        }
        let written = std::fs::read_to_string(path).expect("the document");
        // Another kernel or engine answers otherwise, and the table says on what it was made.
        if written.contains(&format!("Seen on {}.", self.on)) {
            assert_eq!(text, written, "stale: `cargo xtask docs --attacks` writes it anew");
        }
    }
}
