//! What happened in many runs, counted.

use std::fmt;
use std::ops::AddAssign;

use fullduplex_proto::{Closed, ConnectionError};

use super::end::End;
use super::flow::Flow;

/// How often things happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs.
    pub seeds: u64,
    /// Messages that were delivered.
    pub messages: u64,
    /// Those of them that were compressed, and those that came in several frames.
    pub compressed: u64,
    /// See [`Tally::compressed`].
    pub fragmented: u64,
    /// Bytes that were read from the transport.
    pub bytes: u64,
    /// Ends that closed with a whole closing handshake.
    pub clean: u64,
    /// Ends that heard a Close, and could not finish the handshake.
    pub unclean: u64,
    /// Ends without a Close from the peer.
    pub lost: u64,
    /// Ends whose peer did not answer in time.
    pub timed_out: u64,
    /// Ends that refused a message.
    pub violated: u64,
}

impl Tally {
    pub(super) fn count(&mut self, end: &End, heard: &Flow, closed: &Closed) {
        let delivered = heard.delivered();
        self.messages += delivered.len() as u64;
        self.compressed += delivered.iter().filter(|said| said.compressed).count() as u64;
        self.fragmented += delivered.iter().filter(|said| said.frames > 1).count() as u64;
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
