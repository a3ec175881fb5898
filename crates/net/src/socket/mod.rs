//! An open connection. It does not depend on how it was opened, or on handlers.

pub(crate) mod byte_stream;
pub(crate) mod core;
pub(crate) mod cork;
pub(crate) mod driver;
mod ending;
pub(crate) mod error;
pub(crate) mod halves;
pub(crate) mod link;
pub(crate) mod options;
pub(crate) mod owner;
pub(crate) mod poller;
pub(crate) mod read_buffer;
pub(crate) mod sender;
pub(crate) mod shared;
mod spare;
pub(crate) mod split;
pub(crate) mod timer;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use fullduplex_proto::handshake::{Answer, Subprotocol};
use fullduplex_proto::{
    CloseFrame, Closed, Connection, Delivery, Message, Misuse, Outgoing, Part, Received,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::pool::guard::ConnectionGuard;
use crate::socket::cork::Turn;
use crate::socket::error::{SendError, SocketError};
use crate::socket::halves::Wait;
use crate::socket::link::Link;
use crate::socket::sender::Sender;
use crate::socket::shared::{Batch, Handle, Shared, poll_sent, take_batch, wake};
use crate::transport::Transport;

/// An open WebSocket over the transport `S`.
///
/// One task uses it. [`recv`](Self::recv) also writes, so a task that only receives still answers pings and
/// closes properly. Other tasks send with a [`Sender`]; [`split`](Self::split) makes two halves for two tasks.
///
/// In a handler of a [`Server`](crate::Server), and in [`Socket::drive`], the task of the handler also drives
/// the socket while the handler waits for something else: it answers pings, checks deadlines, and writes what
/// was sent as soon as the handler waits. There, [`send`](Self::send) waits for room in the queue and not for
/// the transport, and the answers to many messages that arrived together are sent in one write.
///
/// All resources of a connection (its transport, its memory, its place in a server) are freed as soon as it has ended.
/// The socket remains, and returns the messages that were already received.
///
/// Dropping a socket ends its connection. In a handler, the closing handshake is performed; elsewhere, it is
/// not. Call [`close`](Self::close) to close it properly.
///
/// # Cancel safety
/// All methods are cancel safe. Dropping a future before it is ready loses no message. Messages that it has queued stay
/// queued.
///
/// # `Stream` and `Sink`
/// A socket is a [`Stream`](futures_core::Stream) of received messages, which ends after the first error, and
/// a [`Sink`](futures_sink::Sink) of [`Message`]s. In a handler, `Sink::send` waits for the transport,
/// because it flushes; [`send`](Self::send) does not. A [`Prepared`](fullduplex_proto::Prepared) message can
/// only be sent by [`send`](Self::send).
#[derive(Debug)]
pub struct Socket<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    handle: Handle<S>,
    batch: Batch,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Creates a socket from a stream after its handshake, and from the bytes that were read after the handshake.
    pub(crate) fn new(
        stream: S,
        connection: Connection,
        input: BytesMut,
        answer: Answer,
        guard: Option<ConnectionGuard>,
    ) -> Self {
        // RFC6455-9.1-5: the extensions in the response are in use, not those in the offer.
        let connection = match answer.deflate() {
            Some(agreed) => connection.with_deflate(agreed),
            None => connection,
        };
        let link = Link::new(stream, connection, input, guard);
        Self { handle: Handle(Arc::new(Shared::new(link, answer))), batch: None }
    }

    /// Returns the subprotocol that both ends agreed on.
    pub fn subprotocol(&self) -> Option<&Subprotocol> {
        self.shared().answer.as_ref()?.subprotocol()
    }

    /// Returns the extensions in use, in the form of the `Sec-WebSocket-Extensions` header. Empty if there are none.
    pub fn extensions(&self) -> String {
        let answer = self.shared().answer.as_ref();
        answer.map(|answer| answer.extensions()).unwrap_or_default()
    }

    /// Waits for the next message. Returns `None` when the connection was closed; see
    /// [`Socket::close_result`].
    ///
    /// Messages may still arrive after [`Socket::start_close`], until the peer has closed too.
    ///
    /// # Errors
    /// [`SocketError`] if the connection has failed, at this and every later call.
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, SocketError>> {
        Recv(self)
    }

    /// Polls for the next message, like [`Socket::recv`].
    #[inline]
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, SocketError>> {
        self.handle.0.poll_message(&mut self.batch, cx)
    }

    /// Waits for the next part of a message. It may return before the rest of the message arrives, so a message need
    /// not fit into memory. Returns `None` when the connection was closed.
    ///
    /// [`Part::last`] marks the end of a message. If parts of a message were received, [`Socket::recv`] returns the
    /// rest of it. `Limits::message_bytes` applies to the whole message, so raise it for larger ones.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    ///
    /// # Cancel safety
    /// Safe: no part is lost.
    pub async fn recv_part(&mut self) -> Result<Option<Part>, SocketError> {
        poll_fn(|cx| self.poll_part(cx)).await
    }

    /// Polls for the next part, like [`Socket::recv_part`].
    pub(crate) fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Part>, SocketError>> {
        let part = |event| match event {
            Received::Part(part) => Some(part),
            // The message began to arrive before parts were requested.
            Received::Message(content) => Some(Part { content, last: true }),
            _ => None,
        };
        self.handle.0.flush_first(cx);
        if let Some(content) = self.try_recv() {
            return Poll::Ready(Ok(Some(Part { content, last: true })));
        }
        self.handle.0.poll_content(&mut self.batch, cx, Delivery::Parts, part)
    }

    /// Returns the next message if it arrived together with the last one. `None` does not mean that no message has
    /// arrived. Use it to handle several messages at once.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.handle.0.next_of_batch(&mut self.batch)
    }

    /// Sends a message, and waits until the transport has taken it. Meanwhile, the socket does not read, so
    /// pings are only answered by the next [`Socket::recv`]. In a handler, `send` only waits for room in the
    /// queue, and the message is written when the handler next waits.
    ///
    /// # Errors
    /// [`SendError`]; the message was not sent, or not completely.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole. While there is no room, nothing is queued.
    pub fn send(
        &mut self,
        message: impl Into<Outgoing>,
    ) -> impl Future<Output = Result<(), SendError>> {
        Send { socket: self, message: Some(message.into()) }
    }

    /// Sends the next part of a message, and waits as [`Socket::send`] does. No other message may be
    /// sent before the last part.
    ///
    /// # Errors
    /// [`SendError`]; the part was not sent, or not completely.
    ///
    /// # Cancel safety
    /// Safe: the part is queued whole. While there is no room, nothing is queued.
    pub fn send_part(&mut self, part: &Part) -> impl Future<Output = Result<(), SendError>> {
        let mut part = Some(part);
        poll_fn(move |cx| {
            let mut link = self.link();
            if let Some(next) = part {
                ready!(link.poll_room_as_user(cx))?;
                link.queue_part(next)?;
                part = None;
            }
            poll_sent(link, cx)
        })
    }

    /// Waits for room, and queues a message. The next [`Socket::flush`], [`Socket::send`] or [`Socket::recv`] writes
    /// it.
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
            if self.cork(&mut message) {
                return Poll::Ready(Ok(()));
            }
            let mut link = self.link();
            ready!(link.poll_feed(cx, &mut message))?;
            wake(link);
            Poll::Ready(Ok(()))
        })
    }

    /// Waits until the transport has taken everything that was queued.
    ///
    /// # Errors
    /// [`SendError::Io`] if the transport has failed.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await.map_err(SendError::Io)
    }

    /// Closes the connection, and waits until it has ended. Messages that arrive meanwhile are dropped. To
    /// receive them, call [`Socket::start_close`] and then [`Socket::recv`].
    ///
    /// # Errors
    /// [`SocketError`] if the connection fails, or the peer does not answer in time.
    ///
    /// # Cancel safety
    /// Safe: call it or [`Socket::recv`] again to continue.
    pub async fn close(&mut self, frame: Option<CloseFrame>) -> Result<Closed, SocketError> {
        self.start_close(frame.as_ref());
        while self.recv().await?.is_some() {}
        Ok(self.close_result().expect("recv returns None when the connection has ended"))
    }

    /// Starts the closing handshake, after all messages that were sent before, including those of a [`Sender`].
    pub fn start_close(&mut self, frame: Option<&CloseFrame>) {
        self.shared().start_close(frame);
    }

    /// Queues a Ping of at most 125 bytes.
    ///
    /// # Errors
    /// [`Misuse`] if the payload is too long or the connection is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        let mut link = self.link();
        link.ping(payload)?;
        wake(link);
        Ok(())
    }

    /// Returns a handle for other tasks to send, while this task receives.
    pub fn sender(&mut self) -> Sender {
        self.shared().sender()
    }

    /// Waits until the connection has ended, and returns the result. Messages that arrive meanwhile are dropped.
    ///
    /// For a handler that does not receive:
    ///
    /// ```
    /// # use fullduplex_net::{SendError, Socket};
    /// # use tokio::sync::broadcast::Receiver;
    /// async fn push(mut socket: Socket, mut news: Receiver<String>) -> Result<(), SendError> {
    ///     loop {
    ///         tokio::select! {
    ///             item = news.recv() => match item {
    ///                 Ok(item) => socket.send(item).await?,
    ///                 Err(_) => return Ok(()),
    ///             },
    ///             _ = socket.closed() => return Ok(()),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&mut self) -> Closed {
        while let Ok(Some(_)) = self.recv().await {}
        self.close_result().expect("recv ends when the connection has ended")
    }

    /// Returns how the connection ended, or `None` while it has not ended.
    pub fn close_result(&self) -> Option<Closed> {
        self.link().close_result().cloned()
    }

    /// Queues a message without waiting for room. The caller must limit how much it queues.
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

    /// Returns the number of bytes, including headers, that are queued and not yet taken by the transport.
    pub fn queued_bytes(&self) -> u64 {
        self.link().queued_bytes()
    }

    /// Returns how many payload bytes of messages the transport took since the last call.
    pub fn take_written(&mut self) -> u64 {
        self.link().take_written()
    }

    /// Returns why the connection failed, if it has failed. The Close to the peer may still be queued, so
    /// continue to poll until [`Socket::close_result`] is `Some`.
    pub fn error(&self) -> Option<SocketError> {
        self.link().error()
    }

    /// Polls for the next event, and also writes, closes and checks deadlines. Returns `None` when the connection
    /// has ended; see [`Socket::close_result`]. In a handler, pings and pongs that arrive while it waits for
    /// something else are not returned.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.handle.0.flush_first(cx);
        if let Some(message) = self.try_recv() {
            return Poll::Ready(Some(Received::Message(message)));
        }
        let mut link = self.handle.0.link();
        let event = ready!(link.poll_event_for_application(Delivery::Whole, cx));
        if let Some(Received::Message(_)) = event {
            self.batch = take_batch(&mut link);
        }
        // More events may have arrived, and no task waits for them now.
        wake(link);
        Poll::Ready(event)
    }

    /// Polls until the transport has taken all queued bytes, for a caller that is not receiving. The peer's deadlines
    /// pause meanwhile.
    ///
    /// # Errors
    /// As [`Socket::poll_flush`].
    pub fn poll_without_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_as_user(cx, Wait::Write, Link::poll_without_reading)
    }

    /// Polls until the transport has taken everything that was queued.
    ///
    /// # Errors
    /// The error of the transport.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_as_user(cx, Wait::Write, Link::poll_flush_or_end)
    }

    /// Queues the message under the lock, and waits as [`Socket::send`] does. It is not inlined, so that the path
    /// without the lock is.
    #[inline(never)]
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Outgoing>,
    ) -> Poll<Result<(), SendError>> {
        let mut link = self.handle.0.link();
        ready!(link.poll_feed(cx, message))?;
        if let Some(burst) = &mut self.batch {
            burst.cork = link.cork();
        }
        poll_sent(link, cx)
    }

    /// Puts the message into the cork, if there is one with room. Replaces the message with `None` then.
    #[inline]
    fn cork(&self, message: &mut Option<Outgoing>) -> bool {
        let cork = self.batch.as_ref().and_then(|burst| burst.cork.as_ref());
        let is_corked = cork.is_some_and(|cork| {
            Turn::is_of(self.shared())
                && matches!(message, Some(Outgoing::Message(message)) if cork.push(message))
        });
        if is_corked {
            *message = None;
        }
        is_corked
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<S>> {
        &self.handle.0
    }

    fn link(&self) -> MutexGuard<'_, Link<S>> {
        self.shared().link()
    }
}

/// The future of [`Socket::recv`]. It has a name so that polling it is inlined into the application's loop, which
/// spares moving each message through memory.
struct Recv<'a, S: AsyncRead + AsyncWrite + Unpin>(&'a mut Socket<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Recv<'_, S> {
    type Output = Result<Option<Message>, SocketError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll_message(cx)
    }
}

/// The future of [`Socket::send`].
struct Send<'a, S: AsyncRead + AsyncWrite + Unpin> {
    socket: &'a mut Socket<S>,
    /// `None` once it is queued.
    message: Option<Outgoing>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Send<'_, S> {
    type Output = Result<(), SendError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { socket, message } = self.get_mut();
        if socket.cork(message) {
            return Poll::Ready(Ok(()));
        }
        socket.poll_send(cx, message)
    }
}

#[cfg(test)]
mod tests {
    use fullduplex_proto::Role;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use crate::socket::options::UpgradedOptions;

    /// A batch may hold a cork, which would keep an idle connection from being parked.
    #[tokio::test]
    async fn a_message_that_arrives_alone_leaves_no_batch() {
        let (mut client, server) = duplex(1024);
        let mut socket = Socket::from_upgraded(server, Role::Server, UpgradedOptions::default());
        client.write_all(&[0x82, 0x80, 1, 2, 3, 4]).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::from(Vec::new())));
        assert!(socket.batch.is_none());
    }
}
