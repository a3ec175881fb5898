//! Simulates hubs on a model of a broker: nodes, publishers and clients, with connections that break at any moment, and
//! logs that are trimmed, lost, or lose their end. All decisions follow from a seed.
//!
//! Only the broker is a model. [`Hub`], its slots, feeds and queues are the real code.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a long run says what it did")]

mod broker;
mod client;
mod rng;
mod tally;
mod world;

use std::ops::Range;
use std::panic::catch_unwind;

use self::tally::Tally;
use self::world::World;

/// Returns the seeds of the environment variable HUB_SIMULATE, such as `0 1000000`: the first seed and the number of
/// seeds.
fn seeds() -> Range<u64> {
    let text = std::env::var("HUB_SIMULATE").unwrap_or_else(|_| "0 3000".into());
    let numbers: Option<Vec<u64>> = text.split(' ').map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[first, count]) => first..first + count,
        _ => panic!("HUB_SIMULATE is not of the form `FIRST COUNT`: {text}"),
    }
}

/// HUB-1, HUB-2, HUB-3, HUB-5.
#[test]
fn messages_are_in_order_and_once_or_a_gap_is_reported() {
    let seeds = seeds();
    let (next, all) = (std::sync::atomic::AtomicU64::new(seeds.start), std::sync::Mutex::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut own = Tally::default();
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match catch_unwind(|| World::run(seed)) {
                        Ok(tally) => own.add(&tally),
                        Err(panic) => {
                            eprintln!("reproduce it with: cargo xtask hub-simulate {seed} 1");
                            std::panic::resume_unwind(panic);
                        }
                    }
                }
                let mut all: std::sync::MutexGuard<'_, Tally> = all.lock().unwrap();
                all.add(&own);
            });
        }
    });
    let tally = all.into_inner().unwrap();
    println!("{} seeds: {tally:?}", seeds.end - seeds.start);
    // Without these events, the simulation would not find errors.
    if seeds.end - seeds.start >= 3000 {
        let Tally { messages, delivered, gaps, cuts, recovered, losses } = tally;
        assert!([messages, delivered, gaps, cuts, recovered, losses].iter().all(|&it| it > 100));
    }
}
