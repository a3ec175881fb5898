pub(crate) mod alarm;
pub(crate) mod byte_stream;
pub(crate) mod core;
pub(crate) mod delta;
pub(crate) mod driver;
pub(crate) mod halves;
pub(crate) mod link;
pub(crate) mod message_stream;
pub(crate) mod read_buffer;
pub(crate) mod sender;

use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use fullduplex_proto::handshake::{Answer, Subprotocol};
use fullduplex_proto::{
    CloseFrame, Closed, Connection, ConnectionError, Delivery, Message, MessageBatch, Misuse,
    Outgoing, Part, Received,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::alarm::Alarm;
use crate::socket::link::Link;
use crate::socket::sender::Sender;
use crate::transport::Transport;

/// An open WebSocket over the transport `S`.
///
/// One task uses it. [`recv`](Self::recv) also writes what is waiting, so that a task that only
/// receives still answers pings and closes properly. Other tasks send by a [`Sender`].
///
/// In a handler of a [`Server`](crate::server::Server), and wherever else a handler is given a socket, the task
/// of the handler also drives the socket while the handler does something else: it answers pings, meets
/// deadlines, and writes what was sent as soon as the handler waits for anything. So there,
/// [`send`](Self::send) waits for room and not for the transport, and the answers to many messages that
/// arrived together leave together.
///
/// All methods are cancel safe: a future that is dropped before it is ready has received nothing
/// and lost nothing, and what it had accepted for sending stays queued, whole and in order.
///
/// Dropping a socket ends its connection: in a handler with the closing handshake, elsewhere at once;
/// call [`close`](Self::close) to part properly there.
#[derive(Debug)]
pub struct Socket<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    shared: Arc<Shared<S>>,
    /// Messages that arrived together with the last one: most of a burst is received without the lock.
    ahead: Option<Box<MessageBatch>>,
}

/// What a socket shares with the task that drives it.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    link: Mutex<Link<S>>,
    /// What was agreed on, if anything was.
    answer: Option<Box<Answer>>,
}

/// The connection failed: by the peer's fault, or the world's.
#[derive(Debug, thiserror::Error)]
pub struct SocketError {
    failure: ConnectionError,
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
    pub fn failure(&self) -> ConnectionError {
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
        alarm: Alarm,
    ) -> Self {
        // RFC6455-9.1-5: what was answered, whatever was offered.
        let connection = match answer.deflate() {
            Some(agreed) => connection.with_deflate(agreed),
            None => connection,
        };
        let link = Link::new(stream, connection, input, alarm);
        let answer = Some(Box::new(answer)).filter(|answer| **answer != Answer::default());
        let shared = Arc::new(Shared { link: Mutex::new(link), answer });
        Self { shared, ahead: None }
    }

    /// The subprotocol that both ends agreed on.
    pub fn subprotocol(&self) -> Option<&Subprotocol> {
        self.shared.answer.as_ref()?.subprotocol()
    }

    /// The extensions in use, as the server's header lists them; empty if there are none.
    pub fn extensions(&self) -> String {
        self.shared.answer.as_ref().map(|answer| answer.extensions()).unwrap_or_default()
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
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, SocketError>> {
        poll_fn(|cx| self.poll_message(cx))
    }

    /// As [`Socket::recv`].
    #[inline]
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, SocketError>> {
        let message = |event| match event {
            Received::Message(message) => Some(message),
            _ => None,
        };
        match self.next_ahead() {
            Some(message) => Poll::Ready(Ok(Some(message))),
            None => self.poll_content(cx, Delivery::Whole, message),
        }
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
        poll_fn(|cx| self.poll_part(cx)).await
    }

    /// As [`Socket::recv_part`].
    pub(crate) fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Part>, SocketError>> {
        let part = |event| match event {
            Received::Part(part) => Some(part),
            // It had begun to arrive before parts were asked for.
            Received::Message(content) => Some(Part { content, last: true }),
            _ => None,
        };
        if let Some(content) = self.next_ahead() {
            return Poll::Ready(Ok(Some(Part { content, last: true })));
        }
        self.poll_content(cx, Delivery::Parts, part)
    }

    /// The next message, if it is at hand because it arrived together with the last one. For a caller that
    /// passes on several at once; `None` says nothing of what comes next.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.next_ahead()
    }

    /// The next of the messages that are at hand. Behind the last one, reading goes on.
    #[inline]
    fn next_ahead(&mut self) -> Option<Message> {
        let ahead = self.ahead.as_mut()?;
        let message = ahead.next()?;
        if ahead.len() == 0 {
            self.ahead = None;
            let mut link = self.link();
            link.handle_messages_taken();
            wake(link);
        }
        Some(message)
    }

    /// Polls for an event with content; `None` at the end.
    fn poll_content<T>(
        &mut self,
        cx: &mut Context<'_>,
        delivery: Delivery,
        content: impl Fn(Received) -> Option<T>,
    ) -> Poll<Result<Option<T>, SocketError>> {
        let mut link = self.shared.link();
        while let Some(event) = ready!(link.poll_event_for_application(delivery, cx)) {
            if let Some(content) = content(event) {
                self.ahead = take_ahead(&mut link);
                // More may have arrived, and nobody waits for it now.
                wake(link);
                return Poll::Ready(Ok(Some(content)));
            }
        }
        Poll::Ready(link.error().map_or(Ok(None), Err))
    }

    /// Sends a message, and waits until the transport has taken it: as long as the peer takes, and
    /// without reading meanwhile. Pings are answered by the next [`Socket::recv`]. In a handler it
    /// waits only for room, and the message leaves at the latest when the handler waits for anything.
    ///
    /// # Errors
    /// [`SendError`]; the message was not sent, or not wholly.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole or, while [`Socket::feed`] waits for room, not at all.
    pub fn send(
        &mut self,
        message: impl Into<Outgoing>,
    ) -> impl Future<Output = Result<(), SendError>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            let mut link = self.link();
            ready!(link.poll_feed(cx, &mut message))?;
            poll_sent(link, cx)
        })
    }

    /// Sends the next part of a message, and waits as [`Socket::send`] does. No other message may be
    /// sent before the last part.
    ///
    /// # Errors
    /// [`SendError`]; the part was not sent, or not wholly.
    ///
    /// # Cancel safety
    /// Safe: the part is queued whole or, while there is no room, not at all.
    pub fn send_part(&mut self, part: &Part) -> impl Future<Output = Result<(), SendError>> {
        let mut part = Some(part);
        poll_fn(move |cx| {
            let mut link = self.link();
            if let Some(next) = part {
                ready!(link.poll_room_for_application(cx))?;
                link.connection().send_part(next)?;
                part = None;
            }
            poll_sent(link, cx)
        })
    }

    /// Queues a message, once there is room; it leaves with the next [`Socket::flush`],
    /// [`Socket::send`] or [`Socket::recv`].
    ///
    /// # Errors
    /// [`SendError`]; the message was not queued.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole or not at all.
    pub fn feed(
        &mut self,
        message: impl Into<Outgoing>,
    ) -> impl Future<Output = Result<(), SendError>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            let mut link = self.link();
            ready!(link.poll_feed(cx, &mut message))?;
            wake(link);
            Poll::Ready(Ok(()))
        })
    }

    /// Polls until there is room for another message.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.link().poll_room_for_application(cx)
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
        Ok(self.closed().expect("recv ends when the connection has ended"))
    }

    /// Starts the closing handshake, behind everything that was sent before, by a [`Sender`] too.
    pub fn start_close(&mut self, frame: Option<&CloseFrame>) {
        let mut link = self.link();
        link.start_close(frame);
        wake(link);
    }

    /// Queues a Ping of at most 125 bytes.
    ///
    /// # Errors
    /// [`Misuse`] if the payload is too long or the connection is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        let mut link = self.link();
        link.connection().ping(payload)?;
        wake(link);
        Ok(())
    }

    /// A handle by which other tasks send, while this one receives.
    pub fn sender(&mut self) -> Sender {
        let mut link = self.link();
        let sender = link.sender();
        // The task must learn of it, to wait for what it brings.
        wake(link);
        sender
    }

    /// How the connection ended, once it has.
    pub fn closed(&self) -> Option<Closed> {
        self.link().connection().closed().cloned()
    }

    /// Queues a message without waiting for room. For a caller with a bound of its own.
    ///
    /// # Errors
    /// [`Misuse::Closing`] after a close, [`Misuse::MessageUnderWay`] between the parts of another
    /// message.
    pub fn queue(&mut self, message: impl Into<Outgoing>) -> Result<(), Misuse> {
        let mut link = self.link();
        link.queue(&message.into())?;
        wake(link);
        Ok(())
    }

    /// Bytes queued and not yet taken by the transport, headers included.
    pub fn queued_bytes(&self) -> u64 {
        self.link().connection().queued_bytes()
    }

    /// How many payload bytes of messages the transport took since the last call.
    pub fn take_written(&mut self) -> u64 {
        self.link().take_written()
    }

    /// Why the connection failed, as soon as it has; with what the transport said, if it did. The peer
    /// may still have to be told: go on polling until [`Socket::closed`].
    pub fn error(&self) -> Option<SocketError> {
        self.link().error()
    }

    /// Polls for the next event, and drives everything else: writing, closing, deadlines. `None`
    /// when the connection has ended, as [`Socket::closed`] then tells. In a handler, pings and pongs
    /// that arrive while it does something else are no events.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        if let Some(message) = self.next_ahead() {
            return Poll::Ready(Some(Received::Message(message)));
        }
        let mut link = self.shared.link();
        let event = ready!(link.poll_event_for_application(Delivery::Whole, cx));
        if let Some(Received::Message(_)) = event {
            self.ahead = take_ahead(&mut link);
        }
        // More may have arrived, and nobody waits for it now.
        wake(link);
        Poll::Ready(event)
    }

    /// Polls until the transport has taken all that was queued, for a caller that takes no messages
    /// now. A peer is not blamed for the time in which nobody reads what it says.
    ///
    /// # Errors
    /// As [`Socket::poll_flush`].
    pub fn poll_without_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_writing(cx, Link::poll_without_reading)
    }

    /// Polls until the transport has taken all that was queued.
    ///
    /// # Errors
    /// The error of the transport, at the call that meets it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_writing(cx, Link::poll_flush_or_end)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    fn link(&self) -> MutexGuard<'_, Link<S>> {
        self.shared.link()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    /// No code of users runs under the lock, so it cannot be poisoned halfway.
    pub(crate) fn link(&self) -> MutexGuard<'_, Link<S>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Queues the message once there is room, if that is still to be done.
    #[inline]
    fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Outgoing>,
    ) -> Poll<Result<(), SendError>> {
        if message.is_some() && !self.has_room() {
            ready!(self.poll_room_for_application(cx))?;
        }
        if let Some(next) = message {
            self.queue(next)?;
            *message = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_room_for_application(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_writing(cx, Self::poll_room).map_err(SendError::Io)
    }

    fn error(&mut self) -> Option<SocketError> {
        let failure = self.connection().failure()?;
        Some(SocketError { failure, io: self.broken() })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Socket<S> {
    fn drop(&mut self) {
        let driver = self.link().handle_dropped();
        driver.into_iter().for_each(Waker::wake);
    }
}

/// What has arrived together with a message that is received now.
fn take_ahead<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>) -> Option<Box<MessageBatch>> {
    let ahead = link.take_messages();
    (ahead.len() > 0).then(|| Box::new(ahead))
}

/// Whether what was queued needs nothing more from here: otherwise the transport has to take it.
#[inline]
fn poll_sent<S: AsyncRead + AsyncWrite + Unpin>(
    mut link: MutexGuard<'_, Link<S>>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), SendError>> {
    if link.is_driven() {
        wake(link);
        return Poll::Ready(Ok(()));
    }
    link.poll_flush(cx).map_err(SendError::Io)
}

/// Wakes the task that drives the link, if there is one and it would not look by itself; without the
/// lock, for a waker may be code of others.
#[inline]
fn wake<S: AsyncRead + AsyncWrite + Unpin>(mut link: MutexGuard<'_, Link<S>>) {
    let driver = link.driver_to_wake();
    drop(link);
    driver.into_iter().for_each(Waker::wake);
}
