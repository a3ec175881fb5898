use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fullduplex_proto::{Message, Prepared};
use tracing::Instrument as _;

use crate::backend::Backend;
use crate::counters::HubStats;
use crate::entry::Content;
use crate::error::{PresenceError, PublishError, SubscribeError};
use crate::event::Event;
use crate::feed::GapReason;
use crate::local::Local;
use crate::member::Member;
use crate::options::{HubOptions, SubscribeOptions};
use crate::position::Position;
use crate::presence::MemberInfo;
use crate::queue::Queue;
use crate::slot::{Attached, Slot, Start, events, gap};
use crate::subscription::{SubscriberId, Subscription};
use crate::topic::Topic;
use crate::topics::{Topics, now};

/// How many times a log is read if it grows faster than it can be read.
const MAX_READS: u32 = 8;

/// A set of topics. Publishers send messages to a topic, and its subscribers receive them. Cloning is cheap; all clones
/// are the same hub.
///
/// A local hub ([`Hub::local`]) connects the tasks of this process. A hub on a broker connects all processes that use
/// the same broker and the same prefix. Both kinds of hubs have the same methods and guarantees (HUB-8).
///
/// # Example
///
/// ```
/// use fullduplex_hub::{Event, Hub, Topic};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::local();
/// let room = Topic::new("rooms/7")?;
/// let mut subscription = hub.subscribe(&room, Default::default()).await?;
/// hub.publish(&room, "hello").await?;
/// match subscription.recv().await {
///     Some(Event::Message(delivery)) => assert_eq!(delivery.message.message(), &"hello".into()),
///     Some(Event::Gap(gap)) => panic!("some may be missing since {:?}", gap.since),
///     None => panic!("the subscription has ended"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Hub {
    pub(crate) topics: Arc<Topics>,
    pub(crate) backend: Arc<dyn Backend>,
}

impl Hub {
    /// Creates a hub within this process. It needs no runtime and no broker.
    pub fn local() -> Self {
        Self::local_with(HubOptions::default())
    }

    /// Creates a hub within this process, with options. Options about a broker have no effect.
    pub fn local_with(options: HubOptions) -> Self {
        let topics = Topics::new(options);
        Self { backend: Arc::new(Local::new(Arc::clone(&topics))), topics }
    }

    /// Subscribes to a topic. The subscription receives every message that is published after this method has returned.
    /// With [`SubscribeOptions::recover`], it first receives the messages after a position. No message is missing or
    /// repeated (HUB-3).
    ///
    /// # Errors
    /// [`SubscribeError`] if the broker cannot be reached or rejects the request. A local hub always succeeds.
    ///
    /// # Cancel safety
    /// Safe: dropping the future leaves no subscription behind.
    pub async fn subscribe(
        &self,
        topic: &Topic,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let span = tracing::debug_span!("subscribe", topic = topic.as_str());
        self.subscribe_to(topic, options).instrument(span).await
    }

    async fn subscribe_to(
        &self,
        topic: &Topic,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let slot = self.topics.slot(topic);
        self.backend.open(&slot).await?;
        let id = SubscriberId(self.topics.ids.next());
        let queue = Queue::new(options.capacity, options.slow);
        let (first, attached) = self.attach(&slot, id, &queue, &options).await?;
        let recovers = slot.history.is_some() && !first.is_empty();
        let first_position = options.recover.filter(|_| recovers);
        Ok(Subscription {
            first,
            queue,
            key: attached.key,
            position: first_position.or(attached.position),
            slot,
            id,
            _backend: Arc::clone(&self.backend),
        })
    }

    /// Adds a subscriber at its start position. Returns the events that precede its queue.
    async fn attach(
        &self,
        slot: &Arc<Slot>,
        id: SubscriberId,
        queue: &Arc<Queue>,
        options: &SubscribeOptions,
    ) -> Result<(VecDeque<Event>, Attached), SubscribeError> {
        let mut first = VecDeque::new();
        let attach = |start| slot.attach(id.0, Arc::clone(queue), start);
        if slot.history.is_none() && options.recover.is_some() {
            // It is unknown which messages were missed.
            first.push_back(Event::Gap(gap(GapReason::Disconnected, now())));
        }
        let begin = match options.recover {
            Some(position) if slot.history.is_some() => Start::Behind(position),
            _ => Start::End,
        };
        let needs_log = slot.history.is_some() && options.recover.is_none() && options.latest > 0;
        if !needs_log && let Some(mut attached) = attach(begin) {
            first.extend(events(std::mem::take(&mut attached.entries), id.0));
            return Ok((first, attached));
        }
        let mut after = options.recover;
        for _ in 0..MAX_READS {
            let cuts = slot.cuts();
            let fetched = self.backend.fetch(slot, after).await?;
            self.topics.counters.fetches.add(1);
            let mut entries = fetched.entries;
            let recovers = after.is_some();
            if let Err(reason) = fetched.complete
                && recovers
            {
                first.push_back(Event::Gap(gap(reason, now())));
            }
            if !recovers || fetched.complete.is_err() {
                entries.retain(|entry| entry.content.message.is_some());
                entries.drain(..entries.len().saturating_sub(options.latest));
            }
            first.extend(events(entries, id.0));
            if let Some(mut attached) = attach(Start::BehindChecked(fetched.end, cuts)) {
                first.extend(events(std::mem::take(&mut attached.entries), id.0));
                return Ok((first, attached));
            }
            after = Some(fetched.end);
        }
        Err(SubscribeError::Unavailable)
    }

    /// Publishes a message to all subscribers of a topic, on all nodes. Returns its position if the topic has
    /// a history.
    ///
    /// Messages that one task publishes in sequence arrive in the same order (HUB-1).
    ///
    /// # Errors
    /// [`PublishError`] distinguishes a message that was not published from a message that may have been published
    /// (HUB-5). A local hub fails only with [`PublishError::TooLong`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the message may have been published or not.
    pub async fn publish(
        &self,
        topic: &Topic,
        message: impl Into<Message>,
    ) -> Result<Option<Position>, PublishError> {
        self.publish_content(topic, message.into(), 0).await
    }

    /// Publishes like [`Hub::publish`], to all subscribers except one.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    ///
    /// # Cancel safety
    /// As [`Hub::publish`].
    pub async fn publish_to_others(
        &self,
        topic: &Topic,
        message: impl Into<Message>,
        except: SubscriberId,
    ) -> Result<Option<Position>, PublishError> {
        self.publish_content(topic, message.into(), except.0).await
    }

    async fn publish_content(
        &self,
        topic: &Topic,
        message: Message,
        except: u64,
    ) -> Result<Option<Position>, PublishError> {
        let id = self.topics.ids.next();
        let span = tracing::trace_span!("publish", topic = topic.as_str(), id);
        let limit = self.topics.options.max_message;
        let published = if message.len() > limit {
            Err(PublishError::TooLong(limit))
        } else {
            let content = Content { id, except, message: Some(Prepared::new(message)) };
            self.backend.publish(topic, content).instrument(span).await
        };
        let counters = &self.topics.counters;
        let counter = if published.is_ok() { &counters.published } else { &counters.failed };
        counter.add(1);
        published
    }

    /// Adds a member to a topic, with data of the application, until the returned [`Member`] is dropped. If this
    /// process dies, the member remains listed for at most [`HubOptions::presence_ttl`] (HUB-6).
    ///
    /// Members and subscribers are independent of each other.
    ///
    /// # Errors
    /// [`PresenceError`] if the data is too long, or the broker cannot be reached or rejects the request.
    ///
    /// # Cancel safety
    /// Safe: dropping the future removes the member.
    pub async fn join(
        &self,
        topic: &Topic,
        data: impl Into<Bytes>,
    ) -> Result<Member, PresenceError> {
        let data = data.into();
        let limit = self.topics.options.max_message;
        if data.len() > limit {
            return Err(PresenceError::TooLong(limit));
        }
        let id = self.topics.ids.next();
        let member = Member { backend: Arc::clone(&self.backend), topic: topic.clone(), id };
        self.backend.join(topic, id, data).await?;
        Ok(member)
    }

    /// Returns the members of a topic on all nodes, in no particular order.
    ///
    /// # Errors
    /// As [`Hub::join`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn members(&self, topic: &Topic) -> Result<Vec<MemberInfo>, PresenceError> {
        self.backend.members(topic).await
    }

    /// Returns the counters of this node, for a metrics exporter.
    pub fn stats(&self) -> HubStats {
        let counters = &self.topics.counters;
        HubStats {
            topics: self.topics.len(),
            connected: self.backend.is_connected(),
            published: counters.published.get(),
            failed: counters.failed.get(),
            received: counters.received.get(),
            delivered: counters.delivered.get(),
            dropped: counters.dropped.get(),
            gaps: counters.gaps.get(),
            fetches: counters.fetches.get(),
            reconnects: counters.reconnects.get(),
            refused: counters.refused.get(),
            foreign: counters.foreign.get(),
        }
    }
}
