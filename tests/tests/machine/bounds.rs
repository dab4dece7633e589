//! Bounds of containers whose cgroups systemd keeps: it writes them too, whenever it reads its units again.

use std::process::Command;

use tests::bed::ran;
use tests::machine::inside;
use tests::{Bed, image};

/// Files of a container's cgroup, and what is in them for the stack below.
const BOUNDS: [(&str, &str); 4] =
    [("memory.max", "67108864"), ("memory.swap.max", "0"), ("pids.max", "32"), ("cpu.max", "13000 100000")];

/// What the kernel has of them.
#[track_caller]
fn bounds(bed: &Bed) -> Vec<(&'static str, String)> {
    let pid = bed.engine.pid(&bed.container("web"));
    let place = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let place = place.trim().strip_prefix("0::").expect("cgroup v2").to_owned();
    assert!(place.contains("/docker-"), "no unit of systemd: {place}");
    let read = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup{place}/{name}")).unwrap();
    BOUNDS.iter().map(|(name, _)| (*name, read(name).trim().to_owned())).collect()
}

#[test]
fn a_reload_of_systemd_leaves_every_bound_as_it_was() {
    inside(|| {
        let bed = Bed::new("bounds");
        let image = image::busybox(&bed.engine);
        // An eighth of a core is what systemd cannot say: it knows hundredths.
        let service = "user: '1000:1000'\n    mem_limit: 64m\n    pids_limit: 32\n    cpus: 0.125\n    stop_grace_period: 1s";
        bed.write("compose.yaml", &format!("services:\n  web:\n    image: {image}\n    {service}\n"));
        bed.supervisor(&["up"]).expect(0);
        bed.supervisor(&["attest"]).expect(0);
        let wanted = BOUNDS.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(bounds(&bed), wanted);
        let id = bed.engine.inspect(&bed.container("web"))["Id"].clone();
        ran(Command::new("systemctl").arg("daemon-reload")).expect(0);
        assert_eq!(bounds(&bed), wanted);
        bed.supervisor(&["attest"]).expect(0);
        assert_eq!(bed.engine.inspect(&bed.container("web"))["Id"], id);
    });
}
