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
    /// Opens a connection. What arrives on it goes to the inbox.
    fn connect(&self, inbox: Inbox) -> Boxed<'_, Result<Arc<dyn Link>, LinkError>>;

    /// Returns the address of the broker, without credentials.
    fn address(&self) -> String;
}

/// A connection to a broker. The caller ends what takes too long.
pub(crate) trait Link: Debug + Send + Sync {
    /// Waits until what is published to a topic arrives at the inbox.
    fn subscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>>;

    /// Takes back [`Link::subscribe`].
    fn unsubscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>>;

    /// Returns the end of the log of a topic. An empty log gets a mark, so that its end has a position.
    fn end<'a>(&'a self, log: &'a Log) -> Boxed<'a, Result<Position, LinkError>>;

    /// Reads the log behind a position, or all of it.
    fn fetch<'a>(
        &'a self,
        log: &'a Log,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, LinkError>>;

    /// Appends content to the log of a topic. If it is tried again, it is appended once.
    fn append<'a>(
        &'a self,
        log: &'a Log,
        content: &'a Content,
        attempt: Attempt,
    ) -> Boxed<'a, Result<Position, LinkError>>;

    /// Hands content to the subscribers of a topic without a history.
    fn send<'a>(
        &'a self,
        channel: &'a Channel,
        content: &'a Content,
    ) -> Boxed<'a, Result<(), LinkError>>;

    /// Keeps the end of a log from getting lost while nothing is published.
    fn touch<'a>(&'a self, log: &'a Log, end: Position) -> Boxed<'a, Result<(), LinkError>>;

    /// Waits until the broker answers.
    fn ping(&self) -> Boxed<'_, Result<(), LinkError>>;

    /// Lists a member of a topic for a while.
    fn join<'a>(
        &'a self,
        channel: &'a Channel,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), LinkError>>;

    /// Takes a member from the list.
    fn leave<'a>(&'a self, channel: &'a Channel, member: u64) -> Boxed<'a, Result<(), LinkError>>;

    /// Returns the members of a topic.
    fn members<'a>(&'a self, channel: &'a Channel)
    -> Boxed<'a, Result<Vec<MemberInfo>, LinkError>>;
}

/// Why a broker did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// There is no connection: the broker did not get it.
    #[error("no connection")]
    NotSent,
    /// The connection was lost, or is of no more use: the broker may have got it.
    #[error("{0}")]
    Lost(String),
    /// The broker refused, or it is certain that it would.
    #[error("{0}")]
    Refused(String),
}

/// Whether content is handed to the broker for the first time.
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

/// Where a link puts what arrives on it.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    pub(super) receiver: Weak<dyn Receiver>,
    /// The number of the connection.
    pub(super) number: u64,
    /// Notified when the connection is lost.
    pub(super) lost: Arc<Notify>,
    /// How long the broker may take to answer.
    pub(super) timeout: Duration,
}

/// Gets what arrives on a connection.
pub(super) trait Receiver: Debug + Send + Sync {
    /// An entry of a topic with a history.
    fn handle_entry(&self, connection: u64, topic: &Topic, entry: Entry);

    /// Content of a topic without a history.
    fn handle_content(&self, connection: u64, topic: &Topic, content: Content);
}

impl Inbox {
    /// An entry has arrived. What no hub has written is ignored.
    pub(super) fn entry(
        &self,
        encoded: &str,
        epoch: u64,
        offset: u64,
        previous: u64,
        bytes: Bytes,
    ) {
        if let (Some(receiver), Some(topic), Some(content)) =
            (self.receiver.upgrade(), wire::decode_topic(encoded), wire::decode(bytes))
        {
            let position = Position::new(epoch, offset, content.check());
            let entry = Entry { position, previous, content };
            receiver.handle_entry(self.number, &topic, entry);
        }
    }

    /// Content has arrived. What no hub has written is ignored.
    pub(super) fn content(&self, encoded: &str, bytes: Bytes) {
        if let (Some(receiver), Some(topic), Some(content)) =
            (self.receiver.upgrade(), wire::decode_topic(encoded), wire::decode(bytes))
        {
            receiver.handle_content(self.number, &topic, content);
        }
    }

    /// The connection is lost, or messages on it may be.
    pub(super) fn lost(&self, reason: &str) {
        tracing::debug!(connection = self.number, reason, "the connection to the broker is lost");
        self.lost.notify_one();
    }
}
