//! How a link ends: by the closing handshake, at a deadline, or immediately.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fullduplex_proto::Closed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::socket::core::Flush;
use crate::socket::link::Link;

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Returns whether a closing connection has ended at its deadline. The deadline is absolute, so it is
    /// checked before each event.
    pub(super) fn is_cut_off(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(active) = self.core.active() else { return false };
        // A connection that has ended in another way is flushed once more.
        if active.connection.is_open() || active.connection.closed().is_some() {
            return false;
        }
        active.connection.handle_timeout(Instant::now().into_std());
        if active.connection.closed().is_none() {
            return false;
        }
        self.end(cx);
        self.core.discard_input();
        true
    }

    /// Polls until a deadline has ended the connection.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.core.closed().is_some() {
            return Poll::Ready(());
        }
        let alarm_is_set = self.core.owner.alarm_is_set();
        let Some(active) = self.core.active() else {
            return Poll::Ready(());
        };
        if !active.connection.has_deadline() {
            return Poll::Pending;
        }
        if alarm_is_set && active.connection.is_settled() {
            return Poll::Pending;
        }
        let polled = self.poll_timeouts(cx);
        if polled.is_pending() {
            // The timeout may have freed compression contexts.
            self.account(cx);
        }
        polled
    }

    fn poll_timeouts(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut now = Instant::now();
        while let Some(active) = self.core.active()
            && let Some(at) = active.connection.handle_timeout(now.into_std())
        {
            if !active.connection.is_flushed() {
                // A Ping or our Close was queued. Its deadline starts when it is written. A write error is
                // recorded.
                let _ = self.poll_flush(cx);
                if self.core.active().is_some_and(|active| active.connection.is_flushed()) {
                    continue;
                }
            }
            ready!(self.poll_alarm(Instant::from_std(at), now, cx));
            now = Instant::now();
        }
        self.core.owner.clear_alarm();
        if self.core.closed().is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        let (Some(stream), Some(active)) = (&mut self.stream, self.core.active()) else {
            return;
        };
        if active.connection.wants_shutdown()
            && let Poll::Ready(result) = Pin::new(stream).poll_shutdown(cx)
        {
            match result {
                Ok(()) => {
                    active.connection.handle_shutdown();
                    active.flush = Flush::ShutDown;
                }
                Err(error) => {
                    active.connection.handle_write_failed();
                    active.record_error(&error);
                }
            }
        }
    }

    /// Returns `Ready` at or after the time `at`. Before that, the task is woken at `at` or earlier.
    pub(crate) fn poll_alarm(
        &mut self,
        at: Instant,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.core.owner.poll_alarm(at, now, cx)
    }

    /// Frees the resources of a connection that has ended: its place, the transport, and its memory, except for
    /// messages that the application has not received yet.
    ///
    /// The transport is shut down properly if that is possible without waiting (RFC6455-7.1.1-1).
    pub(super) fn end(&mut self, cx: &mut Context<'_>) {
        self.core.owner.clear_alarm();
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        if let Some(active) = self.core.active()
            && active.flush != Flush::ShutDown
        {
            let _ = Pin::new(&mut stream).poll_shutdown(cx);
        }
        drop(stream);
        if let Some(mailbox) = &self.mailbox {
            mailbox.end();
        }
        self.release_place();
        self.core.end();
    }

    /// Releases the place in the server, and reports how the connection ended.
    fn release_place(&mut self) {
        self.report();
        let code = self.core.closed().map_or(1006, Closed::code);
        if let Some(guard) = self.core.owner.guard_mut()
            && guard.release_place()
        {
            tracing::debug!(code, "connection closed");
            guard.pool().counters.count_closed(code);
        }
    }

    /// Ends the connection at once.
    pub(crate) fn cut(&mut self) {
        if let Some(active) = self.core.active() {
            active.connection.handle_write_failed();
            active.connection.handle_end_of_input();
        }
        self.stream = None;
        if let Some(mailbox) = &self.mailbox {
            mailbox.end();
        }
        self.release_place();
        self.core.discard_input();
        self.core.owner.forget_server();
    }

    /// Drops the reference to the server, once its timer is no longer used.
    pub(crate) fn drop_guard(&mut self) {
        self.core.owner.forget_server();
    }
}
