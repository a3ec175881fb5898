use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use fullduplex_proto::{
    CloseFrame, Closed, Connection, ConnectionError, Delivery, MessageBatch, Misuse, Outgoing,
    Part, Received,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::coop::{has_budget_remaining, poll_proceed};
use tokio::time::Instant;

use crate::pool::Phase;
use crate::pool::guard::ConnectionGuard;
use crate::socket::core::{ActiveCore, Core, Flush, copy};
use crate::socket::cork::Cork;
use crate::socket::poller::Poller;
use crate::socket::sender::{Inbox, Mail, Sender};

/// How many reads one poll may perform before it yields to other tasks.
const READS_PER_TURN: usize = 4;

/// Senders wait while at least this many bytes are queued for the transport.
const WRITE_HIGH_WATER: u64 = 64 << 10;

/// The maximum number of slices in one write.
const SLICES: usize = 16;

/// A transport and the connection over it. It contains the only loop that moves bytes between them.
#[derive(Debug)]
pub(crate) struct Link<S> {
    /// `None` once the connection has ended.
    pub(super) stream: Option<S>,
    /// Boxed, because two small allocations cause less fragmentation than a large one.
    pub(super) core: Box<Core>,
    /// Messages from other tasks.
    pub(super) mailbox: Option<Inbox>,
    pub(crate) poller: Poller,
    /// The number of payload bytes that the transport has taken since [`Link::take_written`].
    payload_written: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(
        stream: S,
        connection: Connection,
        input: BytesMut,
        guard: Option<ConnectionGuard>,
    ) -> Self {
        Self {
            stream: Some(stream),
            core: Box::new(Core::new(connection, input, guard.into())),
            mailbox: None,
            poller: Poller::User,
            payload_written: 0,
        }
    }

    /// Polls for the next event, and also writes, shuts down and checks deadlines. Returns `None` when the
    /// connection has ended and all events were returned.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        for _ in 0..READS_PER_TURN {
            if self.is_cut_off(cx) {
                return Poll::Ready(None);
            }
            let Some(active) = self.core.active() else {
                return Poll::Ready(None);
            };
            if active.may_hold_event() {
                // One read may bring thousands of messages. Each event uses some of the task's budget, so that
                // other tasks get their turn.
                let Poll::Ready(budget) = poll_proceed(cx) else {
                    return self.yield_now(cx);
                };
                // A violation ends the connection; `failure` returns it.
                if let Ok(Some(event)) = active.connection.handle_input(active.input.bytes()) {
                    budget.made_progress();
                    active.delta.count_received(&event);
                    if let Received::Message(message) = &event {
                        active.input.part_from_message(message.len());
                    }
                    return Poll::Ready(Some(event));
                }
                // This guard is dropped before reading, because dropping it restores the task's budget.
                drop(budget);
            }
            // What cannot be written now is written when the transport wakes this task. A write error is
            // recorded.
            if self.poll_flush(cx).is_ready() {
                self.poll_shutdown(cx);
            }
            if self.core.closed().is_some() {
                self.end(cx);
                self.core.discard_input();
                return Poll::Ready(None);
            }
            // Bytes that have arrived are read before the deadline is checked, because they may have arrived in time.
            if self.poll_read(cx).is_ready() {
                continue;
            }
            // Without budget, nothing was read, even if the peer has sent something.
            if !has_budget_remaining() {
                return self.yield_now(cx);
            }
            if let Some(active) = self.core.active() {
                active.read_since = 0;
            }
            ready!(self.poll_deadline(cx));
        }
        self.yield_now(cx)
    }

    /// Takes complete messages that were already read, up to the next event that is not a message.
    pub(crate) fn receive_messages(&mut self) -> MessageBatch {
        let Some(ActiveCore { connection, input, delta, .. }) = self.core.active() else {
            return MessageBatch::default();
        };
        // A closing connection checks its deadline before each message.
        if !connection.is_open() {
            return MessageBatch::default();
        }
        let messages = connection.take_messages(input.bytes());
        delta.count_messages(messages.len());
        messages
    }

    /// Yields to other tasks while there is more to read. Timeouts are checked here, because the transport may always
    /// have more to read.
    fn yield_now(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.account(cx);
        cx.waker().wake_by_ref();
        if let Some(ActiveCore { connection, read_since, .. }) = self.core.active() {
            let read = std::mem::take(read_since);
            if connection.has_deadline() {
                connection.handle_timeout_while_reading(Instant::now().into_std(), read);
            }
        }
        Poll::Pending
    }

    /// Flushes like [`Link::poll_flush`], for an application that is not receiving. The deadlines of an open connection
    /// pause, since its bytes are not read. A closing connection ends at its deadline.
    pub(crate) fn poll_without_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(active) = self.core.active() {
            active.connection.handle_pause();
        }
        self.poll_flush_or_end(cx)
    }

    /// Flushes like [`Link::poll_flush`], for a caller that may do nothing else. A closing connection ends at its
    /// deadline.
    pub(crate) fn poll_flush_or_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_flush(cx);
        let is_closing = self.core.active().is_some_and(|active| {
            !active.connection.is_open() && active.connection.closed().is_none()
        });
        if is_closing && self.poll_deadline(cx).is_ready() {
            self.end(cx);
            if flushed.is_pending() {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
        }
        flushed
    }

    /// Does everything but reading. Ready when the connection has ended.
    pub(crate) fn poll_all_but_reading(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(active) = self.core.active() {
            active.connection.handle_pause();
        }
        // A write error is recorded.
        let _ = self.poll_flush(cx);
        self.account(cx);
        if self.core.closed().is_none() {
            ready!(self.poll_deadline(cx));
        }
        self.end(cx);
        Poll::Ready(())
    }

    /// Polls until the transport has taken all queued bytes, of this task and of others.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_broken()?;
        let mut has_mail = self.collect_mail(cx);
        while self.core.active().is_some_and(|active| !active.connection.is_flushed()) {
            let written = self.poll_write(cx);
            if written.is_pending() && self.core.closed().is_some() {
                // Nothing drives a connection that has ended.
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
            ready!(written)?;
            if has_mail {
                has_mail = self.collect_mail(cx);
            }
        }
        let Some(stream) = &mut self.stream else {
            let is_complete = self.core.queued_bytes() == 0;
            let not_connected = || Err(io::ErrorKind::NotConnected.into());
            return Poll::Ready(if is_complete { Ok(()) } else { not_connected() });
        };
        if let Some(ActiveCore { flush, .. }) = self.core.active()
            && *flush == Flush::Due
        {
            let flushed = ready!(Pin::new(stream).poll_flush(cx));
            *flush = Flush::Done;
            self.check_write(flushed)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Polls until there is room for another message, or until messages are no longer accepted.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_broken()?;
        while !self.has_room() {
            // A sender may have started the closing handshake meanwhile. Then no message is accepted.
            self.collect_mail(cx);
            if self.has_room() {
                break;
            }
            ready!(self.poll_write(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns whether another message may be queued without waiting.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        let Some(ActiveCore { connection, flush, .. }) = self.core.active() else {
            return true;
        };
        *flush != Flush::Broken
            && (connection.queued_bytes() < WRITE_HIGH_WATER || !connection.is_open())
    }

    /// Queues a message, even if there is no room.
    #[inline]
    pub(crate) fn queue(&mut self, message: &Outgoing) -> Result<(), Misuse> {
        self.core.ask_for_context(|connection| connection.context_needed(message));
        let Some(active) = self.core.active() else {
            return Err(Misuse::Closing);
        };
        active.lend_buffer();
        active.connection.send_outgoing(message)?;
        active.delta.count_sent();
        Ok(())
    }

    /// Queues the messages that the application has corked.
    #[inline]
    pub(super) fn uncork(&mut self) {
        if let Some(active) = self.core.unparked()
            && active.uncork()
        {
            self.note_work();
        }
    }

    /// Returns a cork, in which the application may put messages until the link is locked again. Returns `None`
    /// if no driving task polls the application, or if messages cannot be sent as they are.
    pub(super) fn cork(&mut self) -> Option<Arc<Cork>> {
        if !self.polls_application() || !self.has_room() {
            return None;
        }
        let active = self.core.active().filter(|active| active.connection.may_send_slice())?;
        let cork = active.cork.get_or_insert_with(Cork::new);
        cork.open();
        Some(Arc::clone(cork))
    }

    /// Releases the cork, when the application has taken the last message of a batch.
    pub(super) fn drop_cork(&mut self) {
        if let Some(active) = self.core.unparked()
            && let Some(cork) = active.cork.take()
        {
            Cork::recycle(cork);
        }
    }

    /// Queues the next part of a message, even if there is no room.
    pub(crate) fn queue_part(&mut self, part: &Part) -> Result<(), Misuse> {
        self.core.ask_for_context(|connection| connection.context_needed_for_part(part));
        let active = self.core.active().ok_or(Misuse::Closing)?;
        active.connection.send_part(part)
    }

    /// Queues a Ping.
    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        let active = self.core.active().ok_or(Misuse::Closing)?;
        active.connection.ping(payload)
    }

    /// Starts the closing handshake after all messages that this task and others have sent.
    pub(crate) fn start_close(&mut self, frame: Option<&CloseFrame>) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.shut();
            let Mail { messages, .. } = mailbox.take(usize::MAX, Waker::noop());
            self.queue_mail(&messages);
        }
        if let Some(active) = self.core.active() {
            active.connection.close(frame);
        }
    }

    pub(crate) fn set_delivery(&mut self, delivery: Delivery) {
        if let Some(active) = self.core.active() {
            active.connection.set_delivery(delivery);
        }
    }

    /// Returns how the connection ended, if it has ended.
    pub(crate) fn close_result(&self) -> Option<&Closed> {
        self.core.closed()
    }

    /// Marks the end of the application's stream. Returns false if that was done before.
    pub(crate) fn end_stream(&mut self) -> bool {
        self.core.end_stream()
    }

    /// Returns why the connection failed, if it has failed.
    pub(crate) fn failure(&self) -> Option<ConnectionError> {
        self.core.failure()
    }

    /// Returns the first error of the transport.
    pub(crate) fn broken(&self) -> Option<io::Error> {
        self.core.broken()
    }

    /// Returns the number of queued bytes that the transport has not taken.
    pub(crate) fn queued_bytes(&self) -> u64 {
        self.core.queued_bytes()
    }

    /// Returns the payload bytes that the transport took since the last call.
    pub(crate) fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.payload_written)
    }

    /// Returns a sender for other tasks.
    pub(crate) fn sender(&mut self) -> Sender {
        let has_ended = self.stream.is_none();
        let mailbox = self.mailbox.get_or_insert_with(Inbox::new);
        if has_ended {
            mailbox.end();
        }
        mailbox.sender()
    }

    /// Queues the messages of other tasks while there is room. Returns whether there are more. If not, the next one
    /// wakes the task of `cx`.
    fn collect_mail(&mut self, cx: &Context<'_>) -> bool {
        while let Some(mailbox) = &self.mailbox {
            let room = WRITE_HIGH_WATER.saturating_sub(self.core.queued_bytes());
            let Mail { messages, has_more, close } = mailbox.take(room as usize, cx.waker());
            self.queue_mail(&messages);
            if let Some(frame) = close {
                self.start_close(frame.as_ref());
            }
            if !has_more || self.core.queued_bytes() >= WRITE_HIGH_WATER {
                return has_more;
            }
        }
        false
    }

    /// Queues messages of other tasks. A connection that is closing refuses them.
    fn queue_mail(&mut self, messages: &VecDeque<Outgoing>) {
        for message in messages {
            self.queue(message).ok();
        }
    }

    /// Writes once.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (Some(stream), Some(active)) = (&mut self.stream, self.core.active()) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = active.connection.poll_output(&mut slices);
        let stream = Pin::new(stream);
        let polled = match &slices[..count] {
            // This is cheaper than a vectored write of one slice.
            [slice] => stream.poll_write(cx, slice),
            slices => stream.poll_write_vectored(cx, slices),
        };
        let written = match ready!(polled) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            written => written,
        };
        let written = self.check_write(written)?;
        if let Some(ActiveCore { connection, delta, flush, .. }) = self.core.active() {
            self.payload_written += connection.handle_written(written) as u64;
            delta.count_written(written);
            *flush = Flush::Due;
        }
        Poll::Ready(Ok(()))
    }

    /// Records a write error. After it, the link no longer writes, but it still reads.
    fn check_write<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if let Some(active) = self.core.active() {
                active.connection.handle_write_failed();
                active.flush = Flush::Broken;
                active.record_error(error);
            }
            self.shut_mailbox();
        })
    }

    /// Returns the write error, if there was one. The queued messages were discarded then, so later calls fail too.
    fn check_broken(&mut self) -> io::Result<()> {
        match self.core.active() {
            Some(ActiveCore { broken: Some(error), flush: Flush::Broken, .. }) => Err(copy(error)),
            _ => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some(stream), Some(active)) = (&mut self.stream, self.core.active()) else {
            return Poll::Pending;
        };
        let ActiveCore { connection, input, .. } = active;
        let bytes_needed = connection.bytes_needed(input.bytes());
        input.make_room(bytes_needed);
        let polled = pin!(stream.read_buf(input.bytes())).poll(cx);
        let Poll::Ready(read) = polled else {
            active.settle();
            self.account(cx);
            return Poll::Pending;
        };
        match read {
            Ok(0) => active.connection.handle_end_of_input(),
            Ok(count) => {
                active.read_since += count;
                active.delta.count_read(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                active.connection.handle_end_of_input();
                active.record_error(&error);
            }
        }
        Poll::Ready(())
    }

    /// Parks the connection, if it has no work.
    pub(crate) fn park(&mut self) {
        if self.poller.is_at_rest() {
            self.core.park();
        }
    }

    /// Returns how many bytes the transport has not taken, and whether it must be flushed.
    pub(crate) fn unwritten(&mut self) -> (u64, Flush) {
        match self.core.active() {
            Some(active) => (active.connection.queued_bytes(), active.flush),
            None => (0, Flush::ShutDown),
        }
    }

    /// Reports to the server how much memory the connection holds. If the server's connections exceed the budget, this
    /// one may have to free its contexts, or to fail.
    pub(super) fn account(&mut self, cx: &Context<'_>) {
        if self.hold() {
            return;
        }
        let Some(active) = self.core.active() else { return };
        if active.connection.context_bytes() > 0 {
            active.connection.release_contexts();
            if self.hold() {
                return;
            }
        }
        let Some((active, guard)) = self.core.active_of_server() else { return };
        let was_ending = active.connection.failure().is_some();
        active.connection.fail_over_budget();
        let has_failed = !was_ending && active.connection.failure().is_some();
        if has_failed {
            tracing::warn!(
                "connection closed: the connections of this server hold too much memory"
            );
            guard.pool().counters.count_evicted();
        }
        if active.connection.queued_bytes() >= WRITE_HIGH_WATER {
            // The peer does not read, so it would not read a Close either.
            active.connection.handle_write_failed();
            self.shut_mailbox();
        }
        self.poller.drop_ahead();
        if has_failed {
            // The Close must still be written.
            cx.waker().wake_by_ref();
        }
    }

    /// Returns false if the connection was evicted and must free its memory.
    fn hold(&mut self) -> bool {
        let ahead = self.poller.ahead_bytes();
        let Some((active, guard)) = self.core.active_of_server() else { return true };
        let is_full = active.connection.queued_bytes() >= WRITE_HIGH_WATER;
        // If the queue of the connection is not full, the mailbox is empty.
        let mail = self.mailbox.as_ref().filter(|_| is_full).map_or(0, Inbox::bytes);
        let held = active.connection.held_bytes(active.input.bytes());
        guard.hold(held.saturating_add(mail).saturating_add(ahead))
    }

    /// Registers the task that drives the link with the server's timer.
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.core.owner.register(waker);
    }

    /// Returns the phase of the server. Without a server, the phase is always serving.
    pub(crate) fn phase(&self) -> Phase {
        self.core.owner.phase()
    }

    pub(crate) fn guard(&self) -> Option<&ConnectionGuard> {
        self.core.owner.guard()
    }

    /// Adds the counts since the last call to those of the server.
    pub(crate) fn report(&mut self) {
        self.core.report();
    }

    /// Accepts no more messages from other tasks.
    fn shut_mailbox(&self) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.shut();
        }
    }
}
