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
    ///
    /// The step is boxed. Otherwise, the future of each caller would contain it twice, and the allocator is slower for
    /// large futures.
    pub(crate) fn limit<T>(
        &self,
        step: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, AcceptError>> {
        let (limit, step) = (self.limit, timeout_at(self.at, Box::pin(step)));
        async move { step.await.map_err(|_| AcceptError::Timeout(limit)) }
    }
}
