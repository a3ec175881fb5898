//! The backend for browsers, workers and Node.js, which have the same `WebSocket` object.
//!
//! The host's object replaces the state machine of `rules/`. It keeps the state and implements the standard.
//! This module only converts its events.

pub(crate) mod builder;
pub(crate) mod clock;
mod driver;
pub(crate) mod failure;
pub(crate) mod random;
pub(crate) mod runtime;
pub(crate) mod socket;
