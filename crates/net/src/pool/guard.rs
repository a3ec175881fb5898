use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use tokio::time::Instant;

use crate::pool::budget::Budget;
use crate::pool::network::Network;
use crate::pool::timers::Tick;
use crate::pool::{NoPlaceError, Phase, Pool};

/// One connection of a server, from `accept` until its handler has ended.
///
/// It holds a place and a timer. [`release_place`](Self::release_place) releases the place when the
/// connection ends. The timer exists until the guard is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    pool: Arc<Pool>,
    network: Option<Network>,
    alarm: Option<Tick>,
    key: u32,
    /// The bytes that the connection holds, as the budget counts them.
    held: u32,
    has_place: bool,
}

impl Pool {
    /// Reserves a place for a connection from `address`, if a place is free.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<ConnectionGuard, NoPlaceError> {
        self.counters.count_accepted();
        self.timer_task.get_or_init(|| {
            let timers = Arc::clone(&self.timers);
            tokio::spawn(async move { timers.run().await }).abort_handle()
        });
        let before = self.open.fetch_add(1, Ordering::SeqCst);
        self.guards.fetch_add(1, Ordering::SeqCst);
        // If this function returns early, dropping the guard releases the place.
        let mut guard = ConnectionGuard::new(Arc::clone(self));
        if before >= self.limits.connections {
            return Err(NoPlaceError::ServerFull);
        }
        if self.phase() != Phase::Serving {
            return Err(NoPlaceError::ShuttingDown);
        }
        if let Some(address) = address {
            guard.count_for(address)?;
        }
        Ok(guard)
    }
}

impl ConnectionGuard {
    /// Creates the guard of a place that the pool has already counted.
    fn new(pool: Arc<Pool>) -> Self {
        let key = pool.timers.add();
        Self { pool, network: None, alarm: None, key, held: 0, has_place: true }
    }

    /// Counts the connection for `address` instead of its previous address.
    pub(crate) fn count_for(&mut self, address: IpAddr) -> Result<(), NoPlaceError> {
        self.uncount();
        let network = Network::from(address);
        self.pool.count(network)?;
        self.network = Some(network);
        Ok(())
    }

    fn uncount(&mut self) {
        if let Some(network) = self.network.take() {
            self.pool.uncount(network);
        }
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Sets the waker of the task that drives the connection.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        self.pool.timers.set_waker(self.key, waker);
    }

    /// Wakes the task at `at`, or earlier.
    pub(crate) fn set_alarm(&mut self, at: Instant, now: Instant) {
        let timers = &self.pool.timers;
        let tick = timers.tick(at);
        // An alarm that is set for an earlier time is kept. One early wake costs less than setting the alarm
        // again.
        let set = self.alarm.filter(|set| *set > timers.tick_before(now));
        if set.is_none_or(|set| tick < set) {
            timers.set_alarm(self.key, tick);
            self.alarm = Some(tick);
        }
    }

    /// Returns whether an alarm is set that has not fired.
    pub(crate) fn alarm_is_set(&self) -> bool {
        self.alarm.is_some_and(|tick| !self.pool.timers.has_fired(tick))
    }

    /// Sets how many bytes the connection holds. Returns false if the connections of the server exceed the budget and
    /// this one was evicted.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let bytes = Budget::tracked(bytes).try_into().unwrap_or(u32::MAX);
        if bytes == self.held && (bytes == 0 || !self.pool.budget.is_evicting()) {
            return true;
        }
        let verdict = self.pool.budget.hold(self.key, self.network, bytes as usize);
        self.held = if verdict.is_evicted { 0 } else { bytes };
        verdict.others.into_iter().for_each(|key| self.pool.timers.wake(key));
        !verdict.is_evicted
    }

    /// Reserves `bytes` more, if the budget has room for them.
    pub(crate) fn try_hold_more(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes.try_into().unwrap_or(u32::MAX));
        let fits = self.pool.budget.try_hold(self.key, self.network, held as usize);
        if fits {
            self.held = held;
        }
        fits
    }

    /// Releases the place. Returns false if it was released before.
    pub(crate) fn release_place(&mut self) -> bool {
        let had_place = std::mem::take(&mut self.has_place);
        if had_place {
            self.hold(0);
            self.uncount();
            self.pool.open.fetch_sub(1, Ordering::SeqCst);
        }
        had_place
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.release_place();
        self.pool.timers.remove(self.key, self.alarm);
        self.pool.drop_guard();
    }
}
