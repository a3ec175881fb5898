use std::time::{Duration, Instant};

use super::Connection;
use crate::close::{CloseFrame, CloseReason};
use crate::close_code::CloseCode;
use crate::closing::{Closing, Step};
use crate::deadline::{Elapsed, Unread};
use crate::timers::{Timeout, Timers};
use crate::violation::Violation;

/// Compression contexts that were not used for this long are freed.
const CONTEXTS_KEPT: Duration = Duration::from_secs(15);

impl Connection {
    /// Handles timeouts, given the current time. Returns the latest time of the next call. This method may
    /// queue output or end the connection.
    ///
    /// Call it when all bytes that have arrived were read, and after each read and write, because a timeout
    /// starts at the first call after its cause. If there is always more to read, call
    /// [`Connection::handle_timeout_while_reading`] instead. While the application does not read, call
    /// [`Connection::handle_pause`] first. [`Timeouts`](crate::Timeouts) contains the limits:
    ///
    /// - On an open connection, they limit the time until the Pong for our Ping, until the end of a message,
    ///   and until the next message. Without the Pong the connection is lost, with
    ///   [`ConnectionError::PongTimeout`](crate::ConnectionError::PongTimeout). A message that takes too long
    ///   is [`Violation::MessageTooSlow`]. An idle connection is closed with 1001. If the call is late by
    ///   more than a quarter of the limit, this end stalled, so the deadline restarts.
    /// - On a closing connection, they limit the time until its end (RFC6455-5.5.1-7). Until our Close is written, only
    ///   progress in writing postpones this deadline. After that it is absolute.
    ///
    /// This method closes an open connection for no other reason (RFC6455-7.1.7-4, RFC6455-7.3-1). It frees
    /// compression contexts that were not used for 15 to 30 seconds.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Instant> {
        self.check_time(now, Unread::Nothing)
    }

    /// Handles timeouts while there is more to read. Call it from time to time if the transport always has
    /// more bytes. `read` is the number of bytes that were read since the last call, or since the transport
    /// last had no more bytes.
    ///
    /// A timeout of an open connection takes effect when some megabytes were read after it elapsed. By then,
    /// all bytes that arrived in time were read, even if this end is slow. The deadline of a closing
    /// connection takes effect immediately.
    pub fn handle_timeout_while_reading(&mut self, now: Instant, read: usize) {
        self.check_time(now, Unread::Something { read });
    }

    fn check_time(&mut self, now: Instant, unread: Unread) -> Option<Instant> {
        if self.is_open() {
            let contexts = self.check_contexts(now);
            let Self { timers, timeouts, decoder, encoder, .. } = self;
            match timers.check(now, unread, timeouts, decoder, encoder) {
                Ok(next) => return next.into_iter().chain(contexts).min(),
                Err(timeout) => self.handle_elapsed(timeout),
            }
        }
        if matches!(self.closing, Closing::Ended(_)) {
            return None;
        }
        let progress = self.encoder.progress();
        match self.deadline.check(now, self.timeouts.close(), progress) {
            Ok(next) => next,
            Err(Elapsed) => {
                let close_sent = self.encoder.is_close_written();
                self.closing.step(Step::DeadlineElapsed { close_sent });
                None
            }
        }
    }

    /// Returns whether any timeout is running.
    pub fn has_deadline(&self) -> bool {
        match self.closing {
            Closing::Open => self.holds_context() || Timers::run(&self.timeouts, &self.decoder),
            Closing::Ended(_) => false,
            _ => true,
        }
    }

    /// Returns whether every running timeout has started. Then [`Connection::handle_timeout`] need not be called before
    /// the instant that it last returned.
    pub fn is_settled(&self) -> bool {
        self.is_open()
            && self.timers.is_settled(&self.timeouts, &self.decoder)
            && self.context_check.is_some() == self.holds_context()
    }

    /// Restarts the timeouts of an open connection for data from the peer, because that data may have arrived
    /// while the transport was not read. Does not restart the deadline for writing a Ping, nor the deadline
    /// of a closing connection.
    pub fn handle_pause(&mut self) {
        self.timers.pause(&self.encoder);
    }

    fn handle_elapsed(&mut self, timeout: Timeout) {
        match timeout {
            Timeout::Pong => {
                // The peer does not respond, so no Close is sent.
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
            self.context_check = None;
        } else if self.context_check.is_none() {
            self.context_check = now.checked_add(CONTEXTS_KEPT);
        }
        self.context_check
    }

    fn holds_context(&self) -> bool {
        self.decoder.holds_context() || self.encoder.holds_context()
    }
}
