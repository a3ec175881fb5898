//! Tests that measure memory per thread, CPU time, descriptors and round trips.
//!
//! `cargo test --package fullduplex-net --test costs -- --nocapture` prints the figures.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

#[cfg(target_os = "linux")]
mod descriptors;
mod fail_loop;
mod fail_loop_client;
mod group;
mod hostile;
mod memory_budget;
mod slow_readers;
