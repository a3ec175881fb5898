use fullduplex_hub::{Event, Hub, SubscriberId, Subscription, Topic};
use fullduplex_net::proto::Message;

use super::room::Room;
use crate::hub::note_gap;
use crate::output::Output;

/// The topic that connects the rooms of several servers.
#[derive(Debug)]
pub(super) struct SharedRoom {
    hub: Hub,
    topic: Topic,
    /// The subscription of this server. It skips the messages that this server publishes, because its clients already
    /// have them.
    own: SubscriberId,
}

impl SharedRoom {
    pub(super) fn new(hub: Hub, topic: Topic, own: SubscriberId) -> Self {
        Self { hub, topic, own }
    }

    /// Sends a message to the other servers.
    pub(super) async fn publish(&self, message: Message, output: &Output) {
        if let Err(error) = self.hub.publish_to_others(&self.topic, message, self.own).await {
            output.note(format!("fdx: clients of other servers may miss a message: {error}"));
        }
    }

    /// Sends the messages of other servers to the room.
    pub(super) async fn relay(&self, mut subscription: Subscription, room: &Room, output: &Output) {
        while let Some(event) = subscription.recv().await {
            match event {
                Event::Message(delivery) => {
                    room.send(delivery.message.message().clone(), None).await;
                }
                Event::Gap(_) => note_gap(output, &self.topic),
            }
        }
    }
}
