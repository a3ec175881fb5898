use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
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

/// The connections that hold memory. They are sorted, so that an attacker who causes evictions costs a server with
/// many connections little time under the lock.
#[derive(Debug, Default)]
struct Holders {
    by_key: HashMap<u32, Holder>,
    /// The holders of each account, without evicted ones.
    accounts: HashMap<Account, Holdings>,
    /// The accounts, sorted by the bytes that their holders hold together.
    largest: BTreeSet<(usize, Account)>,
    /// The bytes of all holders, without evicted ones.
    sum: usize,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    bytes: usize,
    account: Account,
    is_evicted: bool,
}

/// Who uses the memory of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Account {
    Address(Network),
    /// A connection without an address. It shares no limit with another connection.
    Connection(u32),
}

/// The memory of one account.
#[derive(Debug, Default)]
struct Holdings {
    bytes: usize,
    /// The bytes and the key of each holder.
    holders: BTreeSet<(usize, u32)>,
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
        let account = Account::new(key, network);
        let mut holders = self.holders();
        if holders.remove(key) {
            self.evicting.fetch_sub(1, Ordering::Relaxed);
            return Verdict { is_evicted: bytes > 0, others: Vec::new() };
        }
        let mut verdict = Verdict::default();
        if bytes == 0 {
            return verdict;
        }
        holders.add(key, account, bytes);
        while let Some(victim) = holders.victim(self.limits, account) {
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
        let account = Account::new(key, network);
        let mut holders = self.holders();
        let before = holders.by_key.get(&key).copied();
        if before.is_some_and(|before| before.is_evicted) {
            return false;
        }
        holders.remove(key);
        holders.add(key, account, bytes);
        let fits = !holders.is_over(self.limits, account);
        if !fits {
            holders.remove(key);
            if let Some(before) = before {
                holders.add(key, account, before.bytes);
            }
        }
        fits
    }

    /// Locks the holders. No foreign code runs under the lock, so poisoning is ignored.
    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn new(key: u32, network: Option<Network>) -> Self {
        network.map_or(Self::Connection(key), Self::Address)
    }
}

impl Holders {
    fn add(&mut self, key: u32, account: Account, bytes: usize) {
        self.by_key.insert(key, Holder { bytes, account, is_evicted: false });
        self.sum += bytes;
        let holdings = self.accounts.entry(account).or_default();
        self.largest.remove(&(holdings.bytes, account));
        holdings.bytes += bytes;
        holdings.holders.insert((bytes, key));
        self.largest.insert((holdings.bytes, account));
    }

    /// Removes a holder. Returns whether it was evicted.
    fn remove(&mut self, key: u32) -> bool {
        let Some(holder) = self.by_key.remove(&key) else { return false };
        if !holder.is_evicted {
            self.subtract(key, holder);
        }
        holder.is_evicted
    }

    fn evict(&mut self, key: u32) {
        if let Some(holder) = self.by_key.get_mut(&key) {
            holder.is_evicted = true;
            let holder = *holder;
            self.subtract(key, holder);
        }
    }

    fn subtract(&mut self, key: u32, Holder { bytes, account, .. }: Holder) {
        self.sum -= bytes;
        if let Entry::Occupied(mut entry) = self.accounts.entry(account) {
            let holdings = entry.get_mut();
            self.largest.remove(&(holdings.bytes, account));
            holdings.bytes -= bytes;
            holdings.holders.remove(&(bytes, key));
            if holdings.holders.is_empty() {
                entry.remove();
            } else {
                self.largest.insert((holdings.bytes, account));
            }
        }
    }

    /// Returns whether all connections together exceed their limit, or those of one address exceed theirs.
    fn is_over(&self, limits: BudgetLimits, account: Account) -> bool {
        self.sum > limits.total || self.address_is_over(limits, account)
    }

    fn address_is_over(&self, limits: BudgetLimits, account: Account) -> bool {
        matches!(account, Account::Address(_))
            && self.accounts.get(&account).is_some_and(|held| held.bytes > limits.per_address)
    }

    /// Returns the connection to evict after one of `account` has grown.
    fn victim(&self, limits: BudgetLimits, account: Account) -> Option<u32> {
        let account = if self.address_is_over(limits, account) {
            account
        } else if self.sum > limits.total {
            self.largest.last()?.1
        } else {
            return None;
        };
        Some(self.accounts.get(&account)?.holders.last()?.1)
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

    /// The same rules in linear time: a list of connections that is searched for each eviction.
    #[derive(Default)]
    struct Model(Vec<(u32, Account, usize)>);

    impl Model {
        fn bytes_of(&self, account: Account) -> usize {
            self.0.iter().filter(|held| held.1 == account).map(|held| held.2).sum()
        }

        fn hold(&mut self, limits: BudgetLimits, key: u32, account: Account, bytes: usize) {
            self.0.retain(|held| held.0 != key);
            self.0.push((key, account, bytes));
            loop {
                let is_address = matches!(account, Account::Address(_));
                let chosen = if is_address && self.bytes_of(account) > limits.per_address {
                    account
                } else if self.0.iter().map(|held| held.2).sum::<usize>() > limits.total {
                    let accounts = self.0.iter().map(|held| held.1);
                    accounts.max_by_key(|account| (self.bytes_of(*account), *account)).unwrap()
                } else {
                    return;
                };
                let of_chosen = self.0.iter().filter(|held| held.1 == chosen);
                let largest = of_chosen.max_by_key(|held| (held.2, held.0)).unwrap().0;
                self.0.retain(|held| held.0 != largest);
            }
        }
    }

    /// FS-06
    #[test]
    fn random_connections_are_evicted_as_in_a_list_that_is_searched() {
        let limits = BudgetLimits { total: 1000, per_address: 400 };
        let budget = Budget::new(limits);
        let mut model = Model::default();
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..20_000 {
            let key = random(40) as u32;
            let network = if key < 5 { None } else { network((key % 7) as u8) };
            let bytes = 1 + random(120) as usize;
            let _ = budget.hold(key, network, 0); // notices an eviction
            let _ = budget.hold(key, network, bytes);
            model.hold(limits, key, Account::new(key, network), bytes);

            let holders = budget.holders();
            let mut staying: Vec<_> =
                holders.by_key.iter().filter(|(_, h)| !h.is_evicted).collect();
            staying.sort_by_key(|(key, _)| **key);
            let staying: Vec<_> = staying.iter().map(|(k, h)| (**k, h.account, h.bytes)).collect();
            model.0.sort_unstable_by_key(|held| held.0);
            assert_eq!(staying, model.0);
            assert_eq!(holders.sum, model.0.iter().map(|held| held.2).sum::<usize>());
        }
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
