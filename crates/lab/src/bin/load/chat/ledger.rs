use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of messages that each author has sent. They are numbered from 1.
#[derive(Debug)]
pub(super) struct Authors(Vec<AtomicU32>);

/// The messages that a member has received since it joined.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The number of messages that each author had sent before this member joined. The member may have
    /// received some of them.
    before: Vec<u32>,
    /// The number of the last message received from each author.
    last: HashMap<usize, u32>,
    /// The number of messages received.
    pub(super) count: u64,
}

/// A fault of the chat room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Lost {
        author: usize,
        expected: u32,
        received: u32,
    },
    /// A message arrived twice or too late.
    Again {
        author: usize,
        last: u32,
        received: u32,
    },
    /// A message that no author has sent.
    Nonsense(String),
}

impl Authors {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU32::new(0)).collect())
    }

    /// Returns the number of the next message of an author.
    pub(super) fn next(&self, author: usize) -> u32 {
        self.0[author].fetch_add(1, Ordering::SeqCst) + 1
    }

    fn sent(&self) -> Vec<u32> {
        self.0.iter().map(|sent| sent.load(Ordering::SeqCst)).collect()
    }
}

impl Ledger {
    /// Returns the record of a member that joins now.
    pub(super) fn new(authors: &Authors) -> Self {
        Self { before: authors.sent(), last: HashMap::new(), count: 0 }
    }

    /// Returns the text of a message.
    pub(super) fn text(author: usize, number: u32) -> String {
        format!("{author} {number}")
    }

    /// Records a received message.
    pub(super) fn receive(&mut self, text: &str) -> Result<(), Fault> {
        let parts = text
            .split_once(' ')
            .and_then(|(author, number)| Some((author.parse().ok()?, number.parse().ok()?)));
        let nonsense = || Fault::Nonsense(text.to_owned());
        let (author, received): (usize, u32) = parts.ok_or_else(nonsense)?;
        let before = *self.before.get(author).ok_or_else(nonsense)?;
        let last = self.last.insert(author, received);
        let expected = last.unwrap_or(before) + 1;
        if received > expected {
            return Err(Fault::Lost { author, expected, received });
        }
        if let Some(last) = last.filter(|last| received <= *last) {
            return Err(Fault::Again { author, last, received });
        }
        self.count += 1;
        Ok(())
    }

    /// Returns the number of messages still expected after the authors have stopped.
    pub(super) fn missing(&self, authors: &Authors) -> u64 {
        let last = |author| *self.last.get(&author).unwrap_or(&self.before[author]);
        let sent = authors.sent().into_iter().enumerate();
        sent.map(|(author, sent)| u64::from(sent - last(author).min(sent))).sum()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { author, expected, received } => {
                write!(f, "author {author}: {received} received instead of {expected}")
            }
            Self::Again { author, last, received } => {
                write!(f, "author {author}: {received} received after {last}")
            }
            Self::Nonsense(text) => write!(f, "no author has sent {text:?}"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a member that joins after author 1 has sent two messages.
    fn ledger() -> (Authors, Ledger) {
        let authors = Authors::new(2);
        assert_eq!([authors.next(1), authors.next(1)], [1, 2]);
        let ledger = Ledger::new(&authors);
        (authors, ledger)
    }

    #[test]
    fn messages_sent_before_joining_may_be_received_or_not() {
        for first in [1, 2, 3] {
            let (_, mut ledger) = ledger();
            assert_eq!(ledger.receive(&format!("1 {first}")), Ok(()));
            assert_eq!(ledger.receive(&format!("1 {}", first + 1)), Ok(()));
            assert_eq!(ledger.count, 2);
        }
    }

    #[test]
    fn a_gap_is_a_loss() {
        let (_, mut ledger) = ledger();
        assert_eq!(ledger.receive("1 4"), Err(Fault::Lost { author: 1, expected: 3, received: 4 }));
        assert_eq!(ledger.receive("0 2"), Err(Fault::Lost { author: 0, expected: 1, received: 2 }));
    }

    #[test]
    fn repeated_and_late_messages_are_faults() {
        let (_, mut ledger) = ledger();
        assert_eq!([ledger.receive("1 2"), ledger.receive("1 3")], [Ok(()), Ok(())]);
        for received in [1, 2, 3] {
            let text = format!("1 {received}");
            assert!(matches!(ledger.receive(&text), Err(Fault::Again { .. })), "{text}");
            ledger.last.insert(1, 3);
        }
    }

    #[test]
    fn missing_messages_are_counted() {
        let (authors, mut ledger) = ledger();
        assert_eq!(ledger.missing(&authors), 0);
        let text = Ledger::text(1, authors.next(1));
        assert_eq!(ledger.missing(&authors), 1);
        assert_eq!(ledger.receive(&text), Ok(()));
        assert_eq!(ledger.missing(&authors), 0);
    }

    #[test]
    fn unknown_messages_are_faults() {
        let (_, mut ledger) = ledger();
        for text in ["", "1", "1 x", "2 1", "welcome"] {
            assert_eq!(ledger.receive(text), Err(Fault::Nonsense(text.to_owned())));
        }
    }
}
