//! The engine's daemon: guide section 5.1.
//!
//! Deliberately absent: `nproc` as a default limit, which the kernel counts over all containers of a user, and a storage
//! driver, which the engine knows best.

/// Where the engine takes networks from that a file gives no subnet. The guide's 172.17.0.0/16 is that of the default bridge.
pub const POOL: &str = "10.217.0.0/16";
/// The pool, and the network of the stack of `supervisor init`: what the host may send to, for probes.
pub const CONTAINERS: &str = "10.216.0.0/14";

/// The text of `/etc/docker/daemon.json`.
pub fn daemon(userns_remap: bool) -> String {
    let remap = if userns_remap { "  \"userns-remap\": \"default\",\n" } else { "" };
    format!(
        "{{
{remap}  \"live-restore\": true,
  \"userland-proxy\": false,
  \"no-new-privileges\": true,
  \"icc\": false,
  \"log-driver\": \"json-file\",
  \"log-opts\": {{\"max-size\": \"10m\", \"max-file\": \"3\"}},
  \"default-ulimits\": {{\"nofile\": {{\"Name\": \"nofile\", \"Soft\": 8192, \"Hard\": 16384}}}},
  \"default-address-pools\": [{{\"base\": \"{POOL}\", \"size\": 24}}]
}}
"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_daemons_settings_are_json_with_the_choice_in_them() {
        for remap in [false, true] {
            let value: serde_json::Value = serde_json::from_str(&super::daemon(remap)).unwrap();
            assert_eq!(value.get("userns-remap").is_some(), remap);
            assert_eq!(value["live-restore"], true);
        }
    }
}
