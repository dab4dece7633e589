//! A container that is exactly as promised: the file, the kernel's word, the engine's.
//!
//! Deliberately absent: any difference; a test makes its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Request, Source};
use profiles::{Arch, Kernel, Landlock, landlock};

use super::super::*;
use crate::decide::seen::{SeenImage, State};
use crate::decide::spec::{Restart, Wanted};
use crate::decide::wanted::{Given, Restarts, wanted};
use crate::engine::{Joined, MountPoint};
use crate::observe::kernel::cgroup::Bound;
use crate::observe::kernel::inside::{FileId, Kind};
use crate::observe::kernel::sockets::{Listening, Protocol};
use crate::observe::kernel::status::{CapabilitySets, Status};
use crate::observe::kernel::users::Ids;
use crate::observe::kernel::{Process, mountinfo};

const FILE: &str = r#"
name: shop
services:
  web:
    image: sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: "1000:1000"
    mem_limit: 64m
    pids_limit: 50
    cpus: 0.5
    ulimits: {nofile: {soft: 1024, hard: 2048}, nproc: {soft: 2048, hard: 4096}}
    volumes:
      - ./conf:/conf:ro
      - data:/data
      - type: image
        source: sha256:2222222222222222222222222222222222222222222222222222222222222222
        target: /site
        image: {subpath: usr/share}
    tmpfs: ["/tmp:size=1m,mode=1777"]
    networks: {back: {ipv4_address: 10.9.9.2}}
    ports: ["127.0.0.1:8443:443"]
    configs: [{source: site, target: /etc/site}]
networks:
  back: {internal: true, ipam: {config: [{subnet: 10.9.9.0/24}]}}
volumes: {data: {}}
configs: {site: {content: "x"}}
x-supervisor: {edge: web}
"#;
const ID: &str = "bdf883306f04";

pub(super) fn world(apparmor: bool) -> Wanted {
    let request = Request {
        files: vec![Source::new("compose.yaml", FILE)],
        directory: PathBuf::from("/srv/shop"),
        project_name: None,
        environment: compose::Environment::default(),
    };
    let host = MemoryHost::default();
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    let (stack, report) = compose::admit(compose::load(request, &host), &policy, &host);
    let stack = stack.unwrap_or_else(|| panic!("{report:?}"));
    let kernel = Kernel { arch: Arch::X86_64, version: (6, 12), apparmor, landlock: 6 };
    let confinements =
        BTreeMap::from([("web".to_owned(), profiles::confine(&stack, "web", &kernel).unwrap())]);
    let images = stack.project().services["web"].images();
    let images = images.map(|image| (image.value.clone(), SeenImage { id: image.value.clone() })).collect();
    let contents =
        ["config/site", "program/confine"].map(|name| (name.to_owned(), "c0ffee".to_owned())).into();
    let profiles = BTreeSet::new();
    let given = Given {
        confinements: &confinements,
        images: &images,
        contents: &contents,
        profiles: &profiles,
        restarts: Restarts::Ours,
    };
    wanted(&stack, &given).unwrap()
}

/// A container that is exactly as promised.
pub(super) struct World {
    pub(super) spec: ContainerSpec,
    pub(super) evidence: Evidence,
    pub(super) engine: Inspected,
}

pub(super) fn as_promised() -> World {
    let spec = world(false).services["web"].containers[0].clone();
    let file = |inode| FileId { device: 7, inode, kind: Kind::File, sha256: Some("c0ffee".to_owned()) };
    let folder = |inode| FileId { kind: Kind::Folder, sha256: None, ..file(inode) };
    let mounts = format!(
        "182 1 0:43 / / ro,relatime - overlay overlay rw\n\
         184 182 0:53 / /proc rw,nosuid - proc proc rw\n\
         185 182 0:58 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n\
         187 182 0:73 / /sys ro,nosuid - sysfs sysfs ro\n\
         188 187 0:74 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755\n\
         189 188 0:29 /docker/x /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu\n\
         200 182 254:0 /usr/bin/docker-init /sbin/docker-init ro - ext4 /dev/vda rw\n\
         201 182 0:76 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=1024k,uid=1000,gid=1000\n\
         202 182 254:0 /srv/shop/conf /conf ro - ext4 /dev/vda rw\n\
         203 182 254:0 /var/lib/docker/volumes/shop_data/_data /data rw master:1 - ext4 /dev/vda rw\n\
         198 182 0:44 /usr/share /site ro - overlay overlay rw\n\
         204 182 254:0 /var/lib/docker/containers/{ID}/hosts /etc/hosts ro - ext4 /dev/vda rw\n\
         205 182 254:0 /var/lib/supervisor/shop/contents/x /etc/site ro - ext4 /dev/vda rw\n\
         206 182 254:0 /var/lib/supervisor/shop/contents/y /.supervisor-confine ro - ext4 /dev/vda rw\n\
         107 184 0:53 /sys /proc/sys ro,nosuid - proc proc rw\n\
         110 184 0:58 /null /proc/keys rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n"
    );
    let namespaces = |at: u64| -> BTreeMap<String, u64> {
        ["cgroup", "ipc", "mnt", "net", "pid", "uts"]
            .iter()
            .zip(at..)
            .map(|(kind, n)| ((*kind).to_owned(), n))
            .collect()
    };
    let with_user = |mut map: BTreeMap<String, u64>| {
        map.insert("user".to_owned(), 1);
        map
    };
    let main = Process {
        pid: 4711,
        started: 1,
        status: Ok(Status {
            name: "docker-init".to_owned(),
            uids: [1000; 4],
            gids: [1000; 4],
            groups: BTreeSet::from([1000]),
            capabilities: CapabilitySets::default(),
            no_new_privs: true,
            seccomp: 2,
            seccomp_filters: Some(1),
        }),
        namespaces: Ok(with_user(namespaces(100))),
        apparmor: Ok(None),
    };
    let host_namespaces =
        with_user(namespaces(10)).into_iter().map(|(kind, inode)| (kind, BTreeSet::from([inode]))).collect();
    let evidence = Evidence {
        policy: Ok(None),
        others: Ok(vec![Process { pid: 4712, ..main.clone() }]),
        main,
        host_namespaces: Ok(host_namespaces),
        uid_map: Ok(vec![[0, 0, 4_294_967_295]]),
        gid_map: Ok(vec![[0, 0, 4_294_967_295]]),
        ids: Ok(Ids { uid: 1000, gid: 1000, groups: BTreeSet::from([1000]) }),
        executable: Ok("/sbin/docker-init".to_owned()),
        cgroup: Ok(format!("/docker/{ID}")),
        pids: Ok(Bound::At(50)),
        memory: Ok(Bound::At(64 << 20)),
        memory_swap: Ok(Bound::At(64 << 20)),
        cpus: Ok(Bound::At(500_000_000)),
        limits: Ok(spec.confinement.limits().ulimits.iter().map(limit_row).collect()),
        oom_score_adj: Ok(i64::from(spec.confinement.limits().oom_score_adj)),
        mounts: Ok(mountinfo::parse(&mounts).unwrap()),
        host_mounts: Ok(mountinfo::parse("27 1 254:0 / / rw - ext4 /dev/vda rw").unwrap()),
        inside: [("/conf", folder(1)), ("/data", folder(2)), ("/tmp", folder(3)), ("/etc/site", file(4))]
            .into_iter()
            .chain([(landlock::PROGRAM, file(5))])
            .map(|(target, id)| (target.to_owned(), Ok(id)))
            .collect(),
        outside: [("/conf".to_owned(), Ok(folder(1)))].into(),
        listening: Ok(BTreeSet::from([Listening {
            protocol: Protocol::Tcp,
            address: "0.0.0.0:443".parse().unwrap(),
        }])),
        devices: Ok(["null", "zero", "tty"].map(str::to_owned).into()),
        system_paths: ["/proc/sys", "/proc/keys"].map(str::to_owned).into(),
        engine_sockets: ["/run/docker.sock".to_owned()].into(),
        denied: Ok(BTreeMap::new()),
    };
    let engine = inspected(&spec);
    World { spec, evidence, engine }
}

pub(super) fn limit_row((name, (soft, hard)): (&String, &(u64, u64))) -> String {
    let name = match name.as_str() {
        "nofile" => "Max open files",
        "nproc" => "Max processes",
        "core" => "Max core file size",
        other => panic!("a row for {other}"),
    };
    format!("{name}      {soft}      {hard}     \n")
}

pub(super) fn inspected(spec: &ContainerSpec) -> Inspected {
    let point = MountPoint {
        kind: "volume".to_owned(),
        name: Some("shop_data".to_owned()),
        source: "/var/lib/docker/volumes/shop_data/_data".to_owned(),
        target: "/data".to_owned(),
        read_only: false,
        propagation: String::new(),
    };
    let image = MountPoint {
        kind: "image".to_owned(),
        name: spec.mounted.get("/site").cloned(),
        source: "/var/lib/docker/overlay2/a/merged".to_owned(),
        target: "/site".to_owned(),
        read_only: true,
        propagation: "rprivate".to_owned(),
    };
    Inspected {
        id: ID.to_owned(),
        name: spec.name.clone(),
        state: State::Running,
        pid: Some(4711),
        started_at: None,
        finished_at: None,
        exit_code: 0,
        oom_killed: false,
        error: String::new(),
        health: None,
        health_output: None,
        restart_count: 0,
        image_id: spec.image_id.clone(),
        executes: match spec.confinement.landlock() {
            Landlock::Rules { arguments, .. } => [landlock::PROGRAM]
                .into_iter()
                .chain(arguments.iter().map(String::as_str))
                .chain(["--", "/bin/serve"])
                .map(str::to_owned)
                .collect(),
            _ => vec!["/bin/serve".to_owned()],
        },
        labels: spec.labels(),
        hostname: spec.hostname.clone(),
        user: "1000:1000".to_owned(),
        init: true,
        privileged: false,
        read_only_root: true,
        cap_add: BTreeSet::new(),
        cap_drop: BTreeSet::from(["ALL".to_owned()]),
        security_opt: vec![
            "no-new-privileges:true".to_owned(),
            format!("seccomp={}", spec.confinement.seccomp()),
        ],
        apparmor: String::new(),
        ipc_mode: "private".to_owned(),
        pid_mode: String::new(),
        uts_mode: String::new(),
        userns_mode: String::new(),
        cgroupns_mode: "private".to_owned(),
        network_mode: "shop_back".to_owned(),
        memory: 64 << 20,
        memory_swap: (64 << 20) + 1,
        nano_cpus: 500_000_000,
        pids_limit: 50,
        cgroup_parent: String::new(),
        networks: spec
            .networks
            .iter()
            .map(|(name, at)| (name.clone(), Joined { ipv4: at.ipv4.map(Into::into), ..Joined::default() }))
            .collect(),
        mounts: vec![point, image],
        tmpfs: BTreeMap::new(),
        ports: spec.ports.clone(),
        devices: Vec::new(),
        runtime: "runc".to_owned(),
        restart: Restart::No,
    }
}
