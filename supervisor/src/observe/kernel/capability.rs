//! Capability masks, as `/proc` prints them, to names and back.
//!
//! Pure. A capability's number is its place in the table of `profiles`. Deliberately absent: which of them are dangerous.

use profiles::capability::CAPABILITIES;

/// The mask of these names; a name that does not exist adds nothing, so that it can never be kept as promised.
pub fn mask<'a>(names: impl IntoIterator<Item = &'a str>) -> u64 {
    names
        .into_iter()
        .filter_map(|name| CAPABILITIES.iter().position(|known| known.name == name))
        .fold(0, |mask, number| mask | 1 << number)
}

/// The names in a mask, in order of number: `none`, `NET_BIND_SERVICE`, `CHOWN,KILL`, `all 41`.
pub fn list(mask: u64) -> String {
    if mask == 0 {
        return "none".to_owned();
    }
    if mask.count_ones() > 12 {
        return format!("{} of them ({mask:x})", mask.count_ones());
    }
    let known = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| mask >> number & 1 == 1)
        .map(|(_, row)| row.name.to_owned());
    let unknown = (CAPABILITIES.len()..64)
        .filter(|number| mask >> number & 1 == 1)
        .map(|number| format!("number {number}"));
    known.chain(unknown).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_masks_say_the_same() {
        assert_eq!(mask(["NET_BIND_SERVICE"]), 0x400);
        assert_eq!(list(0x400), "NET_BIND_SERVICE");
        assert_eq!(mask(["NO_SUCH"]), 0);
        assert_eq!(list(0), "none");
        assert_eq!(list(1 << 45), "number 45");
        assert_eq!(list(0x1ff_ffff_ffff), "41 of them (1ffffffffff)");
        assert_eq!(mask(CAPABILITIES.iter().map(|row| row.name)), 0x1ff_ffff_ffff);
    }
}
