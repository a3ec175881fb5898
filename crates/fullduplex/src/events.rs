use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::shared::{Host, Shared};
use crate::{Event, WebSocket};

/// The events of a socket, for those who prefer to await them, or to drain them on a thread of
/// their own.
///
/// While it exists, it is the socket's event loop: a state changes and an event fires when the
/// stream yields it, and at no other time. Handlers and listeners are called too, right before. The
/// network is not read while many events wait here. Dropping the stream gives the events back to the
/// handlers.
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
    /// A task may fire two events.
    fired: VecDeque<Event>,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    /// The `close` event has fired.
    Reached,
}

impl Events {
    pub(crate) fn new(socket: &WebSocket) -> Self {
        let shared = socket.shared();
        let mut state = shared.state();
        let number = match &state.host {
            Host::Driver => 0,
            Host::Stream { number, .. } => number + 1,
        };
        state.host = Host::Stream { number, waker: None };
        let end = if state.closed.is_some() { End::Reached } else { End::Ahead };
        drop(state);
        Self { socket: socket.clone(), number, fired: VecDeque::new(), end }
    }

    /// Fires the next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.fired.pop_front() {
                if matches!(event, Event::Close(_)) {
                    self.end = End::Reached;
                }
                return Some(event);
            }
            self.fired = self.shared().run_as_stream(self.number)?.into();
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.socket.shared()
    }
}

impl Stream for Events {
    type Item = Event;

    /// `None` after the `close` event, and once another stream of the same socket was made.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.end == End::Reached {
            return Poll::Ready(None);
        }
        if let Some(event) = self.try_next() {
            return Poll::Ready(Some(event));
        }
        let mine = self.number;
        match &mut self.shared().state().host {
            Host::Stream { number, waker } if *number == mine => *waker = Some(cx.waker().clone()),
            _ => return Poll::Ready(None),
        }
        // What came between the two looks must not be missed.
        match self.try_next() {
            Some(event) => Poll::Ready(Some(event)),
            None => Poll::Pending,
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.shared().state();
        if matches!(&state.host, Host::Stream { number, .. } if *number == self.number) {
            state.host = Host::Driver;
            state.wake_driver();
        }
    }
}
