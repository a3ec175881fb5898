use std::error::Error as StdError;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fullduplex_net::proto::Message;

use super::shared::{Callback, Shared, State};
use super::{
    Lost, LostCause, OutboxFullError, ReconnectState, ReconnectingBuilder, ReconnectingEvent,
    ReconnectingEventType, ReconnectingEvents, Undelivered,
};
use crate::native::park;
use crate::object::builder::Builder;
use crate::object::error::Error;
use crate::object::event::{BinaryType, CloseEvent, MessageEvent, ReadyState};
use crate::object::listeners::Kind;
use crate::object::listeners::ListenerId;
use crate::object::protocols::Protocols;
use crate::object::websocket::WebSocket;

/// A [`WebSocket`] that opens another connection when one ends, until it is closed.
///
/// It has the same attributes, methods and events; `open` fires for each connection, `lost` when one has
/// ended, and `close` once, at the end. While there is none, `send` keeps messages in a bounded outbox.
///
/// Each message is handed over to one connection only, so the server gets none twice. What that connection
/// has not got rid of when it ends is reported as [`Undelivered`]. What the network has taken may be lost on
/// the way: only an answer of the server tells that it has come.
///
/// ```no_run
/// use fullduplex::{ReconnectingWebSocket, WebSocket};
///
/// # fn token() -> std::future::Ready<Result<String, fullduplex::Error>> { unimplemented!() }
/// let socket = ReconnectingWebSocket::provided_by(|_retry| async {
///     let token = token().await?; // a fresh one for each attempt
///     WebSocket::builder("wss://example.com/").header("Authorization", &format!("Bearer {token}"))
/// })
/// .stop_when(|lost| lost.close.code == 1008)
/// .open_with(|socket| {
///     socket.set_onopen(|socket| drop(socket.send("subscribe")));
///     socket.set_onmessage(|_, message| println!("{:?}", message.data));
///     socket.set_onlost(|_, lost| println!("again in {:?}", lost.retry_in));
/// });
/// socket.wait();
/// ```
///
/// Events fire as those of a [`WebSocket`] do. A socket that nobody holds lives on while it has a listener;
/// otherwise it closes itself.
pub struct ReconnectingWebSocket {
    shared: Arc<Shared>,
}

impl ReconnectingWebSocket {
    /// Starts to connect, as [`WebSocket::new`] does, and comes back as [`Backoff`](super::Backoff) says.
    ///
    /// # Errors
    /// As [`WebSocket::new`].
    pub fn new(url: &str, protocols: impl Protocols) -> Result<Self, Error> {
        Ok(Self::builder(WebSocket::builder(url).protocols(protocols)?).open())
    }

    /// A socket whose connections have all the same options.
    pub fn builder(options: Builder) -> ReconnectingBuilder {
        Self::provided_by(move |_| {
            let options = options.clone();
            async move { Ok::<_, Error>(options) }
        })
    }

    /// A socket that asks for each attempt with what to connect: for a token that expires, or a server that
    /// another one names. `provider` is given the number of the attempt since a connection has stood, 0 for the
    /// first of all. An error is an attempt that has failed; a future that takes long holds up nothing but
    /// the attempt, and is dropped when that is not wanted any more.
    pub fn provided_by<F, E>(provider: impl FnMut(u32) -> F + Send + 'static) -> ReconnectingBuilder
    where
        F: Future<Output = Result<Builder, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        ReconnectingBuilder::new(provider)
    }

    /// What it is doing.
    pub fn state(&self) -> ReconnectState {
        self.shared.state().reconnect_state()
    }

    /// CONNECTING until there is a connection, also again; OPEN; CLOSING after [`close`](Self::close); CLOSED
    /// when it tries no more.
    pub fn ready_state(&self) -> ReadyState {
        self.shared.state().ready_state()
    }

    /// The URL of the connection that stands or is being opened; "" when there is none.
    pub fn url(&self) -> String {
        self.of_connection(|connection| connection.url().to_owned())
    }

    /// The subprotocol of the connection; "" when there is none.
    pub fn protocol(&self) -> String {
        self.of_connection(WebSocket::protocol)
    }

    /// The extensions of the connection; "" when there is none.
    pub fn extensions(&self) -> String {
        self.of_connection(WebSocket::extensions)
    }

    /// The bytes of payload that [`send`](Self::send) took and no network has. It falls also when messages are
    /// reported as [`Undelivered`].
    pub fn buffered_amount(&self) -> u64 {
        self.shared.state().buffered_amount()
    }

    /// How binary messages are shown.
    pub fn binary_type(&self) -> BinaryType {
        self.shared.state().binary_type
    }

    /// Sets how binary messages are shown, from the next event on.
    pub fn set_binary_type(&self, binary_type: BinaryType) {
        let mut state = self.shared.state();
        state.binary_type = binary_type;
        if let Some(connection) = &state.connection {
            connection.set_binary_type(binary_type);
        }
    }

    /// Queues a message for the connection, or for the next one. Never blocks. On a socket that is closing or
    /// closed it is dropped, as the standard has it.
    ///
    /// # Errors
    /// [`OutboxFullError`] gives the message back.
    pub fn send(&self, data: impl Into<Message>) -> Result<(), OutboxFullError> {
        self.shared.send(data.into())
    }

    /// Asks the server for a Pong, and waits for it: how long it took. `None` if there is no connection, or
    /// it ends before.
    ///
    /// # Cancel safety
    /// Safe: the Ping is sent all the same.
    pub async fn round_trip(&self) -> Option<Duration> {
        let connection = self.shared.state().connection.clone()?;
        // One that is still connecting is none.
        connection.round_trip().await.ok().flatten()
    }

    /// Waits until less than `bytes` are buffered, or it tries no more: for a sender that keeps pace with the
    /// network.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn buffered_below(&self, bytes: u64) {
        self.until(|state| {
            (state.closed.is_some() || state.buffered_amount() < bytes).then_some(())
        })
        .await;
    }

    /// Closes the connection behind what was sent, and opens no other. Without a connection it ends at once.
    pub fn close(&self) {
        // Without arguments there is nothing to refuse.
        self.shared.close(None, None).ok();
    }

    /// As [`close`](Self::close), with a code (1000, or 3000 to 4999) and a reason.
    ///
    /// # Errors
    /// [`Error::Code`] or [`Error::Reason`].
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), Error> {
        self.shared.close(Some(code), Some(reason))
    }

    /// Opens a connection now: in place of the one that stands, instead of waiting, or though it has
    /// ended. The waits begin anew.
    pub fn reconnect(&self) {
        self.shared.reconnect();
    }

    /// Why the latest connection, or attempt, has ended.
    pub fn failure(&self) -> Option<LostCause> {
        self.shared.state().failure.clone()
    }

    /// Sets the handler of `open`.
    pub fn set_onopen(&self, mut handler: impl FnMut(&Self) + Send + 'static) {
        self.set_handler(ReconnectingEventType::Open, move |socket, _| handler(socket));
    }

    /// Sets the handler of `message`.
    pub fn set_onmessage(&self, mut handler: impl FnMut(&Self, &MessageEvent) + Send + 'static) {
        self.set_handler(ReconnectingEventType::Message, move |socket, event| {
            if let ReconnectingEvent::Message(message) = event {
                handler(socket, message);
            }
        });
    }

    /// Sets the handler of `lost`.
    pub fn set_onlost(&self, mut handler: impl FnMut(&Self, &Lost) + Send + 'static) {
        self.set_handler(ReconnectingEventType::Lost, move |socket, event| {
            if let ReconnectingEvent::Lost(lost) = event {
                handler(socket, lost);
            }
        });
    }

    /// Sets the handler of `undelivered`.
    pub fn set_onundelivered(&self, mut handler: impl FnMut(&Self, &Undelivered) + Send + 'static) {
        self.set_handler(ReconnectingEventType::Undelivered, move |socket, event| {
            if let ReconnectingEvent::Undelivered(undelivered) = event {
                handler(socket, undelivered);
            }
        });
    }

    /// Sets the handler of `error`.
    pub fn set_onerror(&self, mut handler: impl FnMut(&Self) + Send + 'static) {
        self.set_handler(ReconnectingEventType::Error, move |socket, _| handler(socket));
    }

    /// Sets the handler of `close`.
    pub fn set_onclose(&self, mut handler: impl FnMut(&Self, &CloseEvent) + Send + 'static) {
        self.set_handler(ReconnectingEventType::Close, move |socket, event| {
            if let ReconnectingEvent::Close(close) = event {
                handler(socket, close);
            }
        });
    }

    /// Sets the handler to `null`.
    pub fn clear_handler(&self, event_type: ReconnectingEventType) {
        let old = self.shared.state().listeners.clear_handler(event_type);
        drop(old);
    }

    /// Adds a listener, which is called after those that were there before.
    pub fn add_event_listener(
        &self,
        event_type: ReconnectingEventType,
        listener: impl FnMut(&Self, &ReconnectingEvent) + Send + 'static,
    ) -> ListenerId {
        let callback: Callback = Arc::new(Mutex::new(listener));
        self.shared.state().listeners.add(event_type, Kind::Listener, callback)
    }

    /// Removes a listener; whether it was there.
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        let old = self.shared.state().listeners.remove(id);
        old.is_some()
    }

    /// The events as a stream. One that was made before ends.
    pub fn events(&self) -> ReconnectingEvents {
        ReconnectingEvents::new(self)
    }

    /// Waits until it tries no more, and returns the `close` event.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) -> CloseEvent {
        self.until(|state| state.closed.clone()).await
    }

    /// Waits until the state is so.
    async fn until<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // Registered before the state is looked at, so that no change is missed.
            changed.as_mut().enable();
            if let Some(found) = look(&self.shared.state()) {
                return found;
            }
            changed.await;
        }
    }

    /// Blocks this thread until it tries no more. Inside an async runtime, await
    /// [`closed`](Self::closed).
    pub fn wait(&self) -> CloseEvent {
        park::wait_for(self.closed())
    }

    pub(super) fn new_handle(shared: &Arc<Shared>) -> Self {
        shared.add_handle();
        Self { shared: Arc::clone(shared) }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn of_connection(&self, attribute: impl FnOnce(&WebSocket) -> String) -> String {
        let connection = self.shared.state().connection.clone();
        connection.as_ref().map(attribute).unwrap_or_default()
    }

    fn set_handler(
        &self,
        event_type: ReconnectingEventType,
        handler: impl FnMut(&Self, &ReconnectingEvent) + Send + 'static,
    ) {
        let callback: Callback = Arc::new(Mutex::new(handler));
        let old = self.shared.state().listeners.set_handler(event_type, callback);
        drop(old);
    }
}

impl Clone for ReconnectingWebSocket {
    fn clone(&self) -> Self {
        Self::new_handle(&self.shared)
    }
}

impl Drop for ReconnectingWebSocket {
    fn drop(&mut self) {
        self.shared.drop_handle();
    }
}

impl std::fmt::Debug for ReconnectingWebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReconnectingWebSocket")
            .field("state", &self.state())
            .field("buffered_amount", &self.buffered_amount())
            .finish_non_exhaustive()
    }
}
