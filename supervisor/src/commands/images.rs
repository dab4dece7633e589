//! `images`: the images that the stack's containers were made of, and those that they have mounted.
//!
//! Deliberately absent: images that nothing was made of yet (`config`, `pull`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::args::GlobalArgs;
use crate::engine::by_hand::{Listed, StoredImage};
use crate::exit::{Exit, Failure};
use crate::render::table::table;
use crate::{input, session};

use super::ps::{Format, ago};
use super::stats::bytes;

/// Options of `images`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor images                    which image each container was made of, and which it has mounted
  supervisor images --format json | jq -r '.[] | \"\\(.container) \\(.digests[0])\"'")]
pub struct Args {
    /// A table, or JSON: an array with one object a container and image
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Print the images' ids alone
    #[arg(short, long)]
    pub quiet: bool,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let (listed, images) = tokio::try_join!(session.engine.listed(&project), session.engine.stored_images())?;
    let images: BTreeMap<String, StoredImage> =
        images.into_iter().map(|image| (image.id.clone(), image)).collect();
    let named = |container: &&Listed| args.services.is_empty() || args.services.contains(&container.service);
    let used: Vec<Used<'_>> = listed.iter().filter(named).flat_map(Used::of).collect();
    if args.quiet {
        let ids: BTreeSet<_> = used.iter().map(|used| used.id).collect();
        for id in ids {
            println!("{id}");
        }
        return Ok(Exit::Done);
    }
    let rows = used.iter().map(|used| (used, images.get(used.id)));
    match args.format {
        Format::Table => {
            let now = Timestamp::now();
            let rows: Vec<Vec<String>> = rows.map(|(used, image)| row(used, image, now)).collect();
            print!("{}", table(&["CONTAINER", "REPOSITORY", "TAG", "IMAGE ID", "SIZE", "CREATED"], &rows));
        }
        Format::Json => {
            let rows: Vec<_> = rows.map(|(used, image)| json(used, image)).collect();
            println!("{}", serde_json::Value::Array(rows));
        }
    }
    Ok(Exit::Done)
}

/// An image that a container was made of, or has mounted.
struct Used<'a> {
    container: &'a Listed,
    id: &'a str,
    /// Where it is mounted.
    target: Option<&'a str>,
}

impl<'a> Used<'a> {
    fn of(container: &'a Listed) -> impl Iterator<Item = Self> {
        let own = Self { container, id: &container.image_id, target: None };
        let mounted = container.mounted.iter();
        std::iter::once(own).chain(mounted.map(move |(target, id)| Self {
            container,
            id,
            target: Some(target),
        }))
    }
}

fn row(used: &Used<'_>, image: Option<&StoredImage>, now: Timestamp) -> Vec<String> {
    const NONE: &str = "<none>";
    let tagged = image.and_then(|image| image.tags.first()).and_then(|tag| tag.rsplit_once(':'));
    let digested = image.and_then(|image| image.digests.first()).and_then(|digest| digest.split_once('@'));
    let repository = tagged.or(digested).map_or(NONE, |(repository, _)| repository);
    let id = used.id.trim_start_matches("sha256:");
    let created = image.and_then(|image| image.created).map(|at| format!("{} ago", ago(at, now)));
    vec![
        used.container.name.clone(),
        repository.to_owned(),
        tagged.map_or(NONE, |(_, tag)| tag).to_owned(),
        id.chars().take(12).collect(),
        image.map(|image| bytes(image.size)).unwrap_or_default(),
        created.unwrap_or_default(),
    ]
}

fn json(used: &Used<'_>, image: Option<&StoredImage>) -> serde_json::Value {
    serde_json::json!({
        "container": used.container.name,
        "service": used.container.service,
        "id": used.id,
        "mounted_at": used.target,
        "tags": image.map(|image| &image.tags),
        "digests": image.map(|image| &image.digests),
        "size": image.map(|image| image.size),
        "created": image.and_then(|image| image.created).map(|at| at.to_string()),
    })
}
