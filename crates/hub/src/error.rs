//! Errors of a hub's broker.

/// A hub could not connect to its broker for the first time.
#[derive(Debug, thiserror::Error)]
#[error("could not connect to {broker}: {reason}")]
pub struct ConnectError {
    /// The address, without credentials.
    pub(crate) broker: String,
    pub(crate) reason: String,
}

/// The subscription to a topic failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The broker did not answer within [`HubOptions::timeout`](crate::HubOptions::timeout). Try again later.
    #[error("could not subscribe: the broker cannot be reached")]
    Unavailable,
    /// The broker refused the request for this reason.
    #[error("could not subscribe: the broker refused: {0}")]
    Refused(String),
}

/// A message could not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The message has more bytes than [`HubOptions::max_message`](crate::HubOptions::max_message), which is this limit.
    /// It was not published.
    #[error("could not publish: the message is longer than `max_message`, {0} bytes")]
    TooLong(usize),
    /// There is no connection to the broker. The message was not published.
    #[error("could not publish: the broker cannot be reached")]
    Unavailable,
    /// The number of waiting messages has reached the limit of [`Outbox::Wait`](crate::Outbox::Wait). The message was
    /// not published.
    #[error("could not publish: {0} messages already wait for the broker; try again later")]
    Full(usize),
    /// The connection was lost before the broker confirmed the message. It may have been published, or may be published
    /// later.
    #[error("could not tell whether the message was published: the broker did not confirm it")]
    Unknown,
    /// The broker rejected the message for this reason, such as its limit for the size of a message. The message was
    /// not published.
    #[error("could not publish: the broker refused: {0}")]
    Refused(String),
}

/// The members of a topic could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// The data of the member has more bytes than [`HubOptions::max_message`](crate::HubOptions::max_message), which is
    /// this limit. The member was not added.
    #[error("could not add the member: its data is longer than `max_message`, {0} bytes")]
    TooLong(usize),
    /// The broker did not answer within [`HubOptions::timeout`](crate::HubOptions::timeout). Try again later.
    #[error("could not reach the members of the topic: the broker cannot be reached")]
    Unavailable,
    /// The broker refused the request for this reason.
    #[error("could not reach the members of the topic: the broker refused: {0}")]
    Refused(String),
}
