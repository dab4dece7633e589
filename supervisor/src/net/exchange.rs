//! Requests over a connection that is there, and their answers.
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

/// A connection that carries one request after the other.
#[derive(Debug)]
pub struct Line<S: AsyncRead + AsyncWrite + Unpin> {
    sender: http1::SendRequest<Empty<Bytes>>,
    connection: http1::Connection<TokioIo<S>, Empty<Bytes>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Over a stream that is there. `limits` bounds what the other side may send before its body.
    ///
    /// # Errors
    /// Nothing was sent yet: none that a caller can do anything about.
    pub async fn over(limits: &http1::Builder, stream: S) -> Result<Self, Error> {
        let (sender, connection) = limits.handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection })
    }

    /// Sends a request that has no body, and gives what `take` makes of the answer; and the line, where it can carry another.
    ///
    /// # Errors
    /// The other side did not answer in HTTP, or `take` did not like what it said.
    pub async fn ask<T, E: From<Error>>(
        self,
        request: Request<Empty<Bytes>>,
        take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, E>,
    ) -> (Result<T, E>, Option<Self>) {
        let Self { mut sender, connection } = self;
        let answer = pin!(async {
            let taken = async {
                sender.ready().await?;
                take(sender.send_request(request).await?).await
            };
            (taken.await, sender)
        });
        // The connection moves the bytes for `answer`; where it fails, `answer` is told why.
        match select(answer, connection).await {
            Either::Left(((Ok(taken), sender), connection)) => (Ok(taken), Some(Self { sender, connection })),
            Either::Left(((failed, _), _)) => (failed, None),
            Either::Right((_, answer)) => (answer.await.0, None),
        }
    }
}

/// Sends one request over a stream, as [`Line`] does.
///
/// # Errors
/// As of [`Line::ask`].
pub async fn exchange<T, E: From<Error>>(
    limits: &http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Empty<Bytes>>,
    take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, E>,
) -> Result<T, E> {
    Line::over(limits, stream).await?.ask(request, take).await.0
}
