pub(crate) mod builder;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod listeners;
pub(crate) mod ports;
pub(crate) mod protocols;
pub(crate) mod websocket;
