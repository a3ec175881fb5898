use std::collections::VecDeque;
use std::mem;

use fullduplex_net::proto::{CloseFrame, Message};

use crate::object::error::Failure;
use crate::object::events::MessageDemand;
use crate::rules::machine::Task;

/// What the network has brought.
#[derive(Default)]
pub(crate) struct Inbox {
    tasks: VecDeque<Task>,
    bytes: usize,
    /// What was written since the host looked. It need not wait behind messages.
    transmitted: u64,
    end: End,
}

/// Whether the last task of all was posted; it may have been run since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Ahead,
    Posted,
}

/// What the application wants of the network, in the order in which the driver does it.
#[derive(Default)]
pub(crate) struct Outbox {
    messages: VecDeque<Place>,
    /// How many places were taken from the front, ever.
    taken: u64,
    /// A Close frame to send behind the messages.
    pub(crate) close: Option<Option<CloseFrame>>,
    /// A Ping to send, of the latest number.
    pub(crate) ping: Option<u64>,
    /// The connection is to be dropped, whatever else waits.
    pub(crate) abort: Option<Failure>,
}

/// One message's place in the order.
enum Place {
    Taken(Message),
    /// The message, of so many bytes, is still being read by the application.
    Reserved(usize),
}

/// Where a message that is not there yet will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaceNumber(u64);

impl Inbox {
    pub(crate) fn push(&mut self, task: Task) {
        if let Task::Received(message) = &task {
            self.bytes += message.len();
        }
        if let Task::Closed { .. } = &task {
            self.end = End::Posted;
        }
        match task {
            Task::Transmitted(bytes) => self.transmitted += bytes,
            task => self.tasks.push_back(task),
        }
    }

    pub(crate) fn pop(&mut self, messages: MessageDemand) -> Option<Task> {
        if let Some(task) = self.pop_transmitted() {
            return Some(task);
        }
        if messages == MessageDemand::Leave && matches!(self.tasks.front(), Some(Task::Received(_)))
        {
            return None;
        }
        let task = self.tasks.pop_front()?;
        if let Task::Received(message) = &task {
            self.bytes -= message.len();
        }
        Some(task)
    }

    pub(crate) fn pop_transmitted(&mut self) -> Option<Task> {
        let bytes = mem::take(&mut self.transmitted);
        (bytes > 0).then_some(Task::Transmitted(bytes))
    }

    /// The next task, if it is a message.
    pub(crate) fn pop_message(&mut self) -> Option<Message> {
        match self.tasks.pop_front()? {
            Task::Received(message) => {
                self.bytes -= message.len();
                Some(message)
            }
            other => {
                self.tasks.push_front(other);
                None
            }
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.tasks.len() >= INBOX_TASKS || self.bytes >= INBOX_BYTES
    }

    /// Whether no task waits that has to run soon: what was written is news only for those who ask.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many bytes were written since the host looked.
    pub(crate) fn transmitted(&self) -> u64 {
        self.transmitted
    }

    /// Whether the last task was posted.
    pub(crate) fn is_ending(&self) -> bool {
        self.end == End::Posted
    }
}

impl Outbox {
    /// Whether so many messages wait that the next one is too many.
    pub(crate) fn is_full(&self) -> bool {
        self.messages.len() >= OUTBOX_MESSAGES
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.messages.push_back(Place::Taken(message));
    }

    /// Keeps a place for a message of so many bytes; what is sent later waits for it.
    pub(crate) fn reserve(&mut self, len: usize) -> PlaceNumber {
        self.messages.push_back(Place::Reserved(len));
        PlaceNumber(self.taken + self.messages.len() as u64 - 1)
    }

    /// Puts the message into its place; `false` if it has not the length that was reserved.
    pub(crate) fn fill(&mut self, PlaceNumber(number): PlaceNumber, message: Message) -> bool {
        let index = usize::try_from(number - self.taken).unwrap_or(usize::MAX);
        // The places are gone when the socket has ended.
        let Some(place) = self.messages.get_mut(index) else { return true };
        let fits = matches!(place, Place::Reserved(len) if *len == message.len());
        if fits {
            *place = Place::Taken(message);
        }
        fits
    }

    /// The next message, if it is there.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        match self.messages.pop_front()? {
            Place::Taken(message) => {
                self.taken += 1;
                Some(message)
            }
            reserved @ Place::Reserved(_) => {
                self.messages.push_front(reserved);
                None
            }
        }
    }

    /// The Close frame, once all messages before it were taken.
    pub(crate) fn take_close(&mut self) -> Option<Option<CloseFrame>> {
        if self.messages.is_empty() { self.close.take() } else { None }
    }

    /// Whether there is something to hand over to the connection.
    pub(crate) fn is_due(&self) -> bool {
        match self.messages.front() {
            Some(place) => matches!(place, Place::Taken(_)),
            None => self.close.is_some() || self.ping.is_some(),
        }
    }
}

/// While so many tasks, or so many bytes of messages, wait for a host that does not run them, the
/// driver does not read the socket.
const INBOX_TASKS: usize = 1024;
const INBOX_BYTES: usize = 1 << 20;

/// So many messages may wait for the network, empty ones included, whatever their bytes.
const OUTBOX_MESSAGES: usize = 1 << 20;
