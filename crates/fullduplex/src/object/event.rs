use std::sync::Arc;

use bytes::Bytes;
use fullduplex_net::proto::{Message, Text};

/// How far a socket is in its life. It only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// 0: the connection is not yet established.
    Connecting = 0,
    /// 1: messages can be sent.
    Open = 1,
    /// 2: one end has started the closing handshake.
    Closing = 2,
    /// 3: the connection is closed, or could not be opened.
    Closed = 3,
}

/// How an application wants to see binary messages.
///
/// In Rust both are the same bytes; the choice is kept for hosts where they are two types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BinaryType {
    /// As a `Blob`.
    #[default]
    Blob,
    /// As an `ArrayBuffer`.
    ArrayBuffer,
}

/// The kinds of events that a socket fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `open`: the connection is established; once.
    Open,
    /// `message`: a message has arrived.
    Message,
    /// `error`: the connection has failed; once, right before `close`.
    Error,
    /// `close`: the connection is closed; once, the last event.
    Close,
}

impl EventType {
    /// The name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Message => "message",
            Self::Error => "error",
            Self::Close => "close",
        }
    }
}

/// An event of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The connection is established.
    Open,
    /// A message has arrived.
    Message(MessageEvent),
    /// The connection has failed. The event does not say why;
    /// [`WebSocket::failure`](crate::object::websocket::WebSocket::failure) does.
    Error,
    /// The connection is closed.
    Close(CloseEvent),
}

impl Event {
    /// The kind of the event.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Open => EventType::Open,
            Self::Message(_) => EventType::Message,
            Self::Error => EventType::Error,
            Self::Close(_) => EventType::Close,
        }
    }
}

/// A message has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEvent {
    /// The message.
    pub data: Data,
    /// The origin of the socket's URL, such as `wss://example.com`.
    pub origin: Arc<str>,
}

/// The data of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A text message.
    Text(Text),
    /// A binary message that arrived while [`BinaryType::Blob`] was set.
    Blob(Bytes),
    /// A binary message that arrived while [`BinaryType::ArrayBuffer`] was set.
    ArrayBuffer(Bytes),
}

impl Data {
    pub(crate) fn new(message: Message, binary_type: BinaryType) -> Self {
        match (message, binary_type) {
            (Message::Text(text), _) => Self::Text(text),
            (Message::Binary(bytes), BinaryType::Blob) => Self::Blob(bytes),
            (Message::Binary(bytes), BinaryType::ArrayBuffer) => Self::ArrayBuffer(bytes),
        }
    }

    /// The text of a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Blob(_) | Self::ArrayBuffer(_) => None,
        }
    }

    /// The bytes of either kind of message.
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(bytes) | Self::ArrayBuffer(bytes) => bytes,
        }
    }
}

/// The message to [`send`](crate::object::websocket::WebSocket::send) for these data: an echo.
impl From<Data> for Message {
    fn from(data: Data) -> Self {
        match data {
            Data::Text(text) => Self::Text(text),
            Data::Blob(bytes) | Data::ArrayBuffer(bytes) => Self::Binary(bytes),
        }
    }
}

/// The connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseEvent {
    /// Whether both ends completed the closing handshake.
    pub was_clean: bool,
    /// The code that the peer sent; 1005 if it sent none; 1006 if the connection failed.
    pub code: u16,
    /// The reason that the peer sent, or "". It is text for developers; do not show it to end users.
    pub reason: String,
}
