use std::future::Future;
use std::time::Duration;

use fullduplex_proto::Url;
use tokio::time::{Instant, timeout_at};

use crate::client::error::{ConnectError, ConnectPhase};
use crate::http1::host_and_port;
use crate::time;

/// A time limit of one phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    phase: ConnectPhase,
    limit: Duration,
    pub(super) at: Instant,
}

impl Deadline {
    pub(super) fn starting_now(phase: ConnectPhase, limit: Duration) -> Self {
        Self { phase, limit, at: time::after(limit) }
    }

    /// Waits for `future` until the deadline.
    pub(super) async fn limit<T>(
        self,
        url: &Url,
        future: impl Future<Output = T>,
    ) -> Result<T, ConnectError> {
        timeout_at(self.at, future).await.map_err(|_| ConnectError::Timeout {
            phase: self.phase,
            authority: host_and_port(url.host(), url.port()),
            limit: self.limit,
            failures: Vec::new(),
        })
    }
}
