use std::time::Duration;

/// How long to wait before each attempt, and how many attempts to make.
///
/// Each wait is random, evenly distributed between zero and a bound ("full jitter"), so that
/// clients that lost their server at the same time do not reconnect at the same time. The bound is
/// [`base`](Self::base) for the first wait and doubles with each attempt, up to [`cap`](Self::cap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The bound of the first wait. Default: 1 second.
    pub base: Duration,
    /// The largest bound. Default: 30 seconds.
    pub cap: Duration,
    /// How long a connection must stay open to reset the waits. A shorter connection counts as a failed
    /// attempt, so that clients do not flood a server that accepts and drops them. Default: 5 seconds.
    pub min_uptime: Duration,
    /// The number of attempts in a row after a loss or a failed first attempt. `None`, the default,
    /// means no limit.
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
    /// Returns the wait before attempt number `retry`, counted from 0. `chance` is a random number.
    pub(super) fn wait(&self, retry: u32, chance: u32) -> Duration {
        let bound = self.base.saturating_mul(1 << retry.min(31)).min(self.cap);
        bound.mul_f64(f64::from(chance) / (f64::from(u32::MAX) + 1.0))
    }
}
