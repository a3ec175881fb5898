use std::{fmt, io};

use fullduplex_proto::{ConnectionError, Misuse};

use crate::tls;

/// The connection failed because of the peer or the transport.
#[derive(Debug, thiserror::Error)]
pub struct SocketError {
    failure: ConnectionError,
    #[source]
    io: Option<io::Error>,
}

impl SocketError {
    pub(crate) fn new(failure: ConnectionError, io: Option<io::Error>) -> Self {
        Self { failure, io }
    }

    /// Returns what went wrong.
    pub fn failure(&self) -> ConnectionError {
        self.failure
    }

    /// Returns the number of the alert with which the peer ended TLS (RFC 8446, section 6). With TLS 1.3, a
    /// server that refuses the client's certificate sends it after the handshake.
    pub fn tls_alert(&self) -> Option<u8> {
        self.io.as_ref().and_then(tls::alert)
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `source` returns an I/O error.
        self.failure.fmt(f)
    }
}

/// A message could not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket does not accept the message, for example because it is closing.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The transport failed. [`Socket::recv`](crate::Socket::recv) may still return messages that arrived
    /// before.
    #[error("could not send the message: the connection broke")]
    Io(#[source] io::Error),
}
