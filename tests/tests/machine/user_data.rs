//! Rendered user-data before those who read it: cloud-init's own schema, and nftables.
//!
//! Deliberately absent: a machine that is made from it.

use std::process::Command;

use tests::bed::ran;
use tests::machine::inside;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2v5n5V8V5H3a0y7m6mQm3mJp8J1n4oQv1w0d3Yx9aB someone";

#[track_caller]
fn rendered(more: &[&str]) -> String {
    let image = format!("sha256:{}", "0".repeat(64));
    let mut render = Command::new(std::env::var_os("SUPERVISOR_BIN").expect("the binary"));
    render.args([
        "render",
        "cloud-init",
        "domain=openclaw.test.example",
        "tls=internal",
        "package=/root/supervisor.deb",
    ]);
    render.arg(format!("ssh-key={KEY}"));
    render.arg(format!("caddy-image={image}")).arg(format!("openclaw-image={image}"));
    ran(render.args(more)).expect(0).out
}

#[test]
fn rendered_user_data_is_valid_by_cloud_inits_own_schema() {
    inside(|| {
        for more in [&[][..], &["userns-remap=yes", "reboot-at=03:30", "upgrade=no", "ssh-port=22022"]] {
            let text = rendered(more);
            let path = "/root/rendered.yaml";
            std::fs::write(path, &text).unwrap();
            let schema = |path: &str| ran(Command::new("cloud-init").args(["schema", "--config-file", path]));
            let said = schema(path).expect(0);
            assert!(said.out.contains("Valid schema"), "{}{}", said.out, said.err);
            std::fs::write(path, text.replace("ssh_pwauth: false", "ssh_pwauth: [false]")).unwrap();
            assert_ne!(schema(path).code, 0, "anything is valid");
            std::fs::remove_file(path).unwrap();
        }
    });
}
