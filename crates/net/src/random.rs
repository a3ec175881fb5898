use std::cell::RefCell;

use fullduplex_proto::handshake::Nonce;

/// Random bytes drawn from the system at once, for 256 masking keys.
const POOL: usize = 1 << 10;

thread_local! {
    static KEYS: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

/// Four bytes of the system's random numbers (RFC6455-5.3-3): no generator of ours stands between.
pub(crate) fn mask_key() -> [u8; 4] {
    KEYS.with_borrow_mut(|pool| {
        if pool.used == POOL {
            fill(&mut pool.bytes);
            pool.used = 0;
        }
        let (key, _) =
            pool.bytes[pool.used..].split_first_chunk::<4>().expect("POOL is a multiple of 4");
        pool.used += 4;
        *key
    })
}

/// The nonce of an opening handshake (RFC6455-4.1-18).
pub(crate) fn nonce() -> Nonce {
    let mut nonce = [0; 16];
    fill(&mut nonce);
    Nonce(nonce)
}

/// Without random numbers a client would be unsafe to others (RFC6455-10.3-1), so it does not run.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system must provide random numbers");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// RFC6455-5.3-2, RFC6455-4.1-18, fault M1: a fixed or repeating key shows as repetitions far beyond chance.
    #[test]
    fn keys_and_nonces_do_not_repeat() {
        let keys: HashSet<[u8; 4]> = (0..100_000).map(|_| mask_key()).collect();
        // By chance about 1.2 of 100,000 keys of 32 bits are repeated; 30 never are.
        assert!(keys.len() > 99_970, "{} different keys", keys.len());
        let nonces: HashSet<[u8; 16]> = (0..100_000).map(|_| nonce().0).collect();
        assert_eq!(nonces.len(), 100_000);
    }

    /// RFC6455-5.3-3, RFC6455-10.3-1: no bit prefers a value, neither in a key nor in the step from one
    /// key to the next, as with a counter or a weak generator.
    #[test]
    fn no_bit_of_a_key_can_be_foretold() {
        let mut ones = [0u32; 64];
        let mut last = u32::from_ne_bytes(mask_key());
        for _ in 0..100_000 {
            let key = u32::from_ne_bytes(mask_key());
            let bits = u64::from(key) << 32 | u64::from(key ^ last);
            (0..64).for_each(|bit| ones[bit] += u32::from(bits >> bit & 1 == 1));
            last = key;
        }
        // By chance a count strays by 158 from the half (one standard deviation); by 1500 never.
        assert!(ones.iter().all(|ones| (48_500..51_500).contains(ones)), "{ones:?}");
    }
}
