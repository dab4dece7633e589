//! The engine ends with all that it runs, by itself or by a kill, and is started again: what ran runs again, without a hand.
//!
//! Deliberately absent: an engine that ends in the middle of something (`killed`).

use std::sync::atomic::Ordering;

use serde_json::Value;
use tests::bed::signal;
use tests::own_engine::OwnEngine;
use tests::{Bed, Daemon, image, wait};

/// A service that answers its probe, and one that waits for it.
fn stack(image: &str) -> String {
    let service = format!(
        "\n    image: {image}\n    user: '1000:1000'\n    mem_limit: 24m\n    restart: unless-stopped\n    networks: [back]\n    \
         tmpfs: [/tmp]\n    stop_grace_period: 1s"
    );
    format!(
        "services:\n  web:{service}\n    command: [sleep, '100000']\n    depends_on: {{db: {{condition: service_healthy}}}}\n  \
         db:{service}\n    command: [sh, -c, 'echo ok > /tmp/health; exec httpd -f -p 8080 -h /tmp']\n    \
         x-supervisor: {{probe: {{http: /health, port: 8080, interval: 300ms, timeout: 500ms, retries: 2, start_period: 20s}}}}\n\
         networks: {{back: {{internal: true}}}}\n"
    )
}

#[test]
fn an_engine_that_ended_or_was_killed_has_its_services_back_without_a_hand() {
    let mut own = OwnEngine::start();
    let bed = Bed::on("engine-anew", own.engine().clone(), Some(own.network()));
    bed.write("compose.yaml", &stack(&image::busybox(&bed.engine)));
    let daemon = Daemon::start(&bed, &[]);
    let is_whole = |what: &str| {
        wait::until(&format!("{what}: all to run again\n{}", daemon.log()), || {
            let all = bed.engine.containers(&format!("supervisor.project={}", bed.project));
            let run = all.iter().filter(|container| container["State"] == "running").count();
            let status: Value = serde_json::from_slice(&daemon.get("/status")?.body).ok()?;
            let healthy = daemon.get("/healthz").is_some_and(|answer| answer.status == 200);
            (run == 2 && all.len() == 2 && status["phase"] == "watching" && healthy).then_some(())
        });
    };
    is_whole("at first");
    for way in ["TERM", "KILL"] {
        signal(own.pid.load(Ordering::SeqCst), way);
        wait::until("the end of the engine", || own.revive().then_some(()));
        is_whole(way);
    }
}
