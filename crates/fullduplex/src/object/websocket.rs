use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use fullduplex_proto::Message;

use crate::backend::{Failure, SocketState, SocketTarget};
use crate::object::events::Events;
use crate::object::listeners::{Kind, ListenerId};
use crate::object::maybe_send::MaybeSend;
use crate::object::target::{Callback, Handle, State};
use crate::rules::error::Error;
use crate::rules::event::{BinaryType, CloseEvent, Event, EventType, MessageEvent, ReadyState};

/// A two-way connection to a server, as the standard defines it.
///
/// Clones are handles of the same socket. Handlers receive a handle, so they do not need to capture
/// one. After the last handle is dropped, the socket stays open while one of its listeners can
/// still be called; otherwise it closes.
///
/// # When events fire
///
/// The constructor returns immediately and connects in the background. Events fire one at a time,
/// in order, and never during a call into the socket.
///
/// Events wait until the socket is used for the first time after its construction:
///
/// - The first [`events`](Self::events) stream receives all of them.
/// - The first handler or listener receives all events of its type. On a current-thread runtime, events
///   fire when your task yields, as in a browser. Elsewhere, another thread fires them, so a *second*
///   handler on the next line may miss an event. Use [`WebSocket::with`] to add several handlers.
/// - Any other call, such as [`ready_state`](Self::ready_state), [`send`](Self::send) or
///   [`closed`](Self::closed), means that the application does not listen. The waiting events are
///   dropped, and the state is updated. The calls [`url`](Self::url),
///   [`binary_type`](Self::binary_type), [`set_binary_type`](Self::set_binary_type) and `clone` do not
///   have this effect.
///
/// At most about 1 MiB of messages wait. After that, the connection of an unused socket is not read. In
/// a browser, there is no limit, because a page cannot make the browser stop reading.
///
/// A handler that blocks delays its socket; without a runtime, it delays all sockets of the process.
/// Handlers run inside an async runtime, so they cannot use `block_on`.
#[derive(Clone)]
pub struct WebSocket {
    url: Arc<str>,
    handle: Handle<SocketState>,
}

impl WebSocket {
    /// Returns the parsed URL. The schemes `http` and `https` are replaced by `ws` and `wss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the state of the socket. In a browser, it is the state of the browser's object. This state may
    /// change before the events that wait for a stream have fired.
    pub fn ready_state(&self) -> ReadyState {
        self.handle.claimed().object.ready_state()
    }

    /// Returns the number of payload bytes passed to [`send`](Self::send) that were not written to
    /// the network yet. It decreases only between events. Sending after a close increases it, and it is never
    /// reset. In a browser, the value comes from the browser's object.
    pub fn buffered_amount(&self) -> u64 {
        self.handle.claimed().buffered_amount()
    }

    /// Returns the subprotocol that the server selected. Returns "" before the `open` event, or if the server
    /// selected none.
    pub fn protocol(&self) -> String {
        self.handle.claimed().object.protocol()
    }

    /// Returns the extensions that the server selected. Returns "" before the `open` event, or if the server
    /// selected none.
    pub fn extensions(&self) -> String {
        self.handle.claimed().object.extensions()
    }

    /// Returns the type in which binary messages are delivered.
    pub fn binary_type(&self) -> BinaryType {
        self.handle.state().object.binary_type()
    }

    /// Sets the type in which binary messages are delivered, from the next event on.
    pub fn set_binary_type(&self, binary_type: BinaryType) {
        self.handle.state().object.set_binary_type(binary_type);
    }

    /// Queues a message: text from a `&str` or `String`, binary from bytes. Does not block.
    ///
    /// A closing or closed socket drops the message without an error, as the standard requires.
    /// Only [`buffered_amount`](Self::buffered_amount) includes it.
    ///
    /// # Errors
    /// Returns [`Error::Connecting`] before the `open` event.
    pub fn send(&self, data: impl Into<Message>) -> Result<(), Error> {
        self.handle.send(data.into())
    }

    /// Starts the closing handshake without a code; the peer's close event has code 1005. Messages that were
    /// sent before this call are still delivered to the peer. Messages from the peer may arrive until the
    /// socket is CLOSED. A browser drops messages that arrive after this call.
    ///
    /// In state CONNECTING it stops connecting. In state CLOSING or CLOSED it does nothing.
    pub fn close(&self) {
        // This cannot fail, because there are no arguments to check.
        self.handle.close(None, None).ok();
    }

    /// Starts the closing handshake like [`close`](Self::close), with a code and a reason for the peer.
    ///
    /// # Errors
    /// Returns [`Error::Code`] unless `code` is 1000 or from 3000 to 4999. Returns [`Error::Reason`] if
    /// `reason` is longer than 123 bytes of UTF-8. The arguments are checked in every state. An error does
    /// not change the state.
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), Error> {
        self.handle.close(Some(code), Some(reason))
    }

    /// Sets the handler of `open` events. It replaces the previous handler.
    pub fn set_onopen(&self, mut handler: impl FnMut(&Self, &Event) + MaybeSend + 'static) {
        self.set_handler(EventType::Open, move |socket, event| handler(socket, event));
    }

    /// Sets the handler of `message` events. It replaces the previous handler.
    pub fn set_onmessage(
        &self,
        mut handler: impl FnMut(&Self, &MessageEvent) + MaybeSend + 'static,
    ) {
        self.set_handler(EventType::Message, move |socket, event| {
            if let Event::Message(message) = event {
                handler(socket, message);
            }
        });
    }

    /// Sets the handler of `error` events. It replaces the previous handler.
    pub fn set_onerror(&self, mut handler: impl FnMut(&Self, &Event) + MaybeSend + 'static) {
        self.set_handler(EventType::Error, move |socket, event| handler(socket, event));
    }

    /// Sets the handler of `close` events. It replaces the previous handler.
    pub fn set_onclose(&self, mut handler: impl FnMut(&Self, &CloseEvent) + MaybeSend + 'static) {
        self.set_handler(EventType::Close, move |socket, event| {
            if let Event::Close(close) = event {
                handler(socket, close);
            }
        });
    }

    /// Removes the handler of a type of event: `socket.onopen = null`.
    pub fn clear_handler(&self, event_type: EventType) {
        let old = self.handle.state().listeners.clear_handler(event_type);
        drop(old);
    }

    /// Adds a listener for a type of event: `addEventListener(type, listener)`. Listeners and handlers
    /// are called in the order in which they were added.
    pub fn add_event_listener(
        &self,
        event_type: EventType,
        listener: impl FnMut(&Self, &Event) + MaybeSend + 'static,
    ) -> ListenerId {
        self.add(event_type, Kind::Listener, listener)
    }

    /// Adds a listener for the next event of a type: `addEventListener(type, listener, { once: true })`.
    pub fn add_event_listener_once(
        &self,
        event_type: EventType,
        listener: impl FnMut(&Self, &Event) + MaybeSend + 'static,
    ) -> ListenerId {
        self.add(event_type, Kind::Once, listener)
    }

    /// Removes a listener: `removeEventListener`. Returns whether the listener was registered.
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        let old = self.handle.state().listeners.remove(id);
        old.is_some()
    }

    /// Returns the events as a stream, which fires the socket's events while it exists. Ends an earlier
    /// stream.
    ///
    /// The first stream of a socket that was not used before receives every event, on every runtime
    /// (see ["When events fire"](Self#when-events-fire)).
    pub fn events(&self) -> Events {
        Events::new(self.handle.clone())
    }

    /// Returns why the connection failed, or `None` if it has not failed. The cause is meant for a log. In a
    /// browser, it contains almost no details.
    pub fn failure(&self) -> Option<Arc<Failure>> {
        self.handle.claimed().object.failure.clone()
    }

    /// Waits until the `close` event has fired, and returns it. While an [`Events`] stream exists, the
    /// event fires only when the stream is polled.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> CloseEvent {
        poll_fn(|cx| self.poll_state(cx, |state| state.closed.clone())).await
    }

    /// Waits until [`buffered_amount`](Self::buffered_amount) is less than `bytes`, or the socket is
    /// closed. A sender awaits it to send at the pace of the network. While an [`Events`] stream exists, keep
    /// polling the stream, because the amount decreases only between its events.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn buffered_below(&self, bytes: u64) {
        poll_fn(|cx| {
            self.poll_state(cx, |state| {
                let room = state.buffered_amount() < bytes;
                (room || state.closed.is_some()).then_some(())
            })
        })
        .await;
    }

    pub(crate) fn poll_state<T>(
        &self,
        cx: &Context<'_>,
        look: impl FnOnce(&mut State<SocketState>) -> Option<T>,
    ) -> Poll<T> {
        self.handle.claim();
        self.handle.poll_state(cx, look)
    }

    pub(crate) fn new_handle(url: Arc<str>, target: &Arc<SocketTarget>) -> Self {
        Self { url, handle: Handle::new(target) }
    }

    pub(crate) fn target(&self) -> &Arc<SocketTarget> {
        self.handle.target()
    }

    fn set_handler(
        &self,
        event_type: EventType,
        handler: impl FnMut(&Self, &Event) + MaybeSend + 'static,
    ) {
        let callback = self.callback(handler);
        let old = self.target().listen(|listeners| listeners.set_handler(event_type, callback));
        drop(old);
    }

    fn add(
        &self,
        event_type: EventType,
        kind: Kind,
        listener: impl FnMut(&Self, &Event) + MaybeSend + 'static,
    ) -> ListenerId {
        let callback = self.callback(listener);
        self.target().listen(|listeners| listeners.add(event_type, kind, callback))
    }

    fn callback(
        &self,
        mut listener: impl FnMut(&Self, &Event) + MaybeSend + 'static,
    ) -> Callback<SocketState> {
        let url = Arc::clone(&self.url);
        Arc::new(Mutex::new(move |handle: &Handle<SocketState>, event: &Event| {
            listener(&Self { url: Arc::clone(&url), handle: handle.clone() }, event);
        }))
    }
}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.handle.state();
        f.debug_struct("WebSocket")
            .field("url", &state.object.shown_url())
            .field("ready_state", &state.object.ready_state())
            .field("buffered_amount", &state.object.buffered_amount())
            .finish_non_exhaustive()
    }
}
