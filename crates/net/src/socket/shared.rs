//! What a socket shares with the task that drives it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use fullduplex_proto::handshake::Answer;
use fullduplex_proto::{CloseFrame, Delivery, Message, MessageBatch, Outgoing, Received};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::cork::Cork;
use crate::socket::error::{SendError, SocketError};
use crate::socket::halves::Wait;
use crate::socket::link::Link;
use crate::socket::sender::Sender;

/// Set while the application takes messages that arrived together with the last one.
pub(crate) type Batch = Option<Box<Burst>>;

/// Messages that arrived together. The application takes them, and answers them, without locking.
#[derive(Debug)]
pub(crate) struct Burst {
    pub(crate) messages: MessageBatch,
    /// Where the answers wait until the link is locked. `None` if each answer must be queued under the lock.
    pub(crate) cork: Option<Arc<Cork>>,
}

/// The state that a socket shares with the task that drives it.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    link: Mutex<Link<S>>,
    /// Whether the link is flushed before each event: no task drives it, and the connection is closing or a sender may
    /// close it.
    flushes_first: AtomicBool,
    /// `None` if both ends agreed on no subprotocol and no extension.
    pub(crate) answer: Option<Box<Answer>>,
}

/// The application's handle of a connection. Dropping it ends the connection.
#[derive(Debug)]
pub(crate) struct Handle<S: AsyncRead + AsyncWrite + Unpin>(pub(crate) Arc<Shared<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(crate) fn new(link: Link<S>, answer: Answer) -> Self {
        let answer = (answer != Answer::default()).then(|| Box::new(answer));
        Self { link: Mutex::new(link), flushes_first: AtomicBool::new(false), answer }
    }

    /// Locks the link, and queues the corked messages. The transport is the only foreign code that runs under
    /// the lock. If the transport panics, the link is broken, as after a transport error.
    pub(crate) fn link(&self) -> MutexGuard<'_, Link<S>> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.uncork();
        link
    }

    /// Starts the closing handshake.
    pub(crate) fn start_close(&self, frame: Option<&CloseFrame>) {
        let mut link = self.link();
        link.start_close(frame);
        self.set_flushes_first(&link);
        wake(link);
    }

    /// Returns a handle for other tasks to send.
    pub(crate) fn sender(&self) -> Sender {
        let mut link = self.link();
        let sender = link.sender();
        self.set_flushes_first(&link);
        // The driver must register with the new queue.
        wake(link);
        sender
    }

    /// From now on, flushes the link before each event, unless a task drives it.
    fn set_flushes_first(&self, link: &Link<S>) {
        if !link.is_driven() {
            self.flushes_first.store(true, Ordering::Relaxed);
        }
    }

    /// Sends our Close and checks its deadline, even if more events have already arrived and the application takes them
    /// slowly (FS-02).
    #[inline]
    pub(crate) fn flush_first(&self, cx: &mut Context<'_>) {
        if self.flushes_first.load(Ordering::Relaxed) {
            let mut link = self.link();
            if !link.is_driven() {
                // A write error is recorded.
                let _ = link.poll_as_user(cx, Wait::Event, Link::poll_flush_or_end);
            }
        }
    }

    /// Returns the next message of the batch. After the last one, reading continues.
    #[inline]
    pub(crate) fn next_of_batch(&self, batch: &mut Batch) -> Option<Message> {
        let Burst { messages, .. } = &mut **batch.as_mut()?;
        let message = messages.next()?;
        if messages.len() == 0 {
            self.finish_batch(batch);
        }
        Some(message)
    }

    #[cold]
    fn finish_batch(&self, batch: &mut Batch) {
        *batch = None;
        let mut link = self.link();
        link.handle_batch_taken();
        wake(link);
    }

    #[inline]
    pub(crate) fn poll_message(
        &self,
        batch: &mut Batch,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, SocketError>> {
        let message = |event| match event {
            Received::Message(message) => Some(message),
            _ => None,
        };
        self.flush_first(cx);
        if let Some(message) = self.next_of_batch(batch) {
            return Poll::Ready(Ok(Some(message)));
        }
        self.poll_content(batch, cx, Delivery::Whole, message)
    }

    /// Polls for an event with content. Returns `None` when the connection was closed. It is not inlined, so
    /// that taking a message of the batch is.
    #[inline(never)]
    pub(crate) fn poll_content<T>(
        &self,
        batch: &mut Batch,
        cx: &mut Context<'_>,
        delivery: Delivery,
        content: impl Fn(Received) -> Option<T>,
    ) -> Poll<Result<Option<T>, SocketError>> {
        let mut link = self.link();
        while let Some(event) = ready!(link.poll_event_for_application(delivery, cx)) {
            if let Some(content) = content(event) {
                *batch = take_batch(&mut link);
                // More events may have arrived, and no task waits for them now.
                wake(link);
                return Poll::Ready(Ok(Some(content)));
            }
        }
        Poll::Ready(link.error().map_or(Ok(None), Err))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Polls until there is room, queues the message, and replaces it with `None`.
    #[inline]
    pub(crate) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Outgoing>,
    ) -> Poll<Result<(), SendError>> {
        if message.is_some() && !self.has_room() {
            ready!(self.poll_room_as_user(cx))?;
        }
        if let Some(next) = message {
            self.queue(next).inspect_err(|_| self.mark_end_seen_if_closed())?;
            *message = None;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_room_as_user(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let polled = self.poll_as_user(cx, Wait::Write, Self::poll_room).map_err(SendError::Io);
        if let Poll::Ready(Err(_)) = polled {
            self.mark_end_seen_if_closed();
        }
        polled
    }

    /// Records that a send error informs the application of the end.
    fn mark_end_seen_if_closed(&mut self) {
        if self.close_result().is_some() {
            self.mark_end_seen();
        }
    }

    pub(crate) fn error(&self) -> Option<SocketError> {
        Some(SocketError::new(self.failure()?, self.broken()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Handle<S> {
    fn drop(&mut self) {
        let driver = self.0.link().handle_dropped();
        driver.into_iter().for_each(Waker::wake);
    }
}

/// Takes the messages that arrived together with the one that is received now.
pub(crate) fn take_batch<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>) -> Batch {
    let messages = link.take_messages();
    (messages.len() > 0).then(|| Box::new(Burst { messages, cork: link.cork() }))
}

/// Polls until the caller does not have to write the queued messages: a driver writes them, or the transport
/// has taken them.
#[inline]
pub(crate) fn poll_sent<S: AsyncRead + AsyncWrite + Unpin>(
    mut link: MutexGuard<'_, Link<S>>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), SendError>> {
    if link.is_driven() {
        wake(link);
        return Poll::Ready(Ok(()));
    }
    link.poll_as_user(cx, Wait::Write, Link::poll_flush_or_end).map_err(SendError::Io)
}

/// Wakes the driver of the link, if there is a driver that does not notice the change without a wake. The
/// lock is released first, because a waker is foreign code.
#[inline]
pub(crate) fn wake<S: AsyncRead + AsyncWrite + Unpin>(mut link: MutexGuard<'_, Link<S>>) {
    let driver = link.driver_to_wake();
    drop(link);
    driver.into_iter().for_each(Waker::wake);
}
