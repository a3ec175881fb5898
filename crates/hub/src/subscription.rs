use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::backend::Backend;
use crate::event::Event;
use crate::position::Position;
use crate::queue::Queue;
use crate::slot::Slot;
use crate::topics::now;

/// Receives the messages of a topic until it is dropped. Returned by [`Hub::subscribe`](crate::Hub::subscribe).
///
/// Messages are queued after `subscribe` has returned. The size of the queue is limited.
/// [`SlowPolicy`](crate::SlowPolicy) specifies what happens when the queue is full.
#[derive(Debug)]
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    /// Events that are delivered before the queued ones.
    pub(crate) first: VecDeque<Event>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) key: usize,
    pub(crate) id: SubscriberId,
    pub(crate) position: Option<Position>,
    /// Keeps the connection to the broker open.
    pub(crate) _backend: Arc<dyn Backend>,
}

/// Identifies a [`Subscription`] for [`Hub::publish_to_others`](crate::Hub::publish_to_others).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriberId(pub(crate) u64);

impl Subscription {
    /// Waits for the next event. Returns `None` when the subscription has ended by
    /// [`SlowPolicy::Close`](crate::SlowPolicy::Close).
    ///
    /// # Cancel safety
    /// Safe: an event is returned, or stays queued.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next event, like [`Subscription::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let polled = match self.first.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None => self.queue.poll(cx),
        };
        if let Poll::Ready(Some(Event::Message(delivery))) = &polled {
            self.position = delivery.position;
        }
        polled
    }

    /// Returns the position of the last message that was received. Before the first message, returns the position of
    /// [`SubscribeOptions::recover`](crate::SubscribeOptions::recover), or the end of the log at the time of the
    /// subscription. Returns `None` if the topic has no history.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Returns the id of this subscription, for [`Hub::publish_to_others`](crate::Hub::publish_to_others).
    pub fn id(&self) -> SubscriberId {
        self.id
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.slot.detach(self.key, now());
    }
}
