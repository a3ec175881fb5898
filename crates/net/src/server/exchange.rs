use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use fullduplex_proto::handshake::{Rejection, head};
use http::{Method, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::http1::read::{OpeningError, write_all};
use crate::transport::Transport;

/// The maximum number of bytes that are read from a refused client before the connection is cut off.
const REFUSED_INPUT: u64 = 64 << 10;

/// A request that is not answered yet: what its answer is written to.
pub(crate) enum Exchange<S> {
    /// The connection has this request only.
    Http1 {
        stream: S,
        /// Bytes after the head.
        input: BytesMut,
    },
    /// The connection has several requests, each in a stream of its own.
    Multiplexed {
        /// Sends a response, and returns the stream.
        respond: Box<Respond<S>>,
        /// The certificates of the client, in DER.
        certificates: Certificates,
    },
}

pub(crate) type Respond<S> = dyn FnOnce(Response<()>) -> io::Result<S> + Send + Sync;
pub(crate) type Certificates = Arc<[Vec<u8>]>;

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    /// Creates the exchange of a connection with one request.
    pub(crate) fn http1(stream: S) -> Self {
        Self::Http1 { stream, input: BytesMut::new() }
    }

    /// Sends the response that opens a WebSocket. Returns the stream, and bytes that were read from it.
    pub(crate) async fn open(self, response: Response<()>) -> Result<(S, BytesMut), OpeningError> {
        match self {
            Self::Http1 { mut stream, input } => {
                let mut bytes = Vec::new();
                head::encode_response(&response, &mut bytes);
                write_all(&mut stream, &bytes).await?;
                Ok((stream, input))
            }
            Self::Multiplexed { respond, .. } => Ok((respond(response)?, BytesMut::new())),
        }
    }

    /// Sends a rejection as [`answer_last`](Self::answer_last) does.
    pub(crate) async fn reject(
        self,
        rejection: &Rejection,
        method: &Method,
    ) -> Result<(), OpeningError> {
        self.answer_last(rejection.to_response(), method).await
    }

    /// Sends a response and closes the stream. It continues to read what the client sends over HTTP/1.1. If
    /// unread bytes remained, the close would become a TCP reset, and the client could lose the response.
    pub(crate) async fn answer_last(
        self,
        response: Response<impl AsRef<[u8]>>,
        method: &Method,
    ) -> Result<(), OpeningError> {
        let (parts, body) = response.into_parts();
        let head = Response::from_parts(parts, ());
        // RFC 9110 section 9.3.2: the response to HEAD has the headers of a body, and no body.
        let body = if *method == Method::HEAD { &[] } else { body.as_ref() };
        match self {
            Self::Http1 { mut stream, .. } => {
                let mut bytes = Vec::new();
                head::encode_response(&head, &mut bytes);
                bytes.extend_from_slice(body);
                write_all(&mut stream, &bytes).await?;
                stream.shutdown().await?;
                tokio::io::copy(&mut stream.take(REFUSED_INPUT), &mut tokio::io::sink()).await?;
            }
            Self::Multiplexed { respond, .. } => {
                let mut stream = respond(head)?;
                stream.write_all(body).await?;
                stream.shutdown().await?;
            }
        }
        Ok(())
    }
}

impl Exchange<Transport> {
    pub(crate) fn client_certificates(&self) -> impl Iterator<Item = &[u8]> {
        let (stream, shared) = match self {
            Self::Http1 { stream, .. } => (Some(stream), None),
            Self::Multiplexed { certificates, .. } => (None, Some(certificates)),
        };
        let own = stream.into_iter().flat_map(Transport::client_certificates);
        let shared = shared.into_iter().flat_map(|certificates| certificates.iter());
        own.chain(shared.map(Vec::as_slice))
    }
}

impl<S> fmt::Debug for Exchange<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 { .. } => "Http1",
            Self::Multiplexed { .. } => "Multiplexed",
        })
    }
}
