//! `images`: the images that the stack's containers were made of.
//!
//! Deliberately absent: images that nothing was made of yet (`config`, `pull`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::args::GlobalArgs;
use crate::decide::seen::SeenContainer;
use crate::engine::by_hand::StoredImage;
use crate::engine::{Engine as _, Scope};
use crate::exit::{Exit, Failure};
use crate::render::table::table;
use crate::{input, session};

use super::ps::{Format, ago};
use super::stats::bytes;

/// Options of `images`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor images                    which image each container was made of
  supervisor images --format json | jq -r '.[] | \"\\(.container) \\(.digests[0])\"'")]
pub struct Args {
    /// A table, or JSON: an array with one object a container
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
    let scope = Scope::project(project);
    let (seen, images) = tokio::try_join!(session.engine.observe(&scope), session.engine.stored_images())?;
    let images: BTreeMap<String, StoredImage> =
        images.into_iter().map(|image| (image.id.clone(), image)).collect();
    let named = |container: &&SeenContainer| {
        let named = container.service.as_ref().is_some_and(|service| args.services.contains(service));
        args.services.is_empty() || named
    };
    let containers: Vec<&SeenContainer> = seen.containers.iter().filter(named).collect();
    if args.quiet {
        let ids: std::collections::BTreeSet<_> = containers.iter().map(|c| c.image_id.as_str()).collect();
        for id in ids {
            println!("{id}");
        }
        return Ok(Exit::Done);
    }
    let rows = containers.iter().map(|container| (*container, images.get(&container.image_id)));
    match args.format {
        Format::Table => {
            let now = Timestamp::now();
            let rows: Vec<Vec<String>> = rows.map(|(container, image)| row(container, image, now)).collect();
            print!("{}", table(&["CONTAINER", "REPOSITORY", "TAG", "IMAGE ID", "SIZE", "CREATED"], &rows));
        }
        Format::Json => {
            let rows: Vec<_> = rows.map(|(container, image)| json(container, image)).collect();
            println!("{}", serde_json::Value::Array(rows));
        }
    }
    Ok(Exit::Done)
}

fn row(container: &SeenContainer, image: Option<&StoredImage>, now: Timestamp) -> Vec<String> {
    const NONE: &str = "<none>";
    let tagged = image.and_then(|image| image.tags.first()).and_then(|tag| tag.rsplit_once(':'));
    let digested = image.and_then(|image| image.digests.first()).and_then(|digest| digest.split_once('@'));
    let repository = tagged.or(digested).map_or(NONE, |(repository, _)| repository);
    let id = container.image_id.trim_start_matches("sha256:");
    let created = image.and_then(|image| image.created).map(|at| format!("{} ago", ago(at, now)));
    vec![
        container.name.clone(),
        repository.to_owned(),
        tagged.map_or(NONE, |(_, tag)| tag).to_owned(),
        id.chars().take(12).collect(),
        image.map(|image| bytes(image.size)).unwrap_or_default(),
        created.unwrap_or_default(),
    ]
}

fn json(container: &SeenContainer, image: Option<&StoredImage>) -> serde_json::Value {
    serde_json::json!({
        "container": container.name,
        "service": container.service,
        "id": container.image_id,
        "tags": image.map(|image| &image.tags),
        "digests": image.map(|image| &image.digests),
        "size": image.map(|image| image.size),
        "created": image.and_then(|image| image.created).map(|at| at.to_string()),
    })
}
