//! The interface between a hub and the backend that connects its nodes.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::Content;
use crate::error::{PresenceError, PublishError, SubscribeError};
use crate::feed::Fetched;
use crate::position::Position;
use crate::presence::MemberInfo;
use crate::slot::Slot;
use crate::topic::Topic;

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Connects the nodes of a hub: within this process, or through a broker.
pub(crate) trait Backend: Debug + Send + Sync {
    /// Waits until the slot of the topic receives new entries.
    fn open<'a>(&'a self, slot: &'a Arc<Slot>) -> Boxed<'a, Result<(), SubscribeError>>;

    /// Reads the log of a topic with a history: the entries after a position, or all entries that are kept.
    fn fetch<'a>(
        &'a self,
        slot: &'a Slot,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, SubscribeError>>;

    /// Publishes content to all nodes. Returns its position if the topic has a history.
    fn publish<'a>(
        &'a self,
        topic: &'a Topic,
        content: Content,
    ) -> Boxed<'a, Result<Option<Position>, PublishError>>;

    /// Adds a member of a topic.
    fn join<'a>(
        &'a self,
        topic: &'a Topic,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), PresenceError>>;

    /// Removes a member of a topic, in the background.
    fn leave(&self, topic: &Topic, member: u64);

    /// Returns the members of a topic.
    fn members<'a>(&'a self, topic: &'a Topic)
    -> Boxed<'a, Result<Vec<MemberInfo>, PresenceError>>;

    /// Returns whether there is a connection to the broker.
    fn is_connected(&self) -> bool;
}
