use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use fullduplex_net::proto::Message;
use tokio::time::Instant;

use crate::native::park;
use crate::native::queues::PlaceNumber;
use crate::native::shared::{Shared, State};
use crate::object::builder::Builder;
use crate::object::error::{Error, Failure};
use crate::object::event::{BinaryType, CloseEvent, Event, EventType, MessageEvent, ReadyState};
use crate::object::events::Events;
use crate::object::listeners::ListenerId;
use crate::object::listeners::{Callback, Kind};
use crate::object::protocols::Protocols;

/// A two-way connection with a server, as the standard defines it.
///
/// Cloning gives another handle of the same socket. Handlers are given one, so they need not
/// capture any. A socket that nobody holds lives on while a listener could hear of it; otherwise it
/// closes itself.
///
/// # When events fire
///
/// The constructor returns at once and connects in the background. Events fire one at a time, in
/// order, and never during a call of yours.
///
/// Events wait until the socket is used for the first time after its construction:
///
/// - The first [`events`](Self::events) stream receives all of them.
/// - The first handler or listener receives them from the first one on. On a current-thread runtime
///   they fire when your task yields, as in a browser. Elsewhere another thread fires them, so a
///   *second* handler on the next line may miss an event. Use [`WebSocket::with`] to add several.
/// - Any other call, such as [`ready_state`](Self::ready_state), [`send`](Self::send) or
///   [`closed`](Self::closed), says that nobody listens: events that waited are dropped, and the
///   state is up to date. [`url`](Self::url), [`binary_type`](Self::binary_type),
///   [`set_binary_type`](Self::set_binary_type) and `clone` do not count as a call.
///
/// At most 1 MiB of messages wait. A socket that is never used is not read beyond that.
///
/// A handler that blocks delays its socket; without a runtime, it delays all sockets of the process.
/// Handlers run inside an async runtime, so they cannot use `block_on`.
pub struct WebSocket {
    shared: Arc<Shared>,
}

impl WebSocket {
    /// Starts to connect and returns in state CONNECTING: `new WebSocket(url, protocols)`.
    ///
    /// No event is lost between this call and the first handler, listener or `events()` on a following
    /// line: see ["When events fire"](Self#when-events-fire).
    ///
    /// `protocols` are offered to the server in order: `()`, one name, or several.
    ///
    /// # Errors
    /// A `SyntaxError` for a URL that is not one of a WebSocket, or subprotocols that cannot be
    /// offered. Whatever goes wrong later is an event.
    pub fn new(url: &str, protocols: impl Protocols) -> Result<Self, Error> {
        Self::with(url, protocols, |_| {})
    }

    /// As [`WebSocket::new`], and calls `setup` before any event can fire.
    ///
    /// # Errors
    /// As [`WebSocket::new`]; `setup` is not called then.
    pub fn with(
        url: &str,
        protocols: impl Protocols,
        setup: impl FnOnce(&Self),
    ) -> Result<Self, Error> {
        Builder::new(url).protocols(protocols)?.open_with(setup)
    }

    /// A socket with options beyond the standard's.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    /// The URL as the parser understood it, `http` turned into `ws`.
    pub fn url(&self) -> &str {
        self.shared.url.as_str()
    }

    /// How far the socket is in its life.
    pub fn ready_state(&self) -> ReadyState {
        self.shared.claimed().machine.ready_state()
    }

    /// The bytes of payload that [`send`](Self::send) took and the network has not. It falls between
    /// events only, keeps growing after a close, and is never reset.
    pub fn buffered_amount(&self) -> u64 {
        self.shared.claimed().buffered_amount()
    }

    /// The subprotocol that the server chose; "" before the `open` event, or if it chose none.
    pub fn protocol(&self) -> String {
        self.shared.claimed().machine.protocol().to_owned()
    }

    /// The extensions that the server chose; "" before the `open` event, or if it chose none.
    pub fn extensions(&self) -> String {
        self.shared.claimed().machine.extensions().to_owned()
    }

    /// How binary messages are shown.
    pub fn binary_type(&self) -> BinaryType {
        self.shared.state().machine.binary_type()
    }

    /// Sets how binary messages are shown, from the next event on.
    pub fn set_binary_type(&self, binary_type: BinaryType) {
        self.shared.state().machine.set_binary_type(binary_type);
    }

    /// Queues a message: text from a `&str` or `String`, binary from bytes. Never blocks.
    ///
    /// On a socket that is closing or closed the message is dropped without an error, as the standard
    /// has it, and only counted in [`buffered_amount`](Self::buffered_amount).
    ///
    /// # Errors
    /// [`Error::Connecting`] before the `open` event.
    pub fn send(&self, data: impl Into<Message>) -> Result<(), Error> {
        self.shared.send(data.into())
    }

    /// As [`send`](Self::send), for a caller that has more to send: the network hears of it at
    /// [`flush`](Self::flush), if not before.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn feed(&self, data: impl Into<Message>) -> Result<(), Error> {
        self.shared.feed(data.into())
    }

    /// Has what was [fed](Self::feed) sent.
    pub fn flush(&self) {
        self.shared.flush();
    }

    /// As [`send`](Self::send), of a message of `len` bytes that is still being read, such as a
    /// `Blob`: it is counted now, and keeps its place before what is sent and closed later.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reserve(&self, len: usize) -> Result<Reservation, Error> {
        Ok(Reservation { place: self.shared.reserve(len)?, shared: Arc::clone(&self.shared) })
    }

    /// Asks the server for a sign of life, and returns the number of the question. See
    /// [`pings_answered`](Self::pings_answered). Once the socket is closing there is no answer.
    ///
    /// # Errors
    /// [`Error::Connecting`] before the `open` event.
    pub fn ping(&self) -> Result<u64, Error> {
        self.shared.ping()
    }

    /// The number of the latest [`ping`](Self::ping) that was answered, and with it all before it; 0 if
    /// none was. A stream of [`events`](Self::events) is woken when it grows.
    pub fn pings_answered(&self) -> u64 {
        self.shared.claimed().pongs
    }

    /// Asks the server for a Pong, and waits for it: how long it took. `None` if the socket is closing or
    /// closed before it comes.
    ///
    /// # Errors
    /// [`Error::Connecting`] before the `open` event.
    ///
    /// # Cancel safety
    /// Safe: the Ping is sent all the same.
    pub async fn round_trip(&self) -> Result<Option<Duration>, Error> {
        let start = Instant::now();
        let number = self.ping()?;
        let answered = poll_fn(|cx| {
            self.poll_state(cx, |state| {
                let is_over = state.closed.is_some() || number == u64::MAX;
                (state.pongs >= number || is_over).then_some(state.pongs >= number)
            })
        });
        Ok(answered.await.then(|| start.elapsed()))
    }

    /// Starts the closing handshake, without a code: the peer sees 1005. Messages that were sent
    /// before still go out, and messages may still arrive until the socket is CLOSED.
    ///
    /// While CONNECTING it gives up connecting; once CLOSING it does nothing.
    pub fn close(&self) {
        // Without arguments there is nothing to refuse.
        self.shared.close(None, None).ok();
    }

    /// As [`close`](Self::close), with a code and a reason for the peer.
    ///
    /// # Errors
    /// [`Error::Code`] unless `code` is 1000 or in 3000–4999; [`Error::Reason`] if `reason` is longer
    /// than 123 bytes of UTF-8. In every state; the socket is left as it was.
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), Error> {
        self.shared.close(Some(code), Some(reason))
    }

    /// As [`close_with`](Self::close_with), where either may be missing: for bindings. A reason
    /// without a code is sent with 1000. Returns whether messages are still delivered; if not, those that
    /// [`Events::take_messages`] has given and nobody has seen are dropped.
    ///
    /// # Errors
    /// As [`close_with`](Self::close_with).
    pub fn close_as(&self, code: Option<u16>, reason: Option<&str>) -> Result<bool, Error> {
        self.shared.close(code, reason)?;
        Ok(self.shared.delivers())
    }

    /// Closes because the program, or the part of it in which the socket lives, ends: with code 1001
    /// if it is open ("make disappear").
    pub fn disappear(&self) {
        self.shared.disappear();
    }

    /// Sets the handler of `open`, in place of the one before.
    pub fn set_onopen(&self, mut handler: impl FnMut(&Self, &Event) + Send + 'static) {
        self.set_handler(EventType::Open, move |socket, event| handler(socket, event));
    }

    /// Sets the handler of `message`, in place of the one before.
    pub fn set_onmessage(&self, mut handler: impl FnMut(&Self, &MessageEvent) + Send + 'static) {
        self.set_handler(EventType::Message, move |socket, event| {
            if let Event::Message(message) = event {
                handler(socket, message);
            }
        });
    }

    /// Sets the handler of `error`, in place of the one before.
    pub fn set_onerror(&self, mut handler: impl FnMut(&Self, &Event) + Send + 'static) {
        self.set_handler(EventType::Error, move |socket, event| handler(socket, event));
    }

    /// Sets the handler of `close`, in place of the one before.
    pub fn set_onclose(&self, mut handler: impl FnMut(&Self, &CloseEvent) + Send + 'static) {
        self.set_handler(EventType::Close, move |socket, event| {
            if let Event::Close(close) = event {
                handler(socket, close);
            }
        });
    }

    /// Removes the handler of a kind of event: `socket.onopen = null`.
    pub fn clear_handler(&self, event_type: EventType) {
        let old = self.shared.state().listeners.clear_handler(event_type);
        drop(old);
    }

    /// `addEventListener(type, listener)`: calls `listener` for each event of the type, in the order
    /// in which listeners and handlers were added.
    pub fn add_event_listener(
        &self,
        event_type: EventType,
        listener: impl FnMut(&Self, &Event) + Send + 'static,
    ) -> ListenerId {
        self.add(event_type, Kind::Listener, listener)
    }

    /// `addEventListener(type, listener, { once: true })`: calls `listener` for the next event of the
    /// type only.
    pub fn add_event_listener_once(
        &self,
        event_type: EventType,
        listener: impl FnMut(&Self, &Event) + Send + 'static,
    ) -> ListenerId {
        self.add(event_type, Kind::Once, listener)
    }

    /// `removeEventListener`: returns whether the listener was there.
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        let old = self.shared.state().listeners.remove(id);
        old.is_some()
    }

    /// The events as a stream, which becomes the socket's event loop while it exists. A stream that
    /// was made before ends.
    ///
    /// The first stream of a socket that was not used before receives every event, on every runtime
    /// (see ["When events fire"](Self#when-events-fire)).
    pub fn events(&self) -> Events {
        Events::new(self)
    }

    /// Why the connection failed, once it has: for the log of a developer.
    pub fn failure(&self) -> Option<Arc<Failure>> {
        self.shared.claimed().failure.clone()
    }

    /// Waits until the `close` event was fired, and returns it. While an [`Events`] stream exists, that
    /// is when it is polled.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) -> CloseEvent {
        poll_fn(|cx| self.poll_state(cx, |state| state.closed.clone())).await
    }

    /// Waits until less than `bytes` are buffered, or the socket is closed: for a sender that keeps
    /// pace with the network. Where an [`Events`] stream exists, go on polling it meanwhile: the
    /// amount falls between its events.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn buffered_below(&self, bytes: u64) {
        poll_fn(|cx| {
            self.poll_state(cx, |state| {
                let room = state.buffered_amount() < bytes;
                (room || state.closed.is_some()).then_some(())
            })
        })
        .await;
    }

    /// Blocks this thread until the `close` event was fired, and returns it. For programs without an
    /// async runtime; inside one, await [`closed`](Self::closed). A handler must not call it, and while
    /// an [`Events`] stream exists, somebody else must go on polling that.
    pub fn wait(&self) -> CloseEvent {
        park::wait_for(self.closed())
    }

    fn poll_state<T>(
        &self,
        cx: &Context<'_>,
        look: impl FnOnce(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.shared.claimed();
        match look(&mut state) {
            Some(found) => Poll::Ready(found),
            None => {
                state.wakers.register_waiting(cx);
                Poll::Pending
            }
        }
    }

    pub(crate) fn new_handle(shared: &Arc<Shared>) -> Self {
        shared.add_handle();
        Self { shared: Arc::clone(shared) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn set_handler(
        &self,
        event_type: EventType,
        handler: impl FnMut(&Self, &Event) + Send + 'static,
    ) {
        let callback: Callback = Arc::new(Mutex::new(handler));
        let old = self.shared.listen(|listeners| listeners.set_handler(event_type, callback));
        drop(old);
    }

    fn add(
        &self,
        event_type: EventType,
        kind: Kind,
        listener: impl FnMut(&Self, &Event) + Send + 'static,
    ) -> ListenerId {
        let callback: Callback = Arc::new(Mutex::new(listener));
        self.shared.listen(|listeners| listeners.add(event_type, kind, callback))
    }
}

impl Clone for WebSocket {
    fn clone(&self) -> Self {
        Self::new_handle(&self.shared)
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.shared.drop_handle();
    }
}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.state();
        f.debug_struct("WebSocket")
            .field("url", &self.shared.url)
            .field("ready_state", &state.machine.ready_state())
            .field("buffered_amount", &state.machine.buffered_amount())
            .finish_non_exhaustive()
    }
}

/// The place of a message that [`WebSocket::reserve`] has announced. Dropping it without a message
/// fails the connection: what was sent later waits for it.
pub struct Reservation {
    shared: Arc<Shared>,
    /// `None` once it is filled, or if the message is not wanted: the socket was closing.
    place: Option<PlaceNumber>,
}

impl Reservation {
    /// Sends the message, which must have the length that was announced.
    pub fn fill(mut self, data: impl Into<Message>) {
        if let Some(place) = self.place.take() {
            self.shared.fill(place, Some(data.into()));
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.shared.fill(place, None);
        }
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation").field("place", &self.place).finish_non_exhaustive()
    }
}
