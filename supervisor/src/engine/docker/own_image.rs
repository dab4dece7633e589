//! The image that this very program is run from in a container: one file, made here, fetched from nowhere.
//!
//! Its tag is the program's own hash, so that another build is another image. Deliberately absent: what runs in it; its
//! entry point is the proxy, and a container's command says the rest.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::OnceLock;

use crate::digest::sha256;

/// The program that runs, whatever became of its file.
const SELF: &str = "/proc/self/exe";
/// The program in the image.
const INSIDE: &str = "supervisor";
/// Loads a program's libraries: an entry of this type in its header (elf(5), `PT_INTERP`).
const INTERPRETER: u32 = 3;

/// What the image is made to be, as lines of a Dockerfile.
pub(super) const CHANGES: [&str; 2] =
    [r#"ENTRYPOINT ["/supervisor","egress-proxy"]"#, "LABEL supervisor.image=egress"];

/// The tag of this program's image; `None` where its file cannot be read.
pub(super) fn tag() -> Option<&'static str> {
    static TAG: OnceLock<Option<String>> = OnceLock::new();
    TAG.get_or_init(|| {
        let mut digits = sha256(std::fs::File::open(SELF).ok()?).ok()?;
        digits.truncate(16);
        Some(digits)
    })
    .as_deref()
}

/// The image's file system, as the engine imports it.
///
/// # Errors
/// The program's file cannot be read, or needs libraries that the image would not have.
pub(super) fn archive() -> io::Result<Vec<u8>> {
    let mut program = std::fs::File::open(SELF)?;
    if is_dynamic(&mut program)? {
        return Err(io::Error::other(
            "this build of supervisor needs libraries of the host; use one that is linked statically",
        ));
    }
    program.seek(SeekFrom::Start(0))?;
    let mut header = tar::Header::new_gnu();
    header.set_size(program.metadata()?.len());
    header.set_mode(0o555);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, INSIDE, program)?;
    archive.into_inner()
}

/// Whether a 64-bit little-endian program names an interpreter.
fn is_dynamic(program: &mut std::fs::File) -> io::Result<bool> {
    let mut head = [0; 64];
    program.read_exact(&mut head)?;
    let at = number(&head, 32, 8);
    let (size, count) = (number(&head, 54, 2), number(&head, 56, 2));
    for index in 0..count {
        let mut kind = [0; 4];
        program.seek(SeekFrom::Start(at.saturating_add(index.saturating_mul(size))))?;
        program.read_exact(&mut kind)?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Ok(true);
        }
    }
    Ok(false)
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let digits = bytes.get(at..at + length).unwrap_or_default();
    digits.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_libraries_is_found_out() {
        // The test's own program is linked as every development build is.
        let mut own = std::fs::File::open(SELF).unwrap();
        assert!(is_dynamic(&mut own).unwrap());
        let mut header = [0; 64];
        header[32] = 64;
        header[54] = 56;
        let mut none = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut none, &header).unwrap();
        none.seek(SeekFrom::Start(0)).unwrap();
        assert!(!is_dynamic(&mut none).unwrap());
    }

    #[test]
    fn the_same_program_has_the_same_tag() {
        assert_eq!(tag(), tag());
        assert_eq!(tag().map(str::len), Some(16));
    }
}
