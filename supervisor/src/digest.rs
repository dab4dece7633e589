//! The SHA-256 of what is read, in pieces: a file need not fit into memory, and a block of a megabyte would have the C
//! library keep as much of its heap for good. Once such a one was freed, it returns what is free at the heap's end only from
//! twice its size on (mallopt(3), on `M_MMAP_THRESHOLD`).
//!
//! Deliberately absent: hashing of values, which is `decide::hash`.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::decide::hash::digits;

/// In hexadecimal, of everything that is left to read.
///
/// # Errors
/// Reading fails.
pub fn sha256(mut from: impl io::Read) -> io::Result<String> {
    let mut hasher = Hasher(Sha256::new());
    io::copy(&mut from, &mut hasher)?;
    Ok(digits(&hasher.0.finalize()))
}

/// Takes bytes as a file takes them.
struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole() {
        let million = io::Read::take(io::repeat(b'a'), 1_000_000);
        // The third example of FIPS 180-2, appendix B.
        assert_eq!(
            sha256(million).unwrap(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }
}
