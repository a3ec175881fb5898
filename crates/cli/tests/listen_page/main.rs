//! The page of `fdx listen` in a browser.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod needs_chromium;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tapping.rs"]
mod tapping;
