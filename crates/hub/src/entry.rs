use fullduplex_proto::Prepared;

use crate::position::Position;

/// A message in the log of a topic.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The position of the entry.
    pub position: Position,
    /// The offset of the previous entry. A node uses it to detect a missing entry.
    pub previous: u64,
    /// The content of the entry.
    pub content: Content,
}

/// The content that a publisher sends to a topic.
#[derive(Debug, Clone)]
pub struct Content {
    /// A random number that identifies the content.
    pub id: u64,
    /// The subscription to skip; 0 for none.
    pub except: u64,
    /// The message. An entry without a message only marks a position in a log.
    pub message: Option<Prepared>,
}

impl Content {
    /// Returns the part of the id that positions contain.
    pub fn check(&self) -> u32 {
        self.id as u32
    }
}
