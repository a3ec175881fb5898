//! Additions to the object for bindings to other languages: messages whose bytes follow later,
//! batches of messages, and streams that can be polled without taking a message. Applications do not
//! need them.

use std::sync::Arc;
use std::task::{Context, Poll};

use fullduplex_proto::Message;

use crate::native::outbox::PlaceNumber;
use crate::native::socket::SocketTarget;
use crate::object::events::Events;
use crate::object::websocket::WebSocket;
use crate::rules::error::Error;
use crate::rules::event::Event;

pub(crate) mod batch;

pub use crate::object::target::MessageDemand;
pub use batch::{Batch, Rest};

impl Events {
    /// Polls for the next event like the stream. With [`MessageDemand::Leave`], it does not take a message:
    /// the message stays in the queue and delays the tasks behind it. If many tasks wait, the network is not
    /// read.
    pub fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        messages: MessageDemand,
    ) -> Poll<Option<Event>> {
        self.stream.poll_next(cx, messages)
    }

    /// Fires up to `most` messages in one call. Takes no message if there are listeners to call.
    ///
    /// If the application closes the socket before the host has delivered all of them, see
    /// [`WebSocket::close_as`].
    pub fn take_messages(&mut self, cx: &Context<'_>, most: usize) -> Batch {
        self.stream.handle().run_messages(self.stream.host(), cx, most)
    }
}

impl WebSocket {
    /// Queues a message like [`send`](Self::send), but does not wake the task that writes to the network.
    /// Call [`flush`](Self::flush) after the last message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn feed(&self, data: impl Into<Message>) -> Result<(), Error> {
        self.target().feed(data.into())
    }

    /// Sends the messages that [`feed`](Self::feed) queued.
    pub fn flush(&self) {
        self.target().flush();
    }

    /// Reserves the place of a message of `len` bytes that is still being read, such as a `Blob`.
    /// `bufferedAmount` includes it immediately. Later messages and the Close wait for it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reserve(&self, len: usize) -> Result<Reservation, Error> {
        let place = self.target().reserve(len)?;
        Ok(Reservation { place, target: Arc::clone(self.target()) })
    }

    /// Closes like [`close_with`](Self::close_with) with an optional code and reason. A reason without a
    /// code is sent with 1000. Returns whether messages are still delivered. If it returns `false`, the host
    /// must drop the messages that it took with [`Events::take_messages`] and has not delivered.
    ///
    /// # Errors
    /// As [`close_with`](Self::close_with).
    pub fn close_as(&self, code: Option<u16>, reason: Option<&str>) -> Result<bool, Error> {
        self.target().close(code, reason)?;
        Ok(self.target().state().object.machine.delivers())
    }

    /// Closes the socket because its environment ends, with code 1001 if it is open ("make
    /// disappear").
    pub fn disappear(&self) {
        self.target().disappear();
    }
}

/// The reserved place of a message, from [`WebSocket::reserve`]. Dropping it without a message fails the
/// connection, because later messages wait for it.
pub struct Reservation {
    target: Arc<SocketTarget>,
    /// `None` after the place was filled, or if the socket was already closing.
    place: Option<PlaceNumber>,
}

impl Reservation {
    /// Sends the message. If its length differs from the reserved length, the connection fails.
    pub fn fill(mut self, data: impl Into<Message>) {
        if let Some(place) = self.place.take() {
            self.target.fill(place, Some(data.into()));
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.target.fill(place, None);
        }
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation").field("place", &self.place).finish_non_exhaustive()
    }
}
