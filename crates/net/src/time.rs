use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::server::accept::AcceptError;

/// The time that a client has for something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    limit: Duration,
    deadline: Instant,
}

impl Time {
    pub(crate) fn starting_now(limit: Duration) -> Self {
        Self { limit, deadline: after(limit) }
    }

    /// What comes of `opening` in time.
    pub(crate) async fn limit<T>(
        &self,
        opening: impl Future<Output = T>,
    ) -> Result<T, AcceptError> {
        timeout_at(self.deadline, opening).await.map_err(|_| AcceptError::Timeout(self.limit))
    }
}

/// The instant so long from now, or one that nobody lives to see.
pub(crate) fn after(duration: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + THIRTY_YEARS)
}
