use std::sync::Arc;

use bytes::Bytes;
use fullduplex_proto::{Message, Text};

/// The state of a socket. A socket never returns to an earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// 0: the connection is not established yet.
    Connecting = 0,
    /// 1: messages can be sent.
    Open = 1,
    /// 2: one end has started the closing handshake.
    Closing = 2,
    /// 3: the connection is closed or could not be opened.
    Closed = 3,
}

impl ReadyState {
    /// All states, in order.
    pub const ALL: [Self; 4] = [Self::Connecting, Self::Open, Self::Closing, Self::Closed];
}

/// The type in which binary messages are delivered.
///
/// In Rust, both types contain the same bytes. Only bindings to other languages need the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BinaryType {
    /// As a `Blob`.
    #[default]
    Blob,
    /// As an `ArrayBuffer`.
    ArrayBuffer,
}

/// The types of events that a socket fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `open`: the connection was established. Fires once.
    Open,
    /// `message`: a message arrived.
    Message,
    /// `error`: the connection failed. Fires once, immediately before `close`.
    Error,
    /// `close`: the connection is closed. Fires once, as the last event.
    Close,
}

impl EventType {
    /// All types.
    pub const ALL: [Self; 4] = [Self::Open, Self::Message, Self::Error, Self::Close];

    /// Returns whether an event of this type can still fire for a socket in this state. A listener for
    /// such an event keeps the object alive (WHATWG WebSockets, "garbage collection").
    pub fn can_fire(self, state: ReadyState) -> bool {
        match self {
            Self::Open => state == ReadyState::Connecting,
            Self::Message => state <= ReadyState::Open,
            Self::Error | Self::Close => state <= ReadyState::Closing,
        }
    }

    /// Returns the name in the standard.
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
    /// The connection was established.
    Open,
    /// A message arrived.
    Message(MessageEvent),
    /// The connection failed. The event does not contain the cause.
    /// [`WebSocket::failure`](crate::WebSocket::failure) returns it.
    Error,
    /// The connection is closed.
    Close(CloseEvent),
}

impl Event {
    /// Returns the type of the event.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Open => EventType::Open,
            Self::Message(_) => EventType::Message,
            Self::Error => EventType::Error,
            Self::Close(_) => EventType::Close,
        }
    }
}

/// A message that arrived.
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

    /// Returns the text of a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Blob(_) | Self::ArrayBuffer(_) => None,
        }
    }

    /// Returns the bytes of a text or binary message.
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(bytes) | Self::ArrayBuffer(bytes) => bytes,
        }
    }
}

/// Converts received data to a message for [`send`](crate::WebSocket::send). An echo uses this conversion.
impl From<Data> for Message {
    fn from(data: Data) -> Self {
        match data {
            Data::Text(text) => Self::Text(text),
            Data::Blob(bytes) | Data::ArrayBuffer(bytes) => Self::Binary(bytes),
        }
    }
}

/// The end of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseEvent {
    /// Whether both ends completed the closing handshake.
    pub was_clean: bool,
    /// The code that the peer sent. It is 1005 if the peer sent no code, and 1006 if the connection failed.
    pub code: u16,
    /// The reason that the peer sent, or "". It is for developers; do not show it to end users.
    pub reason: String,
}

impl CloseEvent {
    /// Returns the event of a connection that failed. All failures look the same (WS-err-1).
    pub(crate) fn failed() -> Self {
        Self { was_clean: false, code: 1006, reason: String::new() }
    }
}
