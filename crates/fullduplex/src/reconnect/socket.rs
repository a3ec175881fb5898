use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use fullduplex_proto::Message;

use crate::object::listeners::{Kind, ListenerId};
use crate::object::maybe_send::MaybeSend;
use crate::object::target::{Callback, Handle};
use crate::object::websocket::WebSocket;
use crate::reconnect::driver;
use crate::reconnect::event::{
    Lost, LostCause, ReconnectingEvent, ReconnectingEventType, Undelivered,
};
use crate::reconnect::events::ReconnectingEvents;
use crate::reconnect::options::OutboxFullError;
use crate::reconnect::reconnection::{Command, ReconnectTarget, Reconnection};
use crate::reconnect::state::ReconnectState;
use crate::rules::error::Error;
use crate::rules::event::{BinaryType, CloseEvent, MessageEvent, ReadyState};

/// A [`WebSocket`] that opens another connection when one ends, until it is closed.
///
/// It has the same attributes, methods and events. `open` fires for each connection, `lost` when a
/// connection has ended or an attempt has failed, and `close` once, at the end. While no connection
/// is open, `send` keeps messages in a bounded outbox.
///
/// Each message is handed to one connection only, so the server never receives it twice. Messages
/// that a connection had not written when it ended are reported as [`Undelivered`]. Written
/// messages may still be lost on the way: only an answer of the server confirms that they arrived.
///
/// If all attempts use the same options, the socket ends when another attempt would fail too
/// ([`Lost::is_permanent`]), for example after status 401. `Retry-After` delays the next attempt by up
/// to an hour.
///
/// ```no_run
/// use fullduplex::{ReconnectingWebSocket, WebSocket};
///
/// # fn token() -> std::future::Ready<Result<String, fullduplex::Error>> { unimplemented!() }
/// let socket = ReconnectingWebSocket::provided_by(|_retry| async {
///     let token = token().await?; // a new one for each attempt
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
/// Events fire like those of a [`WebSocket`]: they wait for the first handler, listener or
/// [`events`](Self::events) stream. If the application sends and never listens, events beyond 1024 or 1 MiB
/// are dropped. A socket whose last handle is dropped stays alive while it has a listener; otherwise it
/// closes.
#[derive(Clone)]
pub struct ReconnectingWebSocket {
    handle: Handle<Reconnection>,
}

impl ReconnectingWebSocket {
    /// Returns the state, in detail.
    pub fn state(&self) -> ReconnectState {
        self.handle.state().object.reconnect_state()
    }

    /// Returns OPEN while a connection is open, CONNECTING before and between connections, CLOSING after
    /// [`close`](Self::close), and CLOSED at the end.
    pub fn ready_state(&self) -> ReadyState {
        self.handle.state().object.ready_state()
    }

    /// Returns the URL of the current connection or attempt, or "".
    pub fn url(&self) -> String {
        self.of_connection(|connection| connection.url().to_owned())
    }

    /// Returns the subprotocol of the connection, or "".
    pub fn protocol(&self) -> String {
        self.of_connection(WebSocket::protocol)
    }

    /// Returns the extensions of the connection, or "".
    pub fn extensions(&self) -> String {
        self.of_connection(WebSocket::extensions)
    }

    /// Returns the number of payload bytes passed to [`send`](Self::send) that were not written to
    /// a network yet. It also falls when messages are reported as [`Undelivered`].
    pub fn buffered_amount(&self) -> u64 {
        self.handle.state().object.buffered_amount()
    }

    /// Returns the type in which binary messages are delivered.
    pub fn binary_type(&self) -> BinaryType {
        self.handle.state().object.binary_type
    }

    /// Sets the type in which binary messages are delivered, from the next event on.
    pub fn set_binary_type(&self, binary_type: BinaryType) {
        let mut state = self.handle.state();
        state.object.binary_type = binary_type;
        if let Some(connection) = &state.object.connection {
            connection.set_binary_type(binary_type);
        }
    }

    /// Queues a message for the connection, or for the next one. Never blocks. A closing or closed
    /// socket drops it, as the standard requires.
    ///
    /// # Errors
    /// [`OutboxFullError`] returns the message.
    pub fn send(&self, data: impl Into<Message>) -> Result<(), OutboxFullError> {
        self.handle.send(data.into())
    }

    /// Waits until [`buffered_amount`](Self::buffered_amount) is less than `bytes`, or the socket has ended. A
    /// sender awaits it to send at the pace of the network.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn buffered_below(&self, bytes: u64) {
        poll_fn(|cx| {
            self.handle.poll_state(cx, |state| {
                let has_room = state.object.buffered_amount() < bytes;
                (has_room || state.object.ready_state() == ReadyState::Closed).then_some(())
            })
        })
        .await;
    }

    /// Closes the connection after sending the queued messages, and opens no other connection. Without a
    /// connection, the socket ends immediately.
    pub fn close(&self) {
        // This cannot fail, because there are no arguments to check.
        self.handle.close(None, None).ok();
    }

    /// Closes like [`close`](Self::close), with a code (1000, or 3000 to 4999) and a reason.
    ///
    /// # Errors
    /// Returns [`Error::Code`] or [`Error::Reason`].
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), Error> {
        self.handle.close(Some(code), Some(reason))
    }

    /// Opens a connection now and resets the waits. It replaces an open connection, ends a wait, and restarts
    /// a socket that has ended.
    pub fn reconnect(&self) {
        {
            let mut state = self.handle.state();
            state.object.command = Some(Command::Reconnect);
            state.closed = None;
            state.wakers.wake_driver();
        }
        driver::start(self.target());
    }

    /// Returns why the latest connection ended or the latest attempt failed.
    pub fn failure(&self) -> Option<LostCause> {
        self.handle.state().object.failure.clone()
    }

    /// Sets the handler of `open` events. It replaces the previous handler.
    pub fn set_onopen(&self, mut handler: impl FnMut(&Self) + MaybeSend + 'static) {
        self.set_handler(ReconnectingEventType::Open, move |socket, _| handler(socket));
    }

    /// Sets the handler of `message` events. It replaces the previous handler.
    pub fn set_onmessage(
        &self,
        mut handler: impl FnMut(&Self, &MessageEvent) + MaybeSend + 'static,
    ) {
        self.set_handler(ReconnectingEventType::Message, move |socket, event| {
            if let ReconnectingEvent::Message(message) = event {
                handler(socket, message);
            }
        });
    }

    /// Sets the handler of `lost` events. It replaces the previous handler.
    pub fn set_onlost(&self, mut handler: impl FnMut(&Self, &Lost) + MaybeSend + 'static) {
        self.set_handler(ReconnectingEventType::Lost, move |socket, event| {
            if let ReconnectingEvent::Lost(lost) = event {
                handler(socket, lost);
            }
        });
    }

    /// Sets the handler of `undelivered` events. It replaces the previous handler.
    pub fn set_onundelivered(
        &self,
        mut handler: impl FnMut(&Self, &Undelivered) + MaybeSend + 'static,
    ) {
        self.set_handler(ReconnectingEventType::Undelivered, move |socket, event| {
            if let ReconnectingEvent::Undelivered(undelivered) = event {
                handler(socket, undelivered);
            }
        });
    }

    /// Sets the handler of `error` events. It replaces the previous handler.
    pub fn set_onerror(&self, mut handler: impl FnMut(&Self) + MaybeSend + 'static) {
        self.set_handler(ReconnectingEventType::Error, move |socket, _| handler(socket));
    }

    /// Sets the handler of `close` events. It replaces the previous handler.
    pub fn set_onclose(&self, mut handler: impl FnMut(&Self, &CloseEvent) + MaybeSend + 'static) {
        self.set_handler(ReconnectingEventType::Close, move |socket, event| {
            if let ReconnectingEvent::Close(close) = event {
                handler(socket, close);
            }
        });
    }

    /// Removes the handler of a type of event.
    pub fn clear_handler(&self, event_type: ReconnectingEventType) {
        let old = self.handle.state().listeners.clear_handler(event_type);
        drop(old);
    }

    /// Adds a listener for a type of event. Listeners and handlers are called in the order in which they were
    /// added.
    pub fn add_event_listener(
        &self,
        event_type: ReconnectingEventType,
        listener: impl FnMut(&Self, &ReconnectingEvent) + MaybeSend + 'static,
    ) -> ListenerId {
        let callback = callback(listener);
        self.target().listen(|listeners| listeners.add(event_type, Kind::Listener, callback))
    }

    /// Removes a listener. Returns whether the listener was registered.
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        let old = self.handle.state().listeners.remove(id);
        old.is_some()
    }

    /// Returns the events as a stream, which fires the socket's events while it exists. Ends an earlier
    /// stream.
    pub fn events(&self) -> ReconnectingEvents {
        ReconnectingEvents::new(self.handle.clone())
    }

    /// Waits until the `close` event has fired, and returns it. While a [`ReconnectingEvents`] stream exists,
    /// the event fires only when the stream is polled.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> CloseEvent {
        poll_fn(|cx| {
            self.handle.claim();
            self.handle.poll_state(cx, |state| {
                state.closed.clone().filter(|_| state.object.ready_state() == ReadyState::Closed)
            })
        })
        .await
    }

    /// Returns the connection that is open or is being opened.
    pub(crate) fn connection(&self) -> Option<WebSocket> {
        self.handle.state().object.connection.clone()
    }

    pub(super) fn from_target(target: &Arc<ReconnectTarget>) -> Self {
        Self { handle: Handle::new(target) }
    }

    pub(crate) fn target(&self) -> &Arc<ReconnectTarget> {
        self.handle.target()
    }

    fn of_connection(&self, attribute: impl FnOnce(&WebSocket) -> String) -> String {
        let connection = self.connection();
        connection.as_ref().map(attribute).unwrap_or_default()
    }

    fn set_handler(
        &self,
        event_type: ReconnectingEventType,
        handler: impl FnMut(&Self, &ReconnectingEvent) + MaybeSend + 'static,
    ) {
        let callback = callback(handler);
        let old = self.target().listen(|listeners| listeners.set_handler(event_type, callback));
        drop(old);
    }
}

fn callback(
    mut listener: impl FnMut(&ReconnectingWebSocket, &ReconnectingEvent) + MaybeSend + 'static,
) -> Callback<Reconnection> {
    Arc::new(Mutex::new(move |handle: &Handle<Reconnection>, event: &ReconnectingEvent| {
        listener(&ReconnectingWebSocket { handle: handle.clone() }, event);
    }))
}

impl std::fmt::Debug for ReconnectingWebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReconnectingWebSocket")
            .field("state", &self.state())
            .field("buffered_amount", &self.buffered_amount())
            .finish_non_exhaustive()
    }
}
