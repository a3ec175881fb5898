//! Runs of many seeds, on all cores.

use std::num::NonZeroUsize;
use std::ops::{AddAssign, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The results of many runs.
#[derive(Debug, Default)]
pub struct Sweep<T> {
    /// The counts of the runs that passed.
    pub tally: T,
    /// The seeds of the runs that failed.
    pub failed: Vec<u64>,
}

/// Runs every seed of `seeds`. A run fails by a panic.
///
/// # Panics
/// If a run panics while it adds up counts.
pub fn sweep<T: Default + AddAssign + Send>(
    seeds: Range<u64>,
    run: impl Fn(u64) -> T + Sync,
) -> Sweep<T> {
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
                    match catch_unwind(AssertUnwindSafe(|| run(seed))) {
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
