use fullduplex_net::{ConnectError, ConnectPhase, SocketError};

/// Why a connection failed, for logs. The events do not contain it, because a web page must not
/// learn about its user's network (WS-err-1).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The port is on Fetch's list of blocked ports. [`Ports::Any`](crate::Ports::Any) allows it.
    #[error(
        "could not connect to port {0}: it is blocked because it belongs to another protocol; \
         `Ports::Any` allows it"
    )]
    BlockedPort(u16),
    /// The connection could not be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Subprotocols were offered, and the server selected none (WS-hs-4).
    #[error("the server chose none of the offered subprotocols")]
    NoSubprotocol,
    /// [`close`](crate::WebSocket::close) was called before the connection was open.
    #[error("the socket was closed while it was connecting")]
    ClosedWhileConnecting,
    /// The connection broke, or the peer violated the protocol.
    #[error(transparent)]
    Lost(#[from] SocketError),
    /// More bytes waited for the network than [`Builder::buffer_limit`](crate::Builder::buffer_limit)
    /// allows.
    #[error("could not send: more bytes wait for the network than `buffer_limit` allows")]
    BufferFull,
    /// A [reserved](crate::WebSocket::reserve) message was dropped or has another length.
    #[error("could not send a reserved message: it was dropped or has another length")]
    Unfilled,
    /// Code of the application panicked, such as a connector, a resolver or a cookie store.
    #[error("a connector, resolver, cookie store or observer of the application panicked")]
    Panicked,
    /// The runtime of the socket was shut down, or was built without I/O or time.
    #[error("the runtime of the socket was shut down, or has no I/O or time enabled")]
    RuntimeGone,
}

impl Failure {
    /// Returns why a driver ended too early. Called while the driver is dropped.
    pub(crate) fn of_lost_driver() -> Self {
        if std::thread::panicking() { Self::Panicked } else { Self::RuntimeGone }
    }

    /// Returns the phase in which the connection failed: "check" before anything was sent,
    /// "resolve", "connect", "proxy", "tls", "handshake", or "open" once the connection was open.
    pub fn phase(&self) -> &'static str {
        match self {
            Self::BlockedPort(_) => "check",
            Self::Connect(error) => phase_of(error),
            Self::NoSubprotocol => "handshake",
            Self::ClosedWhileConnecting | Self::Panicked => "connect",
            Self::Lost(_) | Self::BufferFull | Self::Unfilled | Self::RuntimeGone => "open",
        }
    }

    /// Returns the status of the server's response, if it refused the opening handshake with one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Connect(ConnectError::Rejected(rejected)) => Some(rejected.status.as_u16()),
            _ => None,
        }
    }

    /// Returns the number of the alert with which the server ended TLS (RFC 8446, section 6), such as 40,
    /// `handshake_failure`.
    pub fn tls_alert(&self) -> Option<u8> {
        match self {
            Self::Connect(error) => error.tls_alert(),
            Self::Lost(error) => error.tls_alert(),
            _ => None,
        }
    }
}

fn phase_of(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::TlsOptions(_) => "check",
        ConnectError::Resolve { .. } => "resolve",
        ConnectError::Tcp { .. } | ConnectError::Connector { .. } => "connect",
        #[cfg(unix)]
        ConnectError::Unix { .. } => "connect",
        ConnectError::Proxy { .. } | ConnectError::ProxyUnreachable { .. } => "proxy",
        ConnectError::Tls { .. } => "tls",
        ConnectError::Timeout { phase: ConnectPhase::Resolve, .. } => "resolve",
        ConnectError::Timeout { phase: ConnectPhase::Queue | ConnectPhase::Tcp, .. } => "connect",
        _ => "handshake",
    }
}
