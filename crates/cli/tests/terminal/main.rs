//! `fdx connect` in a terminal.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod needs_tmux;
#[path = "../support/mod.rs"]
mod support;
