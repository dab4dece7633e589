//! One request over a connection that is there, and its answer.
//!
//! Deliberately absent: connecting, and how long either may take; a caller knows how patient it is.

use std::pin::pin;

use futures_util::future::{Either, select};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Error, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Sends a request that has no body, and gives what `take` makes of the answer. `limits` bounds what the other side may send
/// before its body.
///
/// # Errors
/// The other side did not answer in HTTP, or `take` did not like what it said.
pub async fn exchange<T, E: From<Error>>(
    limits: &http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Empty<Bytes>>,
    take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, E>,
) -> Result<T, E> {
    let (mut sender, connection) = limits.handshake(TokioIo::new(stream)).await?;
    let answer = pin!(async { take(sender.send_request(request).await?).await });
    // The connection moves the bytes for `answer`; where it fails, `answer` is told why.
    match select(answer, connection).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right((_, answer)) => answer.await,
    }
}
