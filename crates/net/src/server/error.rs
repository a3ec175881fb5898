use std::time::Duration;

use fullduplex_proto::handshake::Rejection;
use http::StatusCode;

use crate::http1::read::OpeningError;

/// The reason why no connection was accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request is not a valid opening request, or its origin is not allowed. The client received this rejection.
    #[error("could not accept the connection: the client was answered {0}")]
    Rejected(Rejection),
    /// The request does not ask for a WebSocket. It was answered with this status by the
    /// [fallback](crate::Server::with_fallback).
    #[error(
        "could not accept the connection: the request asks for no WebSocket, and was answered {0}"
    )]
    Answered(StatusCode),
    /// The request could not be read, or the response could not be written.
    #[error("could not accept the connection")]
    Opening(#[from] OpeningError),
    /// The TLS handshake failed.
    #[error("could not accept the connection: the TLS handshake failed")]
    Tls(#[source] std::io::Error),
    /// The client took longer than [`AcceptOptions::handshake_timeout`](crate::AcceptOptions::handshake_timeout).
    #[error("could not accept the connection: the opening handshake took longer than {0:?}")]
    Timeout(Duration),
}
