use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::shared::Shared;
use super::{ReconnectingEvent, ReconnectingWebSocket};

/// The events of a [`ReconnectingWebSocket`], for those who prefer to await them. Handlers are called
/// besides. While many events wait here, the network is not read.
///
/// It ends behind the `close` event, and once another stream of the same socket was made.
pub struct ReconnectingEvents {
    socket: ReconnectingWebSocket,
    number: u64,
    /// Waits for the state to change.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ended: bool,
}

impl ReconnectingEvents {
    pub(super) fn new(socket: &ReconnectingWebSocket) -> Self {
        let number = socket.shared().add_stream();
        Self { socket: socket.clone(), number, waiting: None, ended: false }
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<ReconnectingEvent> {
        let event = {
            let mut state = self.socket.shared().state();
            let (_, events) = state.stream.as_mut().filter(|(number, _)| *number == self.number)?;
            let event = events.pop_front()?;
            self.ended = matches!(event, ReconnectingEvent::Close(_));
            if self.ended {
                state.stream = None;
            }
            event
        };
        self.socket.shared().wanted.notify_one();
        Some(event)
    }

    fn is_replaced(&self) -> bool {
        let state = self.socket.shared().state();
        state.stream.as_ref().is_none_or(|(number, _)| *number != self.number)
    }
}

impl Stream for ReconnectingEvents {
    type Item = ReconnectingEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<ReconnectingEvent>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            // Whoever waits is registered before the state is looked at, so that no change is missed.
            let mut waiting = self.waiting.take().unwrap_or_else(|| {
                let shared = Arc::clone(self.socket.shared());
                Box::pin(next_change(shared))
            });
            let has_changed = waiting.as_mut().poll(cx).is_ready();
            if let Some(event) = self.try_next() {
                return Poll::Ready(Some(event));
            }
            if self.is_replaced() {
                return Poll::Ready(None);
            }
            if !has_changed {
                self.waiting = Some(waiting);
                return Poll::Pending;
            }
        }
    }
}

/// Ready when the state changes after the first poll.
async fn next_change(shared: Arc<Shared>) {
    shared.changed.notified().await;
}

impl Drop for ReconnectingEvents {
    fn drop(&mut self) {
        self.socket.shared().drop_stream(self.number);
    }
}

impl std::fmt::Debug for ReconnectingEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReconnectingEvents").field("socket", &self.socket).finish_non_exhaustive()
    }
}
