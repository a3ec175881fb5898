//! The native half of the npm package `fullduplex`.
//!
//! It converts shapes: what JavaScript calls goes to a [`fullduplex::WebSocket`], what that has to
//! tell goes back. The JavaScript half (`lib/`) owns the listeners and fires the events; what the
//! standard decides is decided in `fullduplex`.

#![cfg_attr(test, allow(dead_code, reason = "`#[napi]` exports nothing to a test"))]

mod cookies;
mod environment;
mod error;
mod event;
mod io;
mod latin1;
mod lifecycle;
mod options;
mod socket;
mod stream;
