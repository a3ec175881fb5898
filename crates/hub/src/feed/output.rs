use std::time::Duration;

use crate::entry::Entry;
use crate::position::Position;

/// An output of a [`Feed`](super::Feed), which the node must handle.
#[derive(Debug, Clone)]
pub enum Output {
    /// Pass this entry on.
    Deliver(Entry),
    /// Report that messages may be missing. Entries after `next` follow.
    Gap {
        /// The reason for the gap.
        reason: GapReason,
        /// When the gap began.
        since: Duration,
        /// The last position before the gap.
        last: Position,
        /// The position after which entries continue.
        next: Position,
    },
    /// Fetch the entries after this position, and pass them to [`Feed::handle_fetched`](super::Feed::handle_fetched) with the number.
    Fetch {
        /// The last entry that was passed on.
        after: Position,
        /// The number of this request. Answers to older requests are ignored.
        number: u64,
    },
}

/// Why messages may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The subscriber did not receive messages as fast as they arrived.
    Slow,
    /// The connection to the broker was lost, and the topic has no history.
    Disconnected,
    /// The history no longer contains the missed messages.
    Trimmed,
    /// The broker has lost the log or its end, so the position is no longer valid.
    Replaced,
}

/// The answer to [`Output::Fetch`].
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Whether `entries` are complete after the position.
    pub complete: Result<(), GapReason>,
    /// Entries after the position, in order.
    pub entries: Vec<Entry>,
    /// The end of the log.
    pub end: Position,
}
