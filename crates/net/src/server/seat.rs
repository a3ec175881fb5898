use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::request::Pending;
use crate::socket::Shared;
use crate::socket::Socket;

/// Where a handler that has answered its request leaves what the task that runs it needs.
#[derive(Debug)]
pub(crate) struct Seat<S>(Arc<Mutex<Occupation<S>>>);

#[derive(Debug)]
struct Occupation<S> {
    seated: Option<Seated<S>>,
    /// The task that waits, which need not be the one that answers.
    waiting: Waker,
}

#[derive(Debug)]
pub(crate) enum Seated<S> {
    /// It was accepted.
    Socket(Arc<Shared<S>>),
    /// It was dropped without an answer.
    Unanswered(Box<Pending<S>>),
}

impl<S> Seat<S> {
    pub(crate) fn new() -> Self {
        let empty = Occupation { seated: None, waiting: Waker::noop().clone() };
        Self(Arc::new(Mutex::new(empty)))
    }

    /// Takes what is there; if there is nothing, what comes wakes the task of `cx`.
    pub(crate) fn take(&self, cx: &Context<'_>) -> Option<Seated<S>> {
        let mut occupation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seated = occupation.seated.take();
        occupation.waiting.clone_from(cx.waker());
        seated
    }

    pub(crate) fn take_socket(&self, socket: &Socket<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        socket.shared().link().expect_driver();
        self.put(Seated::Socket(Arc::clone(socket.shared())));
    }

    pub(crate) fn take_unanswered(&self, pending: Box<Pending<S>>) {
        self.put(Seated::Unanswered(pending));
    }

    fn put(&self, seated: Seated<S>) {
        let mut occupation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        occupation.seated = Some(seated);
        let waiting = occupation.waiting.clone();
        drop(occupation);
        waiting.wake();
    }
}

impl<S> Clone for Seat<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
