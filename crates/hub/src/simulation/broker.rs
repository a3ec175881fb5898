//! A model of a broker with one log.

use std::collections::HashMap;

use fullduplex_proto::Prepared;

use super::rng::Rng;
use crate::entry::{Content, Entry};
use crate::feed::{Fetched, GapReason};
use crate::position::Position;

/// How many entries are kept.
pub(super) const SIZE: usize = 20;

#[derive(Debug)]
pub(super) struct Broker {
    epoch: u64,
    /// The end of the log, which may have been trimmed.
    end: Position,
    log: Vec<Entry>,
    /// The last message at or before each position; 0 for none. Includes messages that were lost later.
    pub(super) message_at: HashMap<Position, u64>,
    /// The message before each message.
    pub(super) before: HashMap<u64, u64>,
    /// Whether offsets have holes, like the offsets of a topic in a stream for many topics.
    holes: bool,
}

impl Broker {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut broker = Self {
            epoch: 0,
            end: Position::new(0, 0, 0),
            log: Vec::new(),
            message_at: HashMap::new(),
            before: HashMap::new(),
            holes: rng.one_in(2),
        };
        broker.lose_all(rng);
        broker
    }

    /// Starts the log again, with a mark.
    pub(super) fn lose_all(&mut self, rng: &mut Rng) {
        self.epoch += 1;
        self.log.clear();
        self.end = Position::new(self.epoch, 0, 0);
        self.append(None, rng);
    }

    /// Loses the newest entries, as in a fail-over to a server that had not received them.
    pub(super) fn lose_end(&mut self, rng: &mut Rng) -> bool {
        let keep = 1 + rng.below(self.log.len());
        let loses = keep < self.log.len();
        self.log.truncate(keep);
        self.end = self.log[keep - 1].position;
        loses
    }

    pub(super) fn trim(&mut self, rng: &mut Rng) {
        let count = rng.below(self.log.len());
        self.log.drain(..count);
    }

    /// Appends a message, or a mark.
    pub(super) fn append(&mut self, message: Option<u64>, rng: &mut Rng) -> Entry {
        let before = self.message_at.get(&self.end).copied().unwrap_or(0);
        let id = message.unwrap_or_else(|| rng.next());
        let text = message.map(|id| Prepared::new(id.to_string()));
        let content = Content { id, except: 0, message: text };
        let skip = if self.holes { rng.below(3) as u64 } else { 0 };
        let position = Position::new(self.epoch, self.end.offset() + 1 + skip, content.check());
        let entry = Entry { position, previous: self.end.offset(), content };
        if let Some(id) = message {
            self.before.insert(id, before);
        }
        self.message_at.insert(position, message.unwrap_or(before));
        self.end = position;
        self.log.push(entry.clone());
        if self.log.len() > SIZE {
            self.log.remove(0);
        }
        entry
    }

    pub(super) fn end(&self) -> Position {
        self.end
    }

    pub(super) fn fetch(&self, after: Option<Position>) -> Fetched {
        let (all, end) = (self.log.clone(), self.end);
        let Some(after) = after else { return Fetched { complete: Ok(()), entries: all, end } };
        if after.epoch() != self.epoch {
            return Fetched { complete: Err(GapReason::Replaced), entries: all, end };
        }
        let kept = all.iter().position(|entry| entry.position.offset() == after.offset());
        match kept {
            Some(at) if all[at].position == after => {
                Fetched { complete: Ok(()), entries: all[at + 1..].to_vec(), end }
            }
            Some(_) => Fetched { complete: Err(GapReason::Replaced), entries: Vec::new(), end },
            None if after.offset() > end.offset() => {
                Fetched { complete: Err(GapReason::Replaced), entries: Vec::new(), end }
            }
            None => {
                let behind = all.into_iter().filter(|it| it.position.offset() > after.offset());
                Fetched { complete: Err(GapReason::Trimmed), entries: behind.collect(), end }
            }
        }
    }
}
