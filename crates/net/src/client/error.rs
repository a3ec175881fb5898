use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fullduplex_proto::UrlError;
use fullduplex_proto::handshake::{AnswerError, ReservedHeaderError};

use crate::client::redirects::RedirectError;
use crate::http1::read::OpeningError;
use crate::http1::rejected::Rejected;
use crate::proxy::ProxyError;
use crate::tls;
use crate::tls_error::TlsConfigError;

/// The reason why no connection was opened.
///
/// `Display` includes the cause, so [`source`](std::error::Error::source) does not return it again: the
/// cause is a field. Every `authority` is a host and a port.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not one of a WebSocket (RFC6455-4.1-2).
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The host name could not be resolved.
    #[error("could not resolve the host `{host}`: {error}")]
    Resolve {
        /// The host of the URL, or of the proxy.
        host: String,
        /// The error of the system or the resolver.
        error: io::Error,
    },
    /// No address of the host accepted a TCP connection.
    #[error("could not connect to {}", list(.failures))]
    Tcp {
        /// The failure of each address, in order.
        failures: Vec<AddressFailure>,
    },
    /// The connection to [`ConnectOptions::unix_socket`](crate::ConnectOptions::unix_socket) failed.
    #[error("could not connect to the Unix socket {}: {error}", .path.display())]
    Unix {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The application's [`Connector`](crate::Connector) failed.
    #[error("could not connect to {authority} with the application's connector: {error}")]
    Connector {
        /// The server.
        authority: String,
        /// The error of the connector.
        error: io::Error,
    },
    /// The proxy could not be reached.
    #[error("could not connect to {authority} through the proxy {proxy}: {error}")]
    ProxyUnreachable {
        /// The proxy's URL, without credentials.
        proxy: String,
        /// The server.
        authority: String,
        /// Why the proxy could not be reached.
        error: Box<ConnectError>,
    },
    /// The proxy did not connect to the server.
    #[error("could not connect to {authority} through the proxy {proxy}: {error}")]
    Proxy {
        /// The proxy's URL, without credentials.
        proxy: String,
        /// The server.
        authority: String,
        /// The error of the proxy.
        error: Box<ProxyError>,
    },
    /// The default TLS options could not be loaded.
    #[error(transparent)]
    TlsOptions(#[from] TlsConfigError),
    /// The TLS handshake failed, for example because the certificate is not valid for the host.
    #[error("could not establish TLS with {authority}: {}", tls::explain(.error))]
    Tls {
        /// The server.
        authority: String,
        /// The error of TLS or of the connection.
        error: io::Error,
    },
    /// [`ConnectOptions::connect_timeout`](crate::ConnectOptions::connect_timeout) or
    /// [`ConnectOptions::handshake_timeout`](crate::ConnectOptions::handshake_timeout) passed.
    #[error("could not {phase} {authority} within {limit:?}{}", reason(.phase, .failures))]
    Timeout {
        /// The phase that was not completed.
        phase: ConnectPhase,
        /// The server, or the proxy.
        authority: String,
        /// The time limit.
        limit: Duration,
        /// The addresses that were tried until then.
        failures: Vec<AddressFailure>,
    },
    /// One of [`ConnectOptions::headers`](crate::ConnectOptions::headers) is set by the handshake itself.
    #[error(transparent)]
    ReservedHeader(#[from] ReservedHeaderError),
    /// With `Http::Two`, the server does not support WebSockets over HTTP/2.
    #[error(
        "could not use HTTP/2 with {authority}: the server does not support WebSockets over it; use HTTP/1.1"
    )]
    NoHttp2 {
        /// The server.
        authority: String,
    },
    /// No stream of HTTP/2 could be opened.
    #[error("could not open an HTTP/2 stream with {authority}: {error}")]
    Http2 {
        /// The server.
        authority: String,
        /// The error of HTTP/2 or of the connection.
        error: io::Error,
    },
    /// No response could be read.
    #[error("could not complete the opening handshake with {authority}: {error}")]
    Opening {
        /// The server.
        authority: String,
        /// The error of the opening handshake.
        error: OpeningError,
    },
    /// The server answered with an HTTP status other than 101.
    #[error("could not open a WebSocket: {0}")]
    Rejected(Box<Rejected>),
    /// The server answered with a redirect that must not be followed.
    #[error("could not follow the redirect of {authority}: {error}")]
    Redirect {
        /// The server.
        authority: String,
        /// Why the redirect is not followed.
        error: RedirectError,
    },
    /// The server's response does not open the connection.
    #[error("could not open a WebSocket with {authority}: {error}")]
    Answer {
        /// The server.
        authority: String,
        /// What is wrong with the response.
        error: AnswerError,
    },
}

/// An address that did not accept a connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct AddressFailure {
    /// The address.
    pub address: SocketAddr,
    /// The error of the system.
    pub error: io::Error,
}

/// A phase of connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectPhase {
    /// Resolving the host name.
    Resolve,
    /// Waiting for other connections to the address, with
    /// [`ConnectConcurrency::OnePerAddress`](crate::ConnectConcurrency::OnePerAddress).
    Queue,
    /// Connecting over TCP, or by a Unix socket or a connector.
    Tcp,
    /// The TLS handshake and the opening handshake.
    Handshake,
}

impl ConnectError {
    /// Returns the number of the alert with which the server ended the TLS handshake (RFC 8446, section 6),
    /// such as 40, `handshake_failure`.
    pub fn tls_alert(&self) -> Option<u8> {
        match self {
            Self::Tls { error, .. } => tls::alert(error),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Queue | Self::Tcp => "connect to",
            Self::Handshake => "complete the opening handshake with",
        })
    }
}

impl fmt::Display for AddressFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.error)
    }
}

fn list(failures: &[AddressFailure]) -> String {
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    failures.join(", nor to ")
}

fn reason(phase: &ConnectPhase, failures: &[AddressFailure]) -> String {
    match phase {
        ConnectPhase::Queue => {
            ": other connections to it are opened first; `ConnectConcurrency` lifts this".into()
        }
        // A single address adds no information to the name of the host.
        _ if failures.len() < 2 => String::new(),
        _ => format!("; could not connect to {}", list(failures)),
    }
}
