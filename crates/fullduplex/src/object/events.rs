use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::backend::SocketState;
use crate::object::stream::EventStream;
use crate::object::target::{Handle, MessageDemand};
use crate::rules::event::Event;

/// The events of a socket as a stream. Use it to await events or to take them on your own thread.
///
/// While it exists, states change and events fire only when the stream is polled. Handlers and listeners
/// are called before the stream yields the event. If many events wait here, the network is not read.
/// After the stream is dropped, later events fire in the background, as without a stream.
///
/// The stream is woken for written bytes only after
/// [`WebSocket::buffered_amount`](crate::WebSocket::buffered_amount) has returned a positive value.
///
/// ```
/// use fullduplex::{Event, WebSocket};
/// use futures_util::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fullduplex::Error> {
/// let socket = WebSocket::new("ws://127.0.0.1:9/", ())?; // a blocked port
/// let mut events = socket.events();
/// assert_eq!(events.next().await, Some(Event::Error));
/// assert!(matches!(events.next().await, Some(Event::Close(close)) if close.code == 1006));
/// assert_eq!(events.next().await, None);
/// # Ok(())
/// # }
/// ```
///
/// A game or a GUI calls [`Events::try_next`] once per frame until it returns `None`.
pub struct Events {
    pub(crate) stream: EventStream<SocketState>,
}

impl Events {
    pub(crate) fn new(handle: Handle<SocketState>) -> Self {
        Self { stream: EventStream::new(handle) }
    }

    /// Fires and returns the next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.stream.try_next(MessageDemand::Take)
    }
}

impl Stream for Events {
    type Item = Event;

    /// Returns `None` after the `close` event, and after another stream of the socket was created.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.stream.poll_next(cx, MessageDemand::Take)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.stream.handle().state();
        f.debug_struct("Events").field("url", &state.object.shown_url()).finish_non_exhaustive()
    }
}
