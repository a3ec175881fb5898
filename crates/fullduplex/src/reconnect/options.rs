use fullduplex_proto::Message;

/// Limits for the messages that wait for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// The largest number of bytes. Default: 16 MiB.
    pub bytes: usize,
    /// The largest number of messages. Default: 65,536.
    pub messages: usize,
    /// What happens to a message that exceeds the limits.
    pub when_full: OutboxOverflow,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { bytes: 16 << 20, messages: 1 << 16, when_full: OutboxOverflow::default() }
    }
}

/// What a full outbox does with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutboxOverflow {
    /// Returns it in an [`OutboxFullError`].
    #[default]
    Refuse,
    /// Drops the oldest messages and reports them as [`Undelivered`](super::Undelivered).
    DropOldest,
}

/// The outbox is full.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not send: the outbox is full; try again after the next `open` event")]
pub struct OutboxFullError {
    /// The message that was not sent.
    pub message: Message,
}
