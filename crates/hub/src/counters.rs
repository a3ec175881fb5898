use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of a [`Hub`](crate::Hub) on this node, for a metrics exporter. Returned by
/// [`Hub::stats`](crate::Hub::stats). All counters except `topics` and `connected` never decrease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Topics that this node follows.
    pub topics: usize,
    /// Whether there is a connection to the broker. A local hub needs none.
    pub connected: bool,
    /// Messages that this node published and the broker confirmed.
    pub published: u64,
    /// Messages that this node could not publish, or that the broker did not confirm.
    pub failed: u64,
    /// Messages that reached this node.
    pub received: u64,
    /// Messages that were queued for subscribers.
    pub delivered: u64,
    /// Messages that were dropped for slow subscribers.
    pub dropped: u64,
    /// Gaps in topics, except for the gaps of slow subscribers.
    pub gaps: u64,
    /// Requests to the broker for missed messages.
    pub fetches: u64,
    /// Connections to the broker after the first one.
    pub reconnects: u64,
    /// Times that the broker refused a topic that this node follows. The node tries the topic again.
    pub refused: u64,
    /// Times that this node skipped data at the broker that no hub has written.
    pub foreign: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: Counter,
    pub(crate) failed: Counter,
    pub(crate) received: Counter,
    pub(crate) delivered: Counter,
    pub(crate) dropped: Counter,
    pub(crate) gaps: Counter,
    pub(crate) fetches: Counter,
    pub(crate) reconnects: Counter,
    pub(crate) refused: Counter,
    pub(crate) foreign: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
