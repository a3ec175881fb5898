//! Hostile peers, and the memory and time that each attack takes (faults FT-15 to FT-25).
//!
//! An allocator counts the memory of the test's own thread. While a growing buffer is copied, the old and the
//! new buffer are both counted, because not every system can grow a buffer in place. `cargo test --package
//! fullduplex-proto --test hostile -- --nocapture` prints the figures.

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

/// How many bytes one read returns.
const READ: usize = 64 << 10;

/// A connection under attack. Its output is not written.
struct Victim {
    connection: Connection,
    input: BytesMut,
    /// The number of events. The events are dropped.
    events: usize,
}

impl Victim {
    fn new(connection: Connection) -> Self {
        Self { connection, input: BytesMut::new(), events: 0 }
    }

    /// Reads bytes from the peer.
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

/// Repeats `wire` up to the size of one read.
fn filled(wire: &[u8]) -> Vec<u8> {
    wire.repeat(READ / wire.len())
}

/// Asserts linear time. `run(whole)` must take at most twice the time of eight calls of `run(whole / 8)`.
/// Returns the ratio of the two times. It would be 8 with quadratic time.
///
/// Uses the fastest of at least five runs. If the machine is busy, it makes more runs.
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
    panic!("one run takes {at_once:?}, eight runs over an eighth take {eighths:?}");
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// Prints a line of the table that `--nocapture` shows.
#[expect(clippy::print_stdout, reason = "the figures are part of the result")]
fn show(fault: &str, attack: impl Display, figure: impl Display) {
    println!("{fault}  {:<56}  {figure}", attack.to_string());
}
