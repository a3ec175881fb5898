//! The backend for native programs. Each socket has a driver, which is a tokio task.

pub(crate) mod builder;
pub(crate) mod driver;
pub(crate) mod failure;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod park;
pub(crate) mod runtime;
pub(crate) mod socket;
