use crate::message::Message;
use crate::prepared::Prepared;

/// What can be sent: anything that becomes a [`Message`], a [`Prepared`] one, or one that is not to
/// be compressed.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// A message, compressed where that was agreed on and its length reaches the threshold.
    Message(Message),
    /// A message that is sent as it is: it was compressed before, or holds a secret
    /// (RFC7692-8-1, RFC7692-6.1-2).
    Uncompressed(Message),
    /// A message that goes to many connections.
    Prepared(Prepared),
}

impl Outgoing {
    /// A message that is sent as it is.
    pub fn uncompressed(message: impl Into<Message>) -> Self {
        Self::Uncompressed(message.into())
    }

    /// The message.
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
