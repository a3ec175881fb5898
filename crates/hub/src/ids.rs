use std::sync::atomic::{AtomicU64, Ordering};

/// Generates ids that differ from the ids of all other nodes. An id is the hash of a counter with a random start.
#[derive(Debug)]
pub(crate) struct Ids(AtomicU64);

impl Ids {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).expect("the system has random numbers");
        Self(AtomicU64::new(u64::from_le_bytes(seed)))
    }

    /// Returns a number that is not 0.
    pub(crate) fn next(&self) -> u64 {
        // SplitMix64, a bijection: the numbers of one node do not repeat.
        let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31).max(1)
    }
}
