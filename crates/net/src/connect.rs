use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_proto::handshake::head::{self, HeadReader};
use fullduplex_proto::handshake::{Answer, BadAnswer, Offer, ReservedHeader, Subprotocols};
use fullduplex_proto::{Connection, Deflate, Limits, Timeouts, Url};
use http::{HeaderMap, Response, StatusCode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use crate::alarm::Alarm;
use crate::opening::read_head;
use crate::{BadRoots, OpeningError, Refused, Socket, Tls, Transport, random, time, tls};

/// How many interim responses (100 to 199, but for 101) are skipped.
const INTERIM_RESPONSES: usize = 8;

/// What a client may choose. The default offers compression and no subprotocol, and trusts the
/// platform's roots.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Offered to the server, in order of preference.
    pub subprotocols: Subprotocols,
    /// What of permessage-deflate is offered; nothing when `None`.
    pub deflate: Option<Deflate>,
    /// Further headers of the opening request (RFC6455-4.1-22); those of the handshake itself cannot be
    /// set. There is no Origin unless it is among them: only a browser owes one (RFC6455-4.1-19).
    pub headers: HeaderMap,
    /// Whom to trust for `wss`; the platform's roots when `None`.
    pub tls: Option<Tls>,
    /// What the server may send.
    pub limits: Limits,
    /// How long it may take to resolve the host and to connect by TCP, for all its addresses together,
    /// which are tried one after the other. Default: 20 s.
    pub connect_timeout: Duration,
    /// From the TCP connection to the end of the opening handshake, TLS included, however the bytes
    /// trickle. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How long the server may take once the connection is open. Pings are not sent by default.
    pub timeouts: Timeouts,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        let mut timeouts = Timeouts::default();
        timeouts.ping = None;
        Self {
            subprotocols: Subprotocols::default(),
            deflate: Some(Deflate::default()),
            headers: HeaderMap::default(),
            tls: None,
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            timeouts,
        }
    }
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
    #[error("no TLS connection with `{host}`: {}", tls::explain(.source))]
    Tls {
        /// The host of the URL.
        host: String,
        /// What TLS says.
        source: io::Error,
    },
    /// [`ConnectOptions::connect_timeout`] or [`ConnectOptions::handshake_timeout`] passed.
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
    #[error("{authority}: {source}")]
    Opening {
        /// Host and port.
        authority: String,
        /// What happened instead.
        source: OpeningError,
    },
    /// The server answered with an HTTP status of its own instead of opening the connection.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The server's answer does not open the connection.
    #[error("{authority}: {source}")]
    Answer {
        /// Host and port.
        authority: String,
        /// What is wrong with it.
        source: BadAnswer,
    },
}

/// Opens a connection: resolves the host, connects by TCP, by TLS for `wss`, and shakes hands
/// (RFC6455-4.1-1).
///
/// # Errors
/// [`ConnectError`]; the attempt has ended and holds nothing.
///
/// # Cancel safety
/// Dropping the future ends the attempt and closes what it had opened.
pub async fn connect(url: &Url, options: &ConnectOptions) -> Result<Socket, ConnectError> {
    let (connect, handshake) = (options.connect_timeout, options.handshake_timeout);
    let authority = url.authority();
    let too_long =
        |phase, limit| ConnectError::Timeout { phase, authority: url.authority(), limit };
    let tcp =
        timeout(connect, connect_tcp(url)).await.map_err(|_| too_long("connecting", connect))??;
    let deadline = time::after(handshake);
    let answered = timeout_at(deadline, async {
        let stream = if url.is_secure() {
            Transport::tls(connect_tls(tcp, url, options).await?)
        } else {
            Transport::from(tcp)
        };
        shake_hands(stream, url, options).await
    });
    match answered.await.map_err(|_| too_long("the opening handshake", handshake))?? {
        Answered::Open(socket) => Ok(socket),
        Answered::Otherwise { response, mut stream, input } => {
            let refused = Refused::read(authority, response, &mut stream, input, deadline).await;
            Err(ConnectError::Refused(Box::new(refused)))
        }
    }
}

/// A server's answer to the opening request.
enum Answered<S: AsyncRead + AsyncWrite + Unpin> {
    Open(Socket<S>),
    /// A response that is HTTP's affair (RFC6455-4.1-24); its body is still to be read.
    Otherwise {
        response: Response<()>,
        stream: S,
        input: BytesMut,
    },
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
    // RFC6455-4.1-8
    Err(failure)
}

/// RFC6455-4.1-9, RFC6455-4.1-10: TLS before anything else, with the host's name; never plaintext for
/// `wss`.
async fn connect_tls(
    tcp: TcpStream,
    url: &Url,
    options: &ConnectOptions,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ConnectError> {
    let host = || url.host().to_owned();
    let tls = match &options.tls {
        Some(tls) => tls.clone(),
        None => Tls::shared_platform()?,
    };
    let name = ServerName::try_from(host()).map_err(|error| ConnectError::Tls {
        host: host(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    let connecting = tls.connector().connect(name, tcp);
    connecting.await.map_err(|source| ConnectError::Tls { host: host(), source })
}

/// The opening handshake over a stream that stands, TLS included (RFC6455-4.1-11).
async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    url: &Url,
    options: &ConnectOptions,
) -> Result<Answered<S>, ConnectError> {
    let opening = |source| ConnectError::Opening { authority: url.authority(), source };
    let mut offer = Offer::new(random::nonce(), options.subprotocols.clone());
    if let Some(deflate) = options.deflate {
        offer = offer.with_deflate(deflate);
    }
    let mut request = Vec::new();
    head::encode_request(&offer.to_request(url, &options.headers)?, &mut request);
    stream.write_all(&request).await.map_err(|error| opening(error.into()))?;
    stream.flush().await.map_err(|error| opening(error.into()))?;

    let mut input = BytesMut::new();
    let response = read_final_response(&mut stream, &mut input).await.map_err(opening)?;
    match Answer::from_response(&offer, &response) {
        Ok(answer) => {
            let masks = Box::new(random::mask_key);
            let connection = Connection::client(options.limits, options.timeouts.close, masks)
                .with_timeouts(options.timeouts);
            let socket = Socket::new(stream, connection, input, answer, Alarm::Own(None));
            Ok(Answered::Open(socket))
        }
        Err(BadAnswer::Status(_)) => Ok(Answered::Otherwise { response, stream, input }),
        Err(source) => Err(ConnectError::Answer { authority: url.authority(), source }),
    }
}

/// Skips interim responses: a server may send 103 before 101 (WS-hs-3).
async fn read_final_response(
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
