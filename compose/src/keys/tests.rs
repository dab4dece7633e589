//! Every key of the format, in a service, is read, passed on or refused by name.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_service_key_of_the_schema_has_one_row() {
    let names: Vec<_> = SERVICE.iter().map(|k| k.name).collect();
    let set: BTreeSet<_> = names.iter().copied().collect();
    assert_eq!(names.len(), 93);
    assert_eq!(set.into_iter().collect::<Vec<_>>(), names, "sorted, each once");
}

#[test]
fn every_row_says_why() {
    for key in [SERVICE, TOP, NETWORK, VOLUME, SECRET, CONFIG, DEPLOY].concat() {
        assert!(key.why.len() > 3 && !key.why.ends_with('.'), "{}", key.name);
    }
}
