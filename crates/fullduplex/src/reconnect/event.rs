use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_proto::Message;

use crate::backend::Failure;
use crate::rules::error::Error;
use crate::rules::event::{CloseEvent, MessageEvent};

/// An event of a [`ReconnectingWebSocket`](super::ReconnectingWebSocket).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ReconnectingEvent {
    /// A connection was established: the first one or a later one.
    Open,
    /// A message arrived.
    Message(MessageEvent),
    /// The connection ended or an attempt failed. Another attempt follows.
    Lost(Lost),
    /// Messages were not sent, or perhaps not completely.
    Undelivered(Undelivered),
    /// The socket failed. Fires immediately before [`Close`](Self::Close).
    /// [`ReconnectingWebSocket::failure`](super::ReconnectingWebSocket::failure) returns the cause.
    Error,
    /// The socket ended. No event follows, unless the application calls `reconnect()`.
    Close(CloseEvent),
}

/// The types of [`ReconnectingEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReconnectingEventType {
    /// `open`
    Open,
    /// `message`
    Message,
    /// `lost`
    Lost,
    /// `undelivered`
    Undelivered,
    /// `error`
    Error,
    /// `close`
    Close,
}

impl ReconnectingEvent {
    /// Returns the type of the event.
    pub fn event_type(&self) -> ReconnectingEventType {
        match self {
            Self::Open => ReconnectingEventType::Open,
            Self::Message(_) => ReconnectingEventType::Message,
            Self::Lost(_) => ReconnectingEventType::Lost,
            Self::Undelivered(_) => ReconnectingEventType::Undelivered,
            Self::Error => ReconnectingEventType::Error,
            Self::Close(_) => ReconnectingEventType::Close,
        }
    }
}

/// The end of a connection, or a failed attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lost {
    /// The close event of the connection. Its code is 1006 if there was none.
    pub close: CloseEvent,
    /// The cause, unless the connection ended with a closing handshake.
    pub cause: Option<LostCause>,
    /// The time until the next attempt.
    pub retry_in: Duration,
    /// The number of the next attempt. The first attempt after the waits were reset has number 0.
    pub retry: u32,
}

impl Lost {
    /// Returns whether an attempt with the same options would fail again: the server or the proxy
    /// rejected the request with a 4xx status that waiting does not change, such as 401, or the
    /// options are invalid.
    ///
    /// In this case, a [`ReconnectingWebSocket`](super::ReconnectingWebSocket) with fixed options stops
    /// (FC-07). A socket with a provider asks the provider again, unless
    /// [`stop_when`](super::ReconnectingBuilder::stop_when) ends the socket.
    pub fn is_permanent(&self) -> bool {
        match &self.cause {
            Some(LostCause::Connection(failure)) => failure.is_permanent(),
            Some(LostCause::Options(_)) => true,
            Some(LostCause::Provider(_)) | None => false,
        }
    }
}

/// Why a connection has ended or an attempt has failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LostCause {
    /// The provider returned an error.
    Provider(Arc<dyn std::error::Error + Send + Sync>),
    /// The provided options are invalid.
    Options(Error),
    /// The connection failed or could not be opened.
    Connection(Arc<Failure>),
}

impl fmt::Display for LostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(error) => write!(f, "could not get options for the connection: {error}"),
            Self::Options(error) => error.fmt(f),
            Self::Connection(failure) => failure.fmt(f),
        }
    }
}

/// Messages that were passed to `send` and will not be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undelivered {
    /// The messages, in order. If there are very many, only the first messages are included.
    pub messages: Vec<Message>,
    /// The number of messages.
    pub count: u64,
    /// The reason.
    pub reason: UndeliveredReason,
}

/// Why messages were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UndeliveredReason {
    /// The messages were dropped to make room for newer ones:
    /// [`OutboxOverflow::DropOldest`](super::OutboxOverflow::DropOldest).
    OutboxFull,
    /// They were handed to a connection that ended before they were written completely. The server
    /// may have received some of them, so they are not sent again.
    Interrupted,
    /// The socket ended.
    Ended,
}
