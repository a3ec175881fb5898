use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;

use crate::backend::builder::Builder;
use crate::object::maybe_send::MaybeSend;
use crate::object::protocols::Protocols;
use crate::object::target::Target;
use crate::object::websocket::WebSocket;
use crate::reconnect::backoff::Backoff;
use crate::reconnect::driver;
use crate::reconnect::event::Lost;
use crate::reconnect::options::OutboxLimits;
use crate::reconnect::plan::{BuilderFuture, Plan};
use crate::reconnect::reconnection::Reconnection;
use crate::reconnect::socket::ReconnectingWebSocket;
use crate::rules::error::Error;

/// Constructors.
impl ReconnectingWebSocket {
    /// Starts to connect, like [`WebSocket::new`], and reconnects as [`Backoff`] specifies.
    ///
    /// # Errors
    /// As [`WebSocket::new`].
    pub fn new(url: &str, protocols: impl Protocols) -> Result<Self, Error> {
        Ok(Self::builder(WebSocket::builder(url).protocols(protocols)?).open())
    }

    /// Returns a builder for a socket whose connections all have the same options. The socket ends
    /// when another attempt would fail too: see [`Lost::is_permanent`].
    pub fn builder(options: Builder) -> ReconnectingBuilder {
        let provided = Self::provided_by(move |_| {
            let options = options.clone();
            async move { Ok::<_, Error>(options) }
        });
        provided.stop_when(Lost::is_permanent)
    }

    /// Returns a builder for a socket that asks `provider` for the options of each attempt, for
    /// example because a token expires or because a directory service returns the server's address.
    ///
    /// `provider` receives the number of the attempt since the waits were reset, 0 for the first
    /// one. If it returns an error, the attempt has failed. Its future may take a long time: it
    /// delays only this attempt, and is dropped when the attempt is no longer needed.
    pub fn provided_by<F, E>(
        provider: impl FnMut(u32) -> F + MaybeSend + 'static,
    ) -> ReconnectingBuilder
    where
        F: Future<Output = Result<Builder, E>> + MaybeSend + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        ReconnectingBuilder::new(provider)
    }
}

/// Builds a [`ReconnectingWebSocket`]. Created by [`ReconnectingWebSocket::builder`] and
/// [`ReconnectingWebSocket::provided_by`].
#[must_use = "a builder does nothing until it is opened"]
pub struct ReconnectingBuilder {
    plan: Plan,
    backoff: Backoff,
    outbox: OutboxLimits,
}

impl ReconnectingBuilder {
    fn new<F, E>(mut provider: impl FnMut(u32) -> F + MaybeSend + 'static) -> Self
    where
        F: Future<Output = Result<Builder, E>> + MaybeSend + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let provider = move |retry: u32| -> BuilderFuture {
            let provided = provider(retry);
            Box::pin(async move { provided.await.map_err(Into::into) })
        };
        let plan = Plan { provider: Box::new(provider), stop_when: Box::new(|_| false) };
        Self { plan, backoff: Backoff::default(), outbox: OutboxLimits::default() }
    }

    /// Sets the waits between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the limits of the outbox.
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.outbox = limits;
        self
    }

    /// Ends the socket after a loss for which `stop` returns true. For example, `stop` checks for a close
    /// code with which the server rejects the client. The default is [`Lost::is_permanent`] with fixed
    /// options; with a provider, no loss ends the socket. In the argument of `stop`, [`Lost::retry_in`] is
    /// zero, because the next attempt is not scheduled yet.
    pub fn stop_when(mut self, stop: impl FnMut(&Lost) -> bool + MaybeSend + 'static) -> Self {
        self.plan.stop_when = Box::new(stop);
        self
    }

    /// Starts to connect and returns immediately.
    pub fn open(self) -> ReconnectingWebSocket {
        self.open_with(|_| {})
    }

    /// Starts to connect like [`open`](Self::open), and calls `setup` before any event can fire.
    pub fn open_with(self, setup: impl FnOnce(&ReconnectingWebSocket)) -> ReconnectingWebSocket {
        let reconnection = Reconnection::new(self.plan, self.backoff, self.outbox);
        let target = Arc::new(Target::new(reconnection));
        let socket = ReconnectingWebSocket::from_target(&target);
        setup(&socket);
        driver::start(&target);
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
