use std::collections::VecDeque;
use std::time::Duration;

use crate::entry::Entry;
use crate::history::History;
use crate::position::Position;

/// The newest entries that were passed on, for clients that reconnect to this node.
#[derive(Debug)]
pub(super) struct Window {
    history: History,
    entries: VecDeque<(Duration, Entry)>,
    /// The position of the newest message before the entries. No message is missing between it and them. `None` if it is not
    /// known.
    base: Option<Position>,
}

impl Window {
    pub(super) fn new(history: History) -> Self {
        Self { history, entries: VecDeque::new(), base: None }
    }

    /// Drops all entries. The next entry is the oldest one that is known.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.base = None;
    }

    /// Records that the window begins after this position, if nothing is known of it.
    pub(super) fn begin(&mut self, base: Position) {
        if self.entries.is_empty() && self.base.is_none() {
            self.base = Some(base);
        }
    }

    pub(super) fn push(&mut self, entry: Entry, now: Duration) {
        self.entries.push_back((now, entry));
        self.prune(now);
    }

    /// Drops entries that are older than the history allows.
    pub(super) fn prune(&mut self, now: Duration) {
        while let Some((at, _)) = self.entries.front() {
            if self.entries.len() <= self.history.size && *at + self.history.age > now {
                break;
            }
            if let Some((_, entry)) = self.entries.pop_front()
                // A mark does not change the base, because a client has only positions of messages.
                && (entry.content.message.is_some() || self.base.is_none())
            {
                self.base = Some(entry.position);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entries after a position, if the window has all of them.
    pub(super) fn after(&self, position: Position) -> Option<Vec<Entry>> {
        let entries = || self.entries.iter().map(|(_, entry)| entry);
        if self.base == Some(position) {
            return Some(entries().cloned().collect());
        }
        let at = entries().position(|entry| entry.position == position)?;
        Some(entries().skip(at + 1).cloned().collect())
    }

    /// Returns the newest `count` messages.
    pub(super) fn latest(&self, count: usize) -> Vec<Entry> {
        let messages = self.entries.iter().rev().map(|(_, entry)| entry);
        let mut latest: Vec<_> =
            messages.filter(|entry| entry.content.message.is_some()).take(count).cloned().collect();
        latest.reverse();
        latest
    }
}
