use std::time::Duration;

const MAX_SIZE: usize = 1_000_000;
const MAX_AGE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The limits for the messages of a topic that are kept for clients that reconnect (HUB-3).
///
/// The oldest messages are dropped if there are too many messages, or if they are too old. A position is valid while
/// the message at that position is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct History {
    pub(crate) size: usize,
    pub(crate) age: Duration,
}

impl History {
    /// Returns a history that keeps the newest `size` messages for `age`. The age is rounded up to whole seconds. The
    /// size is limited to a range from one message to a million, and the age to a range from a second to ten years.
    pub fn new(size: usize, age: Duration) -> Self {
        let age = age.clamp(Duration::from_secs(1), MAX_AGE);
        let seconds = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        Self { size: size.clamp(1, MAX_SIZE), age: Duration::from_secs(seconds) }
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
    /// Returns a history of 256 messages for five minutes.
    fn default() -> Self {
        Self::new(256, Duration::from_secs(300))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_limited() {
        let least = History::new(0, Duration::ZERO);
        assert_eq!((least.size(), least.age()), (1, Duration::from_secs(1)));
        let most = History::new(usize::MAX, Duration::MAX);
        assert_eq!((most.size(), most.age()), (MAX_SIZE, MAX_AGE));
        assert_eq!(History::new(5, Duration::from_millis(1500)).age(), Duration::from_secs(2));
    }
}
