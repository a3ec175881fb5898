use std::time::Instant;

use crate::deadline::{Deadline, Elapsed};
use crate::{Decoder, Encoder, Timeouts};

/// Asks now and then whether the peer is alive: by a Ping, which only its own Pong answers (fault
/// FT-16).
///
/// ```text
///                 the time has come: a Ping is queued
///     ┌─────────┐ ──────────────────────────────────▶ ┌─────────┐   nothing moves for too long
///     │ Resting │                                     │ Waiting │ ─────────────────────────────▶ Elapsed
///     └─────────┘ ◀────────────────────────────────── └─────────┘
///                             its Pong
/// ```
#[derive(Debug)]
pub(crate) enum Heartbeat {
    /// The last Ping was answered. When the next one is due, once the time was told.
    Resting { due: Option<Instant> },
    /// A Ping is under way.
    Waiting {
        payload: [u8; 8],
        /// Where it ends in the outbox.
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
    /// Looks at the clock, and queues a Ping when one is due. Returns when to look again.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        timeouts: &Timeouts,
        decoder: &Decoder,
        encoder: &mut Encoder,
    ) -> Result<Option<Instant>, Elapsed> {
        let Some(interval) = timeouts.ping else {
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
        // While the transport takes what stands before the Ping, and while a frame arrives, within which
        // no Pong can stand, there is nothing to blame the peer for.
        let progress = encoder.written_up_to(*end) + decoder.arrived_in_part();
        deadline.check_fairly(now, timeouts.pong, progress)
    }

    /// Whether it is known when to look at the clock next, and nothing else changes that.
    pub(crate) fn is_settled(&self, timeouts: &Timeouts) -> bool {
        timeouts.ping.is_none() || matches!(self, Self::Resting { due: Some(_) })
    }

    /// Takes note of a Pong. Any other than the one that is waited for may have been sent by a peer that
    /// reads nothing.
    pub(crate) fn on_receive(&mut self, pong: &[u8]) {
        if matches!(self, Self::Waiting { payload, .. } if payload == pong) {
            *self = Self::default();
        }
    }

    /// Nobody reads now, so that no Pong can be heard. That the transport takes the Ping may be asked of
    /// it all the same.
    pub(crate) fn pause(&mut self, encoder: &Encoder) {
        if let Self::Waiting { end, deadline, .. } = self
            && encoder.written_up_to(*end) == *end
        {
            deadline.clear();
        }
    }
}
