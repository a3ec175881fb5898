use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pool::network::Network;

/// A connection that holds fewer bytes is not tracked.
const TRACKED_FROM: usize = 4 << 10;

/// The memory that the connections of a server may hold. There is a limit for all connections together, and a
/// limit for the connections of one address (FS-06, FS-07).
///
/// If an address exceeds its limit, its largest connection is evicted. If the sum exceeds the limit, the address that
/// holds the most is chosen, and its largest connection is evicted. So no address can use up the budget of the others.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: BudgetLimits,
    holders: Mutex<Holders>,
    /// The number of evicted holders that have not noticed their eviction yet.
    evicting: AtomicUsize,
}

/// The limits of a [`Budget`], in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetLimits {
    pub(crate) total: usize,
    pub(crate) per_address: usize,
}

#[derive(Debug, Default)]
struct Holders {
    by_key: HashMap<u32, Holder>,
    /// The bytes of each address, without evicted holders.
    by_network: HashMap<Network, usize>,
    /// The bytes of all holders, without evicted ones.
    sum: usize,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    bytes: usize,
    network: Option<Network>,
    is_evicted: bool,
}

/// What a connection must do after its memory has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub(crate) struct Verdict {
    /// The connection was evicted and must free its memory.
    pub(crate) is_evicted: bool,
    /// Other connections that were evicted. The caller must wake their tasks.
    pub(crate) others: Vec<u32>,
}

impl Budget {
    pub(crate) fn new(limits: BudgetLimits) -> Self {
        Self { limits, holders: Mutex::default(), evicting: AtomicUsize::new(0) }
    }

    /// Rounds the bytes of a connection to the tracked value.
    pub(crate) fn tracked(bytes: usize) -> usize {
        if bytes < TRACKED_FROM { 0 } else { bytes }
    }

    /// Returns whether there may be an evicted connection that has not noticed its eviction yet.
    pub(crate) fn is_evicting(&self) -> bool {
        self.evicting.load(Ordering::Relaxed) > 0
    }

    /// Returns the bytes that all connections hold.
    pub(crate) fn held(&self) -> usize {
        self.holders().sum
    }

    /// Sets the bytes that a connection holds.
    pub(crate) fn hold(&self, key: u32, network: Option<Network>, bytes: usize) -> Verdict {
        let mut holders = self.holders();
        if holders.remove(key) {
            self.evicting.fetch_sub(1, Ordering::Relaxed);
            return Verdict { is_evicted: bytes > 0, others: Vec::new() };
        }
        let mut verdict = Verdict::default();
        if bytes == 0 {
            return verdict;
        }
        holders.add(key, network, bytes);
        while let Some(victim) = holders.victim(self.limits, network) {
            if victim == key {
                holders.remove(key);
                verdict.is_evicted = true;
            } else {
                holders.evict(victim);
                verdict.others.push(victim);
            }
        }
        self.evicting.fetch_add(verdict.others.len(), Ordering::Relaxed);
        verdict
    }

    /// Sets the bytes that a connection holds, unless that would evict a connection.
    pub(crate) fn try_hold(&self, key: u32, network: Option<Network>, bytes: usize) -> bool {
        let mut holders = self.holders();
        let before = holders.by_key.get(&key).copied();
        if before.is_some_and(|before| before.is_evicted) {
            return false;
        }
        holders.remove(key);
        holders.add(key, network, bytes);
        let fits = !holders.is_over(self.limits, network);
        if !fits {
            holders.remove(key);
            if let Some(before) = before {
                holders.add(key, network, before.bytes);
            }
        }
        fits
    }

    /// Locks the holders. No foreign code runs under the lock, so poisoning is ignored.
    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    fn add(&mut self, key: u32, network: Option<Network>, bytes: usize) {
        self.by_key.insert(key, Holder { bytes, network, is_evicted: false });
        self.sum += bytes;
        if let Some(network) = network {
            *self.by_network.entry(network).or_default() += bytes;
        }
    }

    /// Removes a holder. Returns whether it was evicted.
    fn remove(&mut self, key: u32) -> bool {
        let Some(holder) = self.by_key.remove(&key) else { return false };
        if !holder.is_evicted {
            self.subtract(holder);
        }
        holder.is_evicted
    }

    fn evict(&mut self, key: u32) {
        if let Some(holder) = self.by_key.get_mut(&key) {
            holder.is_evicted = true;
            let holder = *holder;
            self.subtract(holder);
        }
    }

    fn subtract(&mut self, holder: Holder) {
        self.sum -= holder.bytes;
        if let Some(network) = holder.network
            && let Entry::Occupied(mut sum) = self.by_network.entry(network)
        {
            *sum.get_mut() -= holder.bytes;
            if *sum.get() == 0 {
                sum.remove();
            }
        }
    }

    fn of(&self, network: Option<Network>) -> usize {
        network.and_then(|network| self.by_network.get(&network)).copied().unwrap_or_default()
    }

    /// Returns whether all connections together, or those of one address, exceed their limit.
    fn is_over(&self, limits: BudgetLimits, network: Option<Network>) -> bool {
        self.sum > limits.total || self.of(network) > limits.per_address
    }

    /// Returns the connection to evict after one of `network` has grown. A connection without an address
    /// counts like the only connection of an address.
    fn victim(&self, limits: BudgetLimits, network: Option<Network>) -> Option<u32> {
        let staying = self.by_key.iter().filter(|(_, holder)| !holder.is_evicted);
        let victim = if self.of(network) > limits.per_address {
            staying.filter(|(_, holder)| holder.network == network).max_by_key(|(_, h)| h.bytes)
        } else if self.sum > limits.total {
            let weight = |holder: &Holder| match holder.network {
                Some(_) => self.of(holder.network),
                None => holder.bytes,
            };
            staying.max_by_key(|(_, holder)| (weight(holder), holder.bytes))
        } else {
            None
        };
        victim.map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn network(last: u8) -> Option<Network> {
        Some(Network::from(IpAddr::from(Ipv4Addr::new(192, 0, 2, last))))
    }

    fn budget(total: usize, per_address: usize) -> Budget {
        Budget::new(BudgetLimits { total, per_address })
    }

    fn kept() -> Verdict {
        Verdict::default()
    }

    fn evicted() -> Verdict {
        Verdict { is_evicted: true, others: Vec::new() }
    }

    fn others(others: impl Into<Vec<u32>>) -> Verdict {
        Verdict { is_evicted: false, others: others.into() }
    }

    /// FS-06
    #[test]
    fn the_largest_holder_of_the_largest_address_is_evicted() {
        let budget = budget(1_000_000, 1_000_000);
        for key in 0..9 {
            assert_eq!(budget.hold(key, network(1), 100_000 + key as usize), kept());
        }
        // A small client pushes the sum over the limit.
        assert_eq!(budget.hold(100, network(2), 140_000), others([8]));
        assert!(budget.is_evicting());
        assert_eq!(budget.hold(100, network(2), 150_000), kept());
        assert_eq!(budget.hold(8, network(1), 100_008), evicted());
        assert!(!budget.is_evicting());
        // A connection of the largest address is evicted itself.
        assert_eq!(budget.hold(9, network(1), 300_000), evicted());
        assert_eq!(budget.hold(100, network(2), 160_000), kept());
    }

    /// FS-06: one address can use only its own share.
    #[test]
    fn an_address_over_its_limit_evicts_its_own_connection() {
        let budget = budget(1_000_000, 400_000);
        assert_eq!(budget.hold(1, network(1), 300_000), kept());
        assert_eq!(budget.hold(9, network(2), 390_000), kept());
        assert_eq!(budget.hold(2, network(1), 90_000), kept());
        assert_eq!(budget.hold(3, network(1), 90_000), others([1]));
        assert_eq!(budget.hold(4, network(1), 500_000), evicted());
        // Connections without an address share no limit.
        assert_eq!(budget.hold(5, None, 300_000), kept());
        assert_eq!(budget.held(), 870_000);
    }

    #[test]
    fn connections_are_evicted_until_the_limit_holds() {
        let budget = budget(1_000_000, 1_000_000);
        for key in 0..9 {
            assert_eq!(budget.hold(key, network(1), 100_000), kept());
        }
        let Verdict { is_evicted, others } = budget.hold(20, network(2), 350_000);
        assert_eq!((is_evicted, others.len()), (false, 3));
        assert_eq!(budget.held(), 950_000);
    }

    /// FS-07
    #[test]
    fn allocating_a_context_evicts_no_connection() {
        let budget = budget(1_000_000, 600_000);
        assert!(budget.try_hold(1, network(1), 500_000));
        assert!(!budget.try_hold(2, network(1), 200_000));
        assert!(!budget.try_hold(1, network(1), 700_000));
        assert!(budget.try_hold(3, network(2), 500_000));
        assert!(!budget.try_hold(4, network(3), 1));
        assert_eq!(budget.held(), 1_000_000);
        assert!(!budget.is_evicting());
    }

    #[test]
    fn released_memory_can_be_used_again() {
        let budget = budget(100_000, 100_000);
        for _ in 0..10 {
            assert_eq!(budget.hold(1, None, 90_000), kept());
            assert_eq!(budget.hold(1, None, 0), kept());
        }
        assert_eq!(budget.hold(1, None, 90_000), kept());
        assert_eq!(budget.hold(2, None, 20_000), others([1]));
        assert_eq!(budget.hold(1, None, 0), kept());
        assert!(!budget.is_evicting());
    }
}
