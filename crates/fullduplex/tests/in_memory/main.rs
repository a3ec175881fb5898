//! Tests of the objects over a server in memory.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod first_event;
mod handlers;
mod memory;
mod rejection;
