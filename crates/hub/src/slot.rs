//! A topic on this node: its log, if it has a history, and its subscribers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, UNIX_EPOCH};

use slab::Slab;
use tokio::sync::Notify;

use crate::counters::Counters;
use crate::entry::{Content, Entry};
use crate::event::{Delivery, Event, Gap};
use crate::feed::{Feed, Fetched, GapReason, Output};
use crate::history::History;
use crate::position::Position;
use crate::queue::Queue;
use crate::topic::Topic;

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) topic: Topic,
    pub(crate) history: Option<History>,
    /// Locked while this node subscribes to the topic or unsubscribes from it at the broker. Contains the number of the
    /// connection with the subscription; 0 for none.
    pub(crate) subscribed_on: tokio::sync::Mutex<u64>,
    state: Mutex<State>,
    /// Notified when the feed may have become live again.
    changed: Notify,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct State {
    /// For topics with a history.
    feed: Option<Feed>,
    /// For topics without a history: the time since which messages may be missing.
    cut: Option<Duration>,
    subscribers: Slab<Subscriber>,
    /// When the last subscriber left.
    unused_since: Duration,
}

#[derive(Debug)]
struct Subscriber {
    id: u64,
    queue: Arc<Queue>,
    /// The last entry that the subscriber received, in topics with a history.
    cursor: Option<Position>,
}

/// Where a subscriber starts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// At the next message.
    End,
    /// After a position that a client has sent.
    Behind(Position),
    /// After a position that was read from the log while [`Slot::cuts`] returned this number.
    BehindChecked(Position, u64),
}

/// A subscriber that was added.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) key: usize,
    pub(crate) entries: Vec<Entry>,
    /// The position after which the queue continues.
    pub(crate) position: Option<Position>,
}

/// A request for entries that are missing: [`Output::Fetch`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    pub(crate) after: Position,
    pub(crate) number: u64,
}

impl Slot {
    pub(crate) fn new(
        topic: Topic,
        history: Option<History>,
        counters: Arc<Counters>,
        now: Duration,
    ) -> Self {
        let state = State {
            feed: history.map(Feed::opening),
            cut: None,
            subscribers: Slab::new(),
            unused_since: now,
        };
        let subscribed_on = tokio::sync::Mutex::new(0);
        let (state, changed) = (Mutex::new(state), Notify::new());
        Self { topic, history, subscribed_on, state, changed, counters }
    }

    /// Adds a subscriber. Returns `None` if this node does not have the entries after the position.
    pub(crate) fn attach(&self, id: u64, queue: Arc<Queue>, start: Start) -> Option<Attached> {
        let mut state = self.lock();
        let (entries, position) = match (&state.feed, start) {
            (None, _) => (Vec::new(), None),
            (Some(feed), Start::End) => (Vec::new(), Some(feed.end())),
            (Some(feed), Start::Behind(position)) => (feed.recover(position)?, Some(feed.end())),
            (Some(feed), Start::BehindChecked(position, cuts)) => {
                let entries = feed.recover_checked(position, cuts)?;
                let is_ahead = entries.is_empty();
                (entries, Some(if is_ahead { position } else { feed.end() }))
            }
        };
        let key = state.subscribers.insert(Subscriber { id, queue, cursor: position });
        Some(Attached { key, entries, position })
    }

    /// Returns a number that changes when the connection is lost.
    pub(crate) fn cuts(&self) -> u64 {
        self.lock().feed.as_ref().map_or(0, Feed::cuts)
    }

    /// Waits until entries are passed on as they arrive.
    pub(crate) async fn until_live(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().feed.as_ref().is_none_or(Feed::is_live) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn detach(&self, key: usize, now: Duration) {
        let mut state = self.lock();
        let removed = state.subscribers.try_remove(key);
        state.unused_since = now;
        drop(state);
        drop(removed); // messages and wakers are foreign code, which runs without the lock
    }

    /// Returns whether the topic has had no subscriber for `linger`.
    pub(crate) fn is_unused(&self, now: Duration, linger: Duration) -> bool {
        let state = self.lock();
        state.subscribers.is_empty() && state.unused_since.saturating_add(linger) <= now
    }

    /// Handles a message of a topic without a history.
    pub(crate) fn handle_content(&self, content: &Content, now: Duration) -> usize {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        let delivered = state.deliver(content, None, now, &mut wakers, &self.counters);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        delivered
    }

    /// Runs an input of the feed, and handles its outputs. Returns the requested fetch, if any.
    pub(crate) fn with_feed<T>(
        &self,
        now: Duration,
        handle: impl FnOnce(&mut Feed) -> T,
    ) -> Option<(T, Option<Missing>)> {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        let was_live = state.feed.as_ref()?.is_live();
        let result = handle(state.feed.as_mut()?);
        let missing = state.run(now, &mut wakers, &self.counters);
        let is_live = state.feed.as_ref().is_some_and(Feed::is_live);
        drop(state);
        if is_live && !was_live {
            self.changed.notify_waiters();
        }
        wakers.into_iter().for_each(Waker::wake);
        Some((result, missing))
    }

    pub(crate) fn handle_fetched(
        &self,
        number: u64,
        fetched: Fetched,
        now: Duration,
    ) -> Option<Missing> {
        self.with_feed(now, |feed| feed.handle_fetched(number, fetched, now))?.1
    }

    /// Handles the loss of the connection to the broker.
    pub(crate) fn handle_cut(&self, now: Duration) {
        let mut state = self.lock();
        match &mut state.feed {
            Some(feed) => feed.handle_cut(now),
            None => {
                state.cut.get_or_insert(now);
            }
        }
    }

    /// Handles a new subscription to the topic.
    pub(crate) fn handle_connected(&self, now: Duration) -> Option<Missing> {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        let missing = match &mut state.feed {
            Some(feed) => {
                feed.handle_connected();
                state.run(now, &mut wakers, &self.counters)
            }
            None => {
                if let Some(since) = state.cut.take() {
                    self.counters.gaps.add(1);
                    let gap = gap(GapReason::Disconnected, since);
                    for (_, subscriber) in &state.subscribers {
                        subscriber.queue.gap(gap, &mut wakers);
                    }
                }
                None
            }
        };
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        missing
    }

    /// Drops the log, because the topic is no longer followed.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.feed, self.history.map(Feed::opening));
        state.cut = None;
        drop(state);
        drop(old);
    }

    /// Locks the state. A panic cannot leave it inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Handles the outputs of the feed.
    fn run(
        &mut self,
        now: Duration,
        wakers: &mut Vec<Waker>,
        counters: &Counters,
    ) -> Option<Missing> {
        let mut missing = None;
        while let Some(output) = self.feed.as_mut()?.poll_output() {
            match output {
                Output::Deliver(entry) => {
                    self.deliver(&entry.content, Some(entry.position), now, wakers, counters);
                }
                Output::Gap { reason, since, last, next } => {
                    counters.gaps.add(1);
                    self.report_gap(gap(reason, since), last, next, wakers);
                }
                Output::Fetch { after, number } => missing = Some(Missing { after, number }),
            }
        }
        missing
    }

    fn deliver(
        &mut self,
        content: &Content,
        position: Option<Position>,
        now: Duration,
        wakers: &mut Vec<Waker>,
        counters: &Counters,
    ) -> usize {
        let (mut delivered, mut dropped) = (0, 0);
        for (_, subscriber) in &mut self.subscribers {
            if let (Some(cursor), Some(position)) = (&mut subscriber.cursor, position) {
                // A subscriber that has read the log itself may have received newer entries than the node.
                if position.epoch != cursor.epoch || position.offset <= cursor.offset {
                    continue;
                }
                *cursor = position;
            }
            let Some(message) = &content.message else { continue };
            if content.except != subscriber.id {
                let delivery = Delivery { message: message.clone(), position };
                match subscriber.queue.message(delivery, now, wakers) {
                    true => delivered += 1,
                    false => dropped += 1,
                }
            }
        }
        if content.message.is_some() {
            counters.received.add(1);
            counters.delivered.add(delivered);
            counters.dropped.add(dropped);
        }
        delivered as usize
    }

    fn report_gap(&mut self, gap: Gap, last: Position, next: Position, wakers: &mut Vec<Waker>) {
        for (_, subscriber) in &mut self.subscribers {
            let Some(cursor) = &mut subscriber.cursor else { continue };
            // A subscriber that has read the log itself may have received newer entries than the node. Its position
            // may then be after the gap.
            let was_rewritten = gap.reason == GapReason::Replaced && last.epoch == next.epoch;
            let is_ahead = cursor.epoch != last.epoch || cursor.offset > last.offset;
            let has_all = cursor.epoch == next.epoch && cursor.offset >= next.offset;
            if was_rewritten || !is_ahead || !has_all {
                *cursor = next;
                subscriber.queue.gap(gap, wakers);
            }
        }
    }
}

pub(crate) fn gap(reason: GapReason, since: Duration) -> Gap {
    Gap { reason, since: UNIX_EPOCH + since, messages: None }
}

/// Converts entries into events for one subscriber.
pub(crate) fn events(entries: Vec<Entry>, except: u64) -> impl Iterator<Item = Event> {
    let entries = entries.into_iter().filter(move |entry| entry.content.except != except);
    entries.filter_map(|entry| {
        let message = entry.content.message?;
        Some(Event::Message(Delivery { message, position: Some(entry.position) }))
    })
}
