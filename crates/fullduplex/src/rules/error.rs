use fullduplex_proto::handshake::SubprotocolError;
use fullduplex_proto::{CloseReasonError, UrlError};

/// An exception of the standard. A call that returns it has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A `SyntaxError`: the URL is not a valid WebSocket URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A `SyntaxError`: the subprotocols are invalid.
    #[error(transparent)]
    Protocols(#[from] SubprotocolError),
    /// A header that cannot be added. The standard has no headers, so the name of this exception is also
    /// `SyntaxError`.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A `SyntaxError`: the close reason is too long.
    #[error(transparent)]
    Reason(#[from] CloseReasonError),
    /// An `InvalidAccessError`: applications may not close with this code.
    #[error("could not close with code {0}: use 1000, or a code from 3000 to 4999")]
    Code(u16),
    /// An `InvalidStateError`: [`send`](crate::WebSocket::send) was called before the `open` event.
    #[error("could not send: the socket is still connecting; wait for the `open` event")]
    Connecting,
}

impl Error {
    /// Returns the name of the exception in the standard.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Protocols(_) | Self::Header(_) | Self::Reason(_) => "SyntaxError",
            Self::Code(_) => "InvalidAccessError",
            Self::Connecting => "InvalidStateError",
        }
    }
}

/// Why a header could not be added to the opening request. The message names the header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HeaderError(pub(crate) String);
