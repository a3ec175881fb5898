use std::io;

use bytes::BytesMut;
use fullduplex_proto::handshake::head::{self, HeadError};
use tokio::io::{AsyncRead, AsyncReadExt};

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
        // The parser refuses heads longer than this, so the buffer cannot outgrow it twice.
        input.reserve(head::MAX_BYTES / 4);
        if stream.read_buf(input).await? == 0 {
            return Err(OpeningError::Ended);
        }
    }
}
