use std::collections::VecDeque;

use fullduplex_net::proto::{CloseFrame, Message};

use crate::Failure;
use crate::machine::Task;

/// What the network has brought.
#[derive(Default)]
pub(crate) struct Inbox {
    tasks: VecDeque<Task>,
    bytes: usize,
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
    pub(crate) messages: VecDeque<Message>,
    /// A Close frame to send behind the messages.
    pub(crate) close: Option<Option<CloseFrame>>,
    /// The connection is to be dropped, whatever else waits.
    pub(crate) abort: Option<Failure>,
}

impl Inbox {
    pub(crate) fn push(&mut self, task: Task) {
        if let Task::Received(message) = &task {
            self.bytes += message.len();
        }
        if let Task::Closed { .. } = &task {
            self.end = End::Posted;
        }
        match (self.tasks.back_mut(), task) {
            // One task is enough for what was written since the host ran the last.
            (Some(Task::Transmitted(total)), Task::Transmitted(more)) => *total += more,
            (_, task) => self.tasks.push_back(task),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Task> {
        let task = self.tasks.pop_front()?;
        if let Task::Received(message) = &task {
            self.bytes -= message.len();
        }
        Some(task)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.tasks.len() >= INBOX_TASKS || self.bytes >= INBOX_BYTES
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

    /// Whether there is something to hand over to the connection.
    pub(crate) fn is_due(&self) -> bool {
        !self.messages.is_empty() || self.close.is_some()
    }
}

/// While so many tasks, or so many bytes of messages, wait for a host that does not run them, the
/// driver does not read the socket.
const INBOX_TASKS: usize = 64;
const INBOX_BYTES: usize = 1 << 20;

/// So many messages may wait for the network, empty ones included, whatever their bytes.
const OUTBOX_MESSAGES: usize = 1 << 20;
