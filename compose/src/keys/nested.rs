//! The shapes of what is nested in the keys of a file.
//!
//! Deliberately absent: why; a nested key shares the reason of the key that it is in.

use super::{Class, DEPLOY, Key};
use crate::shape::{
    BARE_FLAG, BARE_WHOLE, FLAG, FREE, NUMBER, PAIRS, SCALAR, Shape, TEXT, TEXT_OR_TEXTS, TEXTS, WHOLE,
};

/// A nested key.
const fn key(name: &'static str, shape: &'static Shape) -> Key {
    Key { name, class: Class::Constrained, why: "", shape }
}

pub(crate) const SERVICE_SHAPE: Shape = Shape::keys_only(super::SERVICE);
pub(crate) const SERVICES: Shape = Shape::names_only(&SERVICE_SHAPE);
pub(crate) const NETWORKS: Shape = Shape::names_only(&NETWORK);
pub(crate) const VOLUMES: Shape = Shape::names_only(&VOLUME);
pub(crate) const SECRETS: Shape = Shape::names_only(&SECRET);
pub(crate) const CONFIGS: Shape = Shape::names_only(&CONFIG);
pub(crate) const MODELS: Shape = Shape::names_only(&FREE);
const NETWORK: Shape = Shape::keys_only(super::NETWORK).or_null();
const VOLUME: Shape = Shape::keys_only(super::VOLUME).or_null();
const SECRET: Shape = Shape::keys_only(super::SECRET);
const CONFIG: Shape = Shape::keys_only(super::CONFIG);

pub(crate) const INCLUDE: Shape = TEXTS.or_list(&INCLUDE_ROW).or_null();
const INCLUDE_ROW: Shape = TEXT.or_keys(&[
    key("path", &TEXT_OR_TEXTS),
    key("env_file", &TEXT_OR_TEXTS),
    key("project_directory", &TEXT),
]);

pub(crate) const OPTIONS: Shape = Shape::entries_only(&NUMBER);
pub(crate) const EXTERNAL: Shape = FLAG.or_keys(&[key("name", &TEXT)]);
pub(crate) const IPAM: Shape = Shape::keys_only(&[
    key("driver", &TEXT),
    key(
        "config",
        &Shape::list_only(&Shape::keys_only(&[
            key("subnet", &TEXT),
            key("ip_range", &TEXT),
            key("gateway", &TEXT),
            key("aux_addresses", &Shape::entries_only(&TEXT)),
        ])),
    ),
    key("options", &Shape::entries_only(&TEXT)),
]);

pub(crate) const COMMAND: Shape = TEXT_OR_TEXTS.or_null();
pub(crate) const EXPOSE: Shape = Shape::list_only(&WHOLE);
pub(crate) const GPUS: Shape = TEXT.or_list(&FREE);
pub(crate) const GROUPS: Shape = Shape::list_only(&WHOLE);
pub(crate) const MODELS_USED: Shape = TEXTS.or_names(&FREE);
pub(crate) const STORAGE_OPT: Shape = Shape::entries_only(&SCALAR);
pub(crate) const EXTRA_HOSTS: Shape = TEXTS.or_entries(&TEXT_OR_TEXTS);

pub(crate) const GRANTS: Shape = Shape::list_only(&TEXT.or_keys(&[
    key("source", &TEXT),
    key("target", &TEXT),
    key("uid", &TEXT),
    key("gid", &TEXT),
    key("mode", &NUMBER),
]));

pub(crate) const DEPENDS_ON: Shape = TEXTS.or_names(&Shape::keys_only(&[
    key("restart", &FLAG),
    key("required", &BARE_FLAG),
    key("condition", &TEXT),
]));

pub(crate) const ENV_FILE: Shape =
    TEXT.or_list(&TEXT.or_keys(&[key("path", &TEXT), key("format", &TEXT), key("required", &FLAG)]));

pub(crate) const EXTENDS: Shape = TEXT.or_keys(&[key("service", &TEXT), key("file", &TEXT)]);

pub(crate) const HEALTHCHECK: Shape = Shape::keys_only(&[
    key("disable", &FLAG),
    key("interval", &TEXT),
    key("retries", &NUMBER),
    key("test", &TEXT_OR_TEXTS),
    key("timeout", &TEXT),
    key("start_period", &TEXT),
    key("start_interval", &TEXT),
]);

pub(crate) const LOGGING: Shape =
    Shape::keys_only(&[key("driver", &TEXT), key("options", &Shape::entries_only(&NUMBER.or_null()))]);

pub(crate) const ATTACHMENTS: Shape = TEXTS.or_names(&Shape::keys_only(ATTACHMENT).or_null());

/// The keys of a service's place on a network.
pub(crate) const ATTACHMENT: &[Key] = &[
    key("aliases", &TEXTS),
    key("interface_name", &TEXT),
    key("ipv4_address", &TEXT),
    key("ipv6_address", &TEXT),
    key("link_local_ips", &TEXTS),
    key("mac_address", &TEXT),
    key("driver_opts", &OPTIONS),
    key("priority", &NUMBER),
    key("gw_priority", &NUMBER),
];

pub(crate) const PORTS: Shape = Shape::list_only(&NUMBER.or_keys(&[
    key("name", &TEXT),
    key("mode", &TEXT),
    key("host_ip", &TEXT),
    key("target", &WHOLE),
    key("published", &WHOLE),
    key("protocol", &TEXT),
    key("app_protocol", &TEXT),
]));

pub(crate) const MOUNTS: Shape = Shape::list_only(&TEXT.or_keys(&[
    key("type", &TEXT),
    key("source", &TEXT),
    key("target", &TEXT),
    key("read_only", &FLAG),
    key("consistency", &TEXT),
    key(
        "bind",
        &Shape::keys_only(&[
            key("propagation", &TEXT),
            key("create_host_path", &FLAG),
            key("recursive", &TEXT),
            key("selinux", &TEXT),
        ]),
    ),
    key("volume", &Shape::keys_only(&[key("labels", &PAIRS), key("nocopy", &FLAG), key("subpath", &TEXT)])),
    key("tmpfs", &Shape::keys_only(&[key("size", &NUMBER), key("mode", &BARE_WHOLE)])),
    key("image", &Shape::keys_only(&[key("subpath", &TEXT)])),
]));

pub(crate) const ULIMITS: Shape =
    Shape::entries_only(&WHOLE.or_keys(&[key("soft", &WHOLE), key("hard", &WHOLE)]));

const DEVICE_LIMITS: Shape = Shape::list_only(&Shape::keys_only(&[key("path", &TEXT), key("rate", &WHOLE)]));
pub(crate) const BLKIO: Shape = Shape::keys_only(&[
    key("device_read_bps", &DEVICE_LIMITS),
    key("device_read_iops", &DEVICE_LIMITS),
    key("device_write_bps", &DEVICE_LIMITS),
    key("device_write_iops", &DEVICE_LIMITS),
    key("weight", &BARE_WHOLE),
    key(
        "weight_device",
        &Shape::list_only(&Shape::keys_only(&[key("path", &TEXT), key("weight", &BARE_WHOLE)])),
    ),
]);

pub(crate) const BUILD: Shape = TEXT.or_keys(&[
    key("context", &TEXT),
    key("dockerfile", &TEXT),
    key("dockerfile_inline", &TEXT),
    key("entitlements", &TEXTS),
    key("args", &PAIRS),
    key("ssh", &PAIRS),
    key("labels", &PAIRS),
    key("cache_from", &TEXTS),
    key("cache_to", &TEXTS),
    key("no_cache", &FLAG),
    key("no_cache_filter", &TEXT_OR_TEXTS),
    key("additional_contexts", &PAIRS),
    key("network", &TEXT),
    key("provenance", &TEXT.or_flag()),
    key("sbom", &TEXT.or_flag()),
    key("pull", &FLAG),
    key("target", &TEXT),
    key("shm_size", &NUMBER),
    key("extra_hosts", &EXTRA_HOSTS),
    key("isolation", &TEXT),
    key("privileged", &FLAG),
    key("secrets", &GRANTS),
    key("tags", &TEXTS),
    key("ulimits", &ULIMITS),
    key("platforms", &TEXTS),
]);

pub(crate) const CREDENTIAL_SPEC: Shape =
    Shape::keys_only(&[key("config", &TEXT), key("file", &TEXT), key("registry", &TEXT)]);

pub(crate) const DEPLOY_SHAPE: Shape = Shape::keys_only(DEPLOY).or_null();
pub(crate) const UPDATE: Shape = Shape::keys_only(&[
    key("parallelism", &WHOLE),
    key("delay", &TEXT),
    key("failure_action", &TEXT),
    key("monitor", &TEXT),
    key("max_failure_ratio", &NUMBER),
    key("order", &TEXT),
]);
pub(crate) const RESTART_POLICY: Shape = Shape::keys_only(&[
    key("condition", &TEXT),
    key("delay", &TEXT),
    key("max_attempts", &WHOLE),
    key("window", &TEXT),
]);
pub(crate) const RESOURCES: Shape = Shape::keys_only(&[
    key("limits", &Shape::keys_only(&[key("cpus", &NUMBER), key("memory", &TEXT), key("pids", &WHOLE)])),
    key(
        "reservations",
        &Shape::keys_only(&[
            key("cpus", &NUMBER),
            key("memory", &TEXT),
            key("generic_resources", &FREE),
            key("devices", &FREE),
        ]),
    ),
]);

const HOOK: &[Key] = &[
    key("command", &COMMAND),
    key("user", &TEXT),
    key("privileged", &FLAG),
    key("working_dir", &TEXT),
    key("environment", &PAIRS),
];
pub(crate) const HOOKS: Shape = Shape::list_only(&Shape::keys_only(HOOK));
pub(crate) const PRE_START: Shape = Shape::list_only(&Shape::keys_only(&[
    key("command", &COMMAND),
    key("image", &TEXT),
    key("user", &TEXT),
    key("privileged", &FLAG),
    key("working_dir", &TEXT),
    key("environment", &PAIRS),
    key("per_replica", &FLAG),
]));

pub(crate) const DEVELOP: Shape = Shape::keys_only(&[key(
    "watch",
    &Shape::list_only(&Shape::keys_only(&[
        key("ignore", &TEXT_OR_TEXTS),
        key("include", &TEXT_OR_TEXTS),
        key("path", &TEXT),
        key("action", &TEXT),
        key("target", &TEXT),
        key("exec", &Shape::keys_only(HOOK)),
        key("initial_sync", &FLAG),
    ])),
)])
.or_null();

pub(crate) const DEVICES: Shape =
    Shape::list_only(&TEXT.or_keys(&[key("source", &TEXT), key("target", &TEXT), key("permissions", &TEXT)]));

pub(crate) const PROVIDER: Shape = Shape::keys_only(&[key("type", &TEXT), key("options", &FREE)]);
