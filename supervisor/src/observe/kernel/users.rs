//! `/etc/passwd` and `/etc/group` of an image (passwd(5), group(5)): which ids a `user:` means there.
//!
//! Pure. It follows the engine: a number is itself; a name is looked up; the group defaults to the user's, or to 0;
//! the user's other groups come along. Deliberately absent: the host's own users.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a process runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups that it may have, its own among them.
    pub groups: BTreeSet<u32>,
}

/// The ids of `user[:group]` with further groups, by name or number; empty is root. The error is the name that is
/// not there.
pub fn ids(user: &str, further: &[String], passwd: &str, group: &str) -> Result<Ids, String> {
    let (user, own_group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let user = if user.is_empty() { "0" } else { user };
    let row = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, uid, gid) = (*fields.first()?, *fields.get(2)?, *fields.get(3)?);
        (name == user || uid == user).then(|| Some((name, uid.parse().ok()?, gid.parse().ok()?))).flatten()
    });
    let (name, uid, default_gid): (&str, u32, u32) = match (user.parse(), row) {
        (Ok(uid), Some((name, _, gid))) => (name, uid, gid),
        (Ok(uid), None) => ("", uid, 0),
        (Err(_), Some(row)) => row,
        (Err(_), None) => return Err(user.to_owned()),
    };
    let gid = match own_group.filter(|name| !name.is_empty()) {
        Some(name) => group_id(name, group)?,
        None => default_gid,
    };
    let mut groups: BTreeSet<u32> = group
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let member = fields.get(3)?.split(',').any(|member| !name.is_empty() && member == name);
            member.then(|| fields.get(2)?.parse().ok()).flatten()
        })
        .collect();
    groups.insert(gid);
    for name in further {
        groups.insert(group_id(name, group)?);
    }
    Ok(Ids { uid, gid, groups })
}

fn group_id(name: &str, group: &str) -> Result<u32, String> {
    let numeric = name.parse().ok();
    let by_name = || {
        group.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (found, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
            (found == name).then(|| gid.parse().ok()).flatten()
        })
    };
    numeric.or_else(by_name).ok_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nnode:x:1001:\naudio:x:29:node\ntty:x:5:\n";

    #[track_caller]
    fn check(user: &str, further: &[&str], expect: Expect) {
        let further: Vec<String> = further.iter().map(|s| (*s).to_owned()).collect();
        expect.assert_eq(&match ids(user, &further, PASSWD, GROUP) {
            Ok(ids) => format!("{}:{} {:?}", ids.uid, ids.gid, ids.groups),
            Err(name) => format!("unknown: {name}"),
        });
    }

    #[test]
    fn numbers_are_themselves() {
        check("1000:1000", &[], expect![["1000:1000 {29, 1000}"]]);
        check("4711:4712", &["5"], expect![["4711:4712 {5, 4712}"]]);
    }

    #[test]
    fn a_user_without_a_group_has_its_own() {
        check("1000", &[], expect![["1000:1001 {29, 1001}"]]);
        check("node", &["tty"], expect![["1000:1001 {5, 29, 1001}"]]);
        check("4711", &[], expect![["4711:0 {0}"]]);
    }

    #[test]
    fn nothing_is_root() {
        check("", &[], expect![["0:0 {0}"]]);
    }

    #[test]
    fn an_unknown_name_is_said() {
        check("nobody", &[], expect![["unknown: nobody"]]);
        check("node:wheel", &[], expect![["unknown: wheel"]]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(user in ".{0,20}", passwd in ".{0,100}", group in ".{0,100}") {
            let _ = ids(&user, &[], &passwd, &group);
        }
    }
}
