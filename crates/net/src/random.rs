use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

use fullduplex_proto::handshake::Nonce;

/// The number of random bytes that are requested from the system at once. They are 256 masking keys.
const POOL: usize = 1 << 10;

thread_local! {
    static KEYS: RefCell<Pool> = const {
        RefCell::new(Pool { bytes: [0; POOL], used: POOL, process: 0 })
    };
}

/// The process id when the last connection was opened. A pool compares it with its own `process`, to detect
/// that `fork` has copied the pool.
static PROCESS: AtomicU32 = AtomicU32::new(0);

#[derive(Clone)]
struct Pool {
    bytes: [u8; POOL],
    used: usize,
    /// The id of the process that filled the pool.
    process: u32,
}

/// Returns the source of masking keys for a new connection. The keys are random numbers that come directly
/// from the system (RFC6455-5.3-3). A forked process does not reuse its parent's keys (FS-16).
pub(crate) fn mask_keys() -> impl FnMut() -> [u8; 4] + Send + 'static {
    set_process(std::process::id());
    mask_key
}

/// Records the process id. Reading the id is a system call, so it is read for each connection, not for each
/// key.
fn set_process(id: u32) {
    PROCESS.store(id, Ordering::Relaxed);
}

fn mask_key() -> [u8; 4] {
    KEYS.with_borrow_mut(|pool| {
        let process = PROCESS.load(Ordering::Relaxed);
        if pool.used == POOL || pool.process != process {
            fill(&mut pool.bytes);
            pool.used = 0;
            pool.process = process;
        }
        let (key, _) =
            pool.bytes[pool.used..].split_first_chunk::<4>().expect("POOL is a multiple of 4");
        pool.used += 4;
        *key
    })
}

/// Returns the nonce of an opening handshake (RFC6455-4.1-18).
pub(crate) fn nonce() -> Nonce {
    let mut nonce = [0; 16];
    fill(&mut nonce);
    Nonce(nonce)
}

/// Fills `bytes` with random numbers. Panics if the system returns none, because a client with predictable
/// masking keys endangers others (RFC6455-10.3-1).
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system must provide random numbers");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// FS-16: after `fork`, parent and child have the same memory, and so the same pool. In this test, a copy
    /// of the pool represents the pool of the child.
    #[test]
    fn keys_differ_after_a_fork() {
        let parent = std::process::id();
        let ten_keys = |process| {
            set_process(process);
            [(); 10].map(|()| mask_key())
        };
        ten_keys(parent);
        let at_fork = KEYS.with_borrow(Pool::clone);
        let of_parent = ten_keys(parent);
        KEYS.replace(at_fork);
        let of_child = ten_keys(parent + 1);
        assert!(of_parent.iter().all(|key| !of_child.contains(key)), "{of_parent:?} {of_child:?}");
    }

    /// RFC6455-5.3-2, RFC6455-4.1-18, fault M1: fixed or repeating keys would be counted as many repetitions.
    #[test]
    fn keys_and_nonces_do_not_repeat() {
        let keys: HashSet<[u8; 4]> = (0..100_000).map(|_| mask_key()).collect();
        // About 1.2 of 100,000 random keys of 32 bits repeat; 30 practically never do.
        assert!(keys.len() > 99_970, "{} different keys", keys.len());
        let nonces: HashSet<[u8; 16]> = (0..100_000).map(|_| nonce().0).collect();
        assert_eq!(nonces.len(), 100_000);
    }

    /// RFC6455-5.3-3, RFC6455-10.3-1: no bit is biased within a key or between consecutive keys. With a
    /// counter or a weak generator, some bits would be biased.
    #[test]
    fn no_bit_of_a_key_is_biased() {
        let mut ones = [0u32; 64];
        let mut last = u32::from_ne_bytes(mask_key());
        for _ in 0..100_000 {
            let key = u32::from_ne_bytes(mask_key());
            let bits = u64::from(key) << 32 | u64::from(key ^ last);
            (0..64).for_each(|bit| ones[bit] += u32::from(bits >> bit & 1 == 1));
            last = key;
        }
        // The standard deviation is 158, so a difference of 1,500 practically never occurs.
        assert!(ones.iter().all(|ones| (48_500..51_500).contains(ones)), "{ones:?}");
    }
}
