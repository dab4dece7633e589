//! The audit on a real engine: what a careless container and a careless host look like, beside a stack of ours.
//!
//! The host of this test is whatever machine it runs on: only rows about containers and the stack are compared. A
//! hardened host is booted for the others (`machine`).

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tests::{Bed, bed, image, stack, wait};

/// Where every large provider has its metadata service.
const METADATA: &str = "169.254.169.254";

/// What the audit says of a row: its verdict, and what was seen.
fn row(audit: &Value, id: &str) -> (String, String) {
    let rows = audit["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no row {id}"));
    (row["verdict"].as_str().unwrap().to_owned(), row["seen"].as_str().unwrap().to_owned())
}

fn audit(bed: &Bed) -> Value {
    bed.supervisor(&["audit", "--format", "json"]).expect(5).json()
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        bed::ran(Command::new("ip").args(["address", "delete", &format!("{METADATA}/32"), "dev", "lo"]));
    }
}

#[test]
fn a_careless_container_fails_row_by_row_and_a_stack_of_ours_does_not() {
    let _turn = stack::turn();
    let bed = Bed::new("audit");
    let image = image::busybox(&bed.engine);
    bed.write("token", "not-for-others\n");
    let token = bed.folder().join("token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    bed.write(
        "compose.yaml",
        &format!(
            "services:
  app:
    image: {image}
    user: \"1000:1000\"
    mem_limit: 32m
    command: [sleep, '600']
    secrets: [token]
    networks: [net]
networks:
  net: {{internal: true, ipam: {{config: [{{subnet: 10.79.9.0/28}}]}}}}
secrets:
  token: {{file: ./token}}
"
        ),
    );
    bed.supervisor(&["up"]).expect(0);
    let careless = format!("{}-careless", bed.project);
    bed.engine.run(
        &careless,
        &json!({
            "Image": image,
            "User": "0:0",
            "Cmd": ["sleep", "600"],
            "Labels": {"supervisor.project": bed.project},
            "HostConfig": {
                "Privileged": true, "PidMode": "host",
                "Binds": [format!("{}:/engine.sock", bed.engine.socket().display()), "/run:/mnt"],
            },
        }),
    );
    bed::ran(Command::new("ip").args(["address", "replace", &format!("{METADATA}/32"), "dev", "lo"]))
        .expect(0);
    let folder = bed.folder().display().to_string();
    let httpd = ["httpd", "-f", "-p", &format!("{METADATA}:80"), "-h", &folder];
    let spawned = Command::new("busybox").args(httpd).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _service = Service(spawned.unwrap());
    wait::until("the metadata service", || std::net::TcpStream::connect((METADATA, 80)).ok());

    let found = audit(&bed);
    let ours = bed.container("app");
    for (id, said) in [
        ("AU144", ""),
        ("AU163", ""),
        ("AU181", "mounts `/run`"),
        ("AU182", "no limit of memory"),
        ("AU184", "its calls are not filtered"),
        ("AU185", "privileged"),
        ("AU186", "the host's pid"),
        ("AU187", "a root that can be written"),
    ] {
        let (verdict, seen) = row(&found, id);
        assert_eq!(verdict, "failed", "{id}: {seen}");
        assert!(seen.contains(&careless) && seen.contains(said), "{id}: {seen}");
        assert!(id == "AU144" || !seen.contains(&ours), "{id}: {seen}");
    }
    // Both about the stack: whoever runs under its label without being in its file, and a secret that others may read.
    let (verdict, seen) = row(&found, "AU262");
    assert!(verdict == "failed" && seen.contains(&careless), "{seen}");
    let (verdict, seen) = row(&found, "AU243");
    assert!(verdict == "failed" && seen.contains("token"), "{seen}");
    assert_eq!(row(&found, "AU261").0, "passed");

    bed.engine.remove_all(&format!("supervisor.project={}", bed.project));
    bed.supervisor(&["up"]).expect(0);
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(bed.folder().join("compose.yaml"), std::fs::Permissions::from_mode(0o644))
        .unwrap();
    let mended = audit(&bed);
    assert_eq!(row(&mended, "AU262"), ("passed".to_owned(), "1 containers".to_owned()));
    assert_eq!(row(&mended, "AU243").0, "passed");
    assert!(!mended.to_string().contains(&careless));
}

#[test]
fn without_an_engine_every_row_about_it_fails_and_the_rest_is_told() {
    let bed = Bed::new("audit");
    let found = bed.supervisor(&["-H", "unix:///no/such.sock", "audit", "--format", "json"]).expect(5).json();
    for id in ["AU161", "AU164", "AU181"] {
        let (verdict, seen) = row(&found, id);
        assert!(verdict == "failed" && seen.contains("the engine cannot be asked"), "{id}: {seen}");
    }
    assert_eq!(row(&found, "AU261").0, "not_applicable");
    assert!(!found["elsewhere"].as_array().unwrap().is_empty());
    let rows = bed.supervisor(&["audit", "--rows"]).expect(0).out;
    assert!(rows.starts_with("# The audit") && rows.contains("AU101"), "{rows}");
}
