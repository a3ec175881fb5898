use crate::message::Message;
use crate::prepared::Prepared;

/// What can be sent: a [`Message`] or anything that converts into one, a [`Prepared`] message, or a
/// message that must not be compressed.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// A message. It is compressed if compression was agreed on and the message is not shorter than the
    /// threshold.
    Message(Message),
    /// A message that is never compressed, because its content is already compressed or is secret
    /// (RFC7692-8-1, RFC7692-6.1-2).
    Uncompressed(Message),
    /// A message for many connections.
    Prepared(Prepared),
}

impl Outgoing {
    /// Creates an [`Outgoing::Uncompressed`].
    pub fn uncompressed(message: impl Into<Message>) -> Self {
        Self::Uncompressed(message.into())
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        match self {
            Self::Message(message) | Self::Uncompressed(message) => message,
            Self::Prepared(prepared) => prepared.message(),
        }
    }
}

impl<M: Into<Message>> From<M> for Outgoing {
    fn from(message: M) -> Self {
        Self::Message(message.into())
    }
}

impl From<Prepared> for Outgoing {
    fn from(prepared: Prepared) -> Self {
        Self::Prepared(prepared)
    }
}

impl From<&Prepared> for Outgoing {
    fn from(prepared: &Prepared) -> Self {
        Self::Prepared(prepared.clone())
    }
}
