use std::net::IpAddr;
use std::sync::Arc;

use fullduplex_proto::handshake::Rejection;
use tokio::time::Instant;

use crate::server::connections::Shared;
use crate::server::network::Network;
use crate::server::timers::{Registry, Tick};

/// The place of one connection among those of a server, from when it is accepted until it is over.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    server: Arc<Shared>,
    network: Option<Network>,
    alarm: Option<Tick>,
    key: u32,
    /// How many bytes its unfinished messages keep.
    held: u32,
}

impl ConnectionGuard {
    /// A place that was counted already.
    pub(crate) fn new(server: Arc<Shared>) -> Self {
        let key = server.registry.add();
        Self { server, network: None, alarm: None, key, held: 0 }
    }

    /// Counts it among those of `address` from now on, and no other, if there is room.
    pub(crate) fn count_for(&mut self, address: IpAddr) -> Result<(), Rejection> {
        self.uncount();
        let network = Network::from(address);
        self.server.count(network)?;
        self.network = Some(network);
        Ok(())
    }

    fn uncount(&mut self) {
        if let Some(network) = self.network.take() {
            self.server.uncount(network);
        }
    }

    pub(crate) fn server(&self) -> &Arc<Shared> {
        &self.server
    }

    /// Names the task that is to be woken.
    pub(crate) fn set_waker(&self, waker: &std::task::Waker) {
        self.server.registry.set_waker(self.key, waker);
    }

    /// Wakes the task at `at`, or earlier.
    pub(crate) fn set_alarm(&mut self, at: Instant, now: Instant) {
        let registry: &Registry = &self.server.registry;
        let tick = registry.tick(at);
        // An alarm that is set earlier costs one look at the time; moving it would cost more.
        let set = self.alarm.filter(|set| *set > registry.tick_before(now));
        if set.is_none_or(|set| tick < set) {
            registry.set_alarm(self.key, tick);
            self.alarm = Some(tick);
        }
    }

    /// Whether the task will be woken by an alarm that it has set.
    pub(crate) fn alarm_is_set(&self) -> bool {
        self.alarm.is_some_and(|tick| !self.server.registry.has_rung(tick))
    }

    /// Takes note of what unfinished messages keep; whether the server has room for it.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let bytes = bytes.try_into().unwrap_or(u32::MAX);
        if bytes == self.held {
            return true;
        }
        let before = std::mem::replace(&mut self.held, bytes);
        self.server.hold(before as usize, bytes as usize)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.hold(0);
        self.server.registry.remove(self.key, self.alarm);
        self.uncount();
        self.server.leave();
    }
}
