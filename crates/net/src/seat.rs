use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::Socket;
use crate::request::Pending;
use crate::socket::Shared;

/// Where a handler that has answered its request leaves what the task that runs it needs.
#[derive(Debug)]
pub(crate) struct Seat<S>(Arc<Mutex<Option<Seated<S>>>>);

#[derive(Debug)]
pub(crate) enum Seated<S> {
    /// It was accepted.
    Socket(Arc<Shared<S>>),
    /// It was dropped without an answer.
    Unanswered(Box<Pending<S>>),
}

impl<S> Seat<S> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn take(&self) -> Option<Seated<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn take_socket(&self, socket: &Socket<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.put(Seated::Socket(Arc::clone(socket.shared())));
    }

    pub(crate) fn take_unanswered(&self, pending: Box<Pending<S>>) {
        self.put(Seated::Unanswered(pending));
    }

    fn put(&self, seated: Seated<S>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seated);
    }
}

impl<S> Clone for Seat<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
