use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_proto::handshake::Rejection;
use http::StatusCode;
use tokio::time::timeout;

use crate::pool::counters::Counts;
use crate::pool::guard::ConnectionGuard;
use crate::pool::{NoPlaceError, Phase, Pool};
use crate::server::handshake::SharedOptions;
use crate::server::options::ServerOptions;

/// The connections of a [`Server`](crate::Server), or of a service that upgrades requests. This handle counts
/// the connections and shuts them down. Cloning is cheap; all clones refer to the same connections.
#[derive(Debug, Clone)]
pub struct Connections {
    pool: Arc<Pool>,
    shared_options: SharedOptions,
}

/// The result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were closed in time, after sending all queued messages.
    pub closed: usize,
    /// Connections that were cut off, and handlers that were dropped, when the grace period ended.
    pub cut: usize,
}

impl Connections {
    /// Creates the connections of a service that upgrades requests of an HTTP server. A [`Server`](crate::Server)
    /// creates its own.
    pub fn new(options: ServerOptions) -> Self {
        let pool = Arc::new(Pool::new(options.pool_limits()));
        Self { pool, shared_options: options.accept.into() }
    }

    /// Returns the current counts.
    pub fn counts(&self) -> Counts {
        self.pool.counts()
    }

    /// Closes all connections, and refuses new ones.
    ///
    /// Each connection sends its queued messages, and then a Close with 1001. It ends when its peer has answered and
    /// its handler has returned. After `grace`, the remaining connections are cut off and their handlers are dropped.
    ///
    /// # Cancel safety
    /// Safe: call it again to continue.
    pub async fn shutdown(&self, grace: Duration) -> Drained {
        let before = self.pool.guards();
        self.pool.enter(Phase::Closing);
        timeout(grace, self.pool.until_empty()).await.ok();
        let cut = self.pool.guards();
        self.pool.enter(Phase::Cut);
        Drained { closed: before.saturating_sub(cut), cut }
    }

    /// Reserves a place for a connection from `address`, if a place is free.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<ConnectionGuard, Rejection> {
        self.pool.admit(address).map_err(rejection)
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub(crate) fn shared_options(&self) -> &SharedOptions {
        &self.shared_options
    }
}

/// Returns the response for a client that gets no place.
pub(crate) fn rejection(error: NoPlaceError) -> Rejection {
    let (status, reason) = match error {
        NoPlaceError::ServerFull => (
            StatusCode::SERVICE_UNAVAILABLE,
            "all connections of this server are in use; try again later",
        ),
        NoPlaceError::ShuttingDown => {
            (StatusCode::SERVICE_UNAVAILABLE, "this server is shutting down; try again later")
        }
        NoPlaceError::AddressFull => {
            (StatusCode::TOO_MANY_REQUESTS, "too many connections from this address")
        }
    };
    Rejection::new(status, reason)
}
