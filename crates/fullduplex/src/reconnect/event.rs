use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_net::proto::Message;

use crate::object::error::{Error, Failure};
use crate::object::event::{CloseEvent, MessageEvent};

/// An event of a [`ReconnectingWebSocket`](super::ReconnectingWebSocket).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ReconnectingEvent {
    /// A connection is established: the first, or another one. The server knows nothing of those before.
    Open,
    /// A message has arrived.
    Message(MessageEvent),
    /// The connection has ended, or an attempt came to nothing, and there will be another attempt.
    Lost(Lost),
    /// Messages were not sent, or perhaps in part.
    Undelivered(Undelivered),
    /// The socket has failed; right before [`Close`](Self::Close). It does not say why;
    /// [`ReconnectingWebSocket::failure`](super::ReconnectingWebSocket::failure) does.
    Error,
    /// It has ended, and tries no more: the last event, unless it is told to reconnect.
    Close(CloseEvent),
}

/// The kinds of [`ReconnectingEvent`].
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
    /// The kind of the event.
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

/// A connection, or an attempt, has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lost {
    /// As that of the connection; 1006 if there was none.
    pub close: CloseEvent,
    /// Why, unless the server closed in order.
    pub cause: Option<LostCause>,
    /// How long until the next attempt.
    pub retry_in: Duration,
    /// The number of that attempt, from 1, since a connection has stood.
    pub retry: u32,
}

/// Why a connection, or an attempt, has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LostCause {
    /// The provider had nothing to connect with.
    Provider(Arc<dyn std::error::Error + Send + Sync>),
    /// What it had is no WebSocket's.
    Options(Error),
    /// The connection failed, or there was none.
    Connection(Arc<Failure>),
}

impl fmt::Display for LostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(error) => write!(f, "there is nothing to connect with: {error}"),
            Self::Options(error) => error.fmt(f),
            Self::Connection(failure) => failure.fmt(f),
        }
    }
}

/// Messages that were taken by `send`, and are not sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undelivered {
    /// The messages, in order; of very many, the first.
    pub messages: Vec<Message>,
    /// How many they are.
    pub count: u64,
    /// What came in between.
    pub why: Undelivery,
}

/// Why messages were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undelivery {
    /// They made room for newer ones: [`OutboxOverflow::DropOldest`](super::OutboxOverflow::DropOldest).
    OutboxFullError,
    /// They were handed over to a connection that ended before the network had taken them wholly. The
    /// server may have got some of them, so they are not sent again.
    Interrupted,
    /// The socket has ended.
    Ended,
}
