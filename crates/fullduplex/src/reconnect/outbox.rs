use std::collections::VecDeque;
use std::mem;

use fullduplex_proto::Message;

use crate::reconnect::options::{OutboxFullError, OutboxLimits, OutboxOverflow};

/// Messages passed to `send` that no connection has written completely.
#[derive(Debug)]
pub(super) struct Outbox {
    limits: OutboxLimits,
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    /// Messages handed to the current connection. They are not handed to another one.
    handed_over: VecDeque<Message>,
    handed_over_bytes: u64,
    /// Messages that were dropped to make room for newer ones and were not reported yet.
    dropped: Dropped,
}

/// Messages that will not be sent.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) messages: Vec<Message>,
    bytes: usize,
    pub(super) count: u64,
}

impl Outbox {
    pub(super) fn new(limits: OutboxLimits) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            handed_over: VecDeque::new(),
            handed_over_bytes: 0,
            dropped: Dropped::default(),
        }
    }

    /// Adds a message, within the limits.
    pub(super) fn push(&mut self, message: Message) -> Result<(), OutboxFullError> {
        let is_too_large = message.len() > self.limits.bytes || self.limits.messages == 0;
        let refuses = self.limits.when_full == OutboxOverflow::Refuse;
        if is_too_large || (refuses && !self.has_room(message.len())) {
            return Err(OutboxFullError { message });
        }
        while !self.has_room(message.len())
            && let Some(oldest) = self.pop()
        {
            self.dropped.push(oldest, self.limits.bytes);
        }
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
        Ok(())
    }

    fn has_room(&self, len: usize) -> bool {
        self.waiting.len() < self.limits.messages && self.waiting_bytes + len <= self.limits.bytes
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= message.len();
        Some(message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes as u64
    }

    /// Takes the next message for the connection.
    pub(super) fn hand_over(&mut self) -> Option<Message> {
        let message = self.pop()?;
        self.handed_over_bytes += message.len() as u64;
        self.handed_over.push_back(message.clone());
        Some(message)
    }

    /// Removes the messages that were written completely. The connection still has `buffered` bytes to
    /// write.
    pub(super) fn handle_taken(&mut self, buffered: u64) {
        while let Some(message) = self.handed_over.front()
            && self.handed_over_bytes - message.len() as u64 >= buffered
        {
            self.handed_over_bytes -= message.len() as u64;
            self.handed_over.pop_front();
        }
    }

    /// Takes the messages that the connection had not written when it ended.
    pub(super) fn take_interrupted(&mut self) -> Vec<Message> {
        self.handed_over_bytes = 0;
        mem::take(&mut self.handed_over).into()
    }

    /// Takes the messages that still wait, because the socket ends.
    pub(super) fn take_waiting(&mut self) -> Vec<Message> {
        self.waiting_bytes = 0;
        mem::take(&mut self.waiting).into()
    }

    pub(super) fn take_dropped(&mut self) -> Dropped {
        mem::take(&mut self.dropped)
    }
}

impl Dropped {
    /// Counts a message. Keeps it for the report if the kept messages do not exceed `limit` bytes.
    fn push(&mut self, message: Message, limit: usize) {
        self.count += 1;
        if self.bytes + message.len() <= limit && self.messages.len() < REPORTED_MAX {
            self.bytes += message.len();
            self.messages.push(message);
        }
    }
}

/// The number of messages kept for one report.
const REPORTED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(when_full: OutboxOverflow) -> Outbox {
        Outbox::new(OutboxLimits { bytes: 10, messages: 3, when_full })
    }

    fn texts(messages: &[Message]) -> Vec<&str> {
        messages.iter().map(text).collect()
    }

    fn text(message: &Message) -> &str {
        match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => "",
        }
    }

    #[test]
    fn a_full_outbox_returns_the_message() {
        let mut outbox = outbox(OutboxOverflow::Refuse);
        outbox.push("123456789".into()).unwrap();
        assert_eq!(outbox.push("ab".into()).unwrap_err().message, "ab".into());
        outbox.push("a".into()).unwrap();
        outbox.push("".into()).unwrap();
        assert!(outbox.push("".into()).is_err(), "three messages");
        assert_eq!(outbox.waiting_bytes(), 10);
    }

    #[test]
    fn the_oldest_messages_are_dropped_and_reported() {
        let mut outbox = outbox(OutboxOverflow::DropOldest);
        for text in ["one", "two", "three"] {
            outbox.push(text.into()).unwrap();
        }
        let dropped = outbox.take_dropped();
        assert_eq!((texts(&dropped.messages), dropped.count), (vec!["one"], 1));
        assert!(outbox.push("longer than all".into()).is_err(), "larger than the outbox");
        assert_eq!(texts(&outbox.take_waiting()), ["two", "three"]);
    }

    #[test]
    fn a_report_keeps_as_much_as_the_outbox() {
        let mut dropped = Dropped::default();
        for text in ["one", "longer", "two", "three"] {
            dropped.push(text.into(), 8);
        }
        assert_eq!((texts(&dropped.messages), dropped.count), (vec!["one", "two"], 4));
        let mut empty = Dropped::default();
        (0..=REPORTED_MAX).for_each(|_| empty.push("".into(), 8));
        assert_eq!((empty.messages.len(), empty.count), (REPORTED_MAX, REPORTED_MAX as u64 + 1));
    }

    #[test]
    fn a_partly_written_message_is_interrupted() {
        let mut outbox = outbox(OutboxOverflow::Refuse);
        for text in ["one", "", "three"] {
            outbox.push(text.into()).unwrap();
        }
        while outbox.hand_over().is_some() {}
        outbox.handle_taken(8);
        outbox.handle_taken(6); // two bytes of `one`
        outbox.handle_taken(5);
        assert_eq!(texts(&outbox.take_interrupted()), ["three"]);
    }
}
