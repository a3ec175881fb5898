//! Counts of what happened in many runs.

use std::fmt;
use std::ops::AddAssign;

use fullduplex_proto::{Closed, ConnectionError};

use super::end::End;
use super::flow::Flow;

/// Counts of what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many messages were delivered.
    pub messages: u64,
    /// How many of them were compressed.
    pub compressed: u64,
    /// How many of them were fragmented.
    pub fragmented: u64,
    /// How many bytes were read from the transport.
    pub bytes: u64,
    /// How many ends completed the closing handshake.
    pub clean: u64,
    /// How many ends received a Close, but could not complete the handshake.
    pub unclean: u64,
    /// How many ends received no Close.
    pub lost: u64,
    /// How many ends had a peer that did not answer in time.
    pub timed_out: u64,
    /// How many ends refused a message.
    pub violated: u64,
}

impl Tally {
    pub(super) fn count(&mut self, end: &End, incoming_flow: &Flow, closed: &Closed) {
        let delivered = incoming_flow.delivered();
        self.messages += delivered.len() as u64;
        self.compressed += delivered.iter().filter(|message| message.compressed).count() as u64;
        self.fragmented += delivered.iter().filter(|message| message.frames > 1).count() as u64;
        self.bytes += end.received.len() as u64;
        *match closed.failure() {
            None if closed.was_clean() => &mut self.clean,
            None => &mut self.unclean,
            Some(ConnectionError::Violation(_)) => &mut self.violated,
            Some(ConnectionError::CloseTimeout) => &mut self.timed_out,
            Some(_) => &mut self.lost,
        } += 1;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.messages += other.messages;
        self.compressed += other.compressed;
        self.fragmented += other.fragmented;
        self.bytes += other.bytes;
        self.clean += other.clean;
        self.unclean += other.unclean;
        self.lost += other.lost;
        self.timed_out += other.timed_out;
        self.violated += other.violated;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, messages, compressed, fragmented, bytes, .. } = self;
        let Self { clean, unclean, lost, timed_out, violated, .. } = self;
        writeln!(
            f,
            "{seeds} connections, {bytes} bytes; {messages} messages delivered, {compressed} of them \
             compressed, {fragmented} fragmented"
        )?;
        write!(
            f,
            "of the ends {clean} closed cleanly, {unclean} uncleanly, {lost} were lost, {timed_out} \
             timed out, {violated} refused a message"
        )
    }
}
