//! A hub within one process. The window of a topic's feed is the log of the topic.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::backend::{Backend, Boxed};
use crate::entry::Content;
use crate::error::{PresenceError, PublishError, SubscribeError};
use crate::feed::{Feed, Fetched};
use crate::position::Position;
use crate::presence::MemberInfo;
use crate::slot::Slot;
use crate::topic::Topic;
use crate::topics::{Topics, now};

/// The interval between searches for unused topics, in milliseconds.
const SWEEP: u64 = 1_000;

type Members = HashMap<Topic, BTreeMap<u64, Bytes>>;

#[derive(Debug)]
pub(crate) struct Local {
    topics: Arc<Topics>,
    members: Mutex<Members>,
    /// The time of the last search for unused topics, in milliseconds.
    swept: AtomicU64,
}

impl Local {
    pub(crate) fn new(topics: Arc<Topics>) -> Self {
        Self { topics, members: Mutex::default(), swept: AtomicU64::new(0) }
    }

    /// Starts the log of a topic.
    fn begin(&self, slot: &Slot) {
        slot.with_feed(now(), |feed| {
            if !feed.is_open() {
                feed.handle_opened(Position::new(self.topics.ids.next(), 0, 0), now());
            }
        });
    }

    /// Removes topics that have no users and keep no messages.
    fn sweep(&self) {
        let now = now();
        let millis = now.as_millis() as u64;
        let swept = self.swept.load(Ordering::Relaxed);
        let due = millis.abs_diff(swept) >= SWEEP;
        if !due || self.swept.swap(millis, Ordering::Relaxed) != swept {
            return;
        }
        for slot in self.topics.all() {
            let prune = |feed: &mut Feed| {
                feed.prune(now);
                feed.is_empty()
            };
            let is_empty = slot.with_feed(now, prune).is_none_or(|(is_empty, _)| is_empty);
            // After the messages of a topic have expired, the topic keeps its position for this time.
            let age = slot.history.map_or(self.topics.options.linger, |history| history.age());
            if is_empty && slot.is_unused(now, age) {
                self.topics.remove_unused(&slot);
            }
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Local {
    fn open<'a>(&'a self, slot: &'a Arc<Slot>) -> Boxed<'a, Result<(), SubscribeError>> {
        self.sweep();
        self.begin(slot);
        Box::pin(ready(Ok(())))
    }

    fn fetch<'a>(
        &'a self,
        slot: &'a Slot,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, SubscribeError>> {
        let read = |feed: &mut Feed| Fetched {
            complete: after.map_or(Ok(()), |position| Err(feed.why_lost(position))),
            entries: feed.latest(usize::MAX),
            end: feed.end(),
        };
        let fetched = slot.with_feed(now(), read).map(|(fetched, _)| fetched);
        Box::pin(ready(fetched.ok_or(SubscribeError::Unavailable)))
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Topic,
        content: Content,
    ) -> Boxed<'a, Result<Option<Position>, PublishError>> {
        self.sweep();
        let slot = match self.topics.options.history(topic) {
            Some(_) => self.topics.slot(topic),
            None => match self.topics.find(topic) {
                Some(slot) => slot,
                None => return Box::pin(ready(Ok(None))), // nobody wants it
            },
        };
        let position = if slot.history.is_some() {
            self.begin(&slot);
            slot.with_feed(now(), |feed| feed.append(content, now())).map(|(position, _)| position)
        } else {
            slot.handle_content(&content, now());
            None
        };
        Box::pin(ready(Ok(position)))
    }

    fn join<'a>(
        &'a self,
        topic: &'a Topic,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), PresenceError>> {
        self.members().entry(topic.clone()).or_default().insert(member, data);
        Box::pin(ready(Ok(())))
    }

    fn leave(&self, topic: &Topic, member: u64) {
        let mut members = self.members();
        if let Some(of_topic) = members.get_mut(topic) {
            of_topic.remove(&member);
            if of_topic.is_empty() {
                members.remove(topic);
            }
        }
    }

    fn members<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> Boxed<'a, Result<Vec<MemberInfo>, PresenceError>> {
        let members = self.members();
        let of_topic = members.get(topic).into_iter().flatten();
        let list = of_topic.map(|(&id, data)| MemberInfo { id, data: data.clone() }).collect();
        Box::pin(ready(Ok(list)))
    }

    fn is_connected(&self) -> bool {
        true
    }
}
