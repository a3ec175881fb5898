//! The backend for browsers, and for Node.js and workers, which have the same `WebSocket` object.
//!
//! That object is the machine: it has the state, and it decides. This module only converts its events.

pub(crate) mod builder;
pub(crate) mod clock;
mod driver;
pub(crate) mod failure;
pub(crate) mod random;
pub(crate) mod runtime;
pub(crate) mod socket;
