use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::head::{HeadError, HeadReader};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// How many bytes are read at once. Most heads are shorter.
const READ: usize = 2 << 10;

/// How many interim responses (status 100 to 199 except 101) are skipped.
const INTERIM_RESPONSES: usize = 8;

/// The reason why no HTTP head could be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The peer sent something other than a valid head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The server sent too many interim responses.
    #[error("the server sent more than {0} interim responses before its final one")]
    InterimResponses(usize),
    /// The peer closed the connection before the head was complete.
    #[error("the peer closed the connection during the opening handshake")]
    Ended,
    /// The connection failed before the head was complete.
    #[error("the connection failed during the opening handshake: {0}")]
    Io(io::Error),
}

impl From<io::Error> for OpeningError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads from `stream` until `parse` has removed a complete head from `input`. Bytes after the head stay in
/// `input`.
pub(crate) async fn read_head<T>(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    mut parse: impl FnMut(&mut BytesMut) -> Result<Option<T>, HeadError>,
) -> Result<T, OpeningError> {
    loop {
        if let Some(head) = parse(input)? {
            return Ok(head);
        }
        if read_some(stream, input).await? == 0 {
            return Err(OpeningError::Ended);
        }
    }
}

/// Reads once, and returns the number of bytes.
pub(crate) async fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<usize> {
    poll_fn(|cx| poll_read(stream, input, cx)).await
}

/// Reads once into a buffer on the stack, so that `input` only allocates memory for bytes that have arrived.
/// The parser refuses a head that is too long, so `input` exceeds the limit of a head by at most one read.
fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut bytes = [0; READ];
    let mut read = ReadBuf::new(&mut bytes);
    ready!(Pin::new(stream).poll_read(cx, &mut read))?;
    input.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

/// Reads a response and skips interim responses: a server may send 103 before 101 (WS-3.11).
pub(crate) async fn read_final_response(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limits: Limits,
) -> Result<Response<()>, OpeningError> {
    for _ in 0..=INTERIM_RESPONSES {
        let mut reader = HeadReader::new(limits);
        let response = read_head(stream, input, |input| reader.response(input)).await?;
        let status = response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
    }
    Err(OpeningError::InterimResponses(INTERIM_RESPONSES))
}

/// Writes and flushes all of `bytes`.
pub(crate) async fn write_all(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> Result<(), OpeningError> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(())
}
