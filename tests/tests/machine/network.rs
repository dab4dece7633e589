//! A kernel without IPv6, as this one is at its second boot: what needs it is refused by name, before anything is made.
//!
//! Deliberately absent: each row of the guard, which is the same there (`guard`).

use std::path::Path;

use tests::machine::inside;
use tests::{Bed, image};

/// A stack of one service, with further lines for it, for its network, and for the file.
#[track_caller]
fn write(bed: &Bed, [file, service, network]: [&str; 3]) {
    let image = image::busybox(&bed.engine);
    let text = format!(
        "{file}services:\n  web:\n    image: {image}\n    user: '1000:1000'\n    mem_limit: 64m\n    stop_grace_period: 1s\n    \
         networks: [back]\n{service}networks:\n  back: {{internal: true{network}}}\n"
    );
    bed.write("compose.yaml", &text);
}

/// What is refused does not depend on the guard.
const UNGUARDED: &str = "x-supervisor: {guard: off}\n";

#[test]
fn after_a_reboot_without_ipv6_what_needs_it_is_refused_and_the_rest_runs() {
    inside(|| {
        assert!(!Path::new("/proc/net/if_inet6").exists(), "this kernel has IPv6");
        let bed = Bed::new("ipv6less");
        let port = "    ports: ['[::1]:8081:8080']\n";
        for file in ["", UNGUARDED] {
            write(&bed, [file, port, ", enable_ipv6: true"]);
            let said = bed.supervisor(&["up"]).expect(4).err;
            let label = format!("supervisor.project={}", bed.project);
            assert_eq!(bed.engine.containers(&label).len(), 0, "{said}");
            let network = "network `back` asks for IPv6, which this host's kernel does not have";
            let port = "service `web` is to be reached at `[::1]:8081`, and this host's kernel has no IPv6";
            assert!(said.contains(network) && said.contains(port), "{said}");
            let networks = bed.engine.get("/networks").to_string();
            assert!(!networks.contains(&bed.project), "{networks}");
        }
        write(&bed, ["", "", ""]);
        bed.supervisor(&["up"]).expect(0);
        bed.supervisor(&["attest"]).expect(0);
        let (code, text) = bed.engine.exec(&bed.container("web"), &["ls", "/proc/net/if_inet6"]);
        assert_ne!(code, 0, "{text}");
    });
}
