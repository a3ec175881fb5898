use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_proto::handshake::{Answer, Subprotocol};
use fullduplex_proto::{
    CloseFrame, Closed, Connection, Delivery, Event, Failure, Message, Misuse, Outgoing, Part,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::coop::{has_budget_remaining, poll_proceed};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{Deadlines, deadlines};

/// The room made for one read: at least this, more for a large frame under way, but never more than
/// has already arrived of it, or this maximum.
const READ_MIN: usize = 16 << 10;
const READ_MAX: usize = 64 << 10;

/// How many reads a task may take for one event before others have their turn.
const READS_PER_TURN: usize = 4;

/// How many bytes may wait for the transport before [`Socket::feed`] waits too.
const HIGH_WATER: u64 = 64 << 10;

/// How many pieces one write takes at most.
const SLICES: usize = 16;

/// An open WebSocket over the transport `S`.
///
/// One task owns it. [`recv`](Self::recv) also writes what is waiting, so that a task that only
/// receives still answers pings and closes properly.
///
/// All methods are cancel safe: a future that is dropped before it is ready has received nothing
/// and lost nothing, and what it had accepted for sending stays queued, whole and in order.
#[derive(Debug)]
pub struct Socket<S> {
    stream: S,
    connection: Connection,
    answer: Answer,
    /// Read and not yet understood.
    input: BytesMut,
    /// Set while the connection has a deadline.
    timer: Option<Pin<Box<Sleep>>>,
    close_timeout: Duration,
    /// When the deadline of a closing peer that goes on talking counts.
    busy_deadline: Option<Instant>,
    /// What was written into the transport may still be held by it.
    flush: Flush,
    /// The first error of the transport.
    broken: Option<io::Error>,
    /// Payload bytes written since [`Socket::take_written`].
    written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    Due,
    Done,
    /// The transport takes no more.
    Broken,
}

/// The connection failed: by the peer's fault, or the world's.
#[derive(Debug, thiserror::Error)]
pub struct SocketError {
    failure: Failure,
    #[source]
    io: Option<io::Error>,
}

impl std::fmt::Display for SocketError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.io {
            Some(error) => write!(f, "{}: {error}", self.failure),
            None => self.failure.fmt(f),
        }
    }
}

impl SocketError {
    /// What happened.
    pub fn failure(&self) -> Failure {
        self.failure
    }
}

/// A message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The caller sent after a close.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The transport took no more. [`Socket::recv`] may still bring what the peer sent before.
    #[error("the connection broke while a message was sent: {0}")]
    Io(io::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A socket over `stream` after the handshake that brought `answer`, and `input` behind it.
    pub(crate) fn new(
        stream: S,
        connection: Connection,
        input: BytesMut,
        answer: Answer,
        deadlines: Deadlines,
    ) -> Self {
        // RFC6455-9.1-5: what was answered, whatever was offered.
        let connection = match answer.deflate() {
            Some(agreed) => connection.with_deflate(agreed),
            None => connection,
        };
        Self {
            stream,
            connection,
            answer,
            input,
            timer: None,
            close_timeout: deadlines.close,
            busy_deadline: None,
            flush: Flush::Done,
            broken: None,
            written: 0,
        }
    }

    /// The subprotocol that both ends agreed on.
    pub fn subprotocol(&self) -> Option<&Subprotocol> {
        self.answer.subprotocol()
    }

    /// The extensions in use, as the server's header lists them; empty if there are none.
    pub fn extensions(&self) -> String {
        self.answer.extensions()
    }

    /// Waits for the next message; `None` when the connection was closed, as [`Socket::closed`]
    /// then tells.
    ///
    /// Messages may still arrive after [`Socket::start_close`], until the peer has closed too.
    ///
    /// # Errors
    /// [`SocketError`] when the connection has failed, and at every call from then on.
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, SocketError> {
        self.connection.set_delivery(Delivery::Whole);
        self.recv_content(|event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        })
        .await
    }

    /// Waits for the next part of a message, which has arrived while the rest may not have: for
    /// messages that need not fit into memory. `None` when the connection was closed.
    ///
    /// A message is over with the part that says so. What is left of one is [`Socket::recv`]'s, if
    /// that is called instead. `Limits::message_bytes` holds for the whole message: raise it for
    /// larger ones.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    ///
    /// # Cancel safety
    /// Safe: no part is lost.
    pub async fn recv_part(&mut self) -> Result<Option<Part>, SocketError> {
        self.connection.set_delivery(Delivery::Parts);
        self.recv_content(|event| match event {
            Event::Part(part) => Some(part),
            // It had begun to arrive before parts were asked for.
            Event::Message(content) => Some(Part { content, last: true }),
            _ => None,
        })
        .await
    }

    /// Waits for an event with content; `None` at the end.
    async fn recv_content<T>(
        &mut self,
        content: impl Fn(Event) -> Option<T>,
    ) -> Result<Option<T>, SocketError> {
        while let Some(event) = poll_fn(|cx| self.poll_event(cx)).await {
            if let Some(content) = content(event) {
                return Ok(Some(content));
            }
        }
        self.error().map_or(Ok(None), Err)
    }

    /// Sends a message, and waits until the transport has taken it: as long as the peer takes, and
    /// without reading meanwhile. Pings are answered by the next [`Socket::recv`].
    ///
    /// # Errors
    /// [`SendError`]; the message was not sent, or not wholly.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole or, while [`Socket::feed`] waits for room, not at all.
    pub async fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), SendError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Sends the next part of a message, and waits as [`Socket::send`] does. No other message may be
    /// sent before the last part.
    ///
    /// # Errors
    /// [`SendError`]; the part was not sent, or not wholly.
    ///
    /// # Cancel safety
    /// Safe: the part is queued whole or, while there is no room, not at all.
    pub async fn send_part(&mut self, part: &Part) -> Result<(), SendError> {
        self.wait_for_room().await?;
        self.connection.send_part(part)?;
        self.flush().await
    }

    /// Queues a message, once there is room; it leaves with the next [`Socket::flush`],
    /// [`Socket::send`] or [`Socket::recv`].
    ///
    /// # Errors
    /// [`SendError`]; the message was not queued.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole or not at all.
    pub async fn feed(&mut self, message: impl Into<Outgoing>) -> Result<(), SendError> {
        let message = message.into();
        self.wait_for_room().await?;
        self.queue(message)?;
        Ok(())
    }

    async fn wait_for_room(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| {
            self.check_broken()?;
            while self.connection.queued_bytes() >= HIGH_WATER {
                ready!(self.poll_write(cx))?;
            }
            Poll::Ready(Ok(()))
        })
        .await
        .map_err(SendError::Io)
    }

    /// Waits until the transport has taken all that was queued.
    ///
    /// # Errors
    /// [`SendError::Io`] when the transport takes no more.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await.map_err(SendError::Io)
    }

    /// Closes the connection, and waits until it has ended. Messages that arrive meanwhile are
    /// dropped: to receive them, call [`Socket::start_close`] and go on with [`Socket::recv`].
    ///
    /// # Errors
    /// [`SocketError`] if the connection fails instead, or the peer does not answer in time.
    ///
    /// # Cancel safety
    /// Safe: call it or [`Socket::recv`] again to go on.
    pub async fn close(&mut self, frame: Option<CloseFrame>) -> Result<Closed, SocketError> {
        self.start_close(frame.as_ref());
        while self.recv().await?.is_some() {}
        let closed = self.closed().cloned();
        Ok(closed.expect("recv ends when the connection has ended"))
    }

    /// Starts the closing handshake, behind everything that was sent before.
    pub fn start_close(&mut self, frame: Option<&CloseFrame>) {
        self.connection.close(frame);
    }

    /// Queues a Ping of at most 125 bytes.
    ///
    /// # Errors
    /// [`Misuse`] if the payload is too long or the connection is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.connection.ping(payload)
    }

    /// How the connection ended, once it has.
    pub fn closed(&self) -> Option<&Closed> {
        self.connection.closed()
    }

    /// Queues a message without waiting for room. For a caller with a bound of its own.
    ///
    /// # Errors
    /// [`Misuse::Closing`] after a close, [`Misuse::MessageUnderWay`] between the parts of another
    /// message.
    pub fn queue(&mut self, message: impl Into<Outgoing>) -> Result<(), Misuse> {
        self.connection.send(message)
    }

    /// Bytes queued and not yet taken by the transport, headers included.
    pub fn queued_bytes(&self) -> u64 {
        self.connection.queued_bytes()
    }

    /// How many payload bytes of messages the transport took since the last call.
    pub fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.written)
    }

    /// Why the connection failed, as soon as it has; with what the transport said, if it did. The peer
    /// may still have to be told: go on polling until [`Socket::closed`].
    pub fn error(&self) -> Option<SocketError> {
        let failure = self.connection.failure()?;
        Some(SocketError { failure, io: self.broken.as_ref().map(copy) })
    }

    /// Polls for the next event, and drives everything else: writing, closing, deadlines. `None`
    /// when the connection has ended, as [`Socket::closed`] then tells.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        for _ in 0..READS_PER_TURN {
            // One read may bring thousands of messages: each uses up some of the task's share of time,
            // so that other tasks have theirs.
            let Poll::Ready(share) = poll_proceed(cx) else {
                return self.give_way(cx);
            };
            // A violation is the end; `error` tells it.
            if let Ok(Some(event)) = self.connection.handle_input(&mut self.input) {
                share.made_progress();
                self.release_input(&event);
                return Poll::Ready(Some(event));
            }
            // Otherwise it would take back what reading uses up.
            drop(share);
            // What cannot be written now is written when the transport wakes this task; an error of
            // writing is remembered.
            if self.poll_flush(cx).is_ready() {
                self.poll_shutdown(cx);
            }
            if self.connection.closed().is_some() {
                self.timer = None;
                // Both ends have had their say; an orderly end of TLS and TCP is a courtesy now
                // (RFC6455-7.1.1-1).
                let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
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
            self.busy_deadline = None;
            ready!(self.poll_deadline(cx));
        }
        self.give_way(cx)
    }

    /// Lets other tasks have their turn while there is more to read.
    ///
    /// A closing peer that never stops talking is given up as well; later, for what it says may have
    /// waited for us: its deadline counts when it has kept us busy for as long.
    fn give_way(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        cx.waker().wake_by_ref();
        if self.connection.is_open() {
            return Poll::Pending;
        }
        let now = Instant::now();
        if now >= *self.busy_deadline.get_or_insert_with(|| deadlines::after(self.close_timeout)) {
            self.connection.handle_time(now.into_std());
        }
        Poll::Pending
    }

    /// Polls until the transport has taken all that was queued, for a caller that takes no messages
    /// now. A closing peer is not blamed for the time in which nobody reads what it says.
    ///
    /// # Errors
    /// As [`Socket::poll_flush`].
    pub fn poll_without_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.handle_pause();
        self.poll_flush(cx)
    }

    /// Gives the buffer of a large message up: it belongs to the message now, and lives as long.
    fn release_input(&mut self, event: &Event) {
        if let Event::Message(message) = event
            && message.len() > READ_MAX
        {
            self.input = BytesMut::from(&self.input[..]);
        }
    }

    /// Polls until the transport has taken all that was queued.
    ///
    /// # Errors
    /// The error of the transport, at the call that meets it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_broken()?;
        while !self.connection.is_flushed() {
            ready!(self.poll_write(cx))?;
        }
        if self.flush == Flush::Due {
            let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
            self.flush = Flush::Done;
            self.check_write(flushed)?;
        }
        Poll::Ready(Ok(()))
    }

    /// One write of what waits.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.connection.poll_output(&mut slices);
        let stream = Pin::new(&mut self.stream);
        let written = match ready!(stream.poll_write_vectored(cx, &slices[..count])) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            written => written,
        };
        let written = self.check_write(written)?;
        self.written += self.connection.handle_written(written) as u64;
        self.flush = Flush::Due;
        Poll::Ready(Ok(()))
    }

    /// An error of writing ends writing, not reading.
    fn check_write<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            self.connection.handle_write_failed();
            self.flush = Flush::Broken;
            self.note_broken(error);
        })
    }

    /// What was queued when writing broke was discarded, so nobody may be told that it was taken.
    fn check_broken(&self) -> io::Result<()> {
        match (&self.broken, self.flush) {
            (Some(error), Flush::Broken) => Err(copy(error)),
            _ => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lacking = self.connection.lacking(&self.input);
        self.input.reserve(lacking.clamp(READ_MIN, READ_MAX.max(self.input.len())));
        let reading = pin!(self.stream.read_buf(&mut self.input));
        match ready!(reading.poll(cx)) {
            Ok(0) => self.connection.handle_end_of_input(),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.connection.handle_end_of_input();
                self.note_broken(&error);
            }
        }
        Poll::Ready(())
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        if self.connection.wants_shutdown()
            && let Poll::Ready(result) = Pin::new(&mut self.stream).poll_shutdown(cx)
        {
            match result {
                Ok(()) => self.connection.handle_shutdown(),
                Err(error) => {
                    self.connection.handle_write_failed();
                    self.note_broken(&error);
                }
            }
        }
    }

    /// Ready when a deadline has ended the connection.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.connection.has_deadline() {
            return Poll::Pending;
        }
        while let Some(at) = self.connection.handle_time(Instant::now().into_std()) {
            let at = Instant::from_std(at);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
        }
        self.timer = None;
        if self.connection.closed().is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn note_broken(&mut self, error: &io::Error) {
        if self.broken.is_none() {
            self.broken = Some(copy(error));
        }
    }
}

/// The error, as far as it can be copied.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
