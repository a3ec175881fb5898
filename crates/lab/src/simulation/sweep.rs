//! Runs of many seeds, on all cores.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::run::run;
use super::tally::Tally;
use super::trace::Trace;

/// One in this many seeds is run twice. Both runs must be identical.
const TWICE_ONE_IN: u64 = 100;

/// The results of many runs.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The counts of the runs that passed.
    pub tally: Tally,
    /// The seeds of the runs that failed.
    pub failed: Vec<u64>,
}

/// Runs every seed of `seeds`.
pub fn sweep(seeds: Range<u64>) -> Sweep {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Sweep::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| {
                let mut own = Sweep::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match catch_unwind(AssertUnwindSafe(|| check(seed))) {
                        Ok(tally) => own.tally += tally,
                        Err(_) => own.failed.push(seed),
                    }
                }
                let mut all = all.lock().expect("no thread panics with the lock");
                all.tally += own.tally;
                all.failed.append(&mut own.failed);
            });
        }
    });
    let mut sweep = all.into_inner().expect("no thread panics with the lock");
    sweep.failed.sort_unstable();
    sweep
}

fn check(seed: u64) -> Tally {
    if seed.is_multiple_of(TWICE_ONE_IN) {
        let [one, other] = [(); 2].map(|()| {
            let mut trace = Trace::keeping(0);
            run(seed, &mut trace);
            trace.hash()
        });
        assert_eq!(one, other, "two runs of the same seed differ");
    }
    run(seed, &mut Trace::off())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_seeds_violate_no_invariant() {
        let Sweep { tally, failed } = sweep(0..500);
        assert!(failed.is_empty(), "see `cargo xtask simulate --seed` {failed:?}");
        // The runs must deliver enough messages of each kind to find faults.
        let Tally { messages, compressed, fragmented, .. } = tally;
        assert!(messages > 20_000 && compressed > 2_000 && fragmented > 1_000, "{tally}");
        let Tally { clean, unclean, lost, timed_out, violated, .. } = tally;
        let ends = [clean, unclean, lost, timed_out, violated];
        assert!(tally.seeds == 500 && !ends.contains(&0), "{tally}");
    }
}
