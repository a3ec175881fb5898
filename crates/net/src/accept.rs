use std::io;
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_proto::handshake::head::{self, HeadReader};
use fullduplex_proto::handshake::{Answer, Offer, Refusal, Subprotocols};
use fullduplex_proto::{Connection, Deflate, Limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout_at;

use crate::opening::read_head;
use crate::{Deadlines, OpeningError, Socket, deadlines};

/// How much a refused client may still send before it is cut off.
const REFUSED_INPUT: u64 = 64 << 10;

/// What a server may choose. The default agrees on no subprotocol and no compression.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AcceptOptions {
    /// What the server speaks; the first of the client's offers that is among them is chosen.
    pub subprotocols: Subprotocols,
    /// What of permessage-deflate is agreed to; nothing when `None`. A connection that compresses takes
    /// some 500 KiB more while it does both ways, and up to 36 KiB when it has been idle for half a
    /// minute, as a task that receives will notice; smaller windows and no context takeover take less.
    pub deflate: Option<Deflate>,
    /// What the client may send.
    pub limits: Limits,
    /// How long the client may take.
    pub deadlines: Deadlines,
}

/// Why no connection was accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request is not an opening request; the client was answered with this.
    #[error("the client was refused with {0}")]
    Refused(Refusal),
    /// No request could be read, or no answer be written.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// [`Deadlines::handshake`] passed.
    #[error("the opening handshake took longer than {0:?}")]
    Timeout(Duration),
}

/// Shakes hands with a client that has connected by `stream`: by TCP, or by TLS whose handshake is done
/// (RFC6455-4.2.2-1).
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
    mut stream: S,
    options: &AcceptOptions,
) -> Result<Socket<S>, AcceptError> {
    let limit = options.deadlines.handshake;
    let deadline = deadlines::after(limit);
    let too_long = |_| AcceptError::Timeout(limit);
    let mut input = BytesMut::new();
    let reading = read_offer(&mut stream, &mut input);
    let offer = match timeout_at(deadline, reading).await.map_err(too_long)?? {
        Ok(offer) => offer,
        Err(refusal) => {
            // The refusal is what the caller needs to know, whether or not the client hears it.
            timeout_at(deadline, refuse(stream, &refusal)).await.ok();
            return Err(AcceptError::Refused(refusal));
        }
    };
    let mut answer = Answer::choosing(&offer, &options.subprotocols);
    if let Some(deflate) = options.deflate {
        answer = answer.with_deflate(&offer, deflate);
    }
    let mut response = Vec::new();
    head::encode_response(&answer.to_response(&offer), &mut response);
    let writing = write(&mut stream, &response);
    timeout_at(deadline, writing).await.map_err(too_long)?.map_err(OpeningError::Io)?;
    let connection = Connection::server(options.limits, options.deadlines.close);
    Ok(Socket::new(stream, connection, input, answer, options.deadlines))
}

async fn read_offer(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> Result<Result<Offer, Refusal>, OpeningError> {
    let mut reader = HeadReader::new();
    match read_head(stream, input, |input| reader.request(input)).await {
        Ok(request) => Ok(Offer::from_request(&request)),
        Err(OpeningError::Head(error)) => Ok(Err(error.refusal())),
        Err(error) => Err(error),
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Answers, ends the stream, and lets the client read the answer: bytes of it that nobody reads
/// would turn the end into a reset, which may overtake the answer.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    refusal: &Refusal,
) -> io::Result<()> {
    let response = refusal.to_response();
    let mut bytes = Vec::new();
    head::encode_response(&response, &mut bytes);
    bytes.extend_from_slice(response.body().as_bytes());
    write(&mut stream, &bytes).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(REFUSED_INPUT), &mut tokio::io::sink()).await?;
    Ok(())
}
