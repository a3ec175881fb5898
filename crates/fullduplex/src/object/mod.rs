//! The objects that applications use, on any backend.

pub(crate) mod batch;
pub(crate) mod callback;
pub(crate) mod events;
pub(crate) mod listeners;
pub(crate) mod protocols;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod wakers;
pub(crate) mod websocket;
