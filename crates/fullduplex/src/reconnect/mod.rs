//! A socket that comes back.
//!
//! `schedule.rs` decides when, `outbox.rs` what is sent by which connection, both without a network;
//! `driver.rs` obeys them, and each connection is a [`WebSocket`](crate::object::websocket::WebSocket).

mod backoff;
mod builder;
mod driver;
mod event;
mod events;
mod options;
mod outbox;
mod schedule;
mod shared;
mod socket;
mod state;

pub use backoff::Backoff;
pub use builder::ReconnectingBuilder;
pub use event::{
    Lost, LostCause, ReconnectingEvent, ReconnectingEventType, Undelivered, Undelivery,
};
pub use events::ReconnectingEvents;
pub use options::{OutboxFullError, OutboxLimits, OutboxOverflow};
pub use socket::ReconnectingWebSocket;
pub use state::ReconnectState;
