use std::time::{Duration, Instant};

use crate::deadline::{Deadline, Elapsed, Unread};
use crate::decoder::{Decoder, Received};
use crate::encoder::Encoder;
use crate::heartbeat::Heartbeat;
use crate::part::Part;
use crate::timeouts::Timeouts;

/// While there is more to read, a timeout takes effect after this many further bytes were read. The receive
/// buffer of an operating system is smaller. So by then, all bytes that arrived in time were read.
const BACKLOG_MAX: u32 = 8 << 20;

/// The timeouts of an open connection.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heartbeat: Heartbeat,
    /// The deadline for the end of the message that is arriving, or for the next message.
    content: Deadline,
    /// A timeout that elapsed while there was more to read, and how many bytes were read since then.
    elapsed: Option<(Timeout, u32)>,
}

/// What did not arrive in time.
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
    /// Checks all timeouts, and queues a Ping when one is due. Returns when to check again.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        unread: Unread,
        timeouts: &Timeouts,
        decoder: &Decoder,
        encoder: &mut Encoder,
    ) -> Result<Option<Instant>, Timeout> {
        let checked = self.check_all(now, unread, timeouts, decoder, encoder);
        let before = self.elapsed.take();
        match (checked, unread) {
            (Err(timeout), Unread::Something { read }) => {
                let before = before.filter(|(before, _)| *before == timeout);
                let read = u32::try_from(read).unwrap_or(u32::MAX);
                let total = before.map_or(0, |(_, total)| total.saturating_add(read));
                if total >= BACKLOG_MAX {
                    return Err(timeout);
                }
                self.elapsed = Some((timeout, total));
                Ok(None)
            }
            (checked, _) => checked,
        }
    }

    fn check_all(
        &mut self,
        now: Instant,
        unread: Unread,
        timeouts: &Timeouts,
        decoder: &Decoder,
        encoder: &mut Encoder,
    ) -> Result<Option<Instant>, Timeout> {
        let heartbeat = self.heartbeat.check(now, unread, timeouts, decoder, encoder);
        let heartbeat = heartbeat.map_err(|Elapsed| Timeout::Pong)?;
        let content = self.check_content(now, unread, timeouts, decoder)?;
        Ok(heartbeat.into_iter().chain(content).min())
    }

    /// Returns when the next Ping is due, and the idle deadline. Returns `None` while a Ping waits for its
    /// Pong.
    pub(crate) fn park(&self) -> Option<(Option<Instant>, Option<Instant>)> {
        match self.heartbeat {
            Heartbeat::Resting { due } => Some((due, self.content.at(Timeout::Idle as u64))),
            Heartbeat::Waiting { .. } => None,
        }
    }

    /// Restores the timers from the instants that [`Timers::park`] returned.
    pub(crate) fn unpark(due: Option<Instant>, idle_until: Option<Instant>) -> Self {
        let content = Deadline::until(idle_until, Timeout::Idle as u64);
        Self { heartbeat: Heartbeat::Resting { due }, content, elapsed: None }
    }

    /// Returns whether any timeout is running.
    pub(crate) fn run(timeouts: &Timeouts, decoder: &Decoder) -> bool {
        let message = timeouts.message().is_some() && decoder.is_within_message();
        message || timeouts.ping().is_some() || timeouts.idle().is_some()
    }

    /// Returns whether another check has no effect before the instant that the last check returned.
    pub(crate) fn is_settled(&self, timeouts: &Timeouts, decoder: &Decoder) -> bool {
        let (limit, timeout) = content_limit(timeouts, decoder);
        self.heartbeat.is_settled(timeouts)
            && (limit.is_none() || self.content.is_set_for(timeout as u64))
    }

    fn check_content(
        &mut self,
        now: Instant,
        unread: Unread,
        timeouts: &Timeouts,
        decoder: &Decoder,
    ) -> Result<Option<Instant>, Timeout> {
        let (limit, timeout) = content_limit(timeouts, decoder);
        let Some(limit) = limit else {
            return Ok(None);
        };
        // The kind of timeout is the progress value. So the deadline restarts when a message begins.
        let checked = self.content.check_fairly(now, limit, timeout as u64, unread);
        checked.map_err(|Elapsed| timeout)
    }

    /// Handles an event from the peer.
    pub(crate) fn on_receive(&mut self, event: &Received) {
        match event {
            Received::Pong(payload) => self.heartbeat.on_receive(payload),
            Received::Message(_) | Received::Part(Part { last: true, .. }) => self.on_message_end(),
            Received::Part(_) | Received::Ping(_) | Received::Close(_) => {}
        }
    }

    /// Handles the end of a message from the peer.
    pub(crate) fn on_message_end(&mut self) {
        self.content.clear();
    }

    /// Handles a message that was sent.
    pub(crate) fn on_send(&mut self, decoder: &Decoder) {
        // Sending does not extend the deadline of a message that is arriving.
        if !decoder.is_within_message() {
            self.content.clear();
        }
    }

    /// Restarts the timeouts while the application does not read, because the peer may have sent in time.
    pub(crate) fn pause(&mut self, encoder: &Encoder) {
        self.heartbeat.pause(encoder);
        self.content.clear();
        self.elapsed = None;
    }
}

/// Returns the time limit for content, and the timeout to which it belongs.
fn content_limit(timeouts: &Timeouts, decoder: &Decoder) -> (Option<Duration>, Timeout) {
    if decoder.is_within_message() {
        (timeouts.message(), Timeout::Message)
    } else {
        (timeouts.idle(), Timeout::Idle)
    }
}
