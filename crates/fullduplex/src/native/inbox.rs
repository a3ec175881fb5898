use std::collections::VecDeque;
use std::mem;

use fullduplex_proto::Message;

use crate::object::target::MessageDemand;
use crate::rules::machine::Task;

/// Tasks from the network that no host has run yet.
#[derive(Default)]
pub(crate) struct Inbox {
    tasks: VecDeque<Task>,
    bytes: usize,
    /// The number of bytes written since a host last ran a task that reports written bytes. Messages do not
    /// delay this task.
    transmitted: u64,
    end: End,
}

/// Whether the last task was posted. It may already have run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Ahead,
    Posted,
}

impl Inbox {
    pub(crate) fn push(&mut self, task: Task) {
        match task {
            Task::Transmitted(bytes) => {
                self.transmitted += bytes;
                return;
            }
            Task::Closed { .. } => self.end = End::Posted,
            Task::Received(ref message) => self.bytes += message.len(),
            Task::Opened { .. } | Task::ClosingStarted => {}
        }
        self.tasks.push_back(task);
    }

    pub(crate) fn pop(&mut self, demand: MessageDemand) -> Option<Task> {
        if let Some(task) = self.pop_transmitted() {
            return Some(task);
        }
        if demand == MessageDemand::Leave && matches!(self.tasks.front(), Some(Task::Received(_))) {
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

    /// Takes the next task, if it is a message.
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

    /// Returns whether no task waits. Ignores a task that reports written bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns the number of bytes written since a host last ran a task that reports written bytes.
    pub(crate) fn transmitted(&self) -> u64 {
        self.transmitted
    }

    /// Returns whether the last task was posted.
    pub(crate) fn is_ending(&self) -> bool {
        self.end == End::Posted
    }
}

/// The limits of the inbox. The driver does not read while this many tasks, or this many bytes of messages,
/// wait for the host.
const INBOX_TASKS: usize = 1024;
const INBOX_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_were_taken_make_room() {
        let mut inbox = Inbox::default();
        let message = || Task::Received(vec![0; INBOX_BYTES].into());
        for _ in 0..2 {
            inbox.push(message());
            assert!(inbox.is_full());
            assert!(inbox.pop(MessageDemand::Take).is_some());
            assert!(!inbox.is_full());
            inbox.push(message());
            assert!(inbox.pop_message().is_some());
            assert_eq!(inbox.bytes, 0);
        }
    }
}
