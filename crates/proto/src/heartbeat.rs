use std::time::Instant;

use crate::deadline::{Deadline, Elapsed, Unread};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::timeouts::Timeouts;

/// Checks whether the peer is alive. Only the Pong with the payload of the last Ping counts (fault FT-16).
///
/// ```text
///                    the interval is over: a Ping is queued
///     ┌─────────┐ ──────────────────────────────────▶ ┌─────────┐   no progress in time
///     │ Resting │                                     │ Waiting │ ─────────────────────────────▶ Elapsed
///     └─────────┘ ◀────────────────────────────────── └─────────┘
///                             its Pong
/// ```
#[derive(Debug)]
pub(crate) enum Heartbeat {
    /// The last Ping was answered. `due` is the time of the next Ping, or `None` until the first check.
    Resting { due: Option<Instant> },
    /// A Ping was queued, and its Pong has not arrived.
    Waiting {
        payload: [u8; 8],
        /// The position in the outbox at which the Ping ends.
        end: u64,
        deadline: Deadline,
    },
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::Resting { due: None }
    }
}

impl Heartbeat {
    /// Checks the time, and queues a Ping when one is due. Returns when to check again.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        unread: Unread,
        timeouts: &Timeouts,
        decoder: &Decoder,
        encoder: &mut Encoder,
    ) -> Result<Option<Instant>, Elapsed> {
        let Some(interval) = timeouts.ping() else {
            return Ok(None);
        };
        if let Self::Resting { due } = self {
            *due = due.or_else(|| now.checked_add(interval));
            if due.is_none_or(|due| now < due) {
                return Ok(*due);
            }
            let (payload, end) = encoder.push_heartbeat();
            *self = Self::Waiting { payload, end, deadline: Deadline::default() };
        }
        let Self::Waiting { end, deadline, .. } = self else {
            return Ok(None);
        };
        // Two kinds of progress restart the deadline: the transport takes bytes up to the end of the Ping, or
        // bytes of an incomplete data frame arrive. The peer cannot send its Pong within a frame.
        let progress = encoder.written_up_to(*end) + decoder.arrived_in_part();
        deadline.check_fairly(now, timeouts.pong(), progress, unread)
    }

    /// Returns whether another check has no effect before the instant that the last check returned.
    pub(crate) fn is_settled(&self, timeouts: &Timeouts) -> bool {
        timeouts.ping().is_none() || matches!(self, Self::Resting { due: Some(_) })
    }

    /// Handles a Pong. Ignores a Pong with another payload, because a peer that does not read can send such a
    /// Pong too.
    pub(crate) fn on_receive(&mut self, pong: &[u8]) {
        if matches!(self, Self::Waiting { payload, .. } if payload == pong) {
            *self = Self::default();
        }
    }

    /// Restarts the deadline for the Pong while the application does not read. The deadline for writing
    /// the Ping is not restarted.
    pub(crate) fn pause(&mut self, encoder: &Encoder) {
        if let Self::Waiting { end, deadline, .. } = self
            && encoder.written_up_to(*end) == *end
        {
            deadline.clear();
        }
    }
}
