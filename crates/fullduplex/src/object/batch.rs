use crate::rules::event::MessageEvent;

/// Messages that a host took at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, in order. There may be none.
    pub messages: Vec<MessageEvent>,
    /// What follows them.
    pub rest: Rest,
}

/// Whether tasks wait behind a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rest {
    /// Some may: the host has to look again.
    #[default]
    Unknown,
    /// None does: the host is woken for the next one.
    Empty,
}
