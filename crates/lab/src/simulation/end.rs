//! One end: a connection of the product, and what its driver remembers.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use fullduplex_proto::{
    AgreedDeflate, Closed, Connection, Limits, Received, Role, Timeouts, Violation,
};

use super::plan::Behaviour;
use super::rng::Rng;
use super::script::Action;

#[derive(Debug)]
pub(super) struct End {
    pub(super) role: Role,
    pub(super) connection: Connection,
    /// What was left when the connection dozed, in the place of which it wakes up the next time.
    spare: Option<Connection>,
    pub(super) limits: Limits,
    /// What was agreed on for compression.
    pub(super) deflate: Option<AgreedDeflate>,
    /// What the application will do, the last of it first.
    pub(super) actions: Vec<Action>,
    pub(super) eagerness: [u64; 3],
    pub(super) attention: Attention,
    /// Until when the application does nothing.
    pub(super) rests_until: Option<Instant>,
    /// Read and not yet understood.
    pub(super) input: BytesMut,
    pub(super) reading: Reading,
    /// All that was read, and all that came of it.
    pub(super) received: Vec<u8>,
    pub(super) events: Vec<Received>,
    pub(super) violation: Option<Violation>,
    /// Payload bytes that were reported as written.
    pub(super) written: u64,
    pub(super) phase: Phase,
    pub(super) closed: Option<Closed>,
    pub(super) deadline: Option<Instant>,
    close_timeout: Duration,
    /// It asks whether the other end is alive.
    pub(super) has_heartbeat: bool,
    /// Since when a closing connection has made no progress.
    idle_since: Instant,
}

/// Whether the end does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    Full,
    /// It does not read until then.
    Paused(Instant),
    /// It does nothing.
    Frozen,
}

/// How far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// All that was read is understood, as far as it goes.
    Drained,
    /// There may be more events in what was read.
    Undrained,
    /// The transport brings no more, and the connection was told.
    Ended,
}

/// I10: the states of a connection, in the only order in which they come.
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
            attention: Attention::Full,
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

    /// Whether the peer has said its last word.
    pub(super) fn is_deaf(&self) -> bool {
        self.violation.is_some() || matches!(self.events.last(), Some(Received::Close(_)))
    }

    /// Takes note that a closing connection has come nearer to its end.
    pub(super) fn note_progress(&mut self, now: Instant) {
        self.idle_since = now;
    }

    /// Stops reading for a while.
    pub(super) fn pause(&mut self, until: Instant) {
        self.attention = Attention::Paused(until);
        self.connection.handle_pause();
        if self.phase == Phase::Open {
            self.deadline = None;
        }
    }

    /// Reads again, or does everything again.
    pub(super) fn wake(&mut self) {
        self.attention = Attention::Full;
    }

    /// Keeps as little of the connection as a driver of many would, for a moment.
    pub(super) fn park(&mut self) {
        let Some(parked) = self.connection.park() else {
            return;
        };
        let mut awake = match self.spare.take() {
            Some(mut place) => {
                parked.unpark_into(&mut place);
                place
            }
            None => parked.unpark(),
        };
        if let Some(buffer) = self.connection.take_buffer() {
            awake.lend_buffer(buffer);
        }
        self.spare = Some(std::mem::replace(&mut self.connection, awake));
    }

    /// Tells the connection the time, and judges how it goes on.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.phase() == Phase::Closing && self.phase == Phase::Open {
            self.idle_since = now;
        }
        // A driver tells the time of a closing connection also while nobody reads.
        let is_told = match self.attention {
            Attention::Full => true,
            Attention::Paused(_) => self.phase() == Phase::Closing,
            Attention::Frozen => false,
        };
        if is_told {
            let before = self.phase();
            let settled_until = self.deadline.filter(|_| self.connection.is_settled());
            self.deadline = self.connection.handle_timeout(now);
            let is_needless = settled_until.is_some_and(|at| now < at);
            assert!(!is_needless || self.deadline == settled_until, "D3: it was not settled");
            assert_eq!(self.connection.handle_timeout(now), self.deadline, "I12: told twice");
            let expected = self.idle_since + self.close_timeout;
            if before == Phase::Closing {
                let due = (expected > now).then_some(expected);
                assert_eq!(self.deadline, due, "D3: every state has its deadline");
                assert_eq!(self.phase() == Phase::Closed, due.is_none(), "D3: and keeps it");
            } else {
                let idle = self.deadline.is_none_or(|at| at > now && before == Phase::Open);
                assert!(idle, "D3: an open connection waits, and one that has ended does not");
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
