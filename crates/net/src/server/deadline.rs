use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::server::error::AcceptError;
use crate::time;

/// The deadline of an opening handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    limit: Duration,
    at: Instant,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self { limit, at: time::after(limit) }
    }

    /// Waits for `step` until the deadline.
    pub(crate) async fn limit<T>(&self, step: impl Future<Output = T>) -> Result<T, AcceptError> {
        timeout_at(self.at, step).await.map_err(|_| AcceptError::Timeout(self.limit))
    }
}
