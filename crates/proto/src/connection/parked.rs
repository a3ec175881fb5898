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

/// What has to be kept of a server's connection on which nothing is under way, in little memory: made by
/// [`Connection::park`].
#[derive(Debug)]
pub struct Parked {
    limits: MessageLimits,
    delivery: Delivery,
    timeouts: Arc<Timeouts>,
    next_ping: Option<Instant>,
    idle_until: Option<Instant>,
    /// How much was sent so far, which tells one Ping from another.
    sent: u64,
}

impl Connection {
    /// What has to be kept of the connection until something happens, if nothing is under way: no
    /// message, no Ping, no compression, no close. Then the connection itself may be dropped. Only a
    /// server's end can do without; a client has few.
    pub fn park(&self) -> Option<Parked> {
        let is_idle = self.is_open() && self.encoder.is_idle() && self.decoder.is_idle();
        if self.decoder.role() == Role::Client || !is_idle {
            return None;
        }
        let (next_ping, idle_until) = self.timers.resting()?;
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
    /// The connection as it was, in the place and the memory of another one: a server's that dozes as well,
    /// of which there is nothing else to be kept, therefore.
    pub fn unpark_into(self, place: &mut Connection) {
        let Self { limits, delivery, timeouts, next_ping, idle_until, sent } = self;
        place.decoder.resume(limits, delivery);
        place.encoder.resume_at(sent);
        place.timers = Timers::rested(next_ping, idle_until);
        place.timeouts = timeouts;
        (place.deadline, place.context_check) = (Deadline::default(), None);
    }

    /// The connection as it was.
    pub fn unpark(self) -> Connection {
        let Self { limits, delivery, timeouts, next_ping, idle_until, sent } = self;
        let encoder = Encoder::server().starting_at(sent);
        let mut connection = Connection::new(Role::Server, limits, timeouts, encoder);
        connection.set_delivery(delivery);
        connection.timers = Timers::rested(next_ping, idle_until);
        connection
    }
}
