//! A socket that reconnects when its connection ends.
//!
//! `schedule.rs` decides when to connect, and `outbox.rs` decides which connection sends which
//! message; neither uses a network. `driver.rs` carries out their decisions. Each connection is a
//! [`WebSocket`](crate::WebSocket).

mod backoff;
mod builder;
mod driver;
mod event;
mod events;
mod options;
mod outbox;
mod plan;
mod reconnection;
mod schedule;
mod socket;
mod state;

pub use backoff::Backoff;
pub use builder::ReconnectingBuilder;
pub use event::{
    Lost, LostCause, ReconnectingEvent, ReconnectingEventType, Undelivered, UndeliveredReason,
};
pub use events::ReconnectingEvents;
pub use options::{OutboxFullError, OutboxLimits, OutboxOverflow};
pub use socket::ReconnectingWebSocket;
pub use state::ReconnectState;
