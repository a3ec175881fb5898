use super::end::Phase;
use super::tally::Tally;
use super::trace::Trace;
use super::verdict;
use super::world::World;

/// A number of turns that no plan needs. A run that reaches it makes no progress.
const TURNS: u32 = 1_000_000;

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
