use std::time::{Duration, Instant};

use super::Connection;
use crate::closing::{Closing, Step};
use crate::deadline::Elapsed;
use crate::timers::{Timeout, Timers};
use crate::{CloseCode, CloseFrame, CloseReason, Violation};

/// Contexts of compression that were not used for so long are given back.
const CONTEXTS_KEPT: Duration = Duration::from_secs(15);

impl Connection {
    /// Tells the time, and returns when to tell it again at the latest. It may queue output, or end the
    /// connection.
    ///
    /// Read everything that has arrived before, or call [`Connection::handle_pause`]: the peer is not
    /// blamed for what lies unread. Tell the time also after reading and writing, for waiting begins
    /// when the time is told. [`Timeouts`](crate::Timeouts) says what an open connection waits for:
    ///
    /// - The Pong for a Ping of its own. Without it the connection is lost, with
    ///   [`ConnectionError::PongTimeout`](crate::ConnectionError::PongTimeout): so is one whose transport takes no bytes.
    ///   A Pong is waited for longer while one frame of data goes on arriving, in which it cannot stand.
    /// - The end of a message. Without it the peer has committed [`Violation::MessageTooSlow`].
    /// - Any message, either way. Without one the closing handshake is started, with 1001.
    ///
    /// Who calls late, by more than a quarter of the limit, stood still himself: then it is waited for
    /// anew. A closing connection is given up when, for the close timeout, the
    /// peer neither took a byte of what leads up to our Close nor ended the connection
    /// (RFC6455-5.5.1-7). For other reasons an open one is not closed (RFC6455-7.1.7-4,
    /// RFC6455-7.3-1); if it compresses, it gives back, after some 15 to 30 seconds without use, what
    /// memory that takes.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.is_open() {
            let contexts = self.check_contexts(now);
            let Self { timers, timeouts, decoder, encoder, .. } = self;
            match timers.check(now, timeouts, decoder, encoder) {
                Ok(next) => return next.into_iter().chain(contexts).min(),
                Err(timeout) => self.handle_elapsed(timeout),
            }
        }
        if matches!(self.closing, Closing::Ended(_)) {
            return None;
        }
        let progress = self.encoder.progress();
        match self.deadline.check(now, self.timeouts.close, progress) {
            Ok(next) => next,
            Err(Elapsed) => {
                let close_sent = self.encoder.is_close_written();
                self.closing.step(Step::DeadlineElapsed { close_sent });
                None
            }
        }
    }

    /// Whether [`Connection::handle_timeout`] waits for anything now.
    pub fn has_deadline(&self) -> bool {
        match self.closing {
            Closing::Open => self.holds_context() || Timers::run(&self.timeouts, &self.decoder),
            Closing::Ended(_) => false,
            _ => true,
        }
    }

    /// Whether nothing has changed what [`Connection::handle_timeout`] waits for since it was called: then it
    /// need not be called before the instant that it returned.
    pub fn is_settled(&self) -> bool {
        self.is_open()
            && self.timers.is_settled(&self.timeouts, &self.decoder)
            && (self.context_check.is_some() || !self.holds_context())
    }

    /// Takes note that nobody reads the transport now: what is waited for from the peer is waited for
    /// anew when the time is told again, but for its taking what leads up to a Ping.
    pub fn handle_pause(&mut self) {
        self.deadline.clear();
        self.timers.pause(&self.encoder);
    }

    fn handle_elapsed(&mut self, timeout: Timeout) {
        match timeout {
            Timeout::Pong => {
                // There is nobody to tell.
                self.encoder.abandon();
                self.closing.step(Step::PongMissing);
            }
            Timeout::Message => self.fail(Violation::MessageTooSlow),
            Timeout::Idle => {
                let reason = CloseReason::new("idle").unwrap_or_default();
                self.close(Some(&CloseFrame { code: CloseCode::GOING_AWAY, reason }));
            }
        }
    }

    fn check_contexts(&mut self, now: Instant) -> Option<Instant> {
        if self.context_check.is_some_and(|at| now >= at) {
            self.context_check = None;
            self.decoder.release_unused();
            self.encoder.release_unused();
        }
        if !self.holds_context() {
            return None;
        }
        if self.context_check.is_none() {
            self.context_check = now.checked_add(CONTEXTS_KEPT);
        }
        self.context_check
    }

    fn holds_context(&self) -> bool {
        self.decoder.holds_context() || self.encoder.holds_context()
    }
}
