//! What each layer of ours stops alone, and what goes through where it alone is missing: how much they lean on each other.
//!
//! Deliberately absent: layers that are not a container's own (what a file may ask for, the log's bound, secrets, the guard).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use profiles::landlock::PROGRAM;
use serde_json::{Value, json};

use crate::bed::Bed;

use super::containers::{self, Column};
use super::run::{Addresses, Verdict, verdict, write_token};
use super::{NOT_STOPPED, Row, build, rows};

/// A layer: its name, and the part of a container's description that is it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: &'static str,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Keys of `HostConfig`.
    Keys(&'static [&'static str]),
    /// The rows of `SecurityOpt` that begin so.
    Option(&'static str),
    /// The program that is executed first, and its mount.
    Landlock,
}

const fn layer(name: &'static str, part: Part) -> Layer {
    Layer { name, part }
}

/// The layers that a container of ours has on a kernel without AppArmor.
pub const LAYERS: [Layer; 8] = [
    layer("seccomp", Part::Option("seccomp")),
    layer("no capabilities", Part::Keys(&["CapDrop"])),
    layer("no new privileges", Part::Option("no-new-privileges")),
    layer("Landlock", Part::Landlock),
    layer("read-only root", Part::Keys(&["ReadonlyRootfs"])),
    layer("bounded and `noexec` memory file systems", Part::Keys(&["Tmpfs", "ShmSize"])),
    layer("limits", Part::Keys(&["PidsLimit", "Memory", "MemorySwap", "NanoCpus", "Ulimits"])),
    layer("internal network", Part::Keys(&["NetworkMode"])),
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
    bed.supervisor(&["up", "--detach"]).expect(0);
    let ours = bed.engine.inspect(&bed.container("user"));
    let _addresses = Addresses::answering();
    let through = |layers: &[Layer]| through(&bed, &image, &with(&ours, layers));
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

/// A container with these layers of ours, and otherwise what an engine gives that is told nothing.
fn with(ours: &Value, layers: &[Layer]) -> Value {
    let mut body = json!({"Cmd": ["/attack", "stand", "try"], "HostConfig": {"Tmpfs": {"/scratch": ""}}});
    let rows = |list: &Value, is: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        list.as_array().into_iter().flatten().filter(|row| is(row)).cloned().collect()
    };
    let mut options = Vec::new();
    let host = &ours["HostConfig"];
    for layer in layers {
        match layer.part {
            Part::Keys(keys) => keys.iter().for_each(|key| body["HostConfig"][*key] = host[*key].clone()),
            Part::Option(own) => options.extend(rows(&host["SecurityOpt"], &|option| {
                option.as_str().is_some_and(|text| text.starts_with(own))
            })),
            Part::Landlock => {
                body["Entrypoint"] = ours["Config"]["Entrypoint"].clone();
                body["Cmd"] = ours["Config"]["Cmd"].clone();
                let program = |mount: &Value| mount["Target"] == json!(PROGRAM);
                body["HostConfig"]["Mounts"] = rows(&host["Mounts"], &program).into();
            }
        }
    }
    body["HostConfig"]["SecurityOpt"] = options.into();
    body
}

/// The attempts that go through in a container of this description, as a user of its own or as root.
fn through(bed: &Bed, image: &str, body: &Value) -> Through {
    let engine = &bed.engine;
    // Both at once.
    let names = [("layer-user", "1000:1000"), ("layer-root", "0:0")].map(|(name, user)| {
        let name = bed.container(name);
        let mut body = body.clone();
        body["Image"] = image.into();
        body["User"] = user.into();
        body["Volumes"] = json!({"/data": {}});
        body["Labels"] = json!({"com.docker.compose.project": bed.project});
        engine.run(&name, &body);
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

impl Layers {
    /// The attempts of these that a container's own layers can stop, in the order of the docs.
    pub fn stoppable<'a>(&'a self, through: &'a Through) -> Vec<&'a Row> {
        let rows = self.rows.iter().filter(|row| row.class != NOT_STOPPED && row.layers != "guard");
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
