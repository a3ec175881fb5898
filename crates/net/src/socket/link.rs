use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use fullduplex_proto::{CloseFrame, Closed, Connection, MessageBatch, Misuse, Outgoing, Received};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::coop::{has_budget_remaining, poll_proceed};
use tokio::time::Instant;

use crate::server::connections::Phase;
use crate::socket::alarm::Alarm;
use crate::socket::core::{ActiveCore, Core};
use crate::socket::driver::DriverState;
use crate::socket::sender::Inbox;
use crate::socket::sender::Sender;

/// How many reads a task may take for one event before others have their turn.
const READS_PER_TURN: usize = 4;

/// How many bytes may wait for the transport before whoever sends waits too.
const HIGH_WATER: u64 = 64 << 10;

/// How many pieces one write takes at most.
const SLICES: usize = 16;

/// A transport and the connection over it: the one loop that moves the bytes, for whoever polls it.
#[derive(Debug)]
pub(crate) struct Link<S> {
    stream: S,
    core: Core,
    alarm: Alarm,
    /// What other tasks have sent.
    mailbox: Option<Inbox>,
    /// Set while a task of ours drives the link, whether or not the application polls.
    pub(crate) driving: Option<DriverState>,
    /// Bytes of messages that the transport took since somebody asked.
    payload_written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    Due,
    Done,
    /// The transport was shut down for writing, behind all of it.
    ShutDown,
    /// The transport takes no more.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(stream: S, connection: Connection, input: BytesMut, alarm: Alarm) -> Self {
        Self {
            stream,
            core: Core::new(connection, input),
            alarm,
            mailbox: None,
            driving: None,
            payload_written: 0,
        }
    }

    /// Polls for the next event, and drives everything else: writing, closing, deadlines. `None`
    /// when the connection has ended.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        for _ in 0..READS_PER_TURN {
            if self.is_cut_off(cx) {
                return Poll::Ready(None);
            }
            let active = self.core.active();
            if active.may_hold_event() {
                // One read may bring thousands of messages: each event uses up some of the task's share of
                // time, so that other tasks have theirs.
                let Poll::Ready(share) = poll_proceed(cx) else {
                    return self.give_way(cx);
                };
                // A violation is the end; `failure` tells it.
                if let Ok(Some(event)) = active.connection.handle_input(active.input.bytes()) {
                    share.made_progress();
                    active.delta.count_received(&event);
                    if let Received::Message(message) = &event {
                        active.input.part_from_message(message.len());
                    }
                    return Poll::Ready(Some(event));
                }
                // Otherwise it would take back what reading uses up.
                drop(share);
            }
            // What cannot be written now is written when the transport wakes this task; an error of
            // writing is remembered.
            if self.poll_flush(cx).is_ready() {
                self.poll_shutdown(cx);
            }
            if self.connection().closed().is_some() {
                self.end(cx);
                return Poll::Ready(None);
            }
            // What has arrived counts before the deadline does: it may have waited for us.
            if self.poll_read(cx).is_ready() {
                continue;
            }
            // That the task has used up its share is no silence of the peer.
            if !has_budget_remaining() {
                return self.give_way(cx);
            }
            self.core.active().read_since = 0;
            ready!(self.poll_deadline(cx));
        }
        self.give_way(cx)
    }

    /// Takes messages that have been read already, as long as nothing else stands before them.
    pub(crate) fn receive_messages(&mut self) -> MessageBatch {
        let ActiveCore { connection, input, delta, .. } = self.core.active();
        let messages = connection.take_messages(input.bytes());
        delta.count_messages(messages.len());
        messages
    }

    /// Whether the deadline of a closing connection has ended it. It is absolute, whatever arrives and
    /// whoever reads, so it is checked before each event.
    fn is_cut_off(&mut self, cx: &mut Context<'_>) -> bool {
        let connection = self.connection();
        if connection.is_open() {
            return false;
        }
        connection.handle_timeout(Instant::now().into_std());
        if connection.closed().is_none() {
            return false;
        }
        self.end(cx);
        true
    }

    /// Gives other tasks their turn while there is more to read. Timeouts are checked here, because the
    /// transport may never run dry.
    fn give_way(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.account();
        cx.waker().wake_by_ref();
        let ActiveCore { connection, read_since, .. } = self.core.active();
        let read = std::mem::take(read_since);
        if connection.has_deadline() {
            connection.handle_timeout_while_reading(Instant::now().into_std(), read);
        }
        Poll::Pending
    }

    /// As [`Link::poll_flush`], for a caller that takes no messages now. The peer of an open connection is
    /// not blamed for that time; a closing connection ends by its deadline.
    pub(crate) fn poll_without_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection().handle_pause();
        self.poll_flush_or_end(cx)
    }

    /// As [`Link::poll_flush`], for a caller that may do nothing else: a closing connection ends by its
    /// deadline.
    pub(crate) fn poll_flush_or_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_flush(cx);
        let connection = self.connection();
        if !connection.is_open()
            && connection.closed().is_none()
            && self.poll_deadline(cx).is_ready()
        {
            self.end(cx);
            if flushed.is_pending() {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
        }
        flushed
    }

    /// Drives everything but reading. Ready when the connection has ended.
    pub(crate) fn poll_all_but_reading(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection().handle_pause();
        // An error of writing is remembered.
        let _ = self.poll_flush(cx);
        if self.connection().closed().is_none() {
            ready!(self.poll_deadline(cx));
        }
        self.end(cx);
        Poll::Ready(())
    }

    /// Polls until the transport has taken all that was queued, here and by other tasks.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_broken()?;
        self.collect_mail(cx);
        while !self.connection().is_flushed() {
            let written = self.poll_write(cx);
            if written.is_pending() && self.connection().closed().is_some() {
                // Nobody drives what has ended.
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
            ready!(written)?;
            self.collect_mail(cx);
        }
        let ActiveCore { flush, .. } = self.core.active();
        if *flush == Flush::Due {
            let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
            *flush = Flush::Done;
            self.check_write(flushed)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Polls until there is room for another message, or none is taken any more.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_broken()?;
        while !self.has_room() {
            ready!(self.poll_write(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nobody need wait to queue another message.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        let ActiveCore { connection, flush, .. } = self.core.active();
        *flush != Flush::Broken && (connection.queued_bytes() < HIGH_WATER || !connection.is_open())
    }

    /// Queues a message, whether or not there is room.
    #[inline]
    pub(crate) fn queue(&mut self, message: &Outgoing) -> Result<(), Misuse> {
        let active = self.core.active();
        active.lend_buffer();
        active.connection.send_outgoing(message)?;
        active.delta.count_sent();
        Ok(())
    }

    /// Starts the closing handshake, behind everything that was sent before, by other tasks too.
    pub(crate) fn start_close(&mut self, frame: Option<&CloseFrame>) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.shut();
            while let Some(message) = mailbox.take(Waker::noop()) {
                // A connection that is closing drops it.
                self.queue(&message).ok();
            }
            self.mailbox = Some(mailbox);
        }
        self.connection().close(frame);
    }

    /// The connection, for what needs no transport.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.core.active().connection
    }

    /// The first error of the transport.
    pub(crate) fn broken(&mut self) -> Option<io::Error> {
        self.core.active().broken.as_ref().map(copy)
    }

    /// How many bytes of messages the transport took since the last call.
    pub(crate) fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.payload_written)
    }

    /// By which other tasks send.
    pub(crate) fn sender(&mut self) -> Sender {
        self.mailbox.get_or_insert_with(Inbox::new).sender()
    }

    /// Queues what other tasks have sent, as far as there is room; more wakes the task of `cx`.
    fn collect_mail(&mut self, cx: &Context<'_>) {
        let Some(mailbox) = self.mailbox.take() else {
            return;
        };
        while self.connection().queued_bytes() < HIGH_WATER
            && let Some(message) = mailbox.take(cx.waker())
        {
            // A connection that is closing drops it.
            self.queue(&message).ok();
        }
        let close = mailbox.take_close(cx.waker());
        self.mailbox = Some(mailbox);
        if let Some(frame) = close {
            self.start_close(frame.as_ref());
        }
    }

    /// One write of what waits.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = &self.core.active().connection;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = connection.poll_output(&mut slices);
        let stream = Pin::new(&mut self.stream);
        let polled = match &slices[..count] {
            // One piece is written for less than a list of one.
            [piece] => stream.poll_write(cx, piece),
            pieces => stream.poll_write_vectored(cx, pieces),
        };
        let written = match ready!(polled) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            written => written,
        };
        let written = self.check_write(written)?;
        let ActiveCore { connection, delta, flush, .. } = self.core.active();
        self.payload_written += connection.handle_written(written) as u64;
        delta.count_written(written);
        *flush = Flush::Due;
        Poll::Ready(Ok(()))
    }

    /// An error of writing ends writing, not reading.
    fn check_write<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            let active = self.core.active();
            active.connection.handle_write_failed();
            active.flush = Flush::Broken;
            active.note_broken(error);
            self.shut_mailbox();
        })
    }

    /// What was queued when writing broke was discarded, so nobody may be told that it was taken.
    fn check_broken(&mut self) -> io::Result<()> {
        let ActiveCore { broken, flush, .. } = self.core.active();
        match (broken, *flush) {
            (Some(error), Flush::Broken) => Err(copy(error)),
            _ => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ActiveCore { connection, input, .. } = self.core.active();
        let bytes_needed = connection.bytes_needed(input.bytes());
        input.make_room(bytes_needed);
        let polled = pin!(self.stream.read_buf(input.bytes())).poll(cx);
        let Poll::Ready(read) = polled else {
            self.core.active().settle();
            self.account();
            return Poll::Pending;
        };
        let active = self.core.active();
        match read {
            Ok(0) => active.connection.handle_end_of_input(),
            Ok(count) => {
                active.read_since += count;
                active.delta.count_read(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                active.connection.handle_end_of_input();
                active.note_broken(&error);
            }
        }
        Poll::Ready(())
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        let active = self.core.active();
        if active.connection.wants_shutdown()
            && let Poll::Ready(result) = Pin::new(&mut self.stream).poll_shutdown(cx)
        {
            match result {
                Ok(()) => {
                    active.connection.handle_shutdown();
                    active.flush = Flush::ShutDown;
                }
                Err(error) => {
                    active.connection.handle_write_failed();
                    active.note_broken(&error);
                }
            }
        }
    }

    /// Both ends have had their say; an orderly end of TLS and TCP is a courtesy now
    /// (RFC6455-7.1.1-1).
    fn end(&mut self, cx: &mut Context<'_>) {
        self.alarm.clear();
        self.shut_mailbox();
        if self.core.active().flush != Flush::ShutDown {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
    }

    /// Ready when a deadline has ended the connection.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let connection = self.connection();
        if !connection.has_deadline() {
            return Poll::Pending;
        }
        if connection.is_settled() && self.alarm.is_about_to_ring() {
            return Poll::Pending;
        }
        let mut now = Instant::now();
        while let Some(at) = self.connection().handle_timeout(now.into_std()) {
            if !self.connection().is_flushed() {
                // A Ping was due, or our Close; an error of writing is remembered. What is waited for then
                // is waited for from when it is written.
                let _ = self.poll_flush(cx);
                if self.connection().is_flushed() {
                    continue;
                }
            }
            ready!(self.alarm.poll(Instant::from_std(at), now, cx));
            now = Instant::now();
        }
        self.alarm.clear();
        if self.connection().closed().is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Keeps little from now on, if nothing is under way: of a server's connection the least.
    pub(crate) fn rest(&mut self) {
        let is_driven = self.driving.as_ref().is_some_and(DriverState::is_at_rest);
        if is_driven {
            self.core.park();
        }
    }

    /// What the transport has still to take: so many bytes, and what it may hold back.
    pub(crate) fn unwritten(&mut self) -> (u64, Flush) {
        let ActiveCore { connection, flush, .. } = self.core.active();
        (connection.queued_bytes(), *flush)
    }

    /// Tells the server what unfinished messages keep here; one too many fails the connection.
    fn account(&mut self) {
        let ActiveCore { connection, input, .. } = self.core.active();
        let held = connection.held_bytes(input.bytes());
        if self.alarm.member().is_some_and(|member| !member.hold(held)) {
            connection.fail_over_budget();
        }
    }

    /// Tells the server, if there is one, which task drives the link.
    pub(crate) fn register(&mut self, waker: &Waker) {
        if let Some(member) = self.alarm.member() {
            member.set_waker(waker);
        }
    }

    /// What the server, if there is one, wants to become of the connection.
    pub(crate) fn phase(&mut self) -> Phase {
        self.alarm.member().map_or(Phase::Serving, |member| member.server().phase())
    }

    /// Tells the server, if there is one, what was moved since the last time.
    pub(crate) fn take_note(&mut self) {
        if let Core::Active(active) = &mut self.core {
            let delta = std::mem::take(&mut active.delta);
            if let Some(member) = self.alarm.member() {
                member.server().counters.add(&delta);
            }
        }
    }

    /// Leaves the server, if there is one, and tells it how the connection ended.
    pub(crate) fn leave(&mut self) {
        self.take_note();
        if let Some(member) = self.alarm.member() {
            let code = self.core.active().connection.closed().map_or(1006, Closed::code);
            tracing::debug!(code, "connection closed");
            member.server().counters.count_closed(code);
        }
        self.alarm = Alarm::Own(None);
    }

    /// Takes no more messages of other tasks.
    pub(crate) fn shut_mailbox(&self) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.shut();
        }
    }
}

/// The error, as far as it can be copied.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
