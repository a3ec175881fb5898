//! One end: a connection of `fullduplex-proto`, and the state of its driver.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use fullduplex_proto::{
    AgreedDeflate, Closed, Connection, Limits, Received, Role, Timeouts, Violation,
};

use super::plan::Behaviour;
use super::script::Action;
use crate::rng::Rng;

#[derive(Debug)]
pub(super) struct End {
    pub(super) role: Role,
    pub(super) connection: Connection,
    /// The old value of the connection that was parked last. The next call of `park` unparks into it.
    spare: Option<Connection>,
    pub(super) limits: Limits,
    /// The agreed parameters of compression.
    pub(super) deflate: Option<AgreedDeflate>,
    /// The remaining actions of the application in reverse order: the last item is the next action.
    pub(super) actions: Vec<Action>,
    pub(super) eagerness: [u64; 3],
    pub(super) activity: Activity,
    /// The application does nothing until this instant.
    pub(super) rests_until: Option<Instant>,
    /// The bytes that were read and not yet parsed.
    pub(super) input: BytesMut,
    pub(super) reading: Reading,
    /// All bytes that were read, and all events.
    pub(super) received: Vec<u8>,
    pub(super) events: Vec<Received>,
    pub(super) violation: Option<Violation>,
    /// Payload bytes that were reported as written.
    pub(super) written: u64,
    pub(super) phase: Phase,
    pub(super) closed: Option<Closed>,
    pub(super) deadline: Option<Instant>,
    close_timeout: Duration,
    /// Whether it sends heartbeat Pings.
    pub(super) has_heartbeat: bool,
    /// When a closing connection last made progress.
    idle_since: Instant,
}

/// Whether the end is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Full,
    /// The end does not read until this instant.
    Paused(Instant),
    /// The end does nothing.
    Frozen,
}

/// The state of the input of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The bytes that were read are parsed as far as possible.
    Drained,
    /// The bytes that were read may contain more events.
    Undrained,
    /// The end of the transport was handled.
    Ended,
}

/// I10: the states of a connection, in the only possible order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    Closing,
    Closed,
}

impl End {
    pub(super) fn new(
        role: Role,
        behaviour: Behaviour,
        mut timeouts: Timeouts,
        deflate: Option<AgreedDeflate>,
        seed: u64,
        now: Instant,
    ) -> Self {
        let Behaviour { limits, close_timeout, actions, eagerness } = behaviour;
        let mut connection = match role {
            Role::Client => {
                let mut rng = Rng::new(seed);
                let masks = move || (rng.next() as u32).to_le_bytes();
                Connection::client(limits, close_timeout, Box::new(masks))
            }
            Role::Server => Connection::server(limits, close_timeout),
        };
        timeouts.close = close_timeout;
        connection = connection.with_timeouts(timeouts);
        if let Some(agreed) = deflate {
            connection = connection.with_deflate(agreed);
        }
        Self {
            role,
            connection,
            spare: None,
            limits,
            deflate,
            actions,
            eagerness,
            activity: Activity::Full,
            rests_until: None,
            input: BytesMut::new(),
            reading: Reading::Drained,
            received: Vec::new(),
            events: Vec::new(),
            violation: None,
            written: 0,
            phase: Phase::Open,
            closed: None,
            deadline: None,
            close_timeout,
            has_heartbeat: timeouts.ping.is_some(),
            idle_since: now,
        }
    }

    /// Returns whether the end discards input, because it has received a Close or a violation.
    pub(super) fn discards_input(&self) -> bool {
        self.violation.is_some() || matches!(self.events.last(), Some(Received::Close(_)))
    }

    /// Records progress of a closing connection.
    pub(super) fn note_progress(&mut self, now: Instant) {
        self.idle_since = now;
    }

    /// Stops reading until `until`.
    pub(super) fn pause(&mut self, until: Instant) {
        self.activity = Activity::Paused(until);
        self.connection.handle_pause();
        if self.phase == Phase::Open {
            self.deadline = None;
        }
    }

    /// Ends a pause or a freeze.
    pub(super) fn resume(&mut self) {
        self.activity = Activity::Full;
    }

    /// Parks and unparks the connection, as a driver with many idle connections does.
    pub(super) fn park(&mut self) {
        let Some(parked) = self.connection.park() else {
            return;
        };
        let mut unparked = match self.spare.take() {
            Some(mut place) => {
                parked.unpark_into(&mut place);
                place
            }
            None => parked.unpark(),
        };
        if let Some(buffer) = self.connection.take_buffer() {
            unparked.lend_buffer(buffer);
        }
        self.spare = Some(std::mem::replace(&mut self.connection, unparked));
    }

    /// Calls `handle_timeout`, and checks the deadline that it returns.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.phase() == Phase::Closing && self.phase == Phase::Open {
            self.idle_since = now;
        }
        // A driver calls `handle_timeout` on a closing connection even during a pause of reading.
        let handles_timeout = match self.activity {
            Activity::Full => true,
            Activity::Paused(_) => self.phase() == Phase::Closing,
            Activity::Frozen => false,
        };
        if handles_timeout {
            let before = self.phase();
            let settled_until = self.deadline.filter(|_| self.connection.is_settled());
            self.deadline = self.connection.handle_timeout(now);
            let was_settled = settled_until.is_some_and(|at| now < at);
            assert!(!was_settled || self.deadline == settled_until, "D3: it was not settled");
            assert_eq!(self.connection.handle_timeout(now), self.deadline, "I12: a second call");
            let expected = self.idle_since + self.close_timeout;
            if before == Phase::Closing {
                let due = (expected > now).then_some(expected);
                assert_eq!(self.deadline, due, "D3: the close deadline");
                assert_eq!(self.phase() == Phase::Closed, due.is_none(), "D3: the deadline holds");
            } else {
                let idle = self.deadline.is_none_or(|at| at > now && before == Phase::Open);
                assert!(idle, "D3: only an open connection has a deadline, in the future");
            }
            assert_eq!(self.connection.has_deadline(), self.deadline.is_some(), "D3: a deadline");
        }
        assert!(self.phase() >= self.phase, "I10: from {:?} to {:?}", self.phase, self.phase());
        self.phase = self.phase();
    }

    fn phase(&self) -> Phase {
        match (self.connection.closed(), self.connection.is_open()) {
            (Some(_), _) => Phase::Closed,
            (None, false) => Phase::Closing,
            (None, true) => Phase::Open,
        }
    }
}
