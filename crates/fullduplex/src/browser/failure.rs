use std::time::Duration;

/// Why a connection failed, for a developer's log. A browser reveals almost nothing to a program, because a web page
/// must not learn about its user's network (WS-err-1). The browser's console shows more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The browser refused to connect. For example, the port is blocked, or a page that was loaded over TLS
    /// connects without TLS.
    #[error("the browser refused to connect: {0}")]
    Refused(String),
    /// The connection could not be opened.
    #[error("could not connect; the browser's console may say why")]
    Connect,
    /// [`close`](crate::WebSocket::close) was called before the connection was open.
    #[error("the socket was closed while it was connecting")]
    ClosedWhileConnecting,
    /// The connection broke, or the peer violated the protocol.
    #[error("the connection was lost; the browser's console may say why")]
    Lost,
    /// Code of the application panicked.
    #[error("a provider of the application panicked")]
    Panicked,
}

impl Failure {
    /// Returns why a driver ends too early. Called while the driver is dropped.
    pub(crate) fn of_lost_driver() -> Self {
        Self::Panicked
    }

    /// Returns the phase in which the connection failed: "check" before anything was sent, "connect", or "open" once
    /// the connection was open.
    pub fn phase(&self) -> &'static str {
        match self {
            Self::Refused(_) => "check",
            Self::Connect | Self::ClosedWhileConnecting | Self::Panicked => "connect",
            Self::Lost => "open",
        }
    }

    /// Returns whether another attempt with the same options would fail too.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Returns `None`, because a browser does not reveal the headers of a rejected handshake.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        None
    }
}
