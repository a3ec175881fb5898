use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::handshake::head::{self, HeadReader};
use fullduplex_proto::handshake::{Answer, BadAnswer, Offer, ReservedHeader, Subprotocols};
use fullduplex_proto::{Connection, Limits, Url};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::opening::read_head;
use crate::{BadRoots, ClientStream, Deadlines, OpeningError, Socket, Tls, random};

/// How much of the body of a refusal is kept for whoever reads the error.
const REFUSAL_BODY: usize = 8 << 10;

/// How many interim responses (100 to 199, but for 101) are skipped.
const INTERIM_RESPONSES: usize = 8;

/// What a client may choose. The default offers no subprotocol and trusts the platform's roots.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Offered to the server, in order of preference.
    pub subprotocols: Subprotocols,
    /// Further headers of the opening request; those of the handshake itself cannot be set.
    pub headers: HeaderMap,
    /// Whom to trust for `wss`; the platform's roots when `None`.
    pub tls: Option<Tls>,
    /// What the server may send.
    pub limits: Limits,
    /// How long the server may take.
    pub deadlines: Deadlines,
}

/// Why there is no connection. Each says what was tried, and with whom.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host's name has no address.
    #[error("the host `{host}` cannot be resolved: {source}")]
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// No address of the host took the connection; this is the last one tried.
    #[error("no TCP connection with {address}: {source}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The roots to trust cannot be used.
    #[error(transparent)]
    Roots(#[from] BadRoots),
    /// The TLS handshake failed; the server's certificate may not be valid for this host.
    #[error("no TLS connection with `{host}`: {source}")]
    Tls {
        /// The host of the URL.
        host: String,
        /// What TLS says.
        source: io::Error,
    },
    /// A deadline of [`Deadlines`] passed.
    #[error("{phase} with {authority} took longer than {limit:?}")]
    Timeout {
        /// What was under way.
        phase: &'static str,
        /// Host and port.
        authority: String,
        /// The deadline.
        limit: Duration,
    },
    /// One of [`ConnectOptions::headers`] is not free to choose.
    #[error(transparent)]
    ReservedHeader(#[from] ReservedHeader),
    /// No response could be read.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The server answered with an HTTP status of its own instead of opening the connection.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The server's answer does not open the connection.
    #[error(transparent)]
    Answer(BadAnswer),
}

/// An HTTP response other than 101.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The beginning of the body, up to 8 KiB.
    pub body: Bytes,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", BadAnswer::Status(self.status))?;
        match str::from_utf8(&self.body).unwrap_or_default().lines().next() {
            Some(line) if !line.trim().is_empty() => write!(f, ": {}", line.trim().escape_debug()),
            _ => Ok(()),
        }
    }
}

/// Opens a connection: resolves the host, connects by TCP, by TLS for `wss`, and shakes hands.
///
/// # Errors
/// [`ConnectError`]; the attempt has ended and holds nothing.
///
/// # Cancel safety
/// Dropping the future ends the attempt and closes what it had opened.
pub async fn connect(
    url: &Url,
    options: &ConnectOptions,
) -> Result<Socket<ClientStream>, ConnectError> {
    let Deadlines { connect, handshake, .. } = options.deadlines;
    let too_long =
        |phase, limit| ConnectError::Timeout { phase, authority: url.authority(), limit };
    let tcp =
        timeout(connect, connect_tcp(url)).await.map_err(|_| too_long("connecting", connect))??;
    timeout(handshake, async {
        let stream =
            if url.is_secure() { connect_tls(tcp, url, options).await?.into() } else { tcp.into() };
        shake_hands(stream, url, options).await
    })
    .await
    .map_err(|_| too_long("the opening handshake", handshake))?
}

async fn connect_tcp(url: &Url) -> Result<TcpStream, ConnectError> {
    let unresolved = |source| ConnectError::Resolve { host: url.host().to_owned(), source };
    let addresses = tokio::net::lookup_host((url.host(), url.port())).await.map_err(unresolved)?;
    let mut failure = unresolved(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A message is sent when it is sent. Not every transport can promise that.
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Err(source) => failure = ConnectError::Tcp { address, source },
        }
    }
    Err(failure)
}

/// RFC6455-4.1-9, -10: TLS before anything else, with the host's name; never plaintext for `wss`.
async fn connect_tls(
    tcp: TcpStream,
    url: &Url,
    options: &ConnectOptions,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ConnectError> {
    let host = || url.host().to_owned();
    let tls = match &options.tls {
        Some(tls) => tls.clone(),
        None => Tls::platform()?,
    };
    let name = ServerName::try_from(host()).map_err(|error| ConnectError::Tls {
        host: host(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    let connecting = tls.connector().connect(name, tcp);
    connecting.await.map_err(|source| ConnectError::Tls { host: host(), source })
}

async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    url: &Url,
    options: &ConnectOptions,
) -> Result<Socket<S>, ConnectError> {
    let offer = Offer::new(random::nonce(), options.subprotocols.clone());
    let mut request = Vec::new();
    head::encode_request(&offer.to_request(url, &options.headers)?, &mut request);
    stream.write_all(&request).await.map_err(OpeningError::Io)?;
    stream.flush().await.map_err(OpeningError::Io)?;

    let mut input = BytesMut::new();
    let response = read_final_response(&mut stream, &mut input).await?;
    let answer = match Answer::from_response(&offer, &response) {
        Ok(answer) => answer,
        Err(BadAnswer::Status(status)) => {
            let headers = response.into_parts().0.headers;
            let body = read_refusal_body(&mut stream, input, &headers).await;
            return Err(ConnectError::Refused(Box::new(Refused { status, headers, body })));
        }
        Err(bad) => return Err(ConnectError::Answer(bad)),
    };
    let close_timeout = options.deadlines.close;
    let connection = Connection::client(options.limits, close_timeout, Box::new(random::mask_key));
    Ok(Socket::new(stream, connection, input, answer))
}

/// Skips interim responses: a server may send 103 before 101 (WS-hs-3).
async fn read_final_response(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> Result<Response<()>, OpeningError> {
    let mut skipped = 0;
    loop {
        let mut reader = HeadReader::new();
        let response = read_head(stream, input, |input| reader.response(input)).await?;
        let status = response.status();
        let interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if !interim || skipped == INTERIM_RESPONSES {
            return Ok(response);
        }
        skipped += 1;
    }
}

/// What of the body has arrived, and what the server announced; at most [`REFUSAL_BODY`] bytes.
async fn read_refusal_body(
    stream: &mut (impl AsyncRead + Unpin),
    mut input: BytesMut,
    headers: &HeaderMap,
) -> Bytes {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let wanted = announced.unwrap_or(input.len()).min(REFUSAL_BODY);
    while input.len() < wanted {
        // The body is for information: one that breaks off is kept as far as it came.
        if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
            break;
        }
    }
    input.truncate(wanted);
    input.freeze()
}
