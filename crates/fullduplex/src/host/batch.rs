use crate::rules::event::MessageEvent;

/// Messages that a host took with one call.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, in order. May be empty.
    pub messages: Vec<MessageEvent>,
    /// Whether more tasks wait behind them.
    pub rest: Rest,
}

/// Whether tasks wait behind a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rest {
    /// Unknown: the host must check again.
    #[default]
    Unknown,
    /// No task waits. The host is woken for the next one.
    Empty,
}
