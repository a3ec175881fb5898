//! Peers that want to hurt, and what each attack costs the end that it meets (faults FT-15 to FT-25).
//!
//! Memory is counted by an allocator, for the thread of the test alone. A buffer that grows counts
//! twice while it is copied: not every system can grow it in place. `cargo test --package
//! fullduplex-proto --test hostile -- --nocapture` shows the figures.

#[path = "../support/mod.rs"]
mod support;

mod contexts;
mod control;
mod deflated;
mod extensions;
mod fragments;
mod heads;
mod lengths;

use std::fmt::Display;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fullduplex_proto::{Connection, Received, Violation};

/// As much as a driver reads at once.
const READ: usize = 64 << 10;

/// An end under attack. Its transport brings what the peer sends, and takes nothing.
struct Victim {
    connection: Connection,
    input: BytesMut,
    /// How many events came of it; none is kept.
    events: usize,
}

impl Victim {
    fn new(connection: Connection) -> Self {
        Self { connection, input: BytesMut::new(), events: 0 }
    }

    /// Reads bytes of the peer.
    fn read(&mut self, wire: &[u8]) -> Result<(), Violation> {
        for piece in wire.chunks(READ) {
            self.input.extend_from_slice(piece);
            while self.next_event()?.is_some() {
                self.events += 1;
            }
        }
        Ok(())
    }

    fn next_event(&mut self) -> Result<Option<Received>, Violation> {
        self.connection.handle_input(&mut self.input)
    }
}

/// `wire` again and again, in one piece that is read at once.
fn filled(wire: &[u8]) -> Vec<u8> {
    wire.repeat(READ / wire.len())
}

/// Asserts that all at once takes about as long as eight times an eighth, and returns how many times as
/// long: 8, were it quadratic.
///
/// What counts is the best of some runs; of very many, when the machine has other things to do.
fn assert_linear(whole: usize, run: impl Fn(usize)) -> f64 {
    let (mut eighths, mut at_once) = (Duration::MAX, Duration::MAX);
    for round in 1..=40 {
        eighths = eighths.min(time(|| (0..8).for_each(|_| run(whole / 8))));
        at_once = at_once.min(time(|| run(whole)));
        let ratio = at_once.as_secs_f64() / eighths.as_secs_f64();
        if round >= 5 && ratio <= 2.0 {
            return ratio;
        }
    }
    panic!("all at once takes {at_once:?}, in eighths {eighths:?}");
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: nothing here is decided by a clock")]
fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// A line of the table that `--nocapture` shows.
#[expect(clippy::print_stdout, reason = "the figures are half of what these tests are for")]
fn show(fault: &str, attack: impl Display, figure: impl Display) {
    println!("{fault}  {:<56}  {figure}", attack.to_string());
}
