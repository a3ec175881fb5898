use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pool::network::Network;

/// A connection that holds less is not tracked.
const TRACKED_FROM: usize = 4 << 10;

/// The memory that the connections of a server may hold together (FS-06, FS-07).
///
/// Over the limit, the largest holder of the address that holds the most is evicted: no address can use up the
/// budget of the others.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    holders: Mutex<Holders>,
    /// How many holders are evicted and do not know yet.
    evicting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Holders {
    by_key: HashMap<u32, Holder>,
    /// What the holders that are not evicted hold.
    sum: usize,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    bytes: usize,
    network: Option<Network>,
    is_evicted: bool,
}

/// What a connection has to do after its memory has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// It is evicted.
    Evicted,
    /// Another connection is evicted, and its task is to be woken.
    Wake(u32),
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, holders: Mutex::default(), evicting: AtomicUsize::new(0) }
    }

    /// Rounds what a connection holds to what is tracked.
    pub(crate) fn tracked(bytes: usize) -> usize {
        if bytes < TRACKED_FROM { 0 } else { bytes }
    }

    /// Whether a connection may have been evicted without knowing.
    pub(crate) fn is_evicting(&self) -> bool {
        self.evicting.load(Ordering::Relaxed) > 0
    }

    /// Sets what a connection holds.
    pub(crate) fn hold(&self, key: u32, network: Option<Network>, bytes: usize) -> Verdict {
        let mut holders = self.holders();
        let before = holders.by_key.remove(&key);
        match before {
            Some(before) if before.is_evicted => {
                self.evicting.fetch_sub(1, Ordering::Relaxed);
                return if bytes == 0 { Verdict::Keep } else { Verdict::Evicted };
            }
            Some(before) => holders.sum -= before.bytes,
            None => {}
        }
        if bytes == 0 {
            return Verdict::Keep;
        }
        holders.by_key.insert(key, Holder { bytes, network, is_evicted: false });
        holders.sum += bytes;
        if holders.sum <= self.limit {
            return Verdict::Keep;
        }
        let victim = holders.victim().unwrap_or(key);
        if victim == key {
            holders.by_key.remove(&key);
            holders.sum -= bytes;
            return Verdict::Evicted;
        }
        if let Some(holder) = holders.by_key.get_mut(&victim) {
            holder.is_evicted = true;
            let bytes = holder.bytes;
            holders.sum -= bytes;
            self.evicting.fetch_add(1, Ordering::Relaxed);
        }
        Verdict::Wake(victim)
    }

    /// No foreign code runs under the lock, so poisoning means nothing.
    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    /// Returns the largest holder of the address that holds the most. A connection without an address counts as
    /// one of its own.
    fn victim(&self) -> Option<u32> {
        let mut by_network: HashMap<Option<Network>, usize> = HashMap::new();
        let staying = || self.by_key.iter().filter(|(_, holder)| !holder.is_evicted);
        for (_, holder) in staying().filter(|(_, holder)| holder.network.is_some()) {
            *by_network.entry(holder.network).or_default() += holder.bytes;
        }
        let weight = |holder: &Holder| match holder.network {
            Some(_) => by_network.get(&holder.network).copied().unwrap_or_default(),
            None => holder.bytes,
        };
        staying().max_by_key(|(_, holder)| (weight(holder), holder.bytes)).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn network(last: u8) -> Option<Network> {
        Some(Network::from(IpAddr::from(Ipv4Addr::new(192, 0, 2, last))))
    }

    // FS-06
    #[test]
    fn the_largest_holder_of_the_largest_address_is_evicted() {
        let budget = Budget::new(1_000_000);
        for key in 0..9 {
            assert_eq!(budget.hold(key, network(1), 100_000 + key as usize), Verdict::Keep);
        }
        // An innocent client pushes the sum over the limit.
        assert_eq!(budget.hold(100, network(2), 140_000), Verdict::Wake(8));
        assert!(budget.is_evicting());
        assert_eq!(budget.hold(100, network(2), 150_000), Verdict::Keep);
        assert_eq!(budget.hold(8, network(1), 100_008), Verdict::Evicted);
        assert!(!budget.is_evicting());
        // One of the largest address pays itself.
        assert_eq!(budget.hold(9, network(1), 300_000), Verdict::Evicted);
        assert_eq!(budget.hold(100, network(2), 160_000), Verdict::Keep);
    }

    #[test]
    fn what_is_given_back_can_be_used_again() {
        let budget = Budget::new(100_000);
        for _ in 0..10 {
            assert_eq!(budget.hold(1, None, 90_000), Verdict::Keep);
            assert_eq!(budget.hold(1, None, 0), Verdict::Keep);
        }
        assert_eq!(budget.hold(1, None, 90_000), Verdict::Keep);
        assert_eq!(budget.hold(2, None, 20_000), Verdict::Wake(1));
        assert_eq!(budget.hold(1, None, 0), Verdict::Keep);
        assert!(!budget.is_evicting());
    }
}
