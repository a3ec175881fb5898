//! A node of a hub. It follows topics over successive connections.

mod presence;
mod publish;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backoff;
use super::link::{Channel, Connector, Inbox, Link, LinkError, Receiver};
use super::wire;
use crate::entry::{Content, Entry};
use crate::feed::Fetched;
use crate::position::Position;
use crate::slot::{Missing, Slot};
use crate::topic::Topic;
use crate::topics::{Topics, now};

/// The longest timeout, so that a deadline can be computed.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The number of subscriptions that run at the same time on a new connection.
const AT_ONCE: usize = 64;

/// How many times the node tries to read a log before it drops the connection.
const MAX_FETCHES: u32 = 3;

/// The number of fetches of a node that may run at the same time.
const MAX_CONCURRENT_FETCHES: usize = 64;

/// Runs a request on a connection. If the connection is lost, repeats it on the next one, until the timeout.
macro_rules! with_link {
    ($node:ident, $link:ident => $action:expr) => {{
        let deadline = tokio::time::Instant::now() + $node.timeout();
        let mut after = 0;
        loop {
            let current = $node.current_after(after, deadline).await?;
            let $link = &current.link;
            match $node.in_time($action).await {
                Err(LinkError::Lost(_) | LinkError::NotSent) => after = current.number,
                result => break result,
            }
        }
    }};
}
use with_link;

#[derive(Debug)]
pub(super) struct Node {
    topics: Arc<Topics>,
    connector: Box<dyn Connector>,
    /// The connection, while there is one.
    current: watch::Sender<Option<Current>>,
    /// The number of the latest connection.
    connections: AtomicU64,
    /// When the broker last answered, in milliseconds since 1970.
    answered: AtomicU64,
    /// Messages that wait for a connection.
    waiting: AtomicUsize,
    /// The members that joined here.
    members: Mutex<HashMap<u64, (Channel, Bytes)>>,
    fetches: tokio::sync::Semaphore,
    runtime: Handle,
    itself: Weak<Self>,
}

/// A connection.
#[derive(Debug, Clone)]
pub(super) struct Current {
    link: Arc<dyn Link>,
    number: u64,
    lost: Arc<Notify>,
}

impl Node {
    pub(super) fn new(topics: Arc<Topics>, connector: Box<dyn Connector>) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            topics,
            connector,
            current: watch::Sender::new(None),
            connections: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            members: Mutex::default(),
            fetches: tokio::sync::Semaphore::new(MAX_CONCURRENT_FETCHES),
            runtime: Handle::current(),
            itself: itself.clone(),
        })
    }

    pub(super) fn address(&self) -> String {
        self.connector.address()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.current.borrow().is_some()
    }

    /// Drops the connection.
    pub(super) fn disconnect(&self) {
        self.current.send_replace(None);
    }

    /// Makes a connection the current one.
    pub(super) fn set(&self, current: &Current) {
        self.current.send_replace(Some(current.clone()));
    }

    fn timeout(&self) -> Duration {
        self.topics.options.timeout.min(MAX_TIMEOUT)
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Current, LinkError> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let lost = Arc::new(Notify::new());
        let receiver: Weak<dyn Receiver> = self.itself.clone();
        let inbox = Inbox {
            receiver,
            number,
            lost: Arc::clone(&lost),
            timeout: self.timeout(),
            max_content: self.topics.options.max_message.saturating_add(wire::HEAD),
        };
        let link = self.in_time(self.connector.connect(inbox)).await?;
        self.has_answered();
        Ok(Current { link, number, lost })
    }

    /// Reconnects whenever the connection is lost (HUB-5). Never returns.
    pub(super) async fn drive(self: Arc<Self>, first: Current) {
        let mut next = Some(first);
        let mut attempt = 0;
        loop {
            let current = match next.take() {
                Some(current) => current,
                None => self.reconnect(&mut attempt).await,
            };
            self.set(&current);
            let end = match self.resume(&current).await {
                Ok(()) => {
                    attempt = 0;
                    self.serve(&current).await
                }
                Err(error) => error,
            };
            self.current.send_replace(None);
            tracing::warn!(broker = self.address(), reason = %end, "lost the connection to the broker");
            let since = Duration::from_millis(self.answered.load(Ordering::Relaxed)).min(now());
            self.topics.all().iter().for_each(|slot| slot.handle_cut(since));
        }
    }

    async fn reconnect(&self, attempt: &mut u32) -> Current {
        loop {
            sleep(backoff::delay(*attempt, self.topics.ids.next())).await;
            *attempt = attempt.saturating_add(1);
            match self.connect().await {
                Ok(current) => {
                    self.topics.counters.reconnects.add(1);
                    tracing::info!(broker = self.address(), "reconnected to the broker");
                    return current;
                }
                Err(error) => {
                    tracing::debug!(broker = self.address(), %error, "could not connect");
                }
            }
        }
    }

    /// Subscribes to all topics, and lists all members, on a new connection.
    async fn resume(&self, current: &Current) -> Result<(), LinkError> {
        let slots = self.topics.all();
        let opened: Vec<_> = slots.iter().map(|slot| self.reopen(slot, current)).collect();
        let mut opened = stream::iter(opened).buffer_unordered(AT_ONCE);
        while let Some(result) = opened.next().await {
            result?;
        }
        self.list_members(current).await
    }

    /// Serves a connection until it is lost, and returns the cause.
    async fn serve(&self, current: &Current) -> LinkError {
        let options = &self.topics.options;
        let tick = options.keepalive.min(options.linger).min(options.presence_ttl / 3);
        let tick = tick.max(Duration::from_millis(50));
        let mut listed = Instant::now();
        let mut tried = Instant::now();
        loop {
            if timeout(tick, current.lost.notified()).await.is_ok() {
                return LinkError::Lost("the connection was closed".into());
            }
            let mut outcome = Ok(());
            if tried.elapsed() >= options.keepalive {
                tried = Instant::now();
                outcome = answered(self.in_time(current.link.ping()).await);
            }
            if outcome.is_ok() && listed.elapsed() >= options.presence_ttl / 3 {
                listed = Instant::now();
                outcome = self.list_members(current).await;
            }
            if outcome.is_ok() {
                outcome = self.maintain_topics(current).await;
            }
            match outcome {
                Ok(()) => self.has_answered(),
                Err(error) => return error,
            }
        }
    }

    /// Ends the subscriptions of unused topics (HUB-4), and refreshes the logs of the other topics. Tries topics again
    /// that the broker has refused.
    async fn maintain_topics(&self, current: &Current) -> Result<(), LinkError> {
        for slot in self.topics.all() {
            if slot.is_unused(now(), self.topics.options.linger) {
                // Held until the slot is removed. A task that needs the topic subscribes after the removal.
                let mut subscribed_on = slot.subscribed_on.lock().await;
                if Arc::strong_count(&slot) > 2 {
                    continue; // a task is subscribing now
                }
                let channel = Channel::new(&slot.topic, slot.history);
                answered(self.in_time(current.link.unsubscribe(&channel)).await)?;
                *subscribed_on = 0;
                slot.reset();
                drop(subscribed_on);
                self.topics.remove_unused(&slot);
                continue;
            }
            if slot.subscribed_on.try_lock().is_ok_and(|number| *number != current.number) {
                self.reopen(&slot, current).await?;
            }
            let Some(log) = Channel::new(&slot.topic, slot.history).log() else { continue };
            let end = slot.with_feed(now(), |feed| {
                feed.prune(now());
                let quiet = now().saturating_sub(feed.last()) > log.history.age() / 2;
                (feed.is_open() && quiet).then(|| {
                    feed.touched(now());
                    feed.end()
                })
            });
            if let Some((Some(end), _)) = end {
                answered(self.in_time(current.link.touch(&log, end)).await)?;
            }
        }
        Ok(())
    }

    /// Waits until this node has subscribed to a topic.
    pub(super) async fn open(&self, slot: &Arc<Slot>) -> Result<(), LinkError> {
        let deadline = Instant::now() + self.timeout();
        let mut after = 0;
        loop {
            let current = self.current_after(after, deadline).await?;
            match self.open_on(slot, &current).await {
                Err(LinkError::Lost(_) | LinkError::NotSent) => after = current.number,
                result => return result,
            }
        }
    }

    /// Subscribes to a topic again. If the broker refuses, the other topics go on, and this one is tried again by
    /// [`Node::maintain_topics`].
    async fn reopen(&self, slot: &Arc<Slot>, current: &Current) -> Result<(), LinkError> {
        match self.open_on(slot, current).await {
            Err(LinkError::Refused(reason)) => {
                self.refused(slot, &reason);
                Ok(())
            }
            result => result,
        }
    }

    fn refused(&self, slot: &Slot, reason: &str) {
        self.topics.counters.refused.add(1);
        tracing::warn!(topic = %slot.topic, reason, "the broker refused a topic");
    }

    /// Subscribes to a topic on this connection, unless it is already subscribed.
    async fn open_on(&self, slot: &Arc<Slot>, current: &Current) -> Result<(), LinkError> {
        let mut subscribed_on = slot.subscribed_on.lock().await;
        if *subscribed_on >= current.number {
            return Ok(());
        }
        if *subscribed_on > 0 {
            // The subscription may have started while the other topics handled the disconnect.
            slot.handle_cut(now());
        }
        let channel = Channel::new(&slot.topic, slot.history);
        self.in_time(current.link.subscribe(&channel)).await?;
        let is_open = slot.with_feed(now(), |feed| feed.is_open()).is_none_or(|(open, _)| open);
        let missing = match channel.log().filter(|_| !is_open) {
            Some(log) => {
                let end = self.in_time(current.link.end(&log)).await?;
                slot.with_feed(now(), |feed| feed.handle_opened(end, now())).and_then(|(_, m)| m)
            }
            None => slot.handle_connected(now()),
        };
        *subscribed_on = current.number;
        drop(subscribed_on);
        self.fetch(slot, missing);
        Ok(())
    }

    /// Fetches the missing entries of a topic in the background.
    fn fetch(&self, slot: &Arc<Slot>, missing: Option<Missing>) {
        let (Some(missing), Some(node)) = (missing, self.itself.upgrade()) else { return };
        let slot = Arc::clone(slot);
        self.runtime.spawn(async move { node.fetch_missing(&slot, missing).await });
    }

    async fn fetch_missing(&self, slot: &Slot, mut missing: Missing) {
        let Some(log) = Channel::new(&slot.topic, slot.history).log() else { return };
        let mut failures = 0;
        loop {
            // Without a connection, this returns: the next connection begins with a fetch.
            let Some(current) = self.current.borrow().clone() else { return };
            let Ok(permit) = self.fetches.acquire().await else { return };
            self.topics.counters.fetches.add(1);
            let fetched = self.in_time(current.link.fetch(&log, Some(missing.after))).await;
            drop(permit);
            match fetched {
                Ok(fetched) => match slot.handle_fetched(missing.number, fetched, now()) {
                    Some(next) => (missing, failures) = (next, 0),
                    None => return,
                },
                Err(LinkError::Refused(reason)) => {
                    self.refused(slot, &reason);
                    // `maintain_topics` subscribes again, which begins with a fetch.
                    let mut subscribed_on = slot.subscribed_on.lock().await;
                    slot.handle_cut(now());
                    *subscribed_on = 0;
                    return;
                }
                Err(error) => {
                    failures += 1;
                    tracing::debug!(topic = %slot.topic, %error, "could not fetch missed messages");
                    if failures >= MAX_FETCHES {
                        current.lost.notify_one();
                        return;
                    }
                    sleep(backoff::delay(failures, self.topics.ids.next())).await;
                }
            }
        }
    }

    /// Reads a log.
    pub(super) async fn read(
        &self,
        slot: &Slot,
        after: Option<Position>,
    ) -> Result<Fetched, LinkError> {
        let log = Channel::new(&slot.topic, slot.history).log().ok_or(LinkError::NotSent)?;
        // The entries are merged with the entries that the node passes on: see `Feed::recover_checked`.
        timeout(self.timeout(), slot.until_live()).await.map_err(|_| LinkError::NotSent)?;
        with_link!(self, link => link.fetch(&log, after))
    }

    /// Waits for a connection that is newer than `after`.
    async fn current_after(&self, after: u64, deadline: Instant) -> Result<Current, LinkError> {
        let mut changes = self.current.subscribe();
        let is_newer =
            |current: &Option<Current>| current.as_ref().is_some_and(|it| it.number > after);
        match timeout_at(deadline, changes.wait_for(is_newer)).await {
            Ok(Ok(current)) => current.clone().ok_or(LinkError::NotSent),
            Ok(Err(_)) | Err(_) => Err(LinkError::NotSent),
        }
    }

    async fn in_time<T>(
        &self,
        action: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        let late =
            || LinkError::Lost(format!("no answer within {:?}; check the address", self.timeout()));
        timeout(self.timeout(), action).await.unwrap_or_else(|_| Err(late()))
    }

    fn has_answered(&self) {
        self.answered.store(now().as_millis() as u64, Ordering::Relaxed);
    }

    /// Returns the slot of a topic for an entry that has arrived on a connection. Returns `None` if a newer connection
    /// has replaced this one.
    fn receiving_slot(&self, connection: u64, topic: &Topic) -> Option<Arc<Slot>> {
        let is_newest = self.connections.load(Ordering::Relaxed) == connection;
        if is_newest { self.topics.find(topic) } else { None }
    }
}

impl Receiver for Node {
    fn handle_entry(&self, connection: u64, topic: &Topic, entry: Entry) {
        if let Some(slot) = self.receiving_slot(connection, topic) {
            let missing = slot.with_feed(now(), |feed| feed.handle_entry(entry, now()));
            self.fetch(&slot, missing.and_then(|(_, missing)| missing));
        }
    }

    fn handle_content(&self, connection: u64, topic: &Topic, content: Content) {
        if let Some(slot) = self.receiving_slot(connection, topic) {
            slot.handle_content(&content, now());
        }
    }

    fn is_subscribed(&self, connection: u64, topic: &Topic) -> bool {
        // The lock is held while the topic is unsubscribed.
        self.topics
            .find(topic)
            .is_some_and(|slot| slot.subscribed_on.try_lock().is_ok_and(|on| *on == connection))
    }

    fn handle_foreign(&self) {
        self.topics.counters.foreign.add(1);
    }
}

/// Ignores a refusal: the broker has answered, so the connection works.
fn answered(result: Result<(), LinkError>) -> Result<(), LinkError> {
    match result {
        Err(LinkError::Refused(reason)) => {
            tracing::debug!(reason, "the broker refused a request");
            Ok(())
        }
        result => result,
    }
}
