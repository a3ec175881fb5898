use std::time::Duration;

use fullduplex_proto::handshake::{OriginPolicy, Rejection, Subprotocols};
use fullduplex_proto::{DeflateConfig, Limits, Timeouts};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http1::read::OpeningError;
use crate::server::request::Request;
use crate::socket::Socket;

/// What a server may choose for each connection. The default agrees on no subprotocol and no
/// compression, and lets no foreign web page in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AcceptOptions {
    /// What the server speaks; the first of the client's offers that is among them is chosen.
    pub subprotocols: Subprotocols,
    /// Whose web fallback may connect. Default: those of the server's own origin.
    pub origins: OriginPolicy,
    /// What of permessage-deflate is agreed to; nothing when `None`. A connection that compresses takes
    /// some 500 KiB more while it does both ways, and up to 36 KiB when it has been idle for half a
    /// minute, as a task that receives will notice; smaller windows and no context takeover take less.
    pub deflate: Option<DeflateConfig>,
    /// What the client may send.
    pub limits: Limits,
    /// How long the client may take for the opening handshake, TLS included, however the bytes
    /// trickle. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How long the client may take once the connection is open, and when it is asked whether it is
    /// still there.
    pub timeouts: Timeouts,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self {
            subprotocols: Subprotocols::default(),
            origins: OriginPolicy::default(),
            deflate: None,
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            timeouts: Timeouts::default(),
        }
    }
}

/// Why no connection was accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request is not an opening request, or its origin is not welcome; the client was answered with
    /// this.
    #[error("the client was refused with {0}")]
    Rejected(Rejection),
    /// The request asks for no WebSocket, and was answered with this status, as
    /// [`Server::with_fallback`](crate::server::Server::with_fallback) tells.
    #[error("the client asked for no WebSocket, and was answered {0}")]
    Answered(StatusCode),
    /// No request could be read, or no answer be written.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The TLS handshake failed.
    #[error("no TLS connection: {0}")]
    Tls(std::io::Error),
    /// [`AcceptOptions::handshake_timeout`] passed.
    #[error("the opening handshake took longer than {0:?}")]
    Timeout(Duration),
}

/// Shakes hands with a client that has connected by `stream`: by TCP, or by TLS whose handshake is done
/// (RFC6455-4.2.2-1). To look at the request first, use [`Request::read`].
///
/// A client that does not ask for a WebSocket gets an HTTP error that says why, and the stream is
/// closed, so that nothing it sent besides is taken for another request.
///
/// # Errors
/// [`AcceptError`]; the stream is closed.
///
/// # Cancel safety
/// Dropping the future closes the stream.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &AcceptOptions,
) -> Result<Socket<S>, AcceptError> {
    Request::read(stream, options).await?.accept().await
}
