use fullduplex_net::proto::handshake::SubprotocolError;
use fullduplex_net::proto::{CloseReasonError, UrlError};
use fullduplex_net::{ConnectError, SocketError};

/// What the standard throws: the call did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A `SyntaxError`: the URL cannot be that of a WebSocket.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A `SyntaxError`: the subprotocols cannot be offered.
    #[error(transparent)]
    Protocols(#[from] SubprotocolError),
    /// A `SyntaxError`, though no standard's: a header that cannot be added.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A `SyntaxError`: the close reason does not fit.
    #[error(transparent)]
    Reason(#[from] CloseReasonError),
    /// An `InvalidAccessError`: the close code is not one for applications.
    #[error("a WebSocket is closed with the code 1000, or one from 3000 to 4999, not with {0}")]
    Code(u16),
    /// An `InvalidStateError`: [`send`](crate::object::websocket::WebSocket::send) before the `open` event.
    #[error("the WebSocket is still connecting: send from the `open` event on")]
    Connecting,
}

impl Error {
    /// The name of the exception in the standard.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Protocols(_) | Self::Header(_) | Self::Reason(_) => "SyntaxError",
            Self::Code(_) => "InvalidAccessError",
            Self::Connecting => "InvalidStateError",
        }
    }
}

/// A header cannot be added to the opening request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header `{name}` cannot be added: {reason}")]
pub struct HeaderError {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Why a connection failed, for a developer's eyes: the events say nothing of it, because a page
/// must not learn what lies in its user's network (WS-7.7).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Fetch's list of ports that a WebSocket must not talk to; [`Ports::Any`](crate::object::builder::Ports::Any)
    /// lifts it.
    #[error("port {0} is blocked: other protocols than WebSocket live there")]
    BlockedPort(u16),
    /// There was never a connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Subprotocols were offered, and the server chose none (WS-3.12).
    #[error("the server chose none of the subprotocols offered")]
    NoSubprotocol,
    /// [`close`](crate::object::websocket::WebSocket::close) was called before the connection was open.
    #[error("the socket was closed while it was connecting")]
    ClosedWhileConnecting,
    /// The connection broke, or the peer broke a rule.
    #[error(transparent)]
    Lost(#[from] SocketError),
    /// More was sent than [`Builder::buffer_limit`](crate::object::builder::Builder::buffer_limit) allows to wait.
    #[error("more was sent than may wait for the network")]
    BufferFull,
    /// A message whose place was [reserved](crate::object::websocket::WebSocket::reserve) never came, or had another
    /// length.
    #[error("a message that was announced did not come as announced")]
    Unfilled,
    /// The task that served the socket ended before its time: its runtime was shut down, or was built
    /// without I/O or time.
    #[error("the runtime was shut down under the socket, or has no I/O or time enabled")]
    RuntimeGone,
}
