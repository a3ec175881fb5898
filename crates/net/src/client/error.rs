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
use crate::tls::TlsConfigError;

/// Why there is no connection. Each says what was tried, and with whom.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host's name has no address.
    #[error("the host `{host}` cannot be resolved: {source}")]
    Resolve {
        /// The host of the URL, or the proxy.
        host: String,
        /// What the system or the resolver says.
        source: io::Error,
    },
    /// No address of the host took the connection.
    #[error("no TCP connection with {}", list(.failures))]
    Tcp {
        /// What became of each, in order.
        failures: Vec<AddressFailure>,
    },
    /// There is no connection with [`ConnectOptions::unix_socket`](crate::client::options::ConnectOptions::unix_socket).
    #[error("no connection with the socket {}: {source}", .path.display())]
    Unix {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// [`ConnectOptions::connector`](crate::client::options::ConnectOptions::connector) has no way there.
    #[error("no way to {authority}: {source}")]
    Connector {
        /// Host and port.
        authority: String,
        /// What it says.
        source: io::Error,
    },
    /// The proxy did not connect.
    #[error("no connection with {authority} by the proxy {proxy}: {source}")]
    Proxy {
        /// The proxy's URL, without credentials.
        proxy: String,
        /// Host and port behind it.
        authority: String,
        /// What happened instead.
        source: Box<ProxyError>,
    },
    /// The roots to trust cannot be used.
    #[error(transparent)]
    TlsOptions(#[from] TlsConfigError),
    /// The TLS handshake failed; the server's certificate may not be valid for this host.
    #[error("no TLS connection with `{host}`: {}", tls::explain(.source))]
    Tls {
        /// The host of the URL.
        host: String,
        /// What TLS says.
        source: io::Error,
    },
    /// [`ConnectOptions::connect_timeout`](crate::client::options::ConnectOptions::connect_timeout) or
    /// [`ConnectOptions::handshake_timeout`](crate::client::options::ConnectOptions::handshake_timeout) passed.
    #[error("{phase} {authority} took longer than {limit:?}{}", tried(.failures))]
    Timeout {
        /// What was under way.
        phase: ConnectPhase,
        /// Host and port.
        authority: String,
        /// The deadline.
        limit: Duration,
        /// What had become of the addresses tried by then.
        failures: Vec<AddressFailure>,
    },
    /// The URL is not one of a WebSocket (RFC6455-4.1-2).
    #[error(transparent)]
    Url(#[from] UrlError),
    /// One of [`ConnectOptions::headers`](crate::ConnectOptions::headers) is set by the handshake itself.
    #[error(transparent)]
    ReservedHeader(#[from] ReservedHeaderError),
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
    Rejected(Box<Rejected>),
    /// The server sends the client elsewhere, and it does not go there.
    #[error("{authority} answered with a redirect that is not followed: {source}")]
    Redirect {
        /// Host and port.
        authority: String,
        /// Why not.
        source: RedirectError,
    },
    /// The server's answer does not open the connection.
    #[error("{authority}: {source}")]
    Answer {
        /// Host and port.
        authority: String,
        /// What is wrong with it.
        source: AnswerError,
    },
}

/// An address that took no connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct AddressFailure {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// What a client waits for before its connection is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectPhase {
    /// The addresses of the host's name.
    Resolve,
    /// The end of another opening handshake, as there is one at a time.
    Turn,
    /// A TCP connection, or what stands in for it.
    Tcp,
    /// TLS, and the opening handshake.
    Handshake,
}

impl fmt::Display for ConnectPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving",
            Self::Turn => "waiting for other connections with",
            Self::Tcp => "connecting with",
            Self::Handshake => "the opening handshake with",
        })
    }
}

impl fmt::Display for AddressFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.source)
    }
}

fn list(failures: &[AddressFailure]) -> String {
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    failures.join(", nor with ")
}

/// One address says nothing that the host does not.
fn tried(failures: &[AddressFailure]) -> String {
    if failures.len() > 1 {
        format!("; no connection with {}", list(failures))
    } else {
        String::new()
    }
}
