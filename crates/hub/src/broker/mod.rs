//! A hub on a broker. The broker connects the nodes of the hub. A [`Node`] follows topics over successive connections.
//! A link is one connection to one kind of broker.

mod backoff;
mod link;
#[cfg(feature = "nats")]
mod nats;
mod node;
#[cfg(feature = "redis")]
mod redis;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use self::link::{Connector, LinkError};
use self::node::Node;
use crate::backend::{Backend, Boxed};
use crate::entry::Content;
use crate::error::{ConnectError, PresenceError, PublishError, SubscribeError};
use crate::feed::Fetched;
use crate::hub::Hub;
use crate::options::HubOptions;
use crate::position::Position;
use crate::presence::MemberInfo;
use crate::slot::Slot;
use crate::topic::Topic;
use crate::topics::Topics;

/// Connects the nodes of a hub through a broker. Dropping it ends the connection.
#[derive(Debug)]
struct Broker {
    node: Arc<Node>,
    driver: JoinHandle<()>,
}

/// Connects to a broker for the first time, and returns a hub that uses it.
async fn connect(connector: Box<dyn Connector>, options: HubOptions) -> Result<Hub, ConnectError> {
    let topics = Topics::new(options);
    let node = Node::new(Arc::clone(&topics), connector);
    let first = node
        .connect()
        .await
        .map_err(|error| ConnectError { broker: node.address(), reason: error.to_string() })?;
    node.set(&first); // before the hub can be used to publish
    let driver = tokio::spawn(Arc::clone(&node).drive(first));
    Ok(Hub { topics, backend: Arc::new(Broker { node, driver }) })
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.driver.abort();
        self.node.disconnect();
    }
}

impl Backend for Broker {
    fn open<'a>(&'a self, slot: &'a Arc<Slot>) -> Boxed<'a, Result<(), SubscribeError>> {
        Box::pin(async { Ok(self.node.open(slot).await?) })
    }

    fn fetch<'a>(
        &'a self,
        slot: &'a Slot,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, SubscribeError>> {
        Box::pin(async move { Ok(self.node.read(slot, after).await?) })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Topic,
        content: Content,
    ) -> Boxed<'a, Result<Option<Position>, PublishError>> {
        Box::pin(self.node.publish(topic, content))
    }

    fn join<'a>(
        &'a self,
        topic: &'a Topic,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), PresenceError>> {
        Box::pin(async move { Ok(self.node.join(topic, member, data).await?) })
    }

    fn leave(&self, topic: &Topic, member: u64) {
        self.node.leave(topic, member);
    }

    fn members<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> Boxed<'a, Result<Vec<MemberInfo>, PresenceError>> {
        Box::pin(async move { Ok(self.node.members_of(topic).await?) })
    }

    fn is_connected(&self) -> bool {
        self.node.is_connected()
    }
}

impl From<LinkError> for SubscribeError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused(reason) => Self::Refused(reason),
            LinkError::NotSent | LinkError::Lost(_) => Self::Unavailable,
        }
    }
}

impl From<LinkError> for PresenceError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused(reason) => Self::Refused(reason),
            LinkError::NotSent | LinkError::Lost(_) => Self::Unavailable,
        }
    }
}
