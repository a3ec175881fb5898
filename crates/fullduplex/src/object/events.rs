use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::native::wakers::Host;
use crate::object::event::{Event, MessageEvent};
use crate::object::websocket::WebSocket;

/// Whether a host wants the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageDemand {
    /// It takes all that comes.
    Take,
    /// It takes what comes before the next message.
    Leave,
}

/// The events of a socket, for those who prefer to await them, or to drain them on a thread of
/// their own.
///
/// While it exists, it is the socket's event loop: states change and events fire while the stream is
/// polled, and at no other time. Handlers and listeners are called too, before the stream yields. The
/// network is not read while many events wait here. Dropping the stream gives the events back to the
/// handlers.
///
/// What was written wakes nobody, unless somebody has looked at [`WebSocket::buffered_amount`], which
/// falls for it.
///
/// ```
/// use fullduplex::{Event, WebSocket};
/// use futures_util::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fullduplex::Error> {
/// let socket = WebSocket::new("ws://127.0.0.1:9/", ())?; // a port where no WebSocket may live
/// let mut events = socket.events();
/// assert_eq!(events.next().await, Some(Event::Error));
/// assert!(matches!(events.next().await, Some(Event::Close(close)) if close.code == 1006));
/// assert_eq!(events.next().await, None);
/// # Ok(())
/// # }
/// ```
///
/// A game or a GUI calls [`Events::try_next`] once per frame until it returns `None`.
#[derive(Debug)]
pub struct Events {
    socket: WebSocket,
    number: u64,
    /// What has fired and was not yielded yet: a task may fire two events.
    second: Option<Event>,
}

impl Events {
    pub(crate) fn new(socket: &WebSocket) -> Self {
        let number = socket.shared().add_stream();
        Self { socket: socket.clone(), number, second: None }
    }

    /// Fires the next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.next_of(MessageDemand::Take)
    }
}

impl Stream for Events {
    type Item = Event;

    /// `None` after the `close` event, and once another stream of the same socket was made.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_some(cx, MessageDemand::Take)
    }
}

impl Events {
    /// As the stream, for a host that does not always want messages: while the next one is left, it
    /// holds up what comes behind it, and soon the peer.
    pub fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        messages: MessageDemand,
    ) -> Poll<Option<Event>> {
        if let Some(event) = self.next_of(messages) {
            return Poll::Ready(Some(event));
        }
        {
            let mut state = self.socket.shared().state();
            if state.closed.is_some() || state.wakers.host() != Host::Stream(self.number) {
                return Poll::Ready(None);
            }
            state.wakers.register_stream(cx);
        }
        // What came between the two looks must not be missed.
        self.next_of(messages).map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
    }

    /// Fires the messages that come next, up to so many, all in one go; none if handlers would have to
    /// be called for them. For a host to which one call is dear.
    ///
    /// A `close()` that comes before the host has shown them all to its application concerns the rest
    /// as well: see [`WebSocket::close_as`].
    ///
    /// Returns also whether nothing waits behind them: then the host is woken for what comes next, as by
    /// [`poll_some`](Self::poll_some).
    pub fn take_messages(&mut self, cx: &Context<'_>, most: usize) -> (Vec<MessageEvent>, bool) {
        if self.second.is_some() {
            return (Vec::new(), false); // what has fired comes first
        }
        self.socket.shared().run_messages(self.number, cx, most)
    }

    fn next_of(&mut self, messages: MessageDemand) -> Option<Event> {
        loop {
            if let Some(event) = self.second.take() {
                return Some(event);
            }
            let (first, second) = self.socket.shared().run_as_stream(self.number, messages)?;
            self.second = second;
            if first.is_some() {
                return first;
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.socket.shared().drop_stream(self.number);
    }
}
