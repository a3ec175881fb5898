use fullduplex_net::proto::Message;

/// What may wait for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// So many bytes. Default: 16 MiB.
    pub bytes: usize,
    /// So many messages, empty ones included. Default: 65,536.
    pub messages: usize,
    /// What becomes of a message for which there is no room.
    pub when_full: OutboxOverflow,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { bytes: 16 << 20, messages: 1 << 16, when_full: OutboxOverflow::default() }
    }
}

/// What a full outbox does with another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutboxOverflow {
    /// It gives it back: [`OutboxFullError`].
    #[default]
    Refuse,
    /// The oldest make room, and are reported as
    /// [`Undelivered`](super::Undelivered): for news that age.
    DropOldest,
}

/// There is no room for a message until there is a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too much waits for a connection; try again after the next `open` event")]
pub struct OutboxFullError {
    /// The message, which was not taken.
    pub message: Message,
}
