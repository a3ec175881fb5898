//! The objects that applications use, on any backend.

pub(crate) mod callback;
pub(crate) mod events;
pub(crate) mod listeners;
pub(crate) mod maybe_send;
pub(crate) mod protocols;
pub(crate) mod race;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod wakers;
pub(crate) mod websocket;
