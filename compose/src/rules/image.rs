//! What a service is made of: its image, where it comes from, what is said about it to other programs.

use crate::finding::Severity;
use crate::model::Service;
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};

use super::{is_any, place};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV240",
        title: "an image is pinned by digest",
        reason: "a tag can mean another image tomorrow, and what is launched is then not what was judged",
        severity: Severity::Warning,
        fix: "add the digest that `docker image inspect --format '{{index .RepoDigests 0}}' IMAGE` prints",
        bad: "services:\n  web:\n    image: caddy:2 # <-\n",
        good: "services:\n  web:\n    image: caddy:2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
        place: place("5.5", "5.28", "13"),
        exempt: Exempt::Possible,
        check: Check::Service(pinned),
        repair: Repair::Author,
    },
    Rule {
        id: "SV241",
        title: "images are built elsewhere",
        reason: "a build runs code of its own choosing on the host, with privileges and networks that no rule sees",
        severity: Severity::Error,
        fix: "build elsewhere, and name the image with its digest",
        bad: "services:\n  web:\n    image: app:1\n    build: . # <-\n",
        good: "services:\n  web:\n    image: app:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
        place: place("5.5", "", "13"),
        exempt: Exempt::Never,
        check: Check::Keys(&["build", "develop"]),
        repair: Repair::Author,
    },
    Rule {
        id: "SV242",
        title: "an image does not change by itself",
        reason: "an image that is fetched again unasked replaces what was judged",
        severity: Severity::Error,
        fix: "write `pull_policy: missing` or `never`, and change the digest to update",
        bad: "services:\n  web:\n    image: caddy:2\n    pull_policy: always # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    pull_policy: missing\n",
        place: place("5.5", "5.28", "13"),
        exempt: Exempt::Never,
        check: Check::Service(pull_policy),
        repair: Repair::Value("missing"),
    },
    Rule {
        id: "SV243",
        title: "an image is not refreshed by the clock",
        reason: "an image that is fetched again unasked replaces what was judged",
        severity: Severity::Error,
        fix: "remove it, and change the digest to update",
        bad: "services:\n  web:\n    image: caddy:2\n    pull_refresh_after: 24h # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("5.5", "5.28", "13"),
        exempt: Exempt::Never,
        check: Check::Keys(&["pull_refresh_after"]),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV244",
        title: "no label that belongs to Compose or to us",
        reason: "such a label makes a container look like part of another stack, to be changed or removed with it",
        severity: Severity::Error,
        fix: "remove the label, or choose another name",
        bad: "services:\n  web:\n    image: caddy:2\n    labels:\n      com.docker.compose.project: other # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    labels:\n      org.example.role: front\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Stack(reserved_labels),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV245",
        title: "no label that steers another program",
        reason: "programs with the engine's socket read such labels as orders: to route, update or restart",
        severity: Severity::Error,
        fix: "remove the label, or exempt the service with the reason",
        bad: "services:\n  web:\n    image: caddy:2\n    labels:\n      traefik.enable: \"true\" # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    labels:\n      org.example.role: front\n",
        place: place("", "", ""),
        exempt: Exempt::Possible,
        check: Check::Service(steering_labels),
        repair: Repair::Author,
    },
    Rule {
        id: "SV246",
        title: "annotations that only describe",
        reason: "an annotation reaches the runtime and its hooks, which take some as orders: to trace, to change limits, to run a program",
        severity: Severity::Error,
        fix: "use a label; only `org.opencontainers.image.*` passes as an annotation",
        bad: "services:\n  web:\n    image: caddy:2\n    annotations:\n      run.oci.hooks.stderr: /dev/null # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    annotations:\n      org.opencontainers.image.title: front\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(annotations),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV247",
        title: "images come from the registries that the stack names",
        reason: "an image from elsewhere is code of somebody whom the stack's author did not choose",
        severity: Severity::Error,
        fix: "take the image from one of them, or add its registry or its folder there to `x-supervisor.registries`",
        bad: "x-supervisor:\n  registries: [registry.example/team]\nservices:\n  web:\n    image: caddy:2 # <-\n",
        good: "x-supervisor:\n  registries: [registry.example/team]\nservices:\n  web:\n    image: registry.example/team/caddy:2\n",
        place: place("5.5", "", "13"),
        exempt: Exempt::Possible,
        check: Check::Service(elsewhere),
        repair: Repair::Author,
    },
];

/// Annotations that nothing acts on (OCI image specification, "Pre-Defined Annotation Keys").
const DESCRIBING: &str = "org.opencontainers.image.";

/// Whether an image reference names its content: by digest, or by the image's own id.
pub(crate) fn is_pinned(image: &str) -> bool {
    // Made on the host of the running program, and nothing that a registry could change.
    if image == crate::egress::IMAGE {
        return true;
    }
    let digest =
        image.rsplit_once("@sha256:").map(|(_, digest)| digest).or_else(|| image.strip_prefix("sha256:"));
    digest.is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')))
}

fn pinned(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let loose = service.images().filter(|image| !image.value.trim().is_empty() && !is_pinned(&image.value));
    let hits = loose.map(|image| {
        let what = if image.value.contains('@') || image.value.starts_with("sha256:") {
            "has a digest that is not 64 hexadecimal digits"
        } else {
            "is not pinned by digest"
        };
        Hit::at(image, format!("`{}` {what}", image.value))
    });
    hits.collect()
}

fn pull_policy(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(policy) = &service.pull_policy else { return Vec::new() };
    if is_any(&policy.value, &["", "missing", "if_not_present", "never"]) {
        return Vec::new();
    }
    vec![Hit::at(policy, format!("pull policy `{}`", policy.value)).fix("pull_policy: missing")]
}

/// The registry and the folders of an image as the engine reads its name, without tag and digest; nothing where it is an
/// image's id. The rules are those of the `distribution/reference` package.
fn repository(image: &str) -> Option<String> {
    let name = image.split('@').next().unwrap_or(image);
    if name.is_empty() || name.starts_with("sha256:") {
        return None;
    }
    let tag = name.rfind(':').filter(|colon| name.rfind('/').is_none_or(|slash| slash < *colon));
    let name = tag.and_then(|colon| name.get(..colon)).unwrap_or(name);
    let is_host = |part: &str| {
        part.contains(['.', ':']) || part == "localhost" || part.chars().any(|c| c.is_ascii_uppercase())
    };
    Some(match name.split_once('/').filter(|(host, _)| is_host(host)) {
        Some((host, rest)) if !matches!(host, "docker.io" | "index.docker.io") => format!("{host}/{rest}"),
        of_the_hub => {
            let rest = of_the_hub.map_or(name, |(_, rest)| rest);
            let folder = if rest.contains('/') { "" } else { "library/" };
            format!("docker.io/{folder}{rest}")
        }
    })
}

fn elsewhere(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(registries) = &stack.project.stack.registries else { return Vec::new() };
    let is_from = |repository: &str| {
        let below = |row: &str| {
            repository.strip_prefix(row).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
        };
        registries.iter().any(|row| below(&row.value))
    };
    let hits = service.images().filter(|image| image.value != crate::egress::IMAGE).filter_map(|image| {
        let what = match repository(&image.value) {
            Some(repository) if is_from(&repository) => return None,
            Some(repository) => format!("`{repository}` is in none of the registries that the stack names"),
            None => format!("`{}` does not say from which registry it comes", image.value),
        };
        Some(Hit::at(image, what))
    });
    hits.collect()
}

fn reserved_labels(stack: &Stack<'_>) -> Vec<Hit> {
    let project = stack.project;
    let services = project.services.values().flat_map(|s| &s.labels);
    let networks = project.networks.values().flat_map(|n| &n.labels);
    let volumes = project.volumes.values().flat_map(|v| &v.labels);
    let reserved = services.chain(networks).chain(volumes).filter(|(name, _)| {
        let name = name.trim().to_ascii_lowercase();
        name.starts_with("com.docker.compose.") || name == "supervisor" || name.starts_with("supervisor.")
    });
    reserved.map(|(name, value)| Hit::at(value, format!("label `{name}` is reserved"))).collect()
}

/// A list of what is allowed: runtimes invent new ones, and read them in whatever case they like.
fn annotations(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let others = service.annotations.iter().filter(|(name, _)| !name.starts_with(DESCRIBING));
    others
        .map(|(name, value)| Hit::at(value, format!("annotation `{name}` may be an order to the runtime")))
        .collect()
}

fn steering_labels(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const STEERING: &[&str] = &[
        "traefik.",
        "com.centurylinklabs.watchtower",
        "autoheal",
        "wud.",
        "diun.",
        "ofelia.",
        "caddy",
        "io.containers.",
        "run.oci.",
        "io.katacontainers.",
    ];
    let steering = service.labels.iter().filter(|(name, _)| {
        let name = name.trim().to_ascii_lowercase();
        STEERING.iter().any(|start| name.starts_with(start))
    });
    steering.map(|(name, value)| Hit::at(value, format!("label `{name}` steers another program"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_where_the_engine_would_fetch_it_from() {
        for (image, wanted) in [
            ("caddy", "docker.io/library/caddy"),
            ("caddy:2.11", "docker.io/library/caddy"),
            ("team/app", "docker.io/team/app"),
            ("docker.io/caddy", "docker.io/library/caddy"),
            ("index.docker.io/team/app:1", "docker.io/team/app"),
            ("localhost/app", "localhost/app"),
            ("Upper/app", "Upper/app"),
            ("registry:5000/app", "registry:5000/app"),
            ("registry.example/team/app:1@sha256:00", "registry.example/team/app"),
            ("registry.example:5000/team/app@sha256:00", "registry.example:5000/team/app"),
        ] {
            assert_eq!(repository(image).as_deref(), Some(wanted), "{image}");
        }
        assert_eq!(repository("sha256:00"), None);
    }
}
