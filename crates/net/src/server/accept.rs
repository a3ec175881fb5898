use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::error::AcceptError;
use crate::server::options::AcceptOptions;
use crate::server::request::Request;
use crate::socket::Socket;

/// Accepts a client that has connected over `stream` (RFC6455-4.2.2-1): TCP, or TLS after its handshake. To
/// inspect the request before accepting it, use [`Request::read`].
///
/// If the request is not a valid opening request, the client receives an HTTP error with the reason, and the stream is
/// closed.
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
