use fullduplex_proto::Prepared;

use crate::position::Position;

/// A message in the log of a topic.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// The offset of the entry before it, by which a missing one is noticed.
    pub previous: u64,
    /// What is in it.
    pub content: Content,
}

/// What a publisher hands to a topic.
#[derive(Debug, Clone)]
pub struct Content {
    /// A number of its own, at random.
    pub id: u64,
    /// The subscription that does not get it; 0 for none.
    pub except: u64,
    /// The message. An entry without one only marks a place in a log.
    pub message: Option<Prepared>,
}

impl Content {
    /// Returns the part of its id that positions contain.
    pub fn check(&self) -> u32 {
        self.id as u32
    }
}
