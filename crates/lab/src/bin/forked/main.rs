//! Opens a connection, forks, and prints the masking keys of a connection in each process, for
//! `tests/fork.rs`: `parent KEY…` and `child KEY…`. On systems without `fork`, it does nothing.
#![allow(clippy::print_stdout, reason = "talking is what a command is for")]
#![allow(clippy::unwrap_used, reason = "a program of a test may end by a panic")]

#[cfg(unix)]
mod unix;

fn main() {
    #[cfg(unix)]
    unix::main();
}
