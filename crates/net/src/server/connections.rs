use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use fullduplex_proto::handshake::Rejection;
use http::StatusCode;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::server::accept::AcceptOptions;
use crate::server::counters::Counters;
use crate::server::counters::Counts;
use crate::server::guard::ConnectionGuard;
use crate::server::handshake::Terms;
use crate::server::network::Network;
use crate::server::timers::Registry;

/// What a server may choose. The default is for a server that anybody may reach.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// What holds for each connection.
    pub accept: AcceptOptions,
    /// The most connections at a time, those that shake hands among them; further ones are refused
    /// with 503. Default: 65,536.
    pub connections: usize,
    /// The most connections at a time from one address, or from one IPv6 network of 64 bits; further
    /// ones are refused with 429. Behind a proxy all come from one address: raise it there. Default:
    /// 4,096.
    pub connections_per_address: usize,
    /// How many bytes the unfinished messages of all connections may take together; one that would
    /// take more fails with 1013. Default: 1 GiB.
    pub unfinished_bytes: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            accept: AcceptOptions::default(),
            connections: 1 << 16,
            connections_per_address: 1 << 12,
            unfinished_bytes: 1 << 30,
        }
    }
}

/// The connections of a [`Server`](crate::server::Server), or of a service that upgrades requests: their number,
/// their end, and what they have done. Cloning it is cheap; all clones are the same.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Shared>);

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were closed in time, with everything sent that was queued.
    pub closed: usize,
    /// Connections that were cut off when the time was up.
    pub cut: usize,
}

impl Connections {
    /// Connections for a service that upgrades requests of an HTTP server. A
    /// [`Server`](crate::server::Server) makes its own.
    pub fn new(options: ServerOptions) -> Self {
        Self(Arc::new(Shared {
            terms: options.accept.clone().into(),
            options,
            registry: Arc::new(Registry::new()),
            timer: OnceLock::new(),
            phase: AtomicU8::new(Phase::Serving as u8),
            phase_changed: Notify::new(),
            empty: Notify::new(),
            open: AtomicUsize::new(0),
            per_address: Mutex::default(),
            held: AtomicUsize::new(0),
            counters: Counters::default(),
        }))
    }

    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        self.0.counters.read(self.0.open.load(Ordering::Relaxed))
    }

    /// Ends all connections, and takes no further ones.
    ///
    /// Each sends what is queued, and then a Close with 1001; it ends when its peer has answered and its
    /// handler has returned. Those that are left after `grace` are cut off, their handlers dropped.
    ///
    /// # Cancel safety
    /// Safe; call it again to wait for the end.
    pub async fn shutdown(&self, grace: Duration) -> Drained {
        let shared = &self.0;
        let before = shared.open.load(Ordering::SeqCst);
        shared.enter(Phase::Closing);
        timeout(grace, shared.until_empty()).await.ok();
        let cut = shared.open.load(Ordering::SeqCst);
        shared.enter(Phase::Cut);
        Drained { closed: before.saturating_sub(cut), cut }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

/// What the connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) terms: Terms,
    options: ServerOptions,
    pub(crate) registry: Arc<Registry>,
    /// The task that runs the registry, once there are connections.
    timer: OnceLock<AbortHandle>,
    phase: AtomicU8,
    phase_changed: Notify,
    empty: Notify,
    open: AtomicUsize,
    per_address: Mutex<HashMap<Network, usize>>,
    held: AtomicUsize,
    pub(crate) counters: Counters,
}

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving,
    /// They close, and no further ones are taken.
    Closing,
    /// They end at once.
    Cut,
}

impl Shared {
    /// Takes a connection from `address` in, if there is room.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<ConnectionGuard, Rejection> {
        self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        self.timer.get_or_init(|| {
            let registry = Arc::clone(&self.registry);
            tokio::spawn(async move { registry.run().await }).abort_handle()
        });
        let before = self.open.fetch_add(1, Ordering::SeqCst);
        // Whatever follows, it leaves when this is dropped.
        let mut member = ConnectionGuard::new(Arc::clone(self));
        if before >= self.options.connections {
            return Err(unavailable("all connections of this server are in use; try again later"));
        }
        if self.phase() != Phase::Serving {
            return Err(unavailable("this server is shutting down"));
        }
        if let Some(address) = address {
            member.count_for(address)?;
        }
        Ok(member)
    }

    /// Takes note of one more connection from `network`, if there is room.
    pub(crate) fn count(&self, network: Network) -> Result<(), Rejection> {
        let mut per_address = self.per_address();
        let count = per_address.entry(network).or_default();
        if *count >= self.options.connections_per_address {
            let reason = "too many connections from this address";
            return Err(Rejection::new(StatusCode::TOO_MANY_REQUESTS, reason));
        }
        *count += 1;
        Ok(())
    }

    /// Takes note that a connection from `network` is over.
    pub(crate) fn uncount(&self, network: Network) {
        let mut per_address = self.per_address();
        if let Some(count) = per_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&network);
            }
        }
    }

    /// Takes note that a connection is over.
    pub(crate) fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.empty.notify_waiters();
        }
    }

    /// Takes note that one connection keeps `after` bytes of unfinished messages instead of `before`;
    /// whether they are not too many.
    pub(crate) fn hold(&self, before: usize, after: usize) -> bool {
        if after < before {
            self.held.fetch_sub(before - after, Ordering::Relaxed);
            return true;
        }
        let sum = self.held.fetch_add(after - before, Ordering::Relaxed) + (after - before);
        sum <= self.options.unfinished_bytes
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Closing,
            _ => Phase::Cut,
        }
    }

    /// Goes on to `phase`, never back.
    fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.phase_changed.notify_waiters();
        self.registry.wake_all();
    }

    /// Waits until `phase` has come.
    pub(crate) async fn until(&self, phase: Phase) {
        loop {
            let changed = self.phase_changed.notified();
            if self.phase() >= phase {
                return;
            }
            changed.await;
        }
    }

    pub(crate) async fn until_empty(&self) {
        loop {
            let empty = self.empty.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            empty.await;
        }
    }

    /// No code of others runs under the lock, so it cannot be poisoned halfway.
    fn per_address(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.per_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.get() {
            timer.abort();
        }
    }
}

fn unavailable(reason: &str) -> Rejection {
    Rejection::new(StatusCode::SERVICE_UNAVAILABLE, reason)
}
