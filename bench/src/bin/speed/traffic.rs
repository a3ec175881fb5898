use std::time::Duration;

/// The replies that were received.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    /// The total number of bytes of the replies, including headers.
    pub(crate) bytes: u64,
    /// How long the other end had nothing to do. That end polls during this time.
    pub(crate) waited: Duration,
    /// The time of each burst.
    pub(crate) round_trips: Vec<Duration>,
}
