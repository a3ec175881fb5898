use std::io;

use bytes::{BufMut, BytesMut};
use fullduplex_proto::handshake::head::{HeadError, HeadReader};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much is read of a head at once.
const READ: usize = 4 << 10;

/// How many interim responses (100 to 199, but for 101) are skipped.
const INTERIM_RESPONSES: usize = 8;

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
        if stream.read_buf(&mut input.limit(READ)).await? == 0 {
            return Err(OpeningError::Ended);
        }
    }
}

/// Reads a response, and skips interim ones: a server may send 103 before 101 (WS-hs-3).
pub(crate) async fn read_final_response(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> Result<Response<()>, OpeningError> {
    for _ in 0..=INTERIM_RESPONSES {
        let mut reader = HeadReader::new();
        let response = read_head(stream, input, |input| reader.response(input)).await?;
        let status = response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
    }
    Err(OpeningError::InterimResponses(INTERIM_RESPONSES))
}

/// Writes what the other end has to have before it answers.
pub(crate) async fn write_all(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> Result<(), OpeningError> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(())
}
