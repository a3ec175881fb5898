use std::time::Duration;

/// When to try again, and when no more.
///
/// A wait is drawn evenly between nothing and a bound ("full jitter"), the first one too: clients that
/// have lost their server at the same time do not come back at the same time. The bound is
/// [`base`](Self::base) after a connection that has stood, and doubles with each attempt up to
/// [`cap`](Self::cap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The bound of the first wait. Default: 1 second.
    pub base: Duration,
    /// The bound of every wait. Default: 30 seconds.
    pub cap: Duration,
    /// How long a connection must have stood for the waits to begin anew. One that is lost earlier is
    /// like an attempt that failed: a server that takes clients only to drop them is not besieged.
    /// Default: 5 seconds.
    pub min_uptime: Duration,
    /// How many attempts in a row may follow a loss, or a first attempt that failed; `None` for any number.
    /// Default: `None`.
    pub max_retries: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            min_uptime: Duration::from_secs(5),
            max_retries: None,
        }
    }
}

impl Backoff {
    /// The wait before the attempt of this number, from 0, where `chance` is evenly distributed.
    pub(super) fn wait(&self, retry: u32, chance: u32) -> Duration {
        let bound = self.base.saturating_mul(1 << retry.min(31)).min(self.cap);
        bound.mul_f64(f64::from(chance) / (f64::from(u32::MAX) + 1.0))
    }
}
