//! Simulates connections. `simulate FIRST COUNT` runs many seeds, and `simulate SEED` runs one and prints it.
//! `simulate http2 …` does the same with sockets over HTTP/2.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

use std::fmt::Display;
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use fullduplex_lab::sweep::{Sweep, sweep};
use fullduplex_lab::{http2, simulation};

/// How many lines of the first failing run are printed.
const LAST_LINES: usize = 40;

const USAGE: &str = "usage: simulate [http2] FIRST COUNT, or simulate [http2] SEED";

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_http2 = arguments.first().is_some_and(|word| word == "http2");
    let numbers = arguments.split_off(usize::from(is_http2));
    let numbers: Option<Vec<u64>> = numbers.iter().map(|text| text.parse().ok()).collect();
    match (numbers.as_deref(), is_http2) {
        (Some(&[seed]), false) => show(seed, usize::MAX),
        (Some(&[first, count]), false) => run_many(first, count, simulation::check, show),
        (Some(&[seed]), true) => show_http2(seed, usize::MAX),
        (Some(&[first, count]), true) => run_many(first, count, http2::check, show_http2),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run_many<T: Default + AddAssign + Display + Send>(
    first: u64,
    count: u64,
    check: fn(u64) -> T,
    show: fn(u64, usize) -> ExitCode,
) -> ExitCode {
    let begin = Instant::now();
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // the first failure is printed below
    let Sweep { tally, failed } = sweep(first..first + count, check);
    std::panic::set_hook(default_hook);
    let seconds = begin.elapsed().as_secs_f64();
    println!("{tally}\nin {seconds:.1} s, {:.0} seeds a second", count as f64 / seconds);
    let Some(&seed) = failed.first() else {
        return ExitCode::SUCCESS;
    };
    let some = &failed[..failed.len().min(20)];
    println!(
        "{} of {count} seeds failed, such as {some:?}. The end of the first one:",
        failed.len()
    );
    show(seed, LAST_LINES)
}

/// Runs one seed and prints its last lines.
fn show(seed: u64, lines: usize) -> ExitCode {
    let mut trace = simulation::Trace::keeping(lines);
    let result = catch_unwind(AssertUnwindSafe(|| simulation::run(seed, &mut trace)));
    print(&trace, result.ok(), &format!("simulate --seed {seed}"))
}

/// Does the same over HTTP/2. These runs are short, so it prints all lines.
fn show_http2(seed: u64, _lines: usize) -> ExitCode {
    let mut trace = http2::Trace::keeping();
    let result = catch_unwind(AssertUnwindSafe(|| http2::run(seed, &mut trace)));
    print(&trace, result.ok(), &format!("simulate-http2 --seed {seed}"))
}

fn print(trace: &impl Display, tally: Option<impl Display>, command: &str) -> ExitCode {
    print!("{trace}");
    match tally {
        Some(tally) => {
            println!("{tally}");
            ExitCode::SUCCESS
        }
        None => {
            println!("reproduce it with: cargo xtask {command}");
            ExitCode::FAILURE
        }
    }
}
