//! A socket that connects again when its connection ends.
//!
//! `schedule.rs` decides when to connect, and `outbox.rs` which connection sends which message, both without
//! a network. `driver.rs` obeys them. Each connection is a [`WebSocket`](crate::WebSocket).

mod backoff;
mod builder;
mod driver;
mod event;
mod events;
mod options;
mod outbox;
mod plan;
mod reconnection;
mod rejection;
mod schedule;
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
