use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::shared::Shared;
use super::{Backoff, Lost, OutboxLimits, ReconnectingWebSocket};
use crate::object::builder::Builder;

/// What an attempt is made with.
pub(super) type Provided =
    Pin<Box<dyn Future<Output = Result<Builder, Box<dyn StdError + Send + Sync>>> + Send>>;

/// How a socket comes back.
pub(super) struct Plan {
    pub(super) provider: Box<dyn FnMut(u32) -> Provided + Send>,
    pub(super) stop_when: Box<dyn FnMut(&Lost) -> bool + Send>,
}

/// A [`ReconnectingWebSocket`] with options. From [`ReconnectingWebSocket::builder`] or
/// [`ReconnectingWebSocket::provided_by`].
pub struct ReconnectingBuilder {
    plan: Plan,
    backoff: Backoff,
    outbox: OutboxLimits,
}

impl ReconnectingBuilder {
    pub(super) fn new<F, E>(mut provider: impl FnMut(u32) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Builder, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let provider = move |retry| -> Provided {
            let provided = provider(retry);
            Box::pin(async move { provided.await.map_err(Into::into) })
        };
        let plan = Plan { provider: Box::new(provider), stop_when: Box::new(|_| false) };
        Self { plan, backoff: Backoff::default(), outbox: OutboxLimits::default() }
    }

    /// When to try again.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// What may wait for a connection.
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.outbox = limits;
        self
    }

    /// Ends the socket at a loss for which this is true, such as one with a close code that says that the
    /// client is not welcome. By default no loss is the end. (In what it is given,
    /// [`Lost::retry_in`] is not drawn yet, and zero.)
    pub fn stop_when(mut self, stop: impl FnMut(&Lost) -> bool + Send + 'static) -> Self {
        self.plan.stop_when = Box::new(stop);
        self
    }

    /// Starts to connect, and returns at once.
    pub fn open(self) -> ReconnectingWebSocket {
        self.open_with(|_| {})
    }

    /// As [`open`](Self::open), and calls `setup` before any event can fire.
    pub fn open_with(self, setup: impl FnOnce(&ReconnectingWebSocket)) -> ReconnectingWebSocket {
        let shared = Arc::new(Shared::new(self.plan, self.backoff, self.outbox));
        let socket = ReconnectingWebSocket::new_handle(&shared);
        setup(&socket);
        shared.start();
        socket
    }
}

impl std::fmt::Debug for ReconnectingBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReconnectingBuilder")
            .field("backoff", &self.backoff)
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}
