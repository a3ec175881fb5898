use std::io;
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_proto::handshake::head::{self, HeadReader};
use fullduplex_proto::handshake::{Answer, Offer, Refusal, Subprotocols};
use fullduplex_proto::{Connection, Limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::opening::read_head;
use crate::{Deadlines, OpeningError, Socket};

/// How much a refused client may still send before it is cut off.
const REFUSED_INPUT: u64 = 64 << 10;

/// What a server may choose. The default agrees on no subprotocol.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AcceptOptions {
    /// What the server speaks; the first of the client's offers that is among them is chosen.
    pub subprotocols: Subprotocols,
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

/// Shakes hands with a client that has connected by `stream`.
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
    let limit = options.deadlines.handshake;
    timeout(limit, shake_hands(stream, options)).await.map_err(|_| AcceptError::Timeout(limit))?
}

async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    options: &AcceptOptions,
) -> Result<Socket<S>, AcceptError> {
    let mut input = BytesMut::new();
    let mut reader = HeadReader::new();
    let request = match read_head(&mut stream, &mut input, |input| reader.request(input)).await {
        Ok(request) => request,
        Err(OpeningError::Head(error)) => return Err(refuse(stream, error.refusal()).await),
        Err(error) => return Err(error.into()),
    };
    let offer = match Offer::from_request(&request) {
        Ok(offer) => offer,
        Err(refusal) => return Err(refuse(stream, refusal).await),
    };
    let answer = Answer::choosing(&offer, &options.subprotocols);
    let mut response = Vec::new();
    head::encode_response(&answer.to_response(&offer), &mut response);
    stream.write_all(&response).await.map_err(OpeningError::Io)?;
    stream.flush().await.map_err(OpeningError::Io)?;
    let connection = Connection::server(options.limits, options.deadlines.close);
    Ok(Socket::new(stream, connection, input, answer))
}

/// Answers, ends the stream, and lets the client read the answer: bytes of it that nobody reads
/// would turn the end into a reset, which may overtake the answer.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, refusal: Refusal) -> AcceptError {
    let told = async {
        let response = refusal.to_response();
        let mut bytes = Vec::new();
        head::encode_response(&response, &mut bytes);
        bytes.extend_from_slice(response.body().as_bytes());
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(REFUSED_INPUT), &mut tokio::io::sink()).await?;
        Ok::<_, io::Error>(())
    };
    // The refusal is what the caller needs to know, whether or not the client heard it.
    told.await.ok();
    AcceptError::Refused(refusal)
}
