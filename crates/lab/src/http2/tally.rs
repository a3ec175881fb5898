//! Counts of what happened in many runs.

use std::fmt;
use std::ops::AddAssign;

/// Counts of what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many HTTP/2 connections were opened.
    pub connections: u64,
    /// How many sockets were opened.
    pub sockets: u64,
    /// How many sockets could not be opened, because the link had failed or the server was closing.
    pub unopened: u64,
    /// How many messages were delivered.
    pub messages: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many ends received a Close.
    pub closed: u64,
    /// How many ends received no Close.
    pub lost: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.connections += other.connections;
        self.sockets += other.sockets;
        self.unopened += other.unopened;
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.closed += other.closed;
        self.lost += other.lost;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, connections, sockets, unopened, messages, bytes, closed, lost } = self;
        writeln!(
            f,
            "{seeds} seeds: {sockets} sockets over {connections} connections of HTTP/2, and {unopened} \
             that a fault or a shutdown kept from opening"
        )?;
        write!(
            f,
            "{messages} messages with {bytes} bytes delivered; {closed} ends received a Close, {lost} did \
             not"
        )
    }
}
