use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use crate::pool::Phase;
use crate::pool::guard::ConnectionGuard;
use crate::socket::timer::Timer;

/// The server that a connection belongs to. It also provides the timer of the connection.
#[derive(Debug)]
pub(crate) enum Owner {
    Server(ConnectionGuard),
    /// Without a server, or after it has left the server, the connection has its own timer.
    Nobody(Timer),
}

impl From<Option<ConnectionGuard>> for Owner {
    fn from(guard: Option<ConnectionGuard>) -> Self {
        guard.map_or_else(|| Self::Nobody(Timer::default()), Self::Server)
    }
}

impl Owner {
    pub(crate) fn guard(&self) -> Option<&ConnectionGuard> {
        match self {
            Self::Server(guard) => Some(guard),
            Self::Nobody(_) => None,
        }
    }

    pub(crate) fn guard_mut(&mut self) -> Option<&mut ConnectionGuard> {
        match self {
            Self::Server(guard) => Some(guard),
            Self::Nobody(_) => None,
        }
    }

    /// Returns `Ready` at or after the time `at`. Before that, the task is woken at `at` or earlier.
    pub(crate) fn poll_alarm(
        &mut self,
        at: Instant,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self {
            Self::Nobody(timer) => timer.poll(at, now, cx),
            Self::Server(_) if at <= now => Poll::Ready(()),
            Self::Server(guard) => {
                guard.set_alarm(at, now);
                Poll::Pending
            }
        }
    }

    /// Returns whether the server will wake the task.
    pub(crate) fn alarm_is_set(&self) -> bool {
        self.guard().is_some_and(ConnectionGuard::alarm_is_set)
    }

    /// Frees the connection's own timer. An alarm of the server may still wake the task, once.
    pub(crate) fn clear_alarm(&mut self) {
        if let Self::Nobody(timer) = self {
            timer.clear();
        }
    }

    /// Registers the task that drives the connection with the server.
    pub(crate) fn register(&self, waker: &Waker) {
        if let Self::Server(guard) = self {
            guard.set_waker(waker);
        }
    }

    /// Returns the phase of the server. Without a server, the phase is always serving.
    pub(crate) fn phase(&self) -> Phase {
        self.guard().map_or(Phase::Serving, |guard| guard.pool().phase())
    }

    /// Releases the place in the server, and stops its alarms.
    pub(crate) fn forget_server(&mut self) {
        if let Self::Server(_) = self {
            *self = Self::Nobody(Timer::default());
        }
    }
}
