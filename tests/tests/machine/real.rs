//! The real stack, as `init` writes it, with AppArmor in force: OpenClaw behind Caddy, at this machine's pace.
//!
//! Deliberately absent: what Caddy passes on, which on a busy machine is nothing, since Caddy waits five seconds for
//! OpenClaw's word (`stack_stands`); and what it does for months (`stack_heals`).

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tests::bed::ran;
use tests::machine::inside;
use tests::{Bed, stack};

use super::apparmor::{denials, label, profile};

/// What differs from what `init` writes: the patience of whoever probes a slow machine.
const OVERRIDE: &str = r#"
services:
  caddy:
    cpus: 1
  openclaw:
    mem_limit: 2g
    mem_reservation: 512m
    x-supervisor:
      probe: {http: /healthz, port: 18789, body: '"ok":true', startup: /startupz, interval: 2s, timeout: 30s, retries: 10, start_period: 10m}
"#;

#[test]
fn the_real_openclaw_is_healthy_behind_caddy_within_ten_minutes_and_denied_nothing() {
    inside(|| {
        // It is large, and nobody else needs it.
        let named = ran(Command::new("/mnt/payload/import").arg("openclaw")).expect(0).out;
        let bed = Bed::new("real");
        stack::init(&bed, named.trim(), &["OPENCLAW_CPUS=1"]);
        bed.write("compose.override.yaml", OVERRIDE);
        let began = Instant::now();
        // The probe's start period is the ten minutes.
        bed.supervisor(&["up"]).expect(0);
        let took = format!("healthy {} s after `up` began\n", began.elapsed().as_secs());
        std::fs::write(Path::new("/mnt/results/openclaw.txt"), took).unwrap();
        for service in ["caddy", "openclaw"] {
            assert_eq!(label(&bed, service), format!("{} (enforce)", profile(&bed, service)));
        }
        bed.supervisor(&["attest"]).expect(0);
        assert_eq!(denials(&bed), [""; 0]);
        bed.supervisor(&["down"]).expect(0);
    });
}
