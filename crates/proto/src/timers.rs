use std::time::{Duration, Instant};

use crate::deadline::{Deadline, Elapsed};
use crate::heartbeat::Heartbeat;
use crate::{Decoder, Encoder, Part, Received, Timeouts};

/// What an open connection waits for, and how long.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heartbeat: Heartbeat,
    /// The end of the message under way, or else the next message.
    content: Deadline,
}

/// What has not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// The Pong.
    Pong,
    /// The end of a message.
    Message,
    /// Any message.
    Idle,
}

impl Timers {
    /// Looks at the clock. Returns when to look again.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        timeouts: &Timeouts,
        decoder: &Decoder,
        encoder: &mut Encoder,
    ) -> Result<Option<Instant>, Timeout> {
        let heartbeat = self.heartbeat.check(now, timeouts, decoder, encoder);
        let heartbeat = heartbeat.map_err(|Elapsed| Timeout::Pong)?;
        let content = self.check_content(now, timeouts, decoder)?;
        Ok(heartbeat.into_iter().chain(content).min())
    }

    /// When the next Ping is due, and the limit on silence; unless a Ping is under way.
    pub(crate) fn resting(&self) -> Option<(Option<Instant>, Deadline)> {
        match self.heartbeat {
            Heartbeat::Resting { due } => Some((due, self.content)),
            Heartbeat::Waiting { .. } => None,
        }
    }

    /// What [`Timers::resting`] took apart.
    pub(crate) fn rested(due: Option<Instant>, content: Deadline) -> Self {
        Self { heartbeat: Heartbeat::Resting { due }, content }
    }

    /// Whether there is something to wait for.
    pub(crate) fn run(timeouts: &Timeouts, decoder: &Decoder) -> bool {
        let message = timeouts.message.is_some() && decoder.is_amid_message();
        message || timeouts.ping.is_some() || timeouts.idle.is_some()
    }

    /// Whether all that is waited for is waited for since the time was told last, so that telling it
    /// again changes nothing until the instant that was returned then.
    pub(crate) fn is_settled(&self, timeouts: &Timeouts, decoder: &Decoder) -> bool {
        let (limit, timeout) = content_limit(timeouts, decoder);
        self.heartbeat.is_settled(timeouts)
            && (limit.is_none() || self.content.is_set_for(timeout as u64))
    }

    fn check_content(
        &mut self,
        now: Instant,
        timeouts: &Timeouts,
        decoder: &Decoder,
    ) -> Result<Option<Instant>, Timeout> {
        let (limit, timeout) = content_limit(timeouts, decoder);
        let Some(limit) = limit else {
            return Ok(None);
        };
        // That a message begins is progress.
        let checked = self.content.check_fairly(now, limit, timeout as u64);
        checked.map_err(|Elapsed| timeout)
    }

    /// Takes note of what the peer sent.
    pub(crate) fn on_receive(&mut self, event: &Received) {
        match event {
            Received::Pong(payload) => self.heartbeat.on_receive(payload),
            Received::Message(_) | Received::Part(Part { last: true, .. }) => self.on_message_end(),
            Received::Part(_) | Received::Ping(_) | Received::Close(_) => {}
        }
    }

    /// Takes note of the end of a message.
    pub(crate) fn on_message_end(&mut self) {
        self.content.clear();
    }

    /// Takes note that a message was sent.
    pub(crate) fn on_send(&mut self, decoder: &Decoder) {
        // The one that the peer is sending has no more time for that.
        if !decoder.is_amid_message() {
            self.content.clear();
        }
    }

    /// Takes note that nobody reads now: what is waited for may lie there.
    pub(crate) fn pause(&mut self, encoder: &Encoder) {
        self.heartbeat.pause(encoder);
        self.content.clear();
    }
}

/// How long content may take, and which.
fn content_limit(timeouts: &Timeouts, decoder: &Decoder) -> (Option<Duration>, Timeout) {
    if decoder.is_amid_message() {
        (timeouts.message, Timeout::Message)
    } else {
        (timeouts.idle, Timeout::Idle)
    }
}
