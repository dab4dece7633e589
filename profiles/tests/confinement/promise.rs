//! What is promised for what a file says.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use profiles::{AppArmor, Base, Confinement, Kernel, seccomp};

use crate::{KERNEL, web};

/// Everything but the profiles and the bounds, one line a thing.
fn text(promise: &Confinement) -> String {
    let mut text = String::new();
    writeln!(text, "user {:?}, groups {:?}", promise.user(), promise.group_add()).unwrap();
    writeln!(text, "capabilities {:?}, sysctls {:?}", promise.capabilities(), promise.sysctls()).unwrap();
    writeln!(text, "read-only root {}, init {}", promise.read_only_root(), promise.init()).unwrap();
    for mount in promise.mounts() {
        let way = if mount.read_only { "ro" } else { "rw" };
        writeln!(text, "{way} {} {:?}", mount.target, mount.source).unwrap();
    }
    text
}

#[track_caller]
fn check(file: &str, expected: &Expect) {
    expected.assert_eq(&text(&web(file, KERNEL)));
}

#[test]
fn what_is_silent_is_promised_strictly() {
    check(
        "services: {web: {image: a}}",
        &expect![[r#"
            user None, groups []
            capabilities {}, sysctls {}
            read-only root true, init true
            rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 0, gid: 0 }
        "#]],
    );
}

#[test]
fn memory_belongs_to_the_services_user() {
    check(
        "services: {web: {image: a, user: '1000:1001', tmpfs: ['/home/web/.cache:mode=700,size=8m', '/run:uid=5']}}",
        &expect![[r#"
            user Some("1000:1001"), groups []
            capabilities {}, sysctls {}
            read-only root true, init true
            rw /home/web/.cache Tmpfs { size: 8388608, mode: 448, uid: 1000, gid: 1001 }
            rw /run Tmpfs { size: 67108864, mode: 1023, uid: 5, gid: 1001 }
            rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 1000, gid: 1001 }
        "#]],
    );
}

#[test]
fn a_secret_is_for_the_services_user_alone() {
    check(
        "services: {web: {image: a, user: '1000:1001', secrets: [key, {source: key, target: other, uid: '7', mode: 288}]}}\n\
         secrets: {key: {file: ./key}}",
        &expect![[r#"
            user Some("1000:1001"), groups []
            capabilities {}, sysctls {}
            read-only root true, init true
            rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 1000, gid: 1001 }
            ro /run/secrets/key Content { kind: "secret", key: "key", uid: 1000, gid: 1001, mode: 256 }
            ro /run/secrets/other Content { kind: "secret", key: "key", uid: 7, gid: 1001, mode: 288 }
        "#]],
    );
}

#[test]
fn a_secret_is_for_everyone_where_the_user_is_the_images() {
    check(
        "services: {web: {image: a, secrets: [key], configs: [page]}}\n\
         secrets: {key: {file: ./key}}\nconfigs: {page: {content: hello}}",
        &expect![[r#"
            user None, groups []
            capabilities {}, sysctls {}
            read-only root true, init true
            rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 0, gid: 0 }
            ro /run/secrets/key Content { kind: "secret", key: "key", uid: 0, gid: 0, mode: 292 }
            ro /page Content { kind: "config", key: "page", uid: 0, gid: 0, mode: 292 }
        "#]],
    );
}

#[test]
fn mounts_are_named_as_the_engine_names_them() {
    check(
        "services: {web: {image: a, volumes: ['db:/db', './data:/data:ro', 'named:/n']}}\n\
         volumes: {db: {}, named: {name: elsewhere}}",
        &expect![[r#"
            user None, groups []
            capabilities {}, sysctls {}
            read-only root true, init true
            rw /db Volume { name: Some("shop_db"), nocopy: false, subpath: None }
            ro /data Bind("/srv/stack/data")
            rw /n Volume { name: Some("elsewhere"), nocopy: false, subpath: None }
            rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 0, gid: 0 }
        "#]],
    );
}

#[test]
fn the_files_of_an_image_are_read_only_and_written_by_nobody() {
    let text =
        "services: {web: {image: a, volumes: [{type: image, source: b, target: /b, image: {subpath: c}}]}}";
    check(
        text,
        &expect![[r#"
        user None, groups []
        capabilities {}, sysctls {}
        read-only root true, init true
        ro /b Image { image: "b", subpath: Some("c") }
        rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 0, gid: 0 }
    "#]],
    );
    let promise = web(text, KERNEL);
    assert!(promise.mounts().iter().all(|mount| mount.target != "/b" || !mount.written));
    let AppArmor::Profile { text, .. } = promise.apparmor() else { panic!("no profile") };
    assert!(!text.contains("/b/"), "read and run like the image of the service's own: {text}");
}

#[test]
fn a_capability_is_named_as_linux_names_it() {
    check(
        "services: {web: {image: a, cap_add: [cap_net_bind_service]}}",
        &expect![[r#"
            user None, groups []
            capabilities {"NET_BIND_SERVICE"}, sysctls {}
            read-only root true, init true
            rw /tmp Tmpfs { size: 67108864, mode: 1023, uid: 0, gid: 0 }
        "#]],
    );
}

#[test]
fn the_runtime_chooses_the_base() {
    for (runtime, base) in
        [("", Base::Generic), ("node", Base::Node), ("go", Base::Go), ("generic", Base::Generic)]
    {
        let key = if runtime.is_empty() {
            String::new()
        } else {
            format!(", x-supervisor: {{runtime: {runtime}}}")
        };
        let promise = web(&format!("services: {{web: {{image: node{key}}}}}"), KERNEL);
        let expected = seccomp::profile(base, &std::collections::BTreeSet::new(), &KERNEL).to_json();
        assert_eq!(promise.seccomp(), expected, "`{runtime}`");
    }
}

#[test]
fn a_profiles_keys_are_printed_in_order() {
    let (none, plain) = ([].into(), [].into());
    let narrowed =
        seccomp::narrowed(Base::Node, &none, &plain, &KERNEL).without_attributes(&["getxattr"].into());
    for profile in [narrowed, seccomp::heard(Base::Go, &none, &plain, &KERNEL, "/run/heard")] {
        assert_eq!(profile.to_json(), serde_json::json!(profile).to_string());
    }
}

#[test]
fn a_kernel_without_apparmor_gets_no_profile() {
    let promise = web("services: {web: {image: a}}", Kernel { apparmor: false, ..KERNEL });
    assert_eq!(promise.apparmor(), &AppArmor::Absent);
}

#[test]
fn bounds_are_those_of_the_file() {
    let promise = web(
        "services: {web: {image: a, pids_limit: 7, mem_limit: 64m, mem_reservation: 32m, cpus: 0.25, cpu_shares: 512, cpuset: \"0-1,3\", blkio_config: {weight: 300}, shm_size: 8m, oom_score_adj: 500, \
         ulimits: {nofile: {soft: 64, hard: 128}, core: 0}}}",
        KERNEL,
    );
    expect![[r#"
        Limits {
            pids: 7,
            memory: 67108864,
            memory_reservation: Some(
                33554432,
            ),
            nano_cpus: 250000000,
            cpu_shares: Some(
                512,
            ),
            cpuset: Some(
                "0-1,3",
            ),
            blkio_weight: Some(
                300,
            ),
            ulimits: {
                "core": (
                    0,
                    0,
                ),
                "nofile": (
                    64,
                    128,
                ),
            },
            shm_size: 8388608,
            oom_score_adj: 500,
        }
    "#]]
    .assert_debug_eq(promise.limits());
}

#[test]
fn services_that_are_granted_the_same_share_one_text_and_get_what_each_would_alone() {
    let admitted = crate::admitted(
        "services:
  one: {image: a, user: '1000:1000'}
  two: {image: b, user: '1000:1000'}
  node: {image: c, user: '1000:1000', x-supervisor: {runtime: node}}
  bind: {image: d, user: '1000:1000', cap_add: [NET_BIND_SERVICE]}
",
    );
    let all = profiles::confine_all(&admitted, &KERNEL);
    assert_eq!(all.len(), 4);
    for (name, confinement) in &all {
        assert_eq!(Some(confinement), profiles::confine(&admitted, name, &KERNEL).as_ref(), "{name}");
    }
    assert_eq!(all["one"].seccomp().as_ptr(), all["two"].seccomp().as_ptr());
    assert_ne!(all["one"].seccomp(), all["node"].seccomp());
}
