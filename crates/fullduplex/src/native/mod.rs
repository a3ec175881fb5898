//! The backend for native programs. Each socket has a driver, which is a tokio task.

pub(crate) mod builder;
pub(crate) mod clock;
pub(crate) mod driver;
mod exit;
pub(crate) mod failure;
pub(crate) mod inbox;
pub(crate) mod outbox;
mod park;
mod pings;
pub(crate) mod public;
pub(crate) mod random;
mod rejection;
pub(crate) mod runtime;
pub(crate) mod socket;
