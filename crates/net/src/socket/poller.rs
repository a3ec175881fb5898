//! Which task polls the transport, and the state of the driving task.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use fullduplex_proto::Received;
use tokio::time::Instant;

use crate::socket::halves::Halves;

/// If the application takes no message for this long, the driver reads ahead, so that it notices the end of the
/// connection after messages that the application does not take (FS-01).
pub(super) const READ_ON_AFTER: Duration = Duration::from_secs(5);

/// How many bytes of messages are read ahead.
pub(super) const READ_AHEAD: usize = 64 << 10;

/// The bytes that a kept message counts in addition to its payload.
pub(super) const OVERHEAD: usize = 64;

/// Which task polls the transport.
#[derive(Debug)]
pub(crate) enum Poller {
    /// The one task that uses the socket.
    User,
    /// Two tasks, each with one half of the socket.
    Halves(Box<Halves>),
    /// The driving task, which drives the link whether or not the application polls.
    Driver(Driver),
}

/// The state of the driving task. The transport and the timer wake this task only, and it wakes the
/// application's tasks.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(super) waker: Waker,
    pub(super) turn: Turn,
    pub(super) work: Work,
    pub(super) waits: Waits,
    pub(super) socket: SocketState,
    /// Set while reading waits for the application to take messages.
    pub(super) ahead: Option<Box<ReadAhead>>,
    /// Waiting tasks of the application, other than the driving one.
    pub(super) waiters: Option<Box<Waiters>>,
}

/// Events that arrived while the application did not wait for one. Until the application is late, there is at
/// most one such event.
#[derive(Debug)]
pub(super) struct ReadAhead {
    pub(super) events: VecDeque<Received>,
    /// The size of these messages.
    pub(super) bytes: usize,
    /// The time after which the application counts as late.
    pub(super) late: Instant,
}

impl ReadAhead {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { events: VecDeque::new(), bytes: 0, late: Instant::now() + READ_ON_AFTER })
    }

    pub(super) fn push(&mut self, event: Received) {
        self.bytes += size(&event);
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Received> {
        let event = self.events.pop_front()?;
        self.bytes -= size(&event);
        self.late = Instant::now() + READ_ON_AFTER;
        Some(event)
    }

    pub(super) fn clear(&mut self) {
        self.events = VecDeque::new();
        self.bytes = 0;
    }

    /// Returns whether more may be kept. Parts of a message are not kept, because the application decides how to
    /// receive them.
    pub(super) fn has_room(&self) -> bool {
        let is_message = |event: &Received| matches!(event, Received::Message(_));
        self.bytes < READ_AHEAD && self.events.iter().all(is_message)
    }
}

pub(super) fn size(event: &Received) -> usize {
    match event {
        Received::Message(message) => message.len() + OVERHEAD,
        _ => OVERHEAD,
    }
}

#[derive(Debug, Default)]
pub(super) struct Waiters {
    pub(super) event: Option<Waker>,
    pub(super) write: Option<Waker>,
}

impl Waiters {
    /// Returns whether only the task of `waker` waits.
    pub(super) fn belong_to(&self, waker: &Waker) -> bool {
        [&self.event, &self.write].into_iter().flatten().all(|waiter| waiter.will_wake(waker))
    }
}

/// What the application has waited for in the driving task since the turn began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waits {
    pub(super) event: bool,
    pub(super) write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The driving task polls the application, and then drives the link.
    Application,
    Over,
}

/// Whether the link must be driven at the end of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Due,
    /// The application has polled for an event, which drove the link.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketState {
    Held,
    /// Held, with a batch of messages that the application has not taken. Until then nothing is read, so that a Close
    /// is not answered before the messages that precede it are taken.
    HeldWithBatch,
    /// Held, and the application has noticed the end of the connection.
    EndSeen,
    Dropped,
}

impl Driver {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            waker,
            turn: Turn::Over,
            work: Work::Due,
            waits: Waits::default(),
            socket: SocketState::Held,
            ahead: None,
            waiters: None,
        }
    }

    /// Returns whether the application must take messages before more is read.
    pub(super) fn waits_for_application(&self) -> bool {
        self.socket == SocketState::HeldWithBatch || self.ahead.is_some()
    }

    /// Takes the next event that was read ahead.
    pub(super) fn pop_ahead(&mut self) -> Option<Received> {
        let ahead = self.ahead.as_mut()?;
        let event = ahead.pop();
        if ahead.events.is_empty() {
            self.ahead = None;
        }
        event
    }

    pub(super) fn waiters(&mut self) -> &mut Waiters {
        self.waiters.get_or_insert_default()
    }
}

impl Poller {
    /// Returns whether the driver only waits: its turn is over, and no event waits for the application.
    pub(crate) fn is_at_rest(&self) -> bool {
        match self {
            Self::Driver(driver) => {
                driver.turn == Turn::Over
                    && driver.socket == SocketState::Held
                    && driver.ahead.is_none()
            }
            Self::User | Self::Halves(_) => false,
        }
    }

    /// Returns how many bytes were read ahead.
    pub(super) fn ahead_bytes(&self) -> usize {
        match self {
            Self::Driver(Driver { ahead: Some(ahead), .. }) => ahead.bytes,
            _ => 0,
        }
    }

    /// Drops the events that were read ahead.
    pub(super) fn drop_ahead(&mut self) {
        if let Self::Driver(driver) = self
            && let Some(ahead) = &mut driver.ahead
        {
            ahead.clear();
        }
    }

    pub(super) fn driver(&mut self) -> Option<&mut Driver> {
        match self {
            Self::Driver(driver) => Some(driver),
            Self::User | Self::Halves(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_were_taken_make_room() {
        let mut ahead = ReadAhead::new();
        for _ in 0..3 {
            assert!(ahead.has_room());
            ahead.push(Received::Message(vec![0; READ_AHEAD - OVERHEAD].into()));
            assert!(!ahead.has_room());
            assert!(ahead.pop().is_some());
        }
    }
}
