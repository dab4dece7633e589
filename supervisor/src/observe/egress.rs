//! What the egress proxy of a stack counted, asked over the bridge.
//!
//! Its words are not believed blindly: a size, a number of rows and the form of a name bound what comes of them.

use std::net::SocketAddr;
use std::time::Duration;

use super::probe::{Failure, fetch};
use crate::decide::egress::Counted;

/// For the whole answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of the answer.
const MOST_BYTES: usize = 1024 * 1024;
/// Rows that are taken.
const MOST_ROWS: usize = 4096;

/// Asks for the counts.
///
/// # Errors
/// It does not answer, or not with counts.
pub async fn counts(proxy: SocketAddr) -> Result<Counted, Failure> {
    let body = fetch(proxy, "/counts", MOST_BYTES, TIMEOUT).await?;
    read(&body).map_err(Failure::Broken)
}

fn read(body: &[u8]) -> Result<Counted, String> {
    let mut counted: Counted = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let plain = |text: &str| text.len() <= 255 && text.chars().all(|c| c.is_ascii_graphic());
    counted.rows.retain(|row| plain(&row.asked.name) && plain(&row.asked.service));
    counted.rows.truncate(MOST_ROWS);
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_what_is_no_name_is_left_out() {
        let good = r#"{"service":"web","name":"a.example.org","port":443,"outcome":"denied","count":2}"#;
        let bad = r#"{"service":"web","name":"a\u001b[2J","port":443,"outcome":"denied","count":2}"#;
        let counted = read(format!(r#"{{"began":7,"rows":[{good},{bad}]}}"#).as_bytes()).unwrap();
        assert_eq!(
            counted.rows.iter().map(|row| row.asked.name.as_str()).collect::<Vec<_>>(),
            ["a.example.org"]
        );
        for text in ["", "{}", r#"{"rows":[1]}"#, "[]"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
