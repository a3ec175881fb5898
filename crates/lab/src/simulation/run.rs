use super::end::Phase;
use super::tally::Tally;
use super::trace::Trace;
use super::verdict;
use super::world::World;

/// A number of turns that no plan needs. A run that reaches it makes no progress.
const TURNS: u32 = 1_000_000;

/// One in this many seeds is run twice more. Both runs must be identical.
const TWICE_ONE_IN: u64 = 100;

/// Simulates the connection of `seed` from its opening to its end. Panics if an invariant is violated.
pub fn run(seed: u64, trace: &mut Trace) -> Tally {
    let mut world = World::new(seed, trace);
    for _ in 0..TURNS {
        if let Some((role, turn)) = world.choose() {
            world.take_turn(role, turn);
        } else if let Some(next) = world.next_timer() {
            world.advance(next);
        } else if world.ends.iter().all(|end| end.phase == Phase::Closed) {
            return verdict::check(&mut world);
        } else {
            world.end_transport();
        }
    }
    panic!("no progress in {TURNS} turns");
}

/// Runs a seed, and some seeds twice more. Panics if an invariant is violated, or if two runs differ.
pub fn check(seed: u64) -> Tally {
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
    use crate::sweep::{Sweep, sweep};

    #[test]
    fn five_hundred_seeds_violate_no_invariant() {
        let Sweep { tally, failed } = sweep(0..500, check);
        assert!(failed.is_empty(), "see `cargo xtask simulate --seed` {failed:?}");
        // The runs must deliver enough messages of each kind to find faults.
        let Tally { messages, compressed, fragmented, .. } = tally;
        assert!(messages > 20_000 && compressed > 2_000 && fragmented > 1_000, "{tally}");
        let Tally { clean, unclean, lost, timed_out, violated, .. } = tally;
        let ends = [clean, unclean, lost, timed_out, violated];
        assert!(tally.seeds == 500 && !ends.contains(&0), "{tally}");
    }
}
