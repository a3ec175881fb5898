//! What the connections of a server share: places, timers, counters, and the phase of the server.
//! It does not depend on sockets or handlers.

pub(crate) mod budget;
pub(crate) mod counters;
pub(crate) mod delta;
pub(crate) mod guard;
pub(crate) mod network;
pub(crate) mod timers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::pool::budget::{Budget, BudgetLimits};
use crate::pool::counters::{Counters, Counts};
use crate::pool::network::Network;
use crate::pool::timers::Timers;

/// The limits of a [`Pool`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) memory: BudgetLimits,
    pub(crate) handler_grace: Duration,
}

/// The state that all connections of a server share.
#[derive(Debug)]
pub(crate) struct Pool {
    limits: PoolLimits,
    timers: Arc<Timers>,
    /// The task that runs the timers, from the first connection on.
    timer_task: OnceLock<AbortHandle>,
    phase: AtomicU8,
    phase_changed: Notify,
    /// Connections that occupy a place.
    open: AtomicUsize,
    /// The number of guards: those of connections, and those of handlers that run after the end of their
    /// connection.
    guards: AtomicUsize,
    /// Notified when the last guard is dropped.
    empty: Notify,
    per_address: Mutex<HashMap<Network, usize>>,
    budget: Budget,
    pub(crate) counters: Counters,
}

/// The phases of a server, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving,
    /// Connections close, and new ones are refused.
    Closing,
    /// Connections end at once.
    Cut,
}

/// The reason why a connection got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlaceError {
    ServerFull,
    AddressFull,
    ShuttingDown,
}

impl Pool {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            timers: Arc::new(Timers::new()),
            timer_task: OnceLock::new(),
            phase: AtomicU8::new(Phase::Serving as u8),
            phase_changed: Notify::new(),
            open: AtomicUsize::new(0),
            guards: AtomicUsize::new(0),
            empty: Notify::new(),
            per_address: Mutex::default(),
            budget: Budget::new(limits.memory),
            counters: Counters::default(),
        }
    }

    /// Counts a connection for `network`, unless its limit is reached.
    fn count(&self, network: Network) -> Result<(), NoPlaceError> {
        let mut per_address = self.per_address();
        let count = per_address.entry(network).or_default();
        if *count >= self.limits.connections_per_address {
            return Err(NoPlaceError::AddressFull);
        }
        *count += 1;
        Ok(())
    }

    fn uncount(&self, network: Network) {
        let mut per_address = self.per_address();
        if let Some(count) = per_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&network);
            }
        }
    }

    fn drop_guard(&self) {
        if self.guards.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.empty.notify_waiters();
        }
    }

    /// Returns the number of guards: those of connections, and those of handlers that run after the end of
    /// their connection.
    pub(crate) fn guards(&self) -> usize {
        self.guards.load(Ordering::SeqCst)
    }

    /// Returns how long a handler may run after its connection has ended.
    pub(crate) fn handler_grace(&self) -> Duration {
        self.limits.handler_grace
    }

    /// Returns the counters' values.
    pub(crate) fn counts(&self) -> Counts {
        self.counters.read(self.open.load(Ordering::Relaxed), self.budget.held())
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Closing,
            _ => Phase::Cut,
        }
    }

    /// Enters `phase`, unless a later one was entered before, and wakes all connections.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.phase_changed.notify_waiters();
        self.timers.wake_all();
    }

    /// Waits until `phase` was entered.
    pub(crate) async fn until(&self, phase: Phase) {
        loop {
            let changed = self.phase_changed.notified();
            if self.phase() >= phase {
                return;
            }
            changed.await;
        }
    }

    /// Waits until there are no guards.
    pub(crate) async fn until_empty(&self) {
        loop {
            let empty = self.empty.notified();
            if self.guards() == 0 {
                return;
            }
            empty.await;
        }
    }

    /// Locks the counts of the addresses. No foreign code runs under the lock, so poisoning is ignored.
    fn per_address(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.per_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(task) = self.timer_task.get() {
            task.abort();
        }
    }
}
