use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::server::guard::ConnectionGuard;

/// What wakes the task of a connection when its time has come.
#[derive(Debug)]
pub(crate) enum Alarm {
    /// A timer of its own, while it is set.
    Own(Option<Pin<Box<Sleep>>>),
    /// The timer of its server, which knows the task.
    Server(ConnectionGuard),
}

impl Alarm {
    /// Ready when `at` has come; otherwise the task is woken then, or earlier.
    pub(crate) fn poll(&mut self, at: Instant, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Own(timer) => {
                let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
                if timer.deadline() != at {
                    timer.as_mut().reset(at);
                }
                timer.as_mut().poll(cx)
            }
            Self::Server(_) if at <= now => Poll::Ready(()),
            Self::Server(member) => {
                member.set_alarm(at, now);
                Poll::Pending
            }
        }
    }

    /// Whether it is set, has not rung, and needs not be looked at to ring.
    pub(crate) fn is_about_to_ring(&self) -> bool {
        match self {
            Self::Own(_) => false,
            Self::Server(member) => member.alarm_is_set(),
        }
    }

    /// Forgets a timer of its own. That of a server may wake the task once more.
    pub(crate) fn clear(&mut self) {
        if let Self::Own(timer) = self {
            *timer = None;
        }
    }

    pub(crate) fn member(&mut self) -> Option<&mut ConnectionGuard> {
        match self {
            Self::Own(_) => None,
            Self::Server(member) => Some(member),
        }
    }
}
