//! Images from a real registry: by tag and by digest, missing, forbidden, cut midway, and standing still.

use serde_json::{Value, json};
use tests::registry::{Fault, Line, Registry};
use tests::{Bed, Engine};

const MIB: u64 = 1 << 20;
/// What most images here do.
const SLEEP: &str = "exec sleep 1000";

/// A stack of one service of this image, on an internal network of `10.79.6.0/24`.
fn write(bed: &Bed, image: &str, net: u8, further: &str) {
    bed.write(
        "compose.yaml",
        &format!(
            r#"
services:
  app:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    networks: [net]
{further}
networks:
  net: {{internal: true, ipam: {{config: [{{subnet: 10.79.6.{net}/28}}]}}}}
"#
        ),
    );
}

fn running(bed: &Bed) -> Value {
    bed.engine.inspect(&bed.container("app"))["Image"].clone()
}

/// Images that a test pulled, gone with it: made before the bed, and so dropped after its containers.
struct Pulled(Engine, Vec<String>);

impl Pulled {
    fn none() -> Self {
        Self(Engine::from_env(), Vec::new())
    }
}

impl Drop for Pulled {
    fn drop(&mut self) {
        for image in &self.1 {
            self.0.remove_image(image);
        }
    }
}

#[test]
fn what_runs_is_the_image_that_was_pulled_by_tag_or_by_digest() {
    let mut pulled = Pulled::none();
    let (bed, registry) = (Bed::new("pull"), Registry::open());
    // By another address than the one that is pushed to, so that a push takes no name away.
    let line = Line::to(&registry);
    let tag = format!("{}/app:1", line.address());
    let (first, digest) = registry.push(&bed.engine, "app", SLEEP, MIB);
    let by_digest = format!("{}/app@{digest}", line.address());
    pulled.1.extend([tag.clone(), by_digest.clone(), first.clone()]);

    write(&bed, &tag, 0, "");
    let never = bed.supervisor(&["up", "--pull", "never"]).expect(12);
    assert!(never.err.contains(&format!("image `{tag}` is not on the engine")), "{}", never.err);
    let said = bed.supervisor(&["up"]).expect(0);
    assert!(said.err.contains(&format!("image {tag} Pulled")), "{}", said.err);
    assert_eq!(running(&bed), json!(first));

    // The tag means another image by now: it is taken when it is asked for, and not before.
    let (second, _) = registry.push(&bed.engine, "app", "exec sleep 2000", MIB);
    assert_ne!(first, second);
    pulled.1.push(second.clone());
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(running(&bed), json!(first));
    bed.supervisor(&["up", "--pull", "always"]).expect(0);
    assert_eq!(running(&bed), json!(second));
    let same = bed.supervisor(&["up", "--pull", "always"]).expect(0);
    assert!(!same.err.contains("Created"), "{}", same.err);

    // By digest it is the first one again, whatever the tag means.
    write(&bed, &by_digest, 0, "");
    bed.supervisor(&["pull", "--policy", "missing"]).expect(0);
    let said = bed.supervisor(&["up"]).expect(0);
    assert!(!said.err.contains("Pull"), "it is there already: {}", said.err);
    assert_eq!(running(&bed), json!(first));
    bed.supervisor(&["down"]).expect(0);
}

#[test]
fn an_image_that_cannot_be_had_leaves_what_runs_and_says_why() {
    let mut pulled = Pulled::none();
    let (bed, registry, closed) = (Bed::new("pull"), Registry::open(), Registry::closed());
    let tag = format!("{}/app:1", registry.address());
    let (id, _) = registry.push(&bed.engine, "app", SLEEP, MIB);
    pulled.1.extend([tag.clone(), id.clone()]);
    write(&bed, &tag, 16, "");
    bed.supervisor(&["up"]).expect(0);

    let missing = format!("{}/app:2", registry.address());
    write(&bed, &missing, 16, "");
    let said = bed.supervisor(&["up"]).expect(12);
    assert!(said.err.contains(&format!("image `{missing}` could not be pulled")), "{}", said.err);
    assert!(said.err.contains("not found"), "{}", said.err);
    let said = bed.supervisor(&["pull", "--ignore-pull-failures"]).expect(0);
    assert!(said.err.contains("warning: image"), "{}", said.err);

    let forbidden = format!("{}/app:1", closed.address());
    write(&bed, &forbidden, 16, "");
    let said = bed.supervisor(&["up"]).expect(12);
    assert!(said.err.contains("no basic auth credentials"), "{}", said.err);
    assert!(said.err.contains("docker login"), "{}", said.err);

    let gone = closed.address().to_owned();
    drop(closed);
    write(&bed, &format!("{gone}/app:1"), 16, "");
    let said = bed.supervisor(&["up", "--json"]).expect(12);
    assert!(said.out.contains("connection refused"), "{}", said.out);
    assert_eq!(running(&bed), json!(id), "the old one runs on");
    assert_eq!(bed.engine.inspect(&bed.container("app"))["State"]["Status"], "running");
}

#[test]
fn a_pull_that_is_cut_midway_goes_on_where_it_was() {
    let mut pulled = Pulled::none();
    let (bed, registry) = (Bed::new("pull"), Registry::open());
    let line = Line::to(&registry);
    let tag = format!("{}/app:1", line.address());
    let (id, _) = registry.push(&bed.engine, "app", SLEEP, 12 * MIB);
    pulled.1.extend([tag.clone(), id.clone()]);
    write(&bed, &tag, 32, "");
    line.set(Fault::CutOnce(6 * MIB));
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(running(&bed), json!(id));
    let passed = line.passed();
    assert!((12 * MIB..16 * MIB).contains(&passed), "{passed} bytes: what had come was fetched again");
}

#[test]
fn a_pull_that_stands_still_is_given_up_and_the_next_one_is_whole() {
    let mut pulled = Pulled::none();
    let (bed, registry) = (Bed::new("pull"), Registry::open());
    let line = Line::to(&registry);
    let tag = format!("{}/app:1", line.address());
    let (id, _) = registry.push(&bed.engine, "app", SLEEP, 4 * MIB);
    pulled.1.extend([tag.clone(), id.clone()]);
    write(&bed, &tag, 48, "");
    line.set(Fault::Stall(MIB));
    let said = bed.supervisor(&["up", "--pull-stall", "2"]).expect(12);
    assert!(said.err.contains("nothing came of it for 2 s"), "{}", said.err);
    let said = bed.supervisor(&["pull", "--pull-stall", "2", "--json"]).expect(12);
    assert!(said.out.contains("nothing came of it for 2 s"), "{}", said.out);
    line.set(Fault::None);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(running(&bed), json!(id));
}

#[test]
fn a_service_that_says_never_is_never_pulled_for() {
    let mut pulled = Pulled::none();
    let (bed, registry) = (Bed::new("pull"), Registry::open());
    let line = Line::to(&registry);
    let tag = format!("{}/app:1", line.address());
    let (id, _) = registry.push(&bed.engine, "app", SLEEP, MIB);
    pulled.1.extend([tag.clone(), id.clone()]);
    write(&bed, &tag, 64, "    pull_policy: never");
    let said = bed.supervisor(&["up"]).expect(12);
    assert!(said.err.contains(&format!("image `{tag}` is not on the engine")), "{}", said.err);
    assert_eq!(line.passed(), 0, "nobody asked the registry");
    // Whoever asks for it by name gets it.
    bed.supervisor(&["pull"]).expect(0);
    bed.supervisor(&["up"]).expect(0);
}
