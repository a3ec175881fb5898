//! The native half of the npm package `fullduplex`.
//!
//! This crate only converts types: calls from JavaScript go to a [`fullduplex::WebSocket`], and its
//! events go back. The JavaScript half (`lib/`) owns the listeners and fires the events. The rules
//! of the standard are in `fullduplex`.

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
