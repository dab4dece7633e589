//! What services ask the egress proxy for: counted, learned, proposed.
//!
//! No server is needed: a name that is denied is denied before it is resolved.

use serde_json::Value;
use tests::bed::{self, Bed, Running};
use tests::{http, image, wait};

fn stack(image: &str) -> String {
    format!(
        r#"
x-supervisor:
  egress:
    app: ["granted.example.net:443"]
services:
  app: &client
    image: {image}
    user: "1000:1000"
    command: [sleep, infinity]
    mem_limit: 256m
    networks: [back]
    restart: unless-stopped
    stop_grace_period: 1s
    x-supervisor: {{runtime: node}}
  job: *client
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: 10.79.41.0/28}}]}}}}
"#
    )
}

/// Asks for a URL from inside a service's container; the proxy's status.
fn curl(bed: &Bed, service: &str, url: &str) -> String {
    let ask = ["curl", "-sk", "-m", "15", "-o", "/dev/null", "-w", "%{http_connect}", url];
    bed.engine.exec(&bed.container(service), &ask).1.trim().to_owned()
}

fn count(status: &Value, name: &str) -> u64 {
    let rows = status["egress"].as_array().into_iter().flatten();
    rows.filter(|row| row["name"] == name && row["outcome"] == "denied")
        .filter_map(|row| row["count"].as_u64())
        .sum()
}

#[test]
fn what_was_asked_for_is_counted_learned_and_proposed_and_the_stack_is_put_back() {
    let bed = Bed::new("egress-learn");
    bed.write("compose.yaml", &stack(&image::openclaw()));
    let command = |words: &[&str]| {
        let mut command = bed.static_command();
        command.args(words);
        command
    };

    // Nothing runs yet: learning brings it up, denies what the file would grant, and proposes both services' names.
    let learning = Running::start(&bed, "learn", &mut command(&["egress", "--learn"]));
    wait::until("a stack that learns", || learning.output().contains("nothing is granted now").then_some(()));
    for (service, url) in [
        ("app", "https://granted.example.net/"),
        ("app", "https://api.example.net:8443/"),
        ("job", "https://files.example.org/"),
        ("job", "https://169.254.169.254/"),
    ] {
        assert_eq!(curl(&bed, service, url), "403", "{url}");
    }
    learning.signal("INT");
    let mut learning = learning;
    wait::until("its end", || (!learning.runs()).then_some(()));
    let said = learning.output();
    let proposed = "x-supervisor:\n  egress:\n    app:\n      - \"api.example.net:8443\"\n      - \"granted.example.net:443\"\n    \
                    job:\n      - \"files.example.org:443\"\n";
    assert!(said.contains(proposed), "{said}");
    assert!(said.contains("not proposed: 169.254.169.254:443 of job"), "{said}");

    // The stack is as its file says: there is nothing to do.
    bed::ran(&mut command(&["plan"])).expect(0);

    // Under `run` what is denied is counted, told once in the log, and kept over the proxy's own restarts.
    let socket = bed.folder().join("endpoint.sock");
    let daemon = Running::start(
        &bed,
        "run",
        &mut command(&["run", "--listen", &format!("unix:{}", socket.display())]),
    );
    let status = |good: &dyn Fn(&Value) -> bool| {
        wait::until(&format!("its status\n{}", daemon.output()), || {
            let answer = http::get_unix(&socket, "/status").ok()?;
            serde_json::from_slice::<Value>(&answer.body).ok().filter(|status| good(status))
        })
    };
    status(&|status| status["services"]["egress-proxy"]["state"] == "healthy");
    assert_eq!(curl(&bed, "app", "https://secret.example.net/"), "403");
    status(&|status| count(status, "secret.example.net") == 1);
    bed::signal(bed.engine.pid(&bed.container("egress-proxy")), "KILL");
    status(&|status| {
        let proxy = &status["services"]["egress-proxy"];
        proxy["containers"][0]["restarts"] == 1 && proxy["state"] == "healthy"
    });
    assert_eq!(curl(&bed, "app", "https://secret.example.net/"), "403");
    status(&|status| count(status, "secret.example.net") == 2);
    let metrics = http::get_unix(&socket, "/metrics").expect("metrics").text();
    let row =
        r#"supervisor_egress_requests_total{service="app",name="secret.example.net:443",outcome="denied"} 2"#;
    assert!(metrics.contains(row), "{metrics}");
    let log = daemon.output();
    assert_eq!(log.matches("denied a way to `secret.example.net:443`").count(), 1, "{log}");

    // And shown to people, with what the file would have to say.
    let shown = bed::ran(&mut command(&["egress"])).expect(0).out;
    assert!(shown.contains("secret.example.net:443") && shown.contains("with all of it granted"), "{shown}");
}
