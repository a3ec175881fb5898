//! Simulates connections. `simulate FIRST COUNT` runs many seeds, and `simulate SEED` runs one and prints it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use fullduplex_lab::simulation::{Sweep, Trace, run, sweep};

/// How many lines of the first failing run are printed.
const LAST_LINES: usize = 40;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> =
        std::env::args().skip(1).map(|text| text.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[seed]) => show(seed, usize::MAX),
        Some(&[first, count]) => run_many(first, count),
        _ => {
            eprintln!("usage: simulate FIRST COUNT, or simulate SEED");
            ExitCode::FAILURE
        }
    }
}

fn run_many(first: u64, count: u64) -> ExitCode {
    let begin = Instant::now();
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // the first failure is printed below
    let Sweep { tally, failed } = sweep(first..first + count);
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
    let mut trace = Trace::keeping(lines);
    let result = catch_unwind(AssertUnwindSafe(|| run(seed, &mut trace)));
    print!("{trace}");
    match result {
        Ok(tally) => {
            println!("{tally}");
            ExitCode::SUCCESS
        }
        Err(_) => {
            println!("reproduce it with: cargo xtask simulate --seed {seed}");
            ExitCode::FAILURE
        }
    }
}
