//! What containers stand on, remembered: networks and volumes that need no second look while something holds them.
//!
//! The engine removes no volume that a container has mounted and no network that a running one is joined to, and changes
//! the labels of neither. So a container that is still there proves both, and the list of containers alone tells that
//! nothing changed. Deliberately absent: any trust in what no container vouches for; then the engine is asked for all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::port::Scope;
use crate::decide::seen::{Seen, SeenNetwork, SeenVolume};

/// What a project stands on, and which container vouches for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    networks: Vec<Network>,
    volumes: Vec<Volume>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Network {
    seen: SeenNetwork,
    /// A running container that is joined to it.
    by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Volume {
    name: String,
    project: Option<String>,
    hash: Option<String>,
    driver: String,
    options: BTreeMap<String, String>,
    /// A container that has it mounted.
    by: String,
}

/// What one container holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It runs.
    pub running: bool,
    /// Networks by engine name to their ids.
    pub networks: BTreeMap<String, String>,
    /// Volumes by engine name.
    pub volumes: BTreeSet<String>,
}

impl Standing {
    fn on_network(&self, network: &str, id: &str) -> bool {
        self.running && self.networks.get(network).is_some_and(|joined| joined == id)
    }
}

impl Ground {
    /// What was seen, with somebody who vouches for each; `None` where nobody does for one.
    pub fn of(seen: &Seen, standing: &BTreeMap<String, Standing>) -> Option<Self> {
        let by = |vouches: &dyn Fn(&Standing) -> bool| {
            standing.iter().find(|(_, held)| vouches(held)).map(|(id, _)| id.clone())
        };
        let network = |seen: &SeenNetwork| {
            Some(Network {
                by: by(&|held| held.on_network(&seen.name, &seen.id))?,
                // Who is on it, the list of containers tells anew each time.
                seen: SeenNetwork { strangers: BTreeSet::new(), ..seen.clone() },
            })
        };
        let volume = |seen: &SeenVolume| {
            Some(Volume {
                by: by(&|held| held.volumes.contains(&seen.name))?,
                name: seen.name.clone(),
                project: seen.project.clone(),
                hash: seen.hash.clone(),
                driver: seen.driver.clone(),
                options: seen.options.clone(),
            })
        };
        Some(Self {
            networks: seen.networks.iter().map(network).collect::<Option<_>>()?,
            volumes: seen.volumes.iter().map(volume).collect::<Option<_>>()?,
        })
    }

    /// The networks and volumes of a scope, if all of them are known and still vouched for.
    pub fn recall(
        &self,
        scope: &Scope,
        standing: &BTreeMap<String, Standing>,
    ) -> Option<(Vec<SeenNetwork>, Vec<SeenVolume>)> {
        let holds = |by: &str, what: &dyn Fn(&Standing) -> bool| standing.get(by).is_some_and(what);
        let networks_hold =
            self.networks.iter().all(|it| holds(&it.by, &|held| held.on_network(&it.seen.name, &it.seen.id)));
        let volumes_hold =
            self.volumes.iter().all(|it| holds(&it.by, &|held| held.volumes.contains(&it.name)));
        let known = scope.networks.iter().all(|name| self.networks.iter().any(|it| it.seen.name == *name))
            && scope.volumes.iter().all(|name| self.volumes.iter().any(|it| it.name == *name));
        if !(networks_hold && volumes_hold && known) {
            return None;
        }
        let networks = self.networks.iter().map(|it| it.seen.clone());
        let volumes = self.volumes.iter().map(|it| SeenVolume {
            name: it.name.clone(),
            project: it.project.clone(),
            hash: it.hash.clone(),
            driver: it.driver.clone(),
            options: it.options.clone(),
        });
        Some((networks.collect(), volumes.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let (project, hash) = (Some("shop".to_owned()), Some("abcd".to_owned()));
        Seen {
            networks: vec![SeenNetwork {
                id: "n1".into(),
                name: "shop_net".into(),
                project: project.clone(),
                hash: hash.clone(),
                internal: true,
                driver: "bridge".into(),
                ..SeenNetwork::default()
            }],
            volumes: vec![SeenVolume {
                name: "shop_data".into(),
                project,
                hash,
                driver: "local".into(),
                options: BTreeMap::new(),
            }],
            ..Seen::default()
        }
    }

    fn scope() -> Scope {
        Scope {
            networks: BTreeSet::from(["shop_net".to_owned()]),
            volumes: BTreeSet::from(["shop_data".to_owned()]),
            ..Scope::project("shop")
        }
    }

    fn container() -> Standing {
        Standing {
            running: true,
            networks: BTreeMap::from([("shop_net".to_owned(), "n1".to_owned())]),
            volumes: BTreeSet::from(["shop_data".to_owned()]),
        }
    }

    fn standing(id: &str, held: Standing) -> BTreeMap<String, Standing> {
        BTreeMap::from([(id.to_owned(), held)])
    }

    #[test]
    fn what_a_container_still_holds_is_recalled_as_it_was_seen() {
        let ground = Ground::of(&seen(), &standing("c1", container())).unwrap();
        let (networks, volumes) = ground.recall(&scope(), &standing("c1", container())).unwrap();
        assert_eq!((networks, volumes), (seen().networks, seen().volumes));
        let text = serde_json::to_string(&ground).unwrap();
        assert_eq!(serde_json::from_str::<Ground>(&text).unwrap(), ground);
    }

    /// Whether the change makes it ask the engine for all.
    #[track_caller]
    fn check(change: impl Fn(&mut Scope, &mut BTreeMap<String, Standing>)) {
        let ground = Ground::of(&seen(), &standing("c1", container())).unwrap();
        let (mut scope, mut now) = (scope(), standing("c1", container()));
        change(&mut scope, &mut now);
        assert_eq!(ground.recall(&scope, &now), None);
    }

    #[test]
    fn nothing_is_recalled_that_nobody_vouches_for_any_more() {
        check(|_, now| now.clear());
        check(|_, now| *now = standing("c2", container()));
        check(|_, now| now.get_mut("c1").unwrap().running = false);
        check(|_, now| now.get_mut("c1").unwrap().networks.clear());
        check(|_, now| *now.get_mut("c1").unwrap().networks.get_mut("shop_net").unwrap() = "n2".into());
        check(|_, now| now.get_mut("c1").unwrap().volumes.clear());
    }

    #[test]
    fn what_is_new_in_the_file_is_looked_for() {
        check(|scope, _| scope.networks.extend(["shop_other".to_owned()]));
        check(|scope, _| scope.volumes.extend(["shop_more".to_owned()]));
    }

    #[test]
    fn what_nobody_stands_on_is_not_remembered() {
        let stopped = Standing { running: false, ..container() };
        assert_eq!(Ground::of(&seen(), &standing("c1", stopped)), None);
        let bare = Standing { volumes: BTreeSet::new(), ..container() };
        assert_eq!(Ground::of(&seen(), &standing("c1", bare)), None);
    }
}
