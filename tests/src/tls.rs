//! The first bytes of a TLS connection, for tests of who looks at them.
//!
//! Deliberately absent: TLS.

/// A greeting for this name (`ClientHello` of RFC 8446, section 4.1.2; RFC 6066, section 3), with nothing else in it.
#[track_caller]
pub fn greeting(name: &str) -> Vec<u8> {
    let long = |content: &[u8]| {
        let length = u16::try_from(content.len()).expect("a short vector").to_be_bytes();
        [&length[..], content].concat()
    };
    let name = [&[0][..], &long(name.as_bytes())].concat();
    let extension = [&[0, 0][..], &long(&long(&name))].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &long(&[0x13, 0x01]), &[1, 0], &long(&extension)].concat();
    // The message's length has three bytes.
    let message = [&[1, 0][..], &long(&body)].concat();
    [&[22, 3, 1][..], &long(&message)].concat()
}
