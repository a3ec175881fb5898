use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::object::stream::EventStream;
use crate::object::target::{Handle, MessageDemand};
use crate::reconnect::event::ReconnectingEvent;
use crate::reconnect::reconnection::Reconnection;

/// The events of a [`ReconnectingWebSocket`](super::ReconnectingWebSocket) as a stream.
///
/// While it exists, events fire only when the stream is polled. Handlers and listeners are called before the
/// stream yields the event. If many events wait here, the network is not read.
///
/// It ends after the `close` event, and after another stream of the socket was created.
pub struct ReconnectingEvents {
    stream: EventStream<Reconnection>,
}

impl ReconnectingEvents {
    pub(super) fn new(handle: Handle<Reconnection>) -> Self {
        Self { stream: EventStream::new(handle) }
    }

    /// Fires and returns the next event, if there is one now.
    pub fn try_next(&mut self) -> Option<ReconnectingEvent> {
        self.stream.try_next(MessageDemand::Take)
    }
}

impl Stream for ReconnectingEvents {
    type Item = ReconnectingEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<ReconnectingEvent>> {
        self.stream.poll_next(cx, MessageDemand::Take)
    }
}

impl std::fmt::Debug for ReconnectingEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReconnectingEvents").finish_non_exhaustive()
    }
}
