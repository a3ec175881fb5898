//! Follows the log of a topic on one node. This is a state machine without I/O, clock or randomness.
//!
//! ```text
//!             handle_opened            gap seen, or handle_connected
//!   Opening ────────────────▶ Live ──────────────────────────────────▶ Fetching
//!      ▲                      │  ▲                                      │   │
//!      └── handle_cut         │  └────────── handle_fetched ────────────┘   │
//!                 handle_cut  ▼                                             │ handle_cut
//!                            Cut ◀──────────────────────────────────────────┘
//!                             └── handle_connected ──▶ Fetching
//! ```
//!
//! Each [`Entry`] contains the offset of the previous entry. While the offsets match, the node passes entries on.
//! Otherwise it fetches the missing entries and holds the entries that arrive during the fetch. Then it merges both by
//! their offsets.

mod held;
mod output;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use self::held::Held;
pub use self::output::{Fetched, GapReason, Output};
use self::window::Window;

use crate::entry::{Content, Entry};
use crate::history::History;
use crate::position::Position;

/// Follows the log of a topic. Call a method `handle_*` for each input. Then call [`Feed::poll_output`] until it
/// returns `None`. Times are durations since any fixed moment.
#[derive(Debug)]
pub struct Feed {
    state: State,
    /// The last entry that was passed on.
    end: Position,
    /// The time at which the last entry was passed on.
    last: Duration,
    window: Window,
    fetches: u64,
    /// How often the connection was lost.
    cuts: u64,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// The end of the log is not known yet.
    Opening(Held),
    Live,
    Cut {
        since: Duration,
    },
    Fetching {
        since: Duration,
        number: u64,
        held: Held,
    },
}

impl Feed {
    /// Follows a log whose end is not known. Subscribe first, then request the end, and pass it to
    /// [`Feed::handle_opened`].
    pub fn opening(history: History) -> Self {
        let state = State::Opening(Held::default());
        Self {
            state,
            end: Position::new(0, 0, 0),
            last: Duration::ZERO,
            window: Window::new(history),
            fetches: 0,
            cuts: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Follows a log, starting at its end.
    pub fn live(history: History, end: Position, now: Duration) -> Self {
        let mut feed = Self::opening(history);
        feed.handle_opened(end, now);
        feed
    }

    /// Returns the position of the last entry that was passed on.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Returns when the last entry was passed on.
    pub fn last(&self) -> Duration {
        self.last
    }

    /// Records that a request to keep the end of the log was sent to the broker.
    pub fn touched(&mut self, now: Duration) {
        self.last = now;
    }

    /// Returns whether the end of the log is known.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Opening(_))
    }

    /// Returns a number that changes when the connection is lost. Entries that were read before may no longer be in the
    /// log.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Returns whether entries are passed on as they arrive.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Live)
    }

    /// Handles the answer to a request for the end of the log.
    pub fn handle_opened(&mut self, end: Position, now: Duration) {
        if let State::Opening(held) = &mut self.state {
            let held = std::mem::take(held);
            self.state = State::Live;
            (self.end, self.last) = (end, now);
            self.window.begin(end);
            self.release(held, now, now);
        }
    }

    /// Handles an entry that has arrived.
    pub fn handle_entry(&mut self, entry: Entry, now: Duration) {
        match &mut self.state {
            State::Opening(held) | State::Fetching { held, .. } => held.push(entry),
            State::Cut { .. } => {} // it is fetched later
            State::Live if entry.position.epoch != self.end.epoch => self.fetch(Some(entry), now),
            State::Live if entry.position.offset <= self.end.offset => {} // a repetition
            State::Live if entry.previous == self.end.offset => self.pass_on(entry, now),
            State::Live => self.fetch(Some(entry), now),
        }
    }

    /// Handles the loss of the connection to the broker. Entries may be missed from now on.
    pub fn handle_cut(&mut self, now: Duration) {
        self.cuts += 1;
        match &mut self.state {
            State::Opening(held) => *held = Held::default(),
            State::Live => self.state = State::Cut { since: now },
            State::Fetching { since, .. } => self.state = State::Cut { since: *since },
            State::Cut { .. } => {}
        }
    }

    /// Handles a new subscription to the topic. Entries arrive from now on.
    pub fn handle_connected(&mut self) {
        if let State::Cut { since } = self.state {
            self.fetch_since(since, Held::default());
        }
    }

    /// Handles the answer to [`Output::Fetch`].
    pub fn handle_fetched(&mut self, number: u64, fetched: Fetched, now: Duration) {
        let since = match &mut self.state {
            State::Fetching { since, number: awaited, .. } if *awaited == number => *since,
            _ => return, // asked for before the connection was lost
        };
        let State::Fetching { held, .. } = std::mem::replace(&mut self.state, State::Live) else {
            return;
        };
        if let Err(reason) = fetched.complete {
            // If entries before the old end were replaced, it is unknown which entries have been passed on.
            let same = fetched.end.epoch == self.end.epoch;
            let next = match fetched.entries.first() {
                Some(first) => Position::new(first.position.epoch, first.previous, 0),
                None => fetched.end,
            };
            self.outputs.push_back(Output::Gap { reason, since, last: self.end, next });
            self.window.clear();
            if !same || reason == GapReason::Replaced {
                self.end = next;
            }
        }
        for entry in fetched.entries {
            if entry.position.epoch != self.end.epoch || entry.position.offset > self.end.offset {
                self.pass_on(entry, now);
            }
        }
        self.window.begin(fetched.end);
        self.end = fetched.end;
        self.release(held, since, now);
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns the entries after a position up to [`Feed::end`], if this node has all of them.
    pub fn recover(&self, after: Position) -> Option<Vec<Entry>> {
        self.window.after(after)
    }

    /// Recovers like [`Feed::recover`], from a position that was read from the log while [`Feed::cuts`] returned this
    /// number. No entries are returned for a position that is newer than [`Feed::end`].
    pub fn recover_checked(&self, after: Position, cuts: u64) -> Option<Vec<Entry>> {
        if !self.is_live() || self.cuts != cuts {
            return None;
        }
        if after.epoch != self.end.epoch || after.offset >= self.end.offset {
            return Some(Vec::new());
        }
        self.recover(after)
    }

    /// Returns why the messages after a position cannot be recovered, if this node has the whole log.
    pub fn why_lost(&self, position: Position) -> GapReason {
        let trimmed = position.epoch == self.end.epoch && position.offset <= self.end.offset;
        if trimmed { GapReason::Trimmed } else { GapReason::Replaced }
    }

    /// Returns the newest `count` messages that this node has.
    pub fn latest(&self, count: usize) -> Vec<Entry> {
        self.window.latest(count)
    }

    /// Appends content to the log, for a topic that exists on this node only.
    pub fn append(&mut self, content: Content, now: Duration) -> Position {
        let position = Position::new(self.end.epoch, self.end.offset + 1, content.check());
        let previous = self.end.offset;
        self.pass_on(Entry { position, previous, content }, now);
        position
    }

    /// Drops entries that are older than the history allows.
    pub fn prune(&mut self, now: Duration) {
        self.window.prune(now);
    }

    /// Returns whether no message is kept here.
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    fn pass_on(&mut self, entry: Entry, now: Duration) {
        (self.end, self.last) = (entry.position, now);
        self.window.push(entry.clone(), now);
        self.outputs.push_back(Output::Deliver(entry));
    }

    fn fetch(&mut self, entry: Option<Entry>, now: Duration) {
        let entries = entry.into_iter().collect();
        self.fetch_since(now, Held { entries, overflowed: false });
    }

    fn fetch_since(&mut self, since: Duration, held: Held) {
        self.fetches += 1;
        self.state = State::Fetching { since, number: self.fetches, held };
        self.outputs.push_back(Output::Fetch { after: self.end, number: self.fetches });
    }

    /// Passes on the held entries, after all earlier ones were passed on.
    fn release(&mut self, held: Held, since: Duration, now: Duration) {
        if held.overflowed {
            return self.fetch_since(since, Held::default());
        }
        for entry in held.entries {
            self.handle_entry(entry, now);
        }
    }
}
