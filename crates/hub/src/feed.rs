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

use std::collections::VecDeque;
use std::time::Duration;

use crate::entry::{Content, Entry};
use crate::history::History;
use crate::position::Position;

/// The number of entries that are held while older entries are fetched. If more entries arrive, they are dropped and
/// fetched later.
const MAX_HELD: usize = 1024;

/// Follows the log of a topic. Call a method `handle_*` for each input. Then call [`Feed::poll_output`] until it
/// returns `None`. Times are durations since any fixed moment.
#[derive(Debug)]
pub struct Feed {
    history: History,
    state: State,
    /// The last entry that was passed on.
    end: Position,
    /// The time at which the last entry was passed on.
    last: Duration,
    /// The newest entries that were passed on, for clients that reconnect to this node.
    window: VecDeque<(Duration, Entry)>,
    /// The position of the newest message before the window. No message is missing between it and the window.
    base: Option<Position>,
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

/// Entries that arrived before an earlier entry.
#[derive(Debug, Default)]
struct Held {
    entries: Vec<Entry>,
    overflowed: bool,
}

/// An output of a [`Feed`], which the node must handle.
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
    /// Fetch the entries after this position, and pass them to [`Feed::handle_fetched`] with the number.
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

impl Feed {
    /// Follows a log whose end is not known. Subscribe first, then request the end, and pass it to
    /// [`Feed::handle_opened`].
    pub fn opening(history: History) -> Self {
        let state = State::Opening(Held::default());
        Self {
            history,
            state,
            end: Position::new(0, 0, 0),
            last: Duration::ZERO,
            window: VecDeque::new(),
            base: None,
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
            (self.end, self.base, self.last) = (end, Some(end), now);
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
            self.base = None;
            if !same || reason == GapReason::Replaced {
                self.end = next;
            }
        }
        for entry in fetched.entries {
            if entry.position.epoch != self.end.epoch || entry.position.offset > self.end.offset {
                self.pass_on(entry, now);
            }
        }
        if self.window.is_empty() && self.base.is_none() {
            self.base = Some(fetched.end);
        }
        self.end = fetched.end;
        self.release(held, since, now);
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns the entries after a position up to [`Feed::end`], if this node has all of them.
    pub fn recover(&self, after: Position) -> Option<Vec<Entry>> {
        let entries = || self.window.iter().map(|(_, entry)| entry);
        if self.base == Some(after) {
            return Some(entries().cloned().collect());
        }
        let at = entries().position(|entry| entry.position == after)?;
        Some(entries().skip(at + 1).cloned().collect())
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
        let messages = self.window.iter().rev().map(|(_, entry)| entry);
        let mut latest: Vec<_> =
            messages.filter(|entry| entry.content.message.is_some()).take(count).cloned().collect();
        latest.reverse();
        latest
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
        while let Some((at, _)) = self.window.front() {
            if self.window.len() <= self.history.size && *at + self.history.age > now {
                break;
            }
            if let Some((_, entry)) = self.window.pop_front()
                // A mark does not change the base, because a client has only positions of messages.
                && (entry.content.message.is_some() || self.base.is_none())
            {
                self.base = Some(entry.position);
            }
        }
    }

    /// Returns whether no message is kept here.
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    fn pass_on(&mut self, entry: Entry, now: Duration) {
        (self.end, self.last) = (entry.position, now);
        self.window.push_back((now, entry.clone()));
        self.outputs.push_back(Output::Deliver(entry));
        self.prune(now);
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

impl Held {
    fn push(&mut self, entry: Entry) {
        if self.overflowed || self.entries.len() == MAX_HELD {
            (self.entries, self.overflowed) = (Vec::new(), true);
        } else {
            self.entries.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fullduplex_proto::Prepared;

    const NOW: Duration = Duration::from_secs(1);

    fn entry(epoch: u64, offset: u64) -> Entry {
        let content = Content {
            id: offset,
            except: 0,
            message: Some(Prepared::new(format!("{epoch}.{offset}"))),
        };
        Entry { position: position(epoch, offset), previous: offset - 1, content }
    }

    fn position(epoch: u64, offset: u64) -> Position {
        Position::new(epoch, offset, offset as u32)
    }

    fn feed() -> Feed {
        Feed::live(History::new(3, Duration::from_secs(10)), position(1, 0), NOW)
    }

    /// Formats the outputs, such as `1.2` for a message, `gap` and `fetch 2`.
    fn outputs(feed: &mut Feed) -> Vec<String> {
        std::iter::from_fn(|| feed.poll_output())
            .map(|output| match output {
                Output::Deliver(Entry {
                    content: Content { message: Some(message), .. }, ..
                }) => message.message().as_text().unwrap_or_default().to_owned(),
                Output::Deliver(_) => "mark".into(),
                Output::Gap { reason, .. } => format!("gap {reason:?}"),
                Output::Fetch { after, .. } => format!("fetch {}", after.offset),
            })
            .collect()
    }

    fn fetched(complete: Result<(), GapReason>, entries: Vec<Entry>, end: Position) -> Fetched {
        Fetched { complete, entries, end }
    }

    /// HUB-1.
    #[test]
    fn entries_are_passed_on_in_order_and_once() {
        let mut feed = feed();
        for offset in [1, 2, 1, 2, 3] {
            feed.handle_entry(entry(1, offset), NOW);
        }
        assert_eq!(outputs(&mut feed), ["1.1", "1.2", "1.3"]);
    }

    /// HUB-2, HUB-3.
    #[test]
    fn a_missing_entry_is_fetched_and_joined_without_repetition() {
        let mut feed = feed();
        feed.handle_entry(entry(1, 3), NOW);
        feed.handle_entry(entry(1, 4), NOW);
        assert_eq!(outputs(&mut feed), ["fetch 0"]);
        let entries = vec![entry(1, 1), entry(1, 2), entry(1, 3)];
        feed.handle_fetched(1, fetched(Ok(()), entries, position(1, 3)), NOW);
        assert_eq!(outputs(&mut feed), ["1.1", "1.2", "1.3", "1.4"]);
    }

    /// HUB-5.
    #[test]
    fn entries_missed_while_disconnected_are_fetched() {
        let mut feed = feed();
        feed.handle_cut(NOW);
        feed.handle_entry(entry(1, 1), NOW);
        feed.handle_connected();
        feed.handle_entry(entry(1, 3), NOW);
        assert_eq!(outputs(&mut feed), ["fetch 0"]);
        feed.handle_fetched(
            1,
            fetched(Ok(()), vec![entry(1, 1), entry(1, 2)], position(1, 2)),
            NOW,
        );
        assert_eq!(outputs(&mut feed), ["1.1", "1.2", "1.3"]);
    }

    /// HUB-5: an answer from before the second disconnect does not contain the entries that were missed during it.
    #[test]
    fn an_answer_from_before_a_second_disconnect_is_ignored() {
        let mut feed = feed();
        feed.handle_cut(NOW);
        feed.handle_connected();
        feed.handle_cut(NOW);
        feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1)], position(1, 1)), NOW);
        feed.handle_connected();
        feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1)], position(1, 1)), NOW);
        assert_eq!(outputs(&mut feed), ["fetch 0", "fetch 0"]);
        feed.handle_fetched(
            2,
            fetched(Ok(()), vec![entry(1, 1), entry(1, 2)], position(1, 2)),
            NOW,
        );
        assert_eq!(outputs(&mut feed), ["1.1", "1.2"]);
    }

    /// HUB-2.
    #[test]
    fn a_trimmed_log_is_a_gap_before_the_remaining_entries() {
        let mut feed = feed();
        feed.handle_entry(entry(1, 9), NOW);
        let entries = vec![entry(1, 8), entry(1, 9)];
        feed.handle_fetched(1, fetched(Err(GapReason::Trimmed), entries, position(1, 9)), NOW);
        feed.handle_entry(entry(1, 10), NOW);
        assert_eq!(outputs(&mut feed), ["fetch 0", "gap Trimmed", "1.8", "1.9", "1.10"]);
        assert!(feed.recover(position(1, 8)).is_some() && feed.recover(position(1, 7)).is_none());
    }

    /// HUB-3.
    #[test]
    fn a_new_epoch_is_a_gap_before_all_its_entries() {
        let mut feed = feed();
        feed.handle_entry(entry(1, 1), NOW);
        feed.handle_entry(entry(2, 2), NOW);
        let entries = vec![entry(2, 1), entry(2, 2)];
        feed.handle_fetched(1, fetched(Err(GapReason::Replaced), entries, position(2, 2)), NOW);
        assert_eq!(outputs(&mut feed), ["1.1", "fetch 1", "gap Replaced", "2.1", "2.2"]);
    }

    #[test]
    fn entries_that_arrive_before_the_end_is_known_are_not_lost() {
        let mut feed = Feed::opening(History::default());
        feed.handle_entry(entry(1, 5), NOW);
        feed.handle_entry(entry(1, 6), NOW);
        feed.handle_opened(position(1, 5), NOW);
        assert_eq!(outputs(&mut feed), ["1.6"]);
    }

    #[test]
    fn more_than_can_be_held_is_fetched_again() {
        let mut feed = feed();
        let last = MAX_HELD as u64 + 10;
        (2..=last).for_each(|offset| feed.handle_entry(entry(1, offset), NOW));
        feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1)], position(1, 1)), NOW);
        assert_eq!(outputs(&mut feed), ["fetch 0", "1.1", "fetch 1"]);
    }

    /// HUB-3.
    #[test]
    fn a_position_is_recovered_from_while_its_message_is_kept() {
        let mut feed = feed();
        (1..=5).for_each(|offset| feed.handle_entry(entry(1, offset), NOW));
        let behind = |offset| feed.recover(position(1, offset)).map(|entries| entries.len());
        assert_eq!([1, 2, 3, 5, 6].map(behind), [None, Some(3), Some(2), Some(0), None]);
        assert!(feed.recover(position(2, 3)).is_none(), "another epoch");
        assert!(feed.recover(Position::new(1, 3, 99)).is_none(), "another message at that place");
        assert_eq!(feed.why_lost(position(1, 1)), GapReason::Trimmed);
        assert_eq!(feed.why_lost(position(2, 1)), GapReason::Replaced);
        feed.prune(NOW + Duration::from_secs(11));
        assert!(feed.is_empty() && feed.recover(position(1, 5)).is_some());
    }
}
