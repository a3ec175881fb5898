use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use fullduplex_proto::{CloseFrame, Outgoing};
use tokio::sync::Notify;

/// How many bytes wait by default before a sender waits too.
const CAPACITY: usize = 1 << 20;

/// What a queued message costs besides its payload.
const OVERHEAD: usize = 64;

/// Sends messages over a socket that another task owns: made by [`Socket::sender`], cloned freely.
///
/// What is sent is queued, whole and in order, and is on its way at the latest when the task that
/// owns the socket has had its turn, which sending brings about. That task must receive, or be a
/// handler of a [`Server`]. The queue is bounded, and a sender chooses what happens when a peer does not
/// read and the queue is full: wait ([`Sender::send`]), drop the message ([`Sender::try_send`]), or
/// close ([`Sender::close`]).
///
/// [`Socket::sender`]: crate::socket::Socket::sender
/// [`Server`]: crate::server::Server
#[derive(Debug, Clone)]
pub struct Sender {
    mailbox: Arc<Mailbox>,
    capacity: usize,
}

/// A message was not sent over a [`Sender`].
#[derive(Debug, thiserror::Error)]
pub enum TrySendError {
    /// The peer does not take its messages as fast as they are sent.
    #[error("the peer does not read, and {0} bytes wait for it")]
    Full(usize),
    /// The connection is closing or closed, or its socket is gone.
    #[error(transparent)]
    Closed(#[from] SenderClosedError),
}

/// The connection is closing or closed, or its socket is gone: no message is sent over it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed, and takes no more messages")]
pub struct SenderClosedError;

impl Sender {
    /// The same, but with another bound: while so many bytes wait, there is no room for further
    /// messages. Default: 1 MiB.
    pub fn with_capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Queues a message, once there is room.
    ///
    /// # Errors
    /// [`SenderClosedError`]; the message was not queued.
    ///
    /// # Cancel safety
    /// Safe: the message is queued whole or not at all.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<(), SenderClosedError> {
        let message = message.into();
        loop {
            let room = self.mailbox.room.notified();
            match self.try_send(message.clone()) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => room.await,
                Err(TrySendError::Closed(closed)) => return Err(closed),
            }
        }
    }

    /// Queues a message if there is room for it now.
    ///
    /// # Errors
    /// [`TrySendError`]; the message was not queued.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<(), TrySendError> {
        let message = message.into();
        let mut letters = self.mailbox.letters();
        if letters.stage != Stage::Open {
            return Err(SenderClosedError.into());
        }
        if letters.bytes >= self.capacity {
            return Err(TrySendError::Full(letters.bytes));
        }
        letters.bytes += cost(&message);
        letters.messages.push_back(message);
        wake_reader(letters);
        Ok(())
    }

    /// Starts the closing handshake, behind everything that was sent before. A peer that reads nothing
    /// is cut off when the time for closing has passed.
    pub fn close(&self, frame: Option<CloseFrame>) {
        let mut letters = self.mailbox.letters();
        if letters.stage == Stage::Open {
            letters.stage = Stage::Closing(frame);
            // Whoever waits for room learns that there is none any more.
            self.mailbox.room.notify_waiters();
            let closer = letters.closer.take();
            drop(letters);
            closer.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether the connection takes no more messages.
    pub fn is_closed(&self) -> bool {
        self.mailbox.letters().stage != Stage::Open
    }
}

/// The link's end of a mailbox: when it is gone, the mailbox takes nothing more.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Mailbox>);

/// Where the senders of a socket leave what its task is to send.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    room: Notify,
}

#[derive(Debug)]
struct Letters {
    messages: VecDeque<Outgoing>,
    /// What they cost.
    bytes: usize,
    stage: Stage,
    /// The task that takes them, while there is nothing to take.
    reader: Option<Waker>,
    /// The same task, which starts the closing handshake also while it has no room for messages.
    closer: Option<Waker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Open,
    /// A sender has asked for it; the task does not know yet.
    Closing(Option<CloseFrame>),
    Closed,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let letters = Letters {
            messages: VecDeque::new(),
            bytes: 0,
            stage: Stage::Open,
            reader: None,
            closer: None,
        };
        Self(Arc::new(Mailbox { letters: Mutex::new(letters), room: Notify::new() }))
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender { mailbox: Arc::clone(&self.0), capacity: CAPACITY }
    }

    /// Takes the oldest message; if there is none, the next one wakes `reader`.
    pub(crate) fn take(&self, reader: &Waker) -> Option<Outgoing> {
        let mut letters = self.0.letters();
        let Some(message) = letters.messages.pop_front() else {
            letters.reader.get_or_insert_with(|| reader.clone()).clone_from(reader);
            // A burst is over; what it took is given back.
            letters.messages = VecDeque::new();
            return None;
        };
        letters.bytes -= cost(&message);
        drop(letters);
        self.0.room.notify_waiters();
        Some(message)
    }

    /// Takes the wish to close; if there is none, one wakes `closer`. What was sent before may still be
    /// there.
    pub(crate) fn take_close(&self, closer: &Waker) -> Option<Option<CloseFrame>> {
        let mut letters = self.0.letters();
        let Letters { stage, closer: waiting, .. } = &mut *letters;
        if let Stage::Closing(frame) = stage {
            let frame = frame.take();
            *stage = Stage::Closed;
            return Some(frame);
        }
        waiting.get_or_insert_with(|| closer.clone()).clone_from(closer);
        None
    }

    /// Takes no more messages.
    pub(crate) fn shut(&self) {
        self.0.letters().stage = Stage::Closed;
        self.0.room.notify_waiters();
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Mailbox {
    /// No code of others runs under the lock, so it cannot be poisoned halfway.
    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task that takes the messages, which may be code of others, without the lock.
fn wake_reader(mut letters: MutexGuard<'_, Letters>) {
    let reader = letters.reader.take();
    drop(letters);
    if let Some(reader) = reader {
        reader.wake();
    }
}

fn cost(message: &Outgoing) -> usize {
    message.message().len() + OVERHEAD
}
