//! The operating system's word on its way between two processes: its number, and the words where it has none.

use std::io;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An error that can be passed on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure(#[serde(with = "self")] pub io::Error);

/// For a field: see serde's attribute `with`.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(error: &io::Error, serializer: S) -> Result<S::Ok, S::Error> {
    (error.raw_os_error(), error.to_string()).serialize(serializer)
}

/// For a field: see serde's attribute `with`.
///
/// # Errors
/// The deserializer's.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<io::Error, D::Error> {
    let (number, words) = <(Option<i32>, String)>::deserialize(deserializer)?;
    Ok(number.map_or_else(|| io::Error::other(words), io::Error::from_raw_os_error))
}
