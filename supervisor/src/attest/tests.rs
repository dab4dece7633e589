//! A container as it should be, and one difference at a time: which row says so, and that no other does.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::*;
use crate::decide::spec::PortSpec;
use crate::decide::{hash, labels};
use crate::engine::{Joined, MountPoint};
use crate::observe::kernel::cgroup::Bound;
use crate::observe::kernel::inside::{FileId, Kind};
use crate::observe::kernel::status::{CapabilitySets, Status};
use crate::observe::kernel::{Process, Unread, mountinfo};

mod world;

use world::{World, as_promised, world};

/// Changes one thing of a container that is as promised, and shows the rows that do not hold.
#[track_caller]
fn check(change: impl FnOnce(&mut World), expect: Expect) {
    let mut world = as_promised();
    change(&mut world);
    let checks = attest(&world.spec, &world.evidence, &world.engine);
    let rows: Vec<String> =
        checks.iter().filter(|c| !c.holds()).map(|c| format!("{:?} {}\n", c.verdict, c.sentence())).collect();
    expect.assert_eq(&rows.concat());
}

fn status(world: &mut World) -> &mut Status {
    world.evidence.main.status.as_mut().unwrap()
}

fn remount(world: &mut World, from: &str, to: &str) {
    let mounts = world.evidence.mounts.as_mut().unwrap();
    let row = mounts.iter_mut().find(|mount| mount.target == from).unwrap();
    *row = mountinfo::parse(to).unwrap().remove(0);
}

fn mount_also(world: &mut World, line: &str) {
    world.evidence.mounts.as_mut().unwrap().extend(mountinfo::parse(line).unwrap());
}

#[test]
fn what_is_as_promised_holds_in_every_row() {
    let world = as_promised();
    let checks = attest(&world.spec, &world.evidence, &world.engine);
    let rows: Vec<String> = checks
        .iter()
        .map(|c| format!("{:?} | {} | {} | {}\n", c.verdict, c.item, c.promised, c.seen))
        .collect();
    expect![[r#"
        Kept | made from | this file | this file
        Kept | image | 111111111111 | 111111111111
        Kept | user | 1000:1000 | 1000:1000
        Kept | groups | at most 1000 | 1000
        Kept | capabilities | none | none
        Kept | no new privileges | on | on
        Kept | seccomp | filtering | filtering, 1 filter
        Kept | seccomp profile | its own | its own
        Noted | apparmor | nothing: the kernel has none | none
        Kept | landlock | started through its rules, of version 6 | started through its rules
        Kept | process 1 | the engine's init | /sbin/docker-init
        Kept | other processes | no more rights than process 1 | 1 alike
        Kept | namespaces | its own cgroup, ipc, mnt, net, pid, uts | its own
        Kept | user ids | the host's, or remapped without its root | the host's ids
        Kept | engine's modes | all private, no device | all private
        Kept | cgroup | its own | its own
        Kept | root | read-only | read-only
        Kept | mount /conf | /srv/shop/conf, read-only | /srv/shop/conf, read-only
        Kept | mount /data | volume shop_data, writable | volume shop_data, writable
        Kept | mount /site | image 222222222222, usr/share, read-only | image 222222222222, usr/share, read-only
        Kept | mount /tmp | tmpfs of 1024 KiB, mode 1777 of 1000:1000, writable | tmpfs of 1024 KiB, mode 1777 of 1000:1000, writable
        Kept | mount /etc/site | config/site, same content, read-only | config/site, same content, read-only
        Kept | mount /.supervisor-confine | program/confine, same content, read-only | program/confine, same content, read-only
        Kept | other mounts | none | none
        Kept | system paths | hidden or read-only | hidden
        Kept | devices | the usual | the usual
        Kept | engine sockets | none | none
        Kept | processes | 50 | 50
        Kept | memory | 64 MiB | 64 MiB
        Kept | memory and swap | 64 MiB | 64 MiB
        Kept | processor | 0.5 | 0.5
        Kept | oom score | 0 | 0
        Kept | ulimit core | 0:0 | 0:0
        Kept | ulimit nofile | 1024:2048 | 1024:2048
        Kept | ulimit nproc | 2048:4096 | 2048:4096
        Kept | networks | shop_back at 10.9.9.2, shop_edge | shop_back at 10.9.9.2, shop_edge
        Kept | ports | 127.0.0.1:8443/tcp | 127.0.0.1:8443/tcp
        Noted | listening | nothing: the service's own affair, on networks of its own | 0.0.0.0:443/tcp
    "#]]
    .assert_eq(&rows.concat());
    assert!(holds(&checks));
}

#[test]
fn no_row_is_no_proof() {
    assert!(!holds(&[]));
}

#[test]
fn another_identity_is_seen() {
    check(
        |w| status(w).uids = [0; 4],
        expect![[r#"
            Broken user: promised 1000:1000, seen 0:1000
        "#]],
    );
    check(
        |w| status(w).uids = [1000, 0, 0, 0],
        expect![[r#"
            Broken user: promised 1000:1000, seen uids [1000, 0, 0, 0], gids [1000, 1000, 1000, 1000] of the host
        "#]],
    );
    check(
        |w| status(w).groups = BTreeSet::from([0, 1000]),
        expect![[r#"
            Broken groups: promised at most 1000, seen 0,1000
        "#]],
    );
}

#[test]
fn a_remapped_container_is_compared_in_its_own_ids() {
    let remap = |w: &mut World| {
        w.evidence.uid_map = Ok(vec![[0, 100_000, 65_536]]);
        w.evidence.gid_map = Ok(vec![[0, 100_000, 65_536]]);
        w.evidence.main.namespaces.as_mut().unwrap().extend([("user".to_owned(), 2)]);
        w.evidence.others.as_mut().unwrap()[0].namespaces.as_mut().unwrap().extend([("user".to_owned(), 2)]);
        status(w).uids = [101_000; 4];
        status(w).gids = [101_000; 4];
        status(w).groups = BTreeSet::from([101_000]);
        remount(
            w,
            "/tmp",
            "201 182 0:76 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=1024k,uid=101000,gid=101000",
        );
    };
    check(remap, expect![[""]]);
    let bound = [
        "300 182 0:6 /null /dev/null rw,nosuid - devtmpfs devtmpfs rw",
        "301 182 0:28 /system.slice/docker-bdf883306f04.scope /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "304 182 0:6 /null /proc/kcore rw,nosuid - devtmpfs devtmpfs rw",
        "302 182 0:6 /kvm /dev/kvm rw,nosuid - devtmpfs devtmpfs rw",
        "303 182 0:6 /sda /dev/zero rw,nosuid - devtmpfs devtmpfs rw",
    ];
    let bind = |w: &mut World| bound.iter().for_each(|line| mount_also(w, line));
    check(
        |w| {
            remap(w);
            bind(w);
        },
        expect![[r#"
            Broken other mounts: promised none, seen /dev/kvm from devtmpfs, writable; /dev/zero from devtmpfs, writable
        "#]],
    );
    check(
        bind,
        expect![[r#"
        Broken other mounts: promised none, seen /dev/null from devtmpfs, writable; /sys/fs/cgroup from cgroup2, writable; /dev/kvm from devtmpfs, writable; /dev/zero from devtmpfs, writable
    "#]],
    );
    check(
        |w| {
            remap(w);
            status(w).uids = [1000; 4];
            status(w).groups = BTreeSet::from([1000]);
        },
        expect![[r#"
            Broken user: promised 1000:1000, seen uids [1000, 1000, 1000, 1000], gids [101000, 101000, 101000, 101000] of the host
            Broken groups: promised at most 1000, seen 1000
        "#]],
    );
}

#[test]
fn a_process_that_is_not_there_is_gone() {
    let world = as_promised();
    let sought = crate::observe::kernel::Sought::of(u32::MAX, &world.spec, &world.engine, None);
    let gone = crate::observe::kernel::evidence(&sought);
    assert!(matches!(gone, Err(crate::observe::kernel::EvidenceError::Gone { .. })));
}

#[test]
fn more_rights_are_seen() {
    check(
        |w| {
            let set = 0xa804_25fb;
            status(w).capabilities =
                CapabilitySets { effective: set, permitted: set, bounding: set, ..CapabilitySets::default() };
        },
        expect![[r#"
            Broken capabilities: promised none, seen effective 14 of them (a80425fb); bounding 14 of them (a80425fb)
        "#]],
    );
    check(
        |w| status(w).capabilities.bounding = 1 << 21,
        expect![[r#"
            Broken capabilities: promised none, seen bounding SYS_ADMIN
        "#]],
    );
    check(
        |w| status(w).capabilities.ambient = 1 << 10,
        expect![[r#"
            Broken capabilities: promised none, seen ambient NET_BIND_SERVICE
        "#]],
    );
    check(
        |w| status(w).no_new_privs = false,
        expect![[r#"
            Broken no new privileges: promised on, seen off
        "#]],
    );
    check(
        |w| {
            status(w).seccomp = 0;
            w.engine.security_opt = vec!["seccomp=unconfined".to_owned()];
        },
        expect![[r#"
            Broken seccomp: promised filtering, seen off
            Broken seccomp profile: promised its own, seen unconfined
        "#]],
    );
    check(
        |w| w.engine.security_opt.clear(),
        expect![[r#"
            Broken seccomp profile: promised its own, seen the engine's default
        "#]],
    );
}

#[test]
fn a_profile_that_is_not_in_force_is_seen() {
    check(
        |w| w.spec = world(true).services["web"].containers[0].clone(),
        expect![[r#"
            Broken made from: promised this file, seen another state of the file; `supervisor up` recreates it
            Broken apparmor: promised supervisor-shop.web-a48d57ead514 (enforce), seen the kernel has no AppArmor
        "#]],
    );
    check(
        |w| {
            w.spec = world(true).services["web"].containers[0].clone();
            w.engine.labels.insert(labels::HASH.to_owned(), hash::container(&w.spec).to_owned());
            w.evidence.main.apparmor = Ok(Some("docker-default (enforce)".to_owned()));
        },
        expect![[r#"
            Broken apparmor: promised supervisor-shop.web-a48d57ead514 (enforce), seen docker-default (enforce)
            Broken other processes: promised no more rights than process 1, seen process 4712 has the AppArmor label none
        "#]],
    );
}

#[test]
fn other_processes_count_too() {
    let other = |w: &mut World, change: fn(&mut Process)| change(&mut w.evidence.others.as_mut().unwrap()[0]);
    check(
        |w| other(w, |p| p.status.as_mut().unwrap().capabilities.effective = 1 << 21),
        expect![[r#"
            Broken other processes: promised no more rights than process 1, seen process 4712 has capabilities: effective SYS_ADMIN
        "#]],
    );
    check(
        |w| other(w, |p| p.status.as_mut().unwrap().seccomp = 0),
        expect![[r#"
            Broken other processes: promised no more rights than process 1, seen process 4712 has no seccomp filter
        "#]],
    );
    check(
        |w| other(w, |p| p.status.as_mut().unwrap().no_new_privs = false),
        expect![[r#"
            Broken other processes: promised no more rights than process 1, seen process 4712 may gain privileges
        "#]],
    );
    check(
        |w| other(w, |p| p.namespaces.as_mut().unwrap().extend([("mnt".to_owned(), 12)])),
        expect![[r#"
            Broken other processes: promised no more rights than process 1, seen process 4712 is in another mnt namespace
        "#]],
    );
    check(
        |w| other(w, |p| p.apparmor = Ok(Some("unconfined".to_owned()))),
        expect![[r#"
            Broken other processes: promised no more rights than process 1, seen process 4712 has the AppArmor label unconfined
        "#]],
    );
}

#[test]
fn the_hosts_namespaces_are_seen() {
    check(
        |w| w.evidence.main.namespaces.as_mut().unwrap().extend([("pid".to_owned(), 14)]),
        expect![[r#"
            Broken other processes: promised no more rights than process 1, seen process 4712 is in another pid namespace
            Broken namespaces: promised its own cgroup, ipc, mnt, net, pid, uts, seen the host's pid
        "#]],
    );
    check(
        |w| w.engine.pid_mode = "host".to_owned(),
        expect![[r#"
            Broken engine's modes: promised all private, no device, seen pid=host
        "#]],
    );
    check(
        |w| w.engine.privileged = true,
        expect![[r#"
            Broken engine's modes: promised all private, no device, seen privileged=true
        "#]],
    );
    check(
        |w| w.engine.devices = vec!["/dev/kmsg".to_owned()],
        expect![[r#"
            Broken engine's modes: promised all private, no device, seen device /dev/kmsg
        "#]],
    );
    check(
        |w| w.evidence.cgroup = Ok("/".to_owned()),
        expect![[r#"
            Broken cgroup: promised its own, seen /
        "#]],
    );
}

#[test]
fn a_writable_root_is_seen() {
    check(
        |w| remount(w, "/", "182 1 0:43 / / rw - overlay overlay rw"),
        expect![[r#"
            Broken root: promised read-only, seen writable
        "#]],
    );
}

#[test]
fn another_source_of_a_bind_is_seen() {
    // A link was put in the place of the folder after it was looked at: the kernel tells where it led.
    check(
        |w| {
            remount(w, "/conf", "202 182 254:0 /etc /conf ro - ext4 /dev/vda rw");
            w.evidence.inside.insert(
                "/conf".to_owned(),
                Ok(FileId { device: 7, inode: 99, kind: Kind::Folder, sha256: None }),
            );
            w.evidence
                .outside
                .insert("/conf".to_owned(), Err(Unread("a symbolic link is on the way by now".to_owned())));
        },
        expect![[r#"
            Broken mount /conf: promised /srv/shop/conf, read-only, seen /etc, read-only
        "#]],
    );
    check(
        |w| remount(w, "/conf", "202 182 254:0 /srv/shop/conf /conf rw - ext4 /dev/vda rw"),
        expect![[r#"
            Broken mount /conf: promised /srv/shop/conf, read-only, seen /srv/shop/conf, writable
        "#]],
    );
    check(
        |w| remount(w, "/conf", "202 182 254:0 /srv/shop/conf /conf ro shared:4 - ext4 /dev/vda rw"),
        expect![[r#"
            Broken mount /conf: promised /srv/shop/conf, read-only, seen /srv/shop/conf, read-only, shared with the host
        "#]],
    );
    check(
        |w| w.evidence.mounts.as_mut().unwrap().retain(|m| m.target != "/conf"),
        expect![[r#"
            Broken mount /conf: promised /srv/shop/conf, read-only, seen not mounted
        "#]],
    );
}

#[test]
fn a_file_that_an_editor_replaced_on_the_host_is_no_difference() {
    let file = |inode| FileId { device: 7, inode, kind: Kind::File, sha256: None };
    check(
        |w| {
            remount(w, "/conf", "202 182 254:0 /srv/shop/conf//deleted /conf ro - ext4 /dev/vda rw");
            w.evidence.inside.insert("/conf".to_owned(), Ok(file(1)));
            w.evidence.outside.insert("/conf".to_owned(), Ok(file(5)));
        },
        expect![""],
    );
}

#[test]
fn a_volume_that_is_a_host_path_in_disguise_is_seen() {
    check(
        |w| remount(w, "/data", "203 182 254:0 / /data rw - ext4 /dev/vda rw"),
        expect![[r#"
            Broken mount /data: promised volume shop_data, writable, seen volume shop_data, which is really ext4/, writable
            Broken engine sockets: promised none, seen /run/docker.sock under /data
        "#]],
    );
    check(
        |w| w.engine.mounts[0].name = Some("other".to_owned()),
        expect![[r#"
            Broken mount /data: promised volume shop_data, writable, seen volume other, writable
        "#]],
    );
    check(
        |w| {
            w.engine.mounts[0].kind = "bind".to_owned();
            w.engine.mounts[0].name = None;
        },
        expect![[r#"
            Broken mount /data: promised volume shop_data, writable, seen bind /var/lib/docker/volumes/shop_data/_data, writable
        "#]],
    );
}

#[test]
fn an_image_that_is_another_or_no_longer_mounted_is_seen() {
    let lost = "198 182 254:0 /var/lib/docker/overlay2/a/merged /site ro - ext4 /dev/vda rw";
    check(
        |w| remount(w, "/site", lost),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen image 222222222222, which is really ext4/var/lib/docker/overlay2/a/merged, read-only
    "#]],
    );
    check(
        |w| remount(w, "/site", "198 182 0:44 /usr /site ro - overlay overlay rw"),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen image 222222222222, which is really overlay/usr, read-only
    "#]],
    );
    check(
        |w| remount(w, "/site", "198 182 0:43 /usr/share /site ro - overlay overlay rw"),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen image 222222222222, which is really overlay/usr/share, read-only
    "#]],
    );
    check(
        |w| remount(w, "/site", "198 182 0:44 /usr/share /site rw - overlay overlay rw"),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen image 222222222222, usr/share, writable
    "#]],
    );
    check(
        |w| w.engine.mounts[1].name = Some("sha256:3333".to_owned()),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen image 3333, usr/share, read-only
    "#]],
    );
    check(
        |w| w.engine.mounts[1].kind = "volume".to_owned(),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen volume sha256:2222222222222222222222222222222222222222222222222222222222222222, read-only
    "#]],
    );
    check(
        |w| w.engine.mounts.truncate(1),
        expect![[r#"
        Broken mount /site: promised image 222222222222, usr/share, read-only, seen unknown to the engine, read-only
    "#]],
    );
}

#[test]
fn a_tmpfs_with_other_options_is_seen() {
    check(
        |w| {
            remount(
                w,
                "/tmp",
                "201 182 0:76 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw,size=1024k,uid=1000,gid=1000",
            );
        },
        expect![[r#"
            Broken mount /tmp: promised tmpfs of 1024 KiB, mode 1777 of 1000:1000, writable, seen tmpfs of 1024 KiB, mode 1777 of 1000:1000, without noexec, writable
        "#]],
    );
    check(
        |w| {
            remount(
                w,
                "/tmp",
                "201 182 0:76 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,uid=1000,gid=1000",
            );
        },
        expect![[r#"
            Broken mount /tmp: promised tmpfs of 1024 KiB, mode 1777 of 1000:1000, writable, seen tmpfs of 0 KiB, mode 1777 of 1000:1000, writable
        "#]],
    );
    check(
        |w| {
            remount(
                w,
                "/tmp",
                "201 182 0:76 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=1024k,mode=755,uid=1000,gid=1000",
            );
        },
        expect![[r#"
            Broken mount /tmp: promised tmpfs of 1024 KiB, mode 1777 of 1000:1000, writable, seen tmpfs of 1024 KiB, mode 755 of 1000:1000, writable
        "#]],
    );
}

#[test]
fn other_content_of_a_config_is_seen() {
    check(
        |w| {
            let seen = w.evidence.inside.get_mut("/etc/site").unwrap().as_mut().unwrap();
            seen.sha256 = Some("bad".to_owned());
        },
        expect![[r#"
            Broken mount /etc/site: promised config/site, same content, read-only, seen config/site, other content, read-only
        "#]],
    );
}

#[test]
fn a_mount_that_nobody_promised_is_seen() {
    check(
        |w| mount_also(w, "300 182 254:0 /home /mnt rw - ext4 /dev/vda rw"),
        expect![[r#"
            Broken other mounts: promised none, seen /mnt from /home, writable
        "#]],
    );
    check(
        |w| mount_also(w, "300 182 254:0 /etc /etc/hosts ro - ext4 /dev/vda rw"),
        expect![[r#"
            Broken other mounts: promised none, seen /etc/hosts from /etc, read-only
        "#]],
    );
    check(
        |w| {
            mount_also(w, "300 182 254:0 /var/lib/docker/volumes/aa/_data /var/cache rw - ext4 /dev/vda rw");
            let point = MountPoint {
                name: Some("aa".to_owned()),
                target: "/var/cache".to_owned(),
                ..w.engine.mounts[0].clone()
            };
            w.engine.mounts.push(point);
        },
        expect![[r#"
            Broken other mounts: promised none, seen /var/cache from /var/lib/docker/volumes/aa/_data, writable (the image declares this VOLUME: name `/var/cache` under `volumes` or `tmpfs`)
        "#]],
    );
}

#[test]
fn an_engine_socket_is_seen_under_any_name() {
    check(
        |w| mount_also(w, "300 182 254:0 /run/docker.sock /tmp/harmless rw - ext4 /dev/vda rw"),
        expect![[r#"
            Broken other mounts: promised none, seen /tmp/harmless from /run/docker.sock, writable
            Broken engine sockets: promised none, seen /run/docker.sock under /tmp/harmless
        "#]],
    );
    check(
        |w| mount_also(w, "300 182 254:0 /run /host-run rw - ext4 /dev/vda rw"),
        expect![[r#"
            Broken other mounts: promised none, seen /host-run from /run, writable
            Broken engine sockets: promised none, seen /run/docker.sock under /host-run
        "#]],
    );
}

#[test]
fn what_the_engine_hides_is_looked_for() {
    check(
        |w| w.evidence.mounts.as_mut().unwrap().retain(|m| m.target != "/proc/sys"),
        expect![[r#"
            Broken system paths: promised hidden or read-only, seen open: /proc/sys
        "#]],
    );
    check(
        |w| w.evidence.devices = Ok(BTreeSet::from(["null".to_owned(), "sda".to_owned()])),
        expect![[r#"
            Broken devices: promised the usual, seen sda
        "#]],
    );
}

#[test]
fn other_bounds_are_seen() {
    check(
        |w| w.evidence.pids = Ok(Bound::Unlimited),
        expect![[r#"
            Broken processes: promised 50, seen unlimited
        "#]],
    );
    check(
        |w| w.evidence.memory = Ok(Bound::At(1 << 30)),
        expect![[r#"
            Broken memory: promised 64 MiB, seen 1024 MiB
        "#]],
    );
    check(
        |w| w.evidence.memory_swap = Ok(Bound::Unlimited),
        expect![[r#"
            Broken memory and swap: promised 64 MiB, seen unlimited
        "#]],
    );
    check(
        |w| w.evidence.cpus = Ok(Bound::At(1_000_000_000)),
        expect![[r#"
            Broken processor: promised 0.5, seen 1
        "#]],
    );
    check(
        |w| w.evidence.limits = Ok("Max open files  9 9\n".to_owned()),
        expect![[r#"
            Unread ulimit core: promised 0:0, seen could not be read: the kernel lists no `core`
            Broken ulimit nofile: promised 1024:2048, seen 9:9
            Unread ulimit nproc: promised 2048:4096, seen could not be read: the kernel lists no `nproc`
        "#]],
    );
    check(
        |w| w.evidence.oom_score_adj = Ok(-500),
        expect![[r#"
            Broken oom score: promised 0, seen -500
        "#]],
    );
}

#[test]
fn what_the_engine_says_otherwise_is_seen() {
    check(
        |w| drop(w.engine.labels.remove(labels::HASH)),
        expect![[r#"
            Broken made from: promised this file, seen somebody by hand: it has no hash label
        "#]],
    );
    check(
        |w| drop(w.engine.labels.insert(labels::HASH.to_owned(), "00".to_owned())),
        expect![[r#"
            Broken made from: promised this file, seen another state of the file; `supervisor up` recreates it
        "#]],
    );
    check(
        |w| w.engine.image_id = "sha256:2222222222222222".to_owned(),
        expect![[r#"
            Broken image: promised 111111111111, seen 222222222222
        "#]],
    );
    check(
        |w| drop(w.engine.networks.insert("bridge".to_owned(), Joined::default())),
        expect![[r#"
            Broken networks: promised shop_back at 10.9.9.2, shop_edge, seen bridge, shop_back at 10.9.9.2, shop_edge
        "#]],
    );
    check(
        |w| {
            let port = w.engine.ports.pop_first().unwrap();
            w.engine.ports.insert(PortSpec { host_ip: [0, 0, 0, 0].into(), ..port });
        },
        expect![[r#"
            Broken ports: promised 127.0.0.1:8443/tcp, seen 0.0.0.0:8443/tcp
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_not_kept() {
    check(
        |w| {
            let why = || Unread("permission denied; run as root".to_owned());
            w.evidence.main.namespaces = Err(why());
            w.evidence.mounts = Err(why());
            w.evidence.others = Err(why());
            w.evidence.main.status = Err(why());
            w.evidence.executable = Err(why());
        },
        expect![[r#"
            Unread user: promised 1000:1000, seen could not be read: permission denied; run as root
            Unread groups: promised at most 1000, seen could not be read: permission denied; run as root
            Unread capabilities: promised none, seen could not be read: permission denied; run as root
            Unread no new privileges: promised on, seen could not be read: permission denied; run as root
            Unread seccomp: promised filtering, seen could not be read: permission denied; run as root
            Unread process 1: promised the engine's init, seen could not be read: permission denied; run as root
            Unread other processes: promised no more rights than process 1, seen could not be read: permission denied; run as root
            Unread namespaces: promised its own cgroup, ipc, mnt, net, pid, uts, seen could not be read: permission denied; run as root
            Unread user ids: promised the host's, or remapped without its root, seen could not be read: permission denied; run as root
            Unread root: promised read-only, seen could not be read: permission denied; run as root
            Unread mount /conf: promised /srv/shop/conf, read-only, seen could not be read: permission denied; run as root
            Unread mount /data: promised volume shop_data, writable, seen could not be read: permission denied; run as root
            Unread mount /site: promised image 222222222222, usr/share, read-only, seen could not be read: permission denied; run as root
            Unread mount /tmp: promised tmpfs of 1024 KiB, mode 1777 of 1000:1000, writable, seen could not be read: permission denied; run as root
            Unread mount /etc/site: promised config/site, same content, read-only, seen could not be read: permission denied; run as root
            Unread mount /.supervisor-confine: promised program/confine, same content, read-only, seen could not be read: permission denied; run as root
            Unread other mounts: promised none, seen could not be read: permission denied; run as root
            Unread system paths: promised hidden or read-only, seen could not be read: permission denied; run as root
            Unread engine sockets: promised none, seen could not be read: permission denied; run as root
        "#]],
    );
}

#[test]
fn a_service_that_was_not_started_through_its_landlock_rules_is_told() {
    check(
        |w| w.engine.executes = vec!["/bin/serve".to_owned()],
        expect![[r#"
            Broken landlock: promised started through its rules, of version 6, seen started another way
        "#]],
    );
    check(
        |w| w.engine.executes.retain(|word| word != "--write=/data"),
        expect![[r#"
            Broken landlock: promised started through its rules, of version 6, seen started another way
        "#]],
    );
    check(
        |w| {
            w.evidence.inside.get_mut(profiles::landlock::PROGRAM).unwrap().as_mut().unwrap().sha256 =
                Some("bad".to_owned());
        },
        expect![[r#"
            Broken mount /.supervisor-confine: promised program/confine, same content, read-only, seen program/confine, other content, read-only
        "#]],
    );
}
