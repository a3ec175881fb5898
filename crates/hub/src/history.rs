use std::time::Duration;

/// How much of a topic is kept for those who come back (HUB-3).
///
/// The oldest messages go first, by number and by age. A position can be recovered from while the message at
/// that position is still kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct History {
    pub(crate) size: usize,
    pub(crate) age: Duration,
}

impl History {
    /// Keeps the newest `size` messages for `age`. Both are rounded up: to one message and to whole seconds.
    pub fn new(size: usize, age: Duration) -> Self {
        let seconds = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        Self { size: size.max(1), age: Duration::from_secs(seconds.max(1)) }
    }

    /// Returns how many messages are kept.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns for how long a message is kept.
    pub fn age(&self) -> Duration {
        self.age
    }
}

impl Default for History {
    /// 256 messages for five minutes.
    fn default() -> Self {
        Self::new(256, Duration::from_secs(300))
    }
}
