use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use fullduplex_proto::{CloseFrame, Outgoing};
use tokio::sync::Notify;

/// Default of [`Sender::with_capacity`].
const CAPACITY: usize = 1 << 20;

/// The bytes that a queued message counts in addition to its payload.
const OVERHEAD: usize = 64;

/// Sends messages over a socket that another task owns. Returned by [`Socket::sender`]. Cloning is cheap.
///
/// Messages are queued whole and in order, and the task that owns the socket is woken to write them. That
/// task must call [`Socket::recv`], or be a handler of a [`Server`](crate::Server). The queue is bounded. When the peer
/// does not read and the queue is full, a sender can wait ([`Sender::send`]), drop the message
/// ([`Sender::try_send`]), or close the connection ([`Sender::close`]).
///
/// Messages that are still queued when the peer's Close arrives are discarded, because the Close is answered at once.
///
/// [`Socket::sender`]: crate::socket::Socket::sender
/// [`Socket::recv`]: crate::socket::Socket::recv
#[derive(Debug, Clone)]
pub struct Sender {
    mailbox: Arc<Mailbox>,
    capacity: usize,
}

/// A message could not be sent by [`Sender::try_send`].
#[derive(Debug, thiserror::Error)]
pub enum TrySendError {
    /// The queue is full, and holds this many bytes.
    #[error("could not send the message: {0} bytes wait for a peer that does not read")]
    Full(usize),
    /// The connection is closing or closed, or its socket was dropped.
    #[error(transparent)]
    Closed(#[from] SenderClosedError),
}

/// The connection is closing or closed, or its socket was dropped. No more messages can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not send the message: the connection is closed")]
pub struct SenderClosedError;

impl Sender {
    /// Sets the capacity of the queue for this sender and its clones: a message is accepted while fewer than
    /// `bytes` are queued. Default: 1 MiB.
    pub fn with_capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Waits until the queue has room, and queues a message.
    ///
    /// # Errors
    /// [`SenderClosedError`]; the message was not queued.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole or not at all.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<(), SenderClosedError> {
        let message = message.into();
        loop {
            let changed = self.mailbox.changed.notified();
            match self.try_send(message.clone()) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => changed.await,
                Err(TrySendError::Closed(closed)) => return Err(closed),
            }
        }
    }

    /// Queues a message if the queue has room.
    ///
    /// # Errors
    /// [`TrySendError`]; the message was not queued.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<(), TrySendError> {
        let (sent, reader) = self.push(message.into());
        reader.into_iter().for_each(Waker::wake);
        sent
    }

    /// Queues a message like [`Sender::try_send`], for a caller that holds a lock. Returns the waker that the caller
    /// must wake.
    pub(crate) fn push(&self, message: Outgoing) -> (Result<(), TrySendError>, Option<Waker>) {
        let mut queue = self.mailbox.queue();
        if queue.stage != Stage::Open {
            return (Err(SenderClosedError.into()), None);
        }
        if queue.bytes >= self.capacity {
            queue.was_full = true;
            return (Err(TrySendError::Full(queue.bytes)), None);
        }
        queue.bytes += cost(&message);
        queue.messages.push_back(message);
        (Ok(()), queue.reader.take())
    }

    /// Starts the closing handshake, after all messages that were sent before. A peer that does not read is cut off
    /// after the close timeout.
    pub fn close(&self, frame: Option<CloseFrame>) {
        let mut queue = self.mailbox.queue();
        if queue.stage == Stage::Open {
            queue.stage = Stage::Closing(frame);
            let closer = queue.closer.take();
            drop(queue);
            self.mailbox.changed.notify_waiters();
            closer.into_iter().for_each(Waker::wake);
        }
    }

    /// Returns whether messages can no longer be sent: the connection is closing or closed, or its socket was dropped.
    pub fn is_closed(&self) -> bool {
        self.mailbox.queue().stage != Stage::Open
    }

    /// Waits until the connection has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) {
        loop {
            let changed = self.mailbox.changed.notified();
            if self.mailbox.queue().stage == Stage::Ended {
                return;
            }
            changed.await;
        }
    }
}

/// The link's end of a mailbox. Dropping it ends the mailbox.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Mailbox>);

/// What a link takes from its mailbox at once.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) messages: VecDeque<Outgoing>,
    /// Whether there are more messages.
    pub(crate) has_more: bool,
    /// A sender's request to close, after all messages.
    pub(crate) close: Option<Option<CloseFrame>>,
}

/// The queue between the senders of a socket and its link.
#[derive(Debug)]
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    /// Notified when the queue has room, and when the stage changes.
    changed: Notify,
}

#[derive(Debug)]
struct Queue {
    messages: VecDeque<Outgoing>,
    /// The sum of their [`cost`].
    bytes: usize,
    /// Whether a sender found the queue full, and may wait for room.
    was_full: bool,
    stage: Stage,
    /// The task that takes messages, if it waits for a message.
    reader: Option<Waker>,
    /// The same task. It is also woken by a request to close, even while it has no room for messages.
    closer: Option<Waker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Open,
    /// A sender has called [`Sender::close`], and the link has not noticed it yet.
    Closing(Option<CloseFrame>),
    /// The link takes no more messages.
    Shut,
    /// The connection has ended.
    Ended,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let queue = Queue {
            messages: VecDeque::new(),
            bytes: 0,
            was_full: false,
            stage: Stage::Open,
            reader: None,
            closer: None,
        };
        Self(Arc::new(Mailbox { queue: Mutex::new(queue), changed: Notify::new() }))
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender { mailbox: Arc::clone(&self.0), capacity: CAPACITY }
    }

    /// Takes the oldest messages until they have `room` bytes, and a sender's request to close. The next request wakes
    /// `reader`. If all messages were taken, the next message wakes it too.
    pub(crate) fn take(&self, room: usize, reader: &Waker) -> Mail {
        let mut queue = self.0.queue();
        let messages = queue.take_messages(room);
        let has_more = !queue.messages.is_empty();
        if !has_more {
            register(&mut queue.reader, reader);
        }
        let close = queue.take_close();
        if close.is_none() {
            register(&mut queue.closer, reader);
        }
        let has_room = !messages.is_empty() && std::mem::take(&mut queue.was_full);
        drop(queue);
        if has_room {
            self.0.changed.notify_waiters();
        }
        Mail { messages, has_more, close }
    }

    /// Accepts no more messages.
    pub(crate) fn shut(&self) {
        let mut queue = self.0.queue();
        if queue.stage != Stage::Ended {
            queue.stage = Stage::Shut;
        }
        drop(queue);
        self.0.changed.notify_waiters();
    }

    /// Returns the bytes that wait to be taken.
    pub(crate) fn bytes(&self) -> usize {
        self.0.queue().bytes
    }

    /// Notifies the senders that the connection has ended, and drops the queued messages.
    pub(crate) fn end(&self) {
        let mut queue = self.0.queue();
        queue.stage = Stage::Ended;
        queue.bytes = 0;
        let dropped =
            (std::mem::take(&mut queue.messages), queue.reader.take(), queue.closer.take());
        drop(queue);
        // Dropping the messages may run foreign code, so the lock is not held here.
        drop(dropped);
        self.0.changed.notify_waiters();
    }
}

impl Queue {
    fn take_messages(&mut self, room: usize) -> VecDeque<Outgoing> {
        if self.bytes <= room {
            self.bytes = 0;
            // The queue of an idle connection has no memory.
            return std::mem::take(&mut self.messages);
        }
        let mut messages = VecDeque::new();
        let mut bytes = 0;
        while bytes < room
            && let Some(message) = self.messages.pop_front()
        {
            bytes += cost(&message);
            messages.push_back(message);
        }
        self.bytes -= bytes;
        messages
    }

    fn take_close(&mut self) -> Option<Option<CloseFrame>> {
        let Stage::Closing(frame) = &mut self.stage else { return None };
        let frame = frame.take();
        self.stage = Stage::Shut;
        Some(frame)
    }
}

fn register(slot: &mut Option<Waker>, waker: &Waker) {
    slot.get_or_insert_with(|| waker.clone()).clone_from(waker);
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.end();
    }
}

impl Mailbox {
    /// Locks the queue. The clone of a waker is the only foreign code that runs under the lock, so poisoning
    /// is ignored.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(message: &Outgoing) -> usize {
    message.message().len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_messages_fill_the_queue_too() {
        let inbox = Inbox::new();
        let sender = inbox.sender().with_capacity(10 * OVERHEAD);
        assert_eq!((0..100).filter(|_| sender.try_send("").is_ok()).count(), 10);
    }
}
