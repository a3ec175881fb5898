//! A connection to a broker.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::wire;
use crate::backend::Boxed;
use crate::entry::{Content, Entry};
use crate::feed::Fetched;
use crate::history::History;
use crate::position::Position;
use crate::presence::MemberInfo;
use crate::topic::Topic;

/// Opens connections to one broker.
pub(crate) trait Connector: Debug + Send + Sync {
    /// Opens a connection. Received messages go to the inbox.
    fn connect(&self, inbox: Inbox) -> Boxed<'_, Result<Arc<dyn Link>, LinkError>>;

    /// Returns the address of the broker, without credentials.
    fn address(&self) -> String;
}

/// A connection to a broker. The caller sets time limits by dropping the futures.
pub(crate) trait Link: Debug + Send + Sync {
    /// Subscribes to a topic. Waits until the inbox receives the messages that are published to it.
    fn subscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>>;

    /// Ends the subscription of [`Link::subscribe`].
    fn unsubscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>>;

    /// Returns the end of the log of a topic. An empty log gets a mark, so that its end has a position.
    fn end<'a>(&'a self, log: &'a Log) -> Boxed<'a, Result<Position, LinkError>>;

    /// Reads the entries of the log after a position, or all of them.
    fn fetch<'a>(
        &'a self,
        log: &'a Log,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, LinkError>>;

    /// Appends content to the log of a topic. A retry does not append it twice.
    fn append<'a>(
        &'a self,
        log: &'a Log,
        content: &'a Content,
        attempt: Attempt,
    ) -> Boxed<'a, Result<Position, LinkError>>;

    /// Publishes content to the subscribers of a topic without a history.
    fn send<'a>(
        &'a self,
        channel: &'a Channel,
        content: &'a Content,
    ) -> Boxed<'a, Result<(), LinkError>>;

    /// Refreshes a log, so that the broker does not drop the end of the log while nothing is published.
    fn touch<'a>(&'a self, log: &'a Log, end: Position) -> Boxed<'a, Result<(), LinkError>>;

    /// Waits until the broker answers.
    fn ping(&self) -> Boxed<'_, Result<(), LinkError>>;

    /// Adds a member to the list of a topic. The broker removes it after the time to live.
    fn join<'a>(
        &'a self,
        channel: &'a Channel,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), LinkError>>;

    /// Removes a member from the list.
    fn leave<'a>(&'a self, channel: &'a Channel, member: u64) -> Boxed<'a, Result<(), LinkError>>;

    /// Returns the members of a topic.
    fn members<'a>(&'a self, channel: &'a Channel)
    -> Boxed<'a, Result<Vec<MemberInfo>, LinkError>>;
}

/// Why a request to a broker failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// There is no connection. The broker did not receive the request.
    #[error("no connection")]
    NotSent,
    /// The connection was lost or is unusable. The broker may have received the request.
    #[error("{0}")]
    Lost(String),
    /// The broker rejected the request, or is certain to reject it.
    #[error("{0}")]
    Refused(String),
}

/// Whether content is sent to the broker for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    First,
    Again,
}

/// A topic at the broker.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// See [`wire::encode_topic`].
    pub(super) encoded: String,
    pub(super) history: Option<History>,
}

/// A topic with a history at the broker.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(super) encoded: String,
    pub(super) history: History,
}

impl Channel {
    pub(super) fn new(topic: &Topic, history: Option<History>) -> Self {
        Self { encoded: wire::encode_topic(topic), history }
    }

    pub(super) fn log(&self) -> Option<Log> {
        Some(Log { encoded: self.encoded.clone(), history: self.history? })
    }
}

/// The destination of the messages that a link receives.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    pub(super) receiver: Weak<dyn Receiver>,
    /// The number of the connection.
    pub(super) number: u64,
    /// Notified when the connection is lost.
    pub(super) lost: Arc<Notify>,
    /// The timeout of the broker's answers.
    pub(super) timeout: Duration,
    /// The maximum number of bytes of encoded content.
    pub(super) max_content: usize,
}

/// Receives the messages that arrive on a connection.
pub(super) trait Receiver: Debug + Send + Sync {
    /// Handles an entry of a topic with a history.
    fn handle_entry(&self, connection: u64, topic: &Topic, entry: Entry);

    /// Handles content of a topic without a history.
    fn handle_content(&self, connection: u64, topic: &Topic, content: Content);

    /// Returns whether the connection is subscribed to a topic, and does not unsubscribe.
    fn is_subscribed(&self, connection: u64, topic: &Topic) -> bool;

    /// Counts data that no hub has written.
    fn handle_foreign(&self);
}

impl Inbox {
    /// Handles an entry.
    pub(super) fn entry(
        &self,
        encoded: &str,
        epoch: u64,
        offset: u64,
        previous: u64,
        bytes: Bytes,
    ) {
        if let (Some(receiver), Some(topic)) =
            (self.receiver.upgrade(), wire::decode_topic(encoded))
        {
            let content = self.entry_content(bytes);
            let position = Position::new(epoch, offset, content.check());
            let entry = Entry { position, previous, content };
            receiver.handle_entry(self.number, &topic, entry);
        }
    }

    /// Handles content. Skips content that no hub has written.
    pub(super) fn content(&self, encoded: &str, bytes: Bytes) {
        let (Some(receiver), Some(topic)) = (self.receiver.upgrade(), wire::decode_topic(encoded))
        else {
            return;
        };
        match self.decode(bytes) {
            Some(content) => receiver.handle_content(self.number, &topic, content),
            None => self.foreign("a message"),
        }
    }

    /// Decodes the content of an entry of a log. Content that no hub has written becomes a mark: the log stays
    /// complete, and subscribers receive nothing.
    pub(super) fn entry_content(&self, bytes: Bytes) -> Content {
        self.decode(bytes).unwrap_or_else(|| {
            self.foreign("an entry of a log");
            Content { id: 0, except: 0, message: None }
        })
    }

    fn decode(&self, bytes: Bytes) -> Option<Content> {
        if bytes.len() > self.max_content { None } else { wire::decode(bytes) }
    }

    /// Counts data that no hub has written. The caller skips it.
    pub(super) fn foreign(&self, what: &str) {
        tracing::debug!(what, "skipped data that no hub has written");
        if let Some(receiver) = self.receiver.upgrade() {
            receiver.handle_foreign();
        }
    }

    /// Handles the end of a subscription. The broker may have ended it.
    pub(super) fn unsubscribed(&self, encoded: &str) {
        if let (Some(receiver), Some(topic)) =
            (self.receiver.upgrade(), wire::decode_topic(encoded))
            && receiver.is_subscribed(self.number, &topic)
        {
            self.lost("the broker ended a subscription");
        }
    }

    /// Handles the loss of the connection, or of messages on it.
    pub(super) fn lost(&self, reason: &str) {
        tracing::debug!(connection = self.number, reason, "the connection to the broker is lost");
        self.lost.notify_one();
    }
}
