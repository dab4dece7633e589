//! From a service's hardened model to its promise.
//!
//! Deliberately absent: judging. What the policy let in is confined as it is; what the model leaves unsaid gets the
//! strict value, so that nothing is ever open because a word was missing.

use std::collections::{BTreeMap, BTreeSet};

use compose::Project;
use compose::model::{FileObject, Grant, Mount, MountSource as Source, Service, Tmpfs};

use crate::bases::Base;
use crate::confinement::{AppArmor, Confinement, Kernel, Landlock, Limits, MountPromise, MountSource};
use crate::{apparmor, landlock, recorded, seccomp};

/// Makes the promise for one service of an admitted stack; `None` if the stack has no such service.
pub fn confine(stack: &compose::Admitted, service: &str, kernel: &Kernel) -> Option<Confinement> {
    let project = stack.project();
    project.services.get(service).map(|service| promise(project, service, *kernel, &mut Texts::new()))
}

/// The same promise, for the time of a recording: every call that the base grants and that is not among `known` is told
/// to whoever listens at a path on the host.
pub fn confine_heard(
    stack: &compose::Admitted,
    service: &str,
    kernel: &Kernel,
    known: &BTreeSet<&str>,
    listener: &str,
) -> Option<Confinement> {
    let confinement = confine(stack, service, kernel)?;
    let service = stack.project().services.get(service)?;
    let base = Base::of(service.supervisor.runtime.as_ref().map(|runtime| runtime.value));
    let profile = seccomp::heard(base, known, &confinement.capabilities, kernel, listener);
    Some(Confinement { seccomp: seccomp::Text::of(&profile), ..confinement })
}

/// Makes the promises for every service. Those that are granted the same share one text: a large stack has few kinds.
pub fn confine_all(stack: &compose::Admitted, kernel: &Kernel) -> BTreeMap<String, Confinement> {
    let (project, mut texts) = (stack.project(), Texts::new());
    let services = project.services.values();
    services.map(|service| (service.name.clone(), promise(project, service, *kernel, &mut texts))).collect()
}

/// Seccomp profiles that were printed already, by what they are made from.
type Texts = BTreeMap<(Base, BTreeSet<String>, Option<[BTreeSet<&'static str>; 2]>), seccomp::Text>;

/// The promise for a service as its model stands.
fn promise(project: &Project, service: &Service, kernel: Kernel, texts: &mut Texts) -> Confinement {
    let base = Base::of(service.supervisor.runtime.as_ref().map(|runtime| runtime.value));
    let capabilities = recorded::capabilities(service);
    let recorded = service.supervisor.seccomp.as_ref();
    let calls = recorded.map(|recorded| {
        let granted = recorded::granted(&recorded.value, kernel.arch);
        let left_out = recorded::without_attributes(&recorded.value, &granted);
        [granted, left_out]
    });
    let made_from = (base, capabilities.clone(), calls.clone());
    let text = texts.entry(made_from).or_insert_with(|| {
        let profile = match &calls {
            Some([granted, left_out]) => {
                seccomp::narrowed(base, granted, &capabilities, &kernel).without_attributes(left_out)
            }
            None => seccomp::profile(base, &capabilities, &kernel),
        };
        seccomp::Text::of(&profile)
    });
    let seccomp = text.clone();
    let mut confinement = Confinement {
        service: service.name.clone(),
        user: service.user.as_ref().map(|user| user.value.clone()),
        group_add: service.group_add.iter().map(|group| group.value.clone()).collect(),
        capabilities,
        read_only_root: service.read_only.as_ref().is_none_or(|read_only| read_only.value),
        init: service.init.as_ref().is_none_or(|init| init.value),
        seccomp,
        apparmor: AppArmor::Absent,
        landlock: Landlock::Off,
        mounts: mounts(project, service),
        exec_from: service.supervisor.exec_from.iter().map(|path| path.value.clone()).collect(),
        sysctls: service.sysctls.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
        limits: limits(service),
    };
    confinement.landlock = landlock::landlock(service, &confinement, kernel);
    if matches!(confinement.landlock, Landlock::Rules { .. }) {
        confinement.mounts.push(landlock::program());
    }
    if kernel.apparmor {
        confinement.apparmor = apparmor::profile(&project.name, &confinement);
    }
    confinement
}

/// The file's bounds, or the strict ones.
fn limits(service: &Service) -> Limits {
    let positive = |value: &compose::At<i64>| u64::try_from(value.value).ok().filter(|&value| value > 0);
    let ulimit = |value: i64| u64::try_from(value).unwrap_or(0);
    let ulimits = service.ulimits.iter();
    Limits {
        pids: service.pids.as_ref().and_then(positive).and_then(|pids| pids.try_into().ok()).unwrap_or(100),
        memory: service.memory.as_ref().and_then(positive).unwrap_or(256 * MIB),
        memory_reservation: service.memory_reservation.as_ref().and_then(positive),
        nano_cpus: service.cpus.as_ref().map_or(500_000_000, |cpus| cpus.value.0),
        cpu_shares: service.cpu_shares.as_ref().map(|shares| shares.value),
        cpuset: service.cpuset.as_ref().map(|cores| cores.value.clone()),
        blkio_weight: service.blkio_weight.as_ref().map(|weight| weight.value),
        ulimits: ulimits
            .map(|(name, limit)| (name.clone(), (ulimit(limit.value.soft), ulimit(limit.value.hard))))
            .collect::<BTreeMap<_, _>>(),
        shm_size: service.shm_size.as_ref().map_or(64 * MIB, |size| size.value.0),
        oom_score_adj: service
            .oom_score_adj
            .as_ref()
            .and_then(|score| u16::try_from(score.value).ok())
            .map_or(0, |score| score.min(1000)),
    }
}

/// A mebibyte.
const MIB: u64 = 1024 * 1024;

/// Mounts in the file's order, then secrets, then configs.
fn mounts(project: &Project, service: &Service) -> Vec<MountPromise> {
    let owner = Owner::of(service);
    let written = service.mounts.iter().filter_map(|mount| written(project, &mount.value, owner));
    let secrets =
        service.secrets.iter().map(|grant| content("secret", &project.secrets, &grant.value, owner));
    let configs =
        service.configs.iter().map(|grant| content("config", &project.configs, &grant.value, owner));
    written.chain(secrets).chain(configs).collect()
}

/// What `volumes` or `tmpfs` says. A kind that the policy refuses is not mounted.
fn written(project: &Project, mount: &Mount, owner: Owner) -> Option<MountPromise> {
    let source = match &mount.source {
        Source::Bind(bind) => MountSource::Bind(bind.path.to_string_lossy().into_owned()),
        Source::Volume { name, nocopy, subpath } => MountSource::Volume {
            name: name.as_ref().map(|key| {
                project.volumes.get(key).map_or_else(|| key.clone(), |volume| project.volume_name(volume))
            }),
            nocopy: *nocopy,
            subpath: subpath.clone(),
        },
        Source::Image { image, subpath, .. } => {
            MountSource::Image { image: image.value.clone(), subpath: subpath.clone() }
        }
        Source::Tmpfs(tmpfs) => memory(tmpfs, owner),
        Source::Other { .. } => return None,
    };
    let written = project.is_written(mount);
    Some(MountPromise { target: mount.target.clone(), source, read_only: mount.read_only, written })
}

/// A tmpfs belongs to the service's user unless the file says otherwise: with `mode=700` nobody else could use it.
fn memory(tmpfs: &Tmpfs, owner: Owner) -> MountSource {
    MountSource::Tmpfs {
        size: tmpfs.size.map_or(64 * MIB, |size| size.0),
        mode: tmpfs.mode.unwrap_or(0o1777),
        uid: tmpfs.uid.or(owner.uid).unwrap_or(0),
        gid: tmpfs.gid.or(owner.gid).unwrap_or(0),
    }
}

/// A secret or config. Its owner is the one that the file names, else the service's user, who alone can read it; where
/// the user is the image's and so unknown, everyone in the container can, as with Compose.
fn content(kind: &str, declared: &BTreeMap<String, FileObject>, grant: &Grant, owner: Owner) -> MountPromise {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.trim().parse::<u32>().ok());
    let uid = number(&grant.uid).or(owner.uid);
    let key = declared.get(&grant.source).map_or(&grant.source, |object| &object.key);
    MountPromise {
        target: grant.target.clone(),
        source: MountSource::Content {
            kind: kind.to_owned(),
            key: key.clone(),
            uid: uid.unwrap_or(0),
            gid: number(&grant.gid).or(owner.gid).unwrap_or(0),
            mode: grant.mode.unwrap_or(if uid.is_some() { 0o400 } else { 0o444 }),
        },
        read_only: true,
        written: false,
    }
}

/// The service's user and group, where the file gives them as numbers.
#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Owner {
    fn of(service: &Service) -> Self {
        let text = service.user.as_ref().map_or("", |user| user.value.as_str());
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        Self { uid: user.trim().parse().ok(), gid: group.trim().parse().ok() }
    }
}
