use std::io;

use bytes::{BufMut, BytesMut};
use fullduplex_proto::handshake::head::HeadError;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read of a head at once: all of it, mostly.
const READ: usize = 1 << 10;

/// Why no HTTP head could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// What arrived is not a head that this end takes.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The server answered again and again that its answer will follow.
    #[error("the server sent more than {0} interim responses before its answer")]
    InterimResponses(usize),
    /// The connection ended first.
    #[error("the peer ended the connection during the opening handshake")]
    Ended,
    /// The connection broke first.
    #[error("the connection broke during the opening handshake: {0}")]
    Io(#[from] io::Error),
}

/// Reads from `stream` until `parse` has taken a head off `input`; what follows the head stays there.
pub(crate) async fn read_head<T>(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    mut parse: impl FnMut(&mut BytesMut) -> Result<Option<T>, HeadError>,
) -> Result<T, OpeningError> {
    loop {
        if let Some(head) = parse(input)? {
            return Ok(head);
        }
        // The parser refuses a head that is too long, so the buffer outgrows the limit by this at most.
        input.reserve(READ);
        if stream.read_buf(&mut input.limit(READ)).await? == 0 {
            return Err(OpeningError::Ended);
        }
    }
}
