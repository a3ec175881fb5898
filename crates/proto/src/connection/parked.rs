use std::sync::Arc;
use std::time::Instant;

use super::Connection;
use crate::deadline::Deadline;
use crate::encoder::Encoder;
use crate::incoming::Delivery;
use crate::limits::MessageLimits;
use crate::role::Role;
use crate::timeouts::Timeouts;
use crate::timers::Timers;

/// The state of an idle server connection. It takes less memory than the connection. [`Connection::park`]
/// returns it.
#[derive(Debug)]
pub struct Parked {
    limits: MessageLimits,
    delivery: Delivery,
    timeouts: Arc<Timeouts>,
    next_ping: Option<Instant>,
    idle_until: Option<Instant>,
    /// The number of bytes sent so far. It makes the payloads of Pings unique.
    sent: u64,
}

impl Connection {
    /// Returns the state of the connection if it is idle: it has no unfinished message, no unanswered Ping,
    /// no compression context, no queued output and no Close. The caller may then drop the connection and
    /// keep only the state. Returns `None` if the connection is not idle, and for a client, because a client
    /// has few connections.
    pub fn park(&self) -> Option<Parked> {
        let is_idle = self.is_open() && self.encoder.is_idle() && self.decoder.is_idle();
        if self.decoder.role() == Role::Client || !is_idle {
            return None;
        }
        let (next_ping, idle_until) = self.timers.park()?;
        Some(Parked {
            limits: self.decoder.limits(),
            delivery: self.decoder.delivery(),
            timeouts: Arc::clone(&self.timeouts),
            next_ping,
            idle_until,
            sent: self.encoder.position(),
        })
    }
}

impl Parked {
    /// Restores this connection into `place`, and reuses the allocation of `place`. The connection in `place`
    /// must be a server connection that was parked too, so its state is no longer needed.
    pub fn unpark_into(self, place: &mut Connection) {
        let Self { limits, delivery, timeouts, next_ping, idle_until, sent } = self;
        place.decoder.resume(limits, delivery);
        place.encoder.resume_at(sent);
        place.timers = Timers::unpark(next_ping, idle_until);
        place.timeouts = timeouts;
        (place.deadline, place.context_check) = (Deadline::default(), None);
    }

    /// Restores the connection.
    pub fn unpark(self) -> Connection {
        let Self { limits, delivery, timeouts, next_ping, idle_until, sent } = self;
        let encoder = Encoder::server().starting_at(sent);
        let mut connection = Connection::new(Role::Server, limits, timeouts, encoder);
        connection.set_delivery(delivery);
        connection.timers = Timers::unpark(next_ping, idle_until);
        connection
    }
}
