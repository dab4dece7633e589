//! The server name in the first bytes of a TLS connection (RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3).
//!
//! Read, and never answered: the connection stays the client's and the server's own. Deliberately absent: any other
//! part of TLS. A name that is encrypted (ECH) cannot be seen; then the outer name is what is compared.

/// A hello has a few hundred bytes, with post-quantum key shares and tickets a few thousand.
pub const MOST: usize = 16 * 1024;

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Not enough to say.
    Incomplete,
    /// A whole `ClientHello`, with the one name that it is for.
    Hello(String),
    /// Nothing that may pass: why, for a message.
    Refused(&'static str),
}

/// Looks at the bytes that a client sent first.
pub fn first(bytes: &[u8]) -> First {
    match handshake(bytes) {
        Ok(Some(message)) => match server_name(&message) {
            Some(Ok(name)) => First::Hello(name),
            Some(Err(why)) => First::Refused(why),
            None => First::Refused("its TLS greeting is malformed"),
        },
        Ok(None) if bytes.len() >= MOST => First::Refused("its TLS greeting does not end"),
        Ok(None) => First::Incomplete,
        Err(why) => First::Refused(why),
    }
}

/// The handshake message in the records so far, put together; `None` while it is not whole.
fn handshake(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    const NOT_TLS: &str = "it does not begin with TLS";
    let mut message = Vec::new();
    loop {
        // Each byte is judged as soon as it is there, so that what is not TLS is not waited for.
        match bytes.first() {
            None => return Ok(None),
            Some(22) => {}
            Some(_) => return Err(NOT_TLS),
        }
        if bytes.get(1).is_some_and(|major| *major != 3) {
            return Err(NOT_TLS);
        }
        let Some((head, rest)) = bytes.split_at_checked(5) else { return Ok(None) };
        let length = match head {
            [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        if length == 0 || length > MOST {
            return Err(NOT_TLS);
        }
        let whole = rest.len() >= length;
        let (fragment, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        message.extend_from_slice(fragment);
        match message.first() {
            None | Some(1) => {}
            Some(_) => return Err("its first TLS message is no greeting"),
        }
        if let Some([_, a, b, c]) = message.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
            if length > MOST {
                return Err("its TLS greeting is too long");
            }
            if let Some(body) = message.get(4..4 + length) {
                return Ok(Some(body.to_vec()));
            }
        }
        if !whole {
            return Ok(None);
        }
        bytes = rest;
    }
}

/// The name in the body of a `ClientHello`; `None` where its lengths do not fit.
fn server_name(body: &[u8]) -> Option<Result<String, &'static str>> {
    const MISSING: &str = "its TLS greeting names no server";
    // Version and random.
    let (_, rest) = body.split_at_checked(34)?;
    let (_session, rest) = short_vector(rest)?;
    let (_suites, rest) = long_vector(rest)?;
    let (_compression, rest) = short_vector(rest)?;
    if rest.is_empty() {
        return Some(Err(MISSING));
    }
    let (mut extensions, rest) = long_vector(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut found = None;
    while !extensions.is_empty() {
        let (kind, rest) = extensions.split_first_chunk::<2>()?;
        let (value, rest) = long_vector(rest)?;
        extensions = rest;
        if *kind != [0, 0] {
            continue;
        }
        if found.replace(value).is_some() {
            return Some(Err("its TLS greeting names a server twice"));
        }
    }
    let Some(value) = found else { return Some(Err(MISSING)) };
    let (list, rest) = long_vector(value)?;
    let (kind, name) = list.split_first()?;
    let (name, more) = long_vector(name)?;
    if !rest.is_empty() || *kind != 0 || !more.is_empty() {
        return Some(Err("its TLS greeting names more than one server"));
    }
    let name = std::str::from_utf8(name).ok().filter(|name| compose::destination::is_dns_name(name));
    Some(name.map(str::to_ascii_lowercase).ok_or("its TLS greeting names no host"))
}

/// A vector with a length of one byte, and what follows it.
fn short_vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// A vector with a length of two bytes, and what follows it.
fn long_vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vector(length_bytes: usize, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[4 - length_bytes..], content].concat()
    }

    fn name_extension(names: &[&str]) -> Vec<u8> {
        let list: Vec<u8> = names.iter().flat_map(|n| [vec![0], vector(2, n.as_bytes())].concat()).collect();
        [vec![0, 0], vector(2, &vector(2, &list))].concat()
    }

    /// A hello with these extensions, in records of so many bytes.
    fn hello(extensions: &[u8], record: usize) -> Vec<u8> {
        let body = [
            vec![3, 3],
            vec![7; 32],
            vector(1, &[9; 32]),
            vector(2, &[0x13, 1]),
            vector(1, &[0]),
            vector(2, extensions),
        ]
        .concat();
        let message = [vec![1], vector(3, &body)].concat();
        message.chunks(record).flat_map(|part| [vec![22, 3, 1], vector(2, part)].concat()).collect()
    }

    #[test]
    fn the_name_is_read_however_the_bytes_are_cut() {
        let other = [vec![0, 43], vector(2, &[2, 3, 4])].concat();
        let bytes = [other.clone(), name_extension(&["Api.Example.com"]), other].concat();
        for record in [1, 7, 300, 16_000] {
            let bytes = hello(&bytes, record);
            assert_eq!(first(&bytes), First::Hello("api.example.com".into()), "records of {record}");
            for cut in 0..bytes.len() {
                assert_eq!(first(&bytes[..cut]), First::Incomplete, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_has_no_single_name_is_refused() {
        for (extensions, why) in [
            (vec![], "its TLS greeting names no server"),
            (name_extension(&["a.com", "b.com"]), "its TLS greeting names more than one server"),
            (
                [name_extension(&["a.com"]), name_extension(&["b.com"])].concat(),
                "its TLS greeting names a server twice",
            ),
            (name_extension(&["10.0.0.1"]), "its TLS greeting names no host"),
            (name_extension(&["a.com\0.b.com"]), "its TLS greeting names no host"),
        ] {
            assert_eq!(first(&hello(&extensions, 16_000)), First::Refused(why));
        }
    }

    #[test]
    fn what_is_not_tls_is_refused_at_its_first_bytes() {
        for text in ["G", "SSH-2.0", "\x16\x02", "\x17\x03\x01", "\x16\x03\x01\0\0", "\x16\x03\x01\0\x04\x02"]
        {
            assert!(matches!(first(text.as_bytes()), First::Refused(_)), "{text:?}");
        }
        assert_eq!(first(b""), First::Incomplete);
    }

    #[test]
    fn a_greeting_that_does_not_end_is_refused() {
        let endless = [vec![1], vector(3, &vec![0; 60_000])].concat();
        let records: Vec<u8> =
            endless.chunks(4096).flat_map(|part| [vec![22, 3, 1], vector(2, part)].concat()).collect();
        assert!(matches!(first(&records), First::Refused(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            first(&bytes);
        }

        #[test]
        fn a_broken_greeting_never_becomes_another_name(at in 0_usize..200, byte in any::<u8>()) {
            let mut bytes = hello(&name_extension(&["a.example.com"]), 16_000);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let First::Hello(name) = first(&bytes) {
                // A letter of the name itself may have changed, and nothing else.
                prop_assert_eq!(name.len(), "a.example.com".len());
            }
        }
    }
}
