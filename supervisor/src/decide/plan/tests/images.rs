//! Images that services have mounted: fetched, compared by id, and what an engine cannot do with them.

use super::*;

const SITE: &str = "
services:
  web:
    image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: 1000:1000
    network_mode: none
    volumes:
      - {type: image, source: 'site@sha256:2222222222222222222222222222222222222222222222222222222222222222', target: /srv}
";
/// What is left of that once it is mounted a second time.
const TWICE: &str = "target: /srv}
      - {type: image, source: 'site@sha256:2222222222222222222222222222222222222222222222222222222222222222', target: /old}";

fn without(name: &str, text: &str) -> Wanted {
    let image = |image: &str| (!image.starts_with(name)).then(|| format!("id-of-{image}"));
    want_with(text, Restarts::Engine, &[], image)
}

fn on(api: (u16, u16), seen: Seen) -> Seen {
    Seen { api: Some(api), ..seen }
}

#[test]
fn a_mounted_image_is_fetched_before_anything_else() {
    check(
        &without("site", SITE),
        &Seen::default(),
        expect![[r#"
        0 pull site: it is not on the engine
        1 create shop-web-1 (after 0): it is not there
        2 start shop-web-1 (after 1): it is not there
    "#]],
    );
    check(
        &without("site", &SITE.replace("2222", "3333")),
        &up(SITE),
        expect![[r#"
        0 pull site: it is not on the engine
        1 create shop-web-1.next (after 0): its mounted images changed
        2 stop shop-web-1 10s (after 0 1): its mounted images changed
        3 rename shop-web-1 to shop-web-1.previous (after 2): it stays until the new one has proved itself
        4 rename shop-web-1.next to shop-web-1 (after 1 3): its mounted images changed
        5 start shop-web-1 (after 4): its mounted images changed
        6 await web Started 60s and 2s on (after 5): an update is good when it is well
        7 remove shop-web-1 (after 3 6): the new one has proved itself
        proved before 7
    "#]],
    );
}

#[test]
fn another_mounted_image_is_a_change_and_another_name_of_the_same_is_none() {
    check(
        &want(&SITE.replace("2222", "3333")),
        &up(SITE),
        expect![[r#"
        0 create shop-web-1.next: its mounted images changed
        1 stop shop-web-1 10s (after 0): its mounted images changed
        2 rename shop-web-1 to shop-web-1.previous (after 1): it stays until the new one has proved itself
        3 rename shop-web-1.next to shop-web-1 (after 0 2): its mounted images changed
        4 start shop-web-1 (after 3): its mounted images changed
        5 await web Started 60s and 2s on (after 4): an update is good when it is well
        6 remove shop-web-1 (after 2 5): the new one has proved itself
        proved before 6
    "#]],
    );
    let same = |image: &str| Some(format!("id-of-{}", image.split('@').next().unwrap_or_default()));
    let (wanted, renamed) = (
        want_with(SITE, Restarts::Engine, &[], same),
        want_with(&SITE.replace("2222", "3333"), Restarts::Engine, &[], same),
    );
    let seen = simulate(&Seen::default(), &plan(&wanted, &Seen::default()));
    check(
        &renamed,
        &seen,
        expect![[r#"
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn an_image_that_cannot_be_fetched_blocks_whether_it_runs_or_is_mounted() {
    let by_id = SITE.replace("'site@sha256", "'sha256");
    check(
        &without("sha256", &by_id),
        &up(SITE),
        expect![[r#"
        blocked: image `sha256:2222222222222222222222222222222222222222222222222222222222222222` of service `web` is not on the engine, and an image id cannot be fetched; build or load it, or name it by registry and digest
    "#]],
    );
    let never = SITE.replace("    user", "    pull_policy: never\n    user");
    check(
        &without("site", &never),
        &Seen::default(),
        expect![[r#"
        blocked: image `site@sha256:2222222222222222222222222222222222222222222222222222222222222222` is not on the engine, and `pull_policy` of service `web` is `never`
    "#]],
    );
}

#[test]
fn an_engine_that_mounts_no_image_or_none_twice_is_told_before_anything_is_touched() {
    check(
        &want(SITE),
        &on((1, 47), Seen::default()),
        expect![[r#"
        blocked: service `web` mounts an image, which takes Docker Engine 28 or later (API 1.48), and this engine's API is 1.47; upgrade the engine, or have a volume instead
    "#]],
    );
    let twice = want(&SITE.replace("target: /srv}", TWICE));
    check(
        &twice,
        &on((1, 51), up(SITE)),
        expect![[r#"
        blocked: service `web` mounts the image `site@sha256:2222222222222222222222222222222222222222222222222222222222222222` twice, which takes Docker Engine 29 or later (API 1.52), and this engine's API is 1.51; mount it once, with the folders of both places in it
    "#]],
    );
    assert!(plan(&twice, &on((1, 52), Seen::default())).blocked.is_empty());
    assert!(plan(&want(SITE), &on((1, 48), Seen::default())).blocked.is_empty());
    assert!(plan(&want(SHOP), &on((1, 44), Seen::default())).blocked.is_empty());
}

/// An engine that was restarted since does not mount them again.
#[test]
fn what_is_down_and_mounts_an_image_is_made_anew() {
    let mut seen = up(SITE);
    container(&mut seen, "shop-web-1").state = State::Exited(137);
    check(
        &want(SITE),
        &seen,
        expect![[r#"
        0 remove shop-web-1: it ended with code 137; made anew, since an engine that was restarted meanwhile mounts no image again
        1 create shop-web-1 (after 0): it ended with code 137; made anew, since an engine that was restarted meanwhile mounts no image again
        2 start shop-web-1 (after 1): it ended with code 137; made anew, since an engine that was restarted meanwhile mounts no image again
    "#]],
    );
    let choice = Choice { recreate: Recreate::None, ..Choice::default() };
    check_with(
        &want(SITE),
        &seen,
        &choice,
        expect![[r#"
        0 start shop-web-1: it ended with code 137
    "#]],
    );
    let held = [("shop-web-1".to_owned(), Hold::Down("it waits for its next start".to_owned()))];
    check_with(
        &want(SITE),
        &seen,
        &Choice { held: held.into(), ..Choice::default() },
        expect![[r#"
        keep container shop-web-1: it waits for its next start
    "#]],
    );
    container(&mut seen, "shop-web-1").refused = true;
    check(
        &want(SITE),
        &seen,
        expect![[r#"
        keep container shop-web-1: its rights were not as promised
    "#]],
    );
}

#[test]
fn what_an_update_left_is_made_anew_too() {
    let changed = want(&SITE.replace("2222", "3333"));
    let before = up(SITE);
    let whole = plan(&changed, &before);
    let after = |steps| simulate(&before, &Plan { steps: whole.steps[..steps].to_vec(), ..Plan::default() });
    check(
        &changed,
        &after(2),
        expect![[r#"
        0 remove shop-web-1.next: an update that made it did not come to its end
        1 create shop-web-1.next (after 0): its mounted images changed
        2 rename shop-web-1 to shop-web-1.previous (after 1): it stays until the new one has proved itself
        3 rename shop-web-1.next to shop-web-1 (after 1 2): its mounted images changed
        4 start shop-web-1 (after 3): its mounted images changed
        5 await web Started 60s and 2s on (after 4): an update is good when it is well
        6 remove shop-web-1 (after 0 2 5): the new one has proved itself
        proved before 6
    "#]],
    );
    check(
        &want(SITE),
        &after(3),
        expect![[r#"
            0 remove shop-web-1.next: an update that made it did not come to its end
            1 remove shop-web-1.previous: it ended with code 143; made anew, since an engine that was restarted meanwhile mounts no image again
            2 create shop-web-1: it ended with code 143; made anew, since an engine that was restarted meanwhile mounts no image again
            3 start shop-web-1 (after 2): it ended with code 143; made anew, since an engine that was restarted meanwhile mounts no image again
        "#]],
    );
}
