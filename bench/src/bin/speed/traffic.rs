use std::time::Duration;

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    /// All bytes of them, headers included.
    pub(crate) bytes: u64,
    /// How long the other end had nothing to do, and looked for it all the same.
    pub(crate) waited: Duration,
    /// How long each burst took.
    pub(crate) round_trips: Vec<Duration>,
}
