//! A client that disconnects, reconnects with its position, and checks the events that it receives.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::broker::Broker;
use crate::error::SubscribeError;
use crate::event::Event;
use crate::position::Position;
use crate::subscription::Subscription;

pub(super) type Subscribing =
    Pin<Box<dyn Future<Output = Result<Subscription, SubscribeError>> + Send>>;

pub(super) struct Client {
    pub(super) state: State,
    /// The position with which the client reconnects.
    pub(super) position: Option<Position>,
    /// The last message that the client received, or the message after which it started; `None` after a gap.
    last: Option<u64>,
    /// All messages that it received.
    seen: HashSet<u64>,
    pub(super) gaps: u64,
}

pub(super) enum State {
    Away,
    Subscribing(Subscribing),
    Subscribed(Subscription),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new() -> Self {
        Self { state: State::Away, position: None, last: None, seen: HashSet::new(), gaps: 0 }
    }

    /// Polls its subscribe call. Returns whether the client is subscribed.
    pub(super) fn poll_subscribing(&mut self, broker: &Broker) -> bool {
        let State::Subscribing(subscribing) = &mut self.state else { return false };
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(subscribed) = subscribing.as_mut().poll(&mut context) else { return false };
        let Ok(subscription) = subscribed else {
            self.state = State::Away; // too many cuts; the client tries again later
            return false;
        };
        if self.position.is_none() {
            let position = subscription.position().expect("the topic has a history");
            self.last = broker.message_at.get(&position).copied();
            assert!(self.last.is_some(), "a position that the broker never gave: {position}");
            self.position = Some(position);
        }
        self.state = State::Subscribed(subscription);
        true
    }

    /// Takes up to `count` events.
    pub(super) fn receive(&mut self, count: usize, broker: &Broker) {
        let State::Subscribed(subscription) = &mut self.state else { return };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..count {
            match subscription.poll_recv(&mut context) {
                Poll::Ready(Some(Event::Message(delivery))) => {
                    let text = delivery.message.message().as_text().expect("it is a text");
                    let id: u64 = text.parse().expect("it is a number");
                    if let Some(last) = self.last {
                        let before = broker.before[&id];
                        assert_eq!(before, last, "{id} came behind {last}, and no gap was told");
                    }
                    (self.last, self.position) = (Some(id), delivery.position);
                    assert!(self.seen.insert(id), "{id} came twice");
                }
                Poll::Ready(Some(Event::Gap(_))) => {
                    self.last = None;
                    self.gaps += 1;
                }
                Poll::Ready(None) => panic!("the subscription has ended"),
                Poll::Pending => return,
            }
        }
    }

    /// Returns the number of messages that it received.
    pub(super) fn delivered(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Returns the last message that it received.
    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }
}
