mod parked;
mod time;

pub use parked::Parked;

use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::close::CloseFrame;
use crate::closing::{Closed, ConnectionError};
use crate::closing::{Closing, Step};
use crate::deadline::Deadline;
use crate::decoder::{Decoder, Received};
use crate::deflate::AgreedDeflate;
use crate::encoder::{Encoder, Misuse};
use crate::incoming::Delivery;
use crate::limits::{Limits, MessageLimits};
use crate::mask::MaskKeys;
use crate::message::Kind;
use crate::message_batch::MessageBatch;
use crate::outbox::SendBuffer;
use crate::outgoing::Outgoing;
use crate::part::Part;
use crate::role::Role;
use crate::timeouts::Timeouts;
use crate::timers::Timers;
use crate::violation::Violation;

/// The maximum number of messages in a batch.
const BATCH_MAX: usize = 32;

/// An established connection: the decoder, the encoder, and the closing handshake. It does no I/O, reads no
/// clock and generates no random numbers.
///
/// A driver repeats these steps, in any order:
///
/// 1. Append bytes from the transport to a buffer, and call [`handle_input`] until it returns `None`. When
///    the transport ends, call [`handle_end_of_input`].
/// 2. Write the slices that [`poll_output`] fills, and call [`handle_written`] or [`handle_write_failed`].
/// 3. When [`wants_shutdown`] returns true, shut the transport down for writing and call [`handle_shutdown`].
/// 4. Then call [`handle_timeout`], and call it again no later than at the instant that it returns.
/// 5. Stop, and drop the transport, when [`closed`] is `Some`.
///
/// [`handle_input`]: Self::handle_input
/// [`handle_end_of_input`]: Self::handle_end_of_input
/// [`poll_output`]: Self::poll_output
/// [`handle_written`]: Self::handle_written
/// [`handle_write_failed`]: Self::handle_write_failed
/// [`wants_shutdown`]: Self::wants_shutdown
/// [`handle_shutdown`]: Self::handle_shutdown
/// [`handle_timeout`]: Self::handle_timeout
/// [`closed`]: Self::closed
#[derive(Debug)]
pub struct Connection {
    decoder: Decoder,
    encoder: Encoder,
    closing: Closing,
    timeouts: Arc<Timeouts>,
    /// The timeouts of an open connection.
    timers: Timers,
    /// The deadline of a closing connection.
    deadline: Deadline,
    /// When to check again whether the compression contexts are still used.
    context_check: Option<Instant>,
}

impl Connection {
    /// Creates the client's end of a connection after a successful opening handshake.
    ///
    /// `close_timeout` is [`Timeouts::close`]. It is the only timeout, unless [`Connection::with_timeouts`] sets
    /// others.
    pub fn client(limits: Limits, close_timeout: Duration, masks: Box<dyn MaskKeys>) -> Self {
        let timeouts = Timeouts::for_close(close_timeout).into();
        Self::new(Role::Client, limits.into(), timeouts, Encoder::client(masks))
    }

    /// Creates the server's end of a connection after a successful opening handshake. See
    /// [`Connection::client`].
    pub fn server(limits: Limits, close_timeout: Duration) -> Self {
        let timeouts = Timeouts::for_close(close_timeout).into();
        Self::new(Role::Server, limits.into(), timeouts, Encoder::server())
    }

    fn new(role: Role, limits: MessageLimits, timeouts: Arc<Timeouts>, encoder: Encoder) -> Self {
        Self {
            decoder: Decoder::with_limits(role, limits),
            encoder,
            closing: Closing::Open,
            timeouts,
            timers: Timers::default(),
            deadline: Deadline::default(),
            context_check: None,
        }
    }

    /// Compresses in both directions, with the parameters agreed on in the handshake. Has no effect if the
    /// feature `deflate` is off.
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        self.decoder = self.decoder.with_deflate(agreed);
        self.encoder = self.encoder.with_deflate(agreed);
        self
    }

    /// Sets the timeouts and the interval of Pings. Many connections may share one `Arc`.
    pub fn with_timeouts(mut self, timeouts: impl Into<Arc<Timeouts>>) -> Self {
        self.timeouts = timeouts.into();
        self
    }

    /// Returns the timeouts.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Chooses how messages are delivered from now on; see [`Decoder::set_delivery`].
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.decoder.set_delivery(delivery);
    }

    /// Removes bytes from the front of `input` until an event is complete, and returns the event. Returns
    /// `None` if more bytes are needed.
    ///
    /// Queues the reply that the event requires. After [`close`], messages still arrive until the peer's Close.
    ///
    /// # Errors
    /// The peer's [`Violation`]. It is returned once, and the connection has failed. Continue to drive the
    /// connection until [`closed`] is `Some`, so that the peer receives the Close.
    ///
    /// [`close`]: Self::close
    /// [`closed`]: Self::closed
    pub fn handle_input(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Violation> {
        match self.decoder.handle(input) {
            Ok(Some(event)) => {
                self.timers.on_receive(&event);
                if let Received::Ping(_) | Received::Close(_) = &event {
                    self.answer(&event);
                }
                Ok(Some(event))
            }
            Ok(None) => Ok(None),
            Err(violation) => {
                self.fail(violation);
                Err(violation)
            }
        }
    }

    fn answer(&mut self, event: &Received) {
        let close_sent = self.encoder.is_close_written();
        if let Some(reply) = event.reply() {
            self.encoder.send_reply(reply);
        }
        if let Received::Close(frame) = event {
            let frame = frame.clone().map(Box::new);
            self.closing.step(Step::TheyClosed { frame, close_sent });
        }
    }

    /// Removes complete, valid, single-frame messages from the front of `input`. This is a fast path for a
    /// driver that passes on messages in batches. It returns the messages that [`Connection::handle_input`]
    /// would return next, at a lower cost. It leaves everything that requires a reply or ends the connection
    /// to `handle_input`.
    pub fn take_messages(&mut self, input: &mut BytesMut) -> MessageBatch {
        let messages = self.decoder.take_messages(input, BATCH_MAX);
        if messages.len() > 0 {
            self.timers.on_message_end();
        }
        messages
    }

    /// Handles a violation: discards all later input, and queues the Close.
    fn fail(&mut self, violation: Violation) {
        self.decoder.end();
        self.encoder.send_reply(violation.reply());
        self.closing.step(Step::TheyFailed(violation));
    }

    /// Returns whether the peer has no unfinished message. If so, [`Connection::handle_input`] returns `None`
    /// for an empty input.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.decoder.is_between_messages()
    }

    /// Returns how many bytes the current frame still needs. This is a hint for how much to read.
    pub fn bytes_needed(&self, input: &BytesMut) -> usize {
        self.decoder.bytes_needed(input)
    }

    /// Returns whether there is a send buffer. If there is none, sending allocates one.
    #[inline]
    pub fn has_buffer(&self) -> bool {
        self.encoder.has_buffer()
    }

    /// Takes the send buffer from an idle connection. Any other connection can use it. Returns `None` if output is
    /// queued, or if there is no buffer.
    pub fn take_buffer(&mut self) -> Option<SendBuffer> {
        self.encoder.take_buffer()
    }

    /// Replaces the send buffer, unless output is queued.
    pub fn lend_buffer(&mut self, buffer: SendBuffer) {
        self.encoder.lend_buffer(buffer);
    }

    /// Returns how much memory the connection holds: unfinished messages, in the connection and in `input`,
    /// compression contexts, and queued output. `input` counts with its capacity, or with zero if it is
    /// empty.
    ///
    /// [`Limits`] apply to each message. A driver with many connections can add up their memory, and enforce a budget
    /// with [`Connection::allow_context`], [`Connection::release_contexts`] and [`Connection::fail_over_budget`].
    pub fn held_bytes(&self, input: &BytesMut) -> usize {
        let queued = usize::try_from(self.queued_bytes()).unwrap_or(usize::MAX);
        (self.decoder.held_bytes(input) + self.context_bytes()).saturating_add(queued)
    }

    /// Returns how much memory the contexts of compression take.
    pub fn context_bytes(&self) -> usize {
        self.decoder.context_bytes() + self.encoder.context_bytes()
    }

    /// Returns the memory of the compression context that sending `message` would create. Returns zero if it
    /// creates none.
    #[inline]
    pub fn context_needed(&self, message: &Outgoing) -> usize {
        self.encoder.context_needed(message)
    }

    /// Does the same as [`Connection::context_needed`], for the next part of a message.
    pub fn context_needed_for_part(&self, part: &Part) -> usize {
        self.encoder.context_needed_for_part(part)
    }

    /// Sets whether sending may create a compression context. If not, messages are sent uncompressed while there is no
    /// context. Default: true.
    ///
    /// Received messages can still create a context, because the peer may compress any message once compression is
    /// agreed on.
    pub fn allow_context(&mut self, allowed: bool) {
        self.encoder.allow_context(allowed);
    }

    /// Frees the compression contexts, except for the window that the peer's next message may refer to. The next
    /// messages create new contexts. Does nothing in a direction with an unfinished message.
    pub fn release_contexts(&mut self) {
        self.decoder.release_context();
        self.encoder.release_context();
    }

    /// Fails the connection with [`Violation::OverBudget`], and frees its unfinished messages and its
    /// contexts. Continue to drive it until [`Connection::closed`] is `Some`. Does nothing after the peer has
    /// closed, or the connection has failed.
    pub fn fail_over_budget(&mut self) {
        if let Closing::Open | Closing::Sent | Closing::Readable = self.closing {
            self.fail(Violation::OverBudget);
        }
    }

    /// Handles the end of the input, or a read error.
    pub fn handle_end_of_input(&mut self) {
        let close_sent = self.encoder.is_close_written();
        self.closing.step(Step::TransportEnded { close_sent });
    }

    /// Queues a message.
    ///
    /// # Errors
    /// The errors of [`Encoder::send`]. Returns [`Misuse::Closing`] also after the peer has closed, or the
    /// connection has failed or ended.
    #[inline]
    pub fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), Misuse> {
        self.send_outgoing(&message.into())
    }

    /// Queues a borrowed message like [`Connection::send`]. Its payload is copied, or shared.
    ///
    /// # Errors
    /// The errors of [`Connection::send`].
    #[inline]
    pub fn send_outgoing(&mut self, message: &Outgoing) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.send_outgoing(message)?;
        self.timers.on_send(&self.decoder);
        Ok(())
    }

    /// Queues a copy of a payload as a message, without compression. The caller has checked that the payload
    /// of a text is UTF-8. It costs less than [`Connection::send`] if the caller has no [`Message`].
    ///
    /// [`Message`]: crate::Message
    ///
    /// # Errors
    /// The errors of [`Connection::send`].
    pub fn send_slice(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.send_slice(kind, payload)?;
        self.timers.on_send(&self.decoder);
        Ok(())
    }

    /// Returns whether [`Connection::send_slice`] succeeds, and does what [`Connection::send`] would do: the
    /// connection is open, no message is being sent in parts, and no compression was agreed on.
    pub fn may_send_slice(&self) -> bool {
        self.is_open() && self.encoder.may_send_slice()
    }

    /// Queues the next part of a message.
    ///
    /// # Errors
    /// The errors of [`Encoder::send_part`]. Returns [`Misuse::Closing`] also after the peer has closed, or
    /// the connection has failed or ended.
    pub fn send_part(&mut self, part: &Part) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.send_part(part)?;
        self.timers.on_send(&self.decoder);
        Ok(())
    }

    /// Queues a Ping.
    ///
    /// # Errors
    /// The errors of [`Encoder::ping`]. Returns [`Misuse::Closing`] also after the peer has closed, or the
    /// connection has failed or ended.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.ping(payload)
    }

    fn check_open(&self) -> Result<(), Misuse> {
        if self.is_open() { Ok(()) } else { Err(Misuse::Closing) }
    }

    /// Starts the closing handshake: queues a Close after all messages that were sent before. Does nothing if
    /// the closing handshake has already started.
    pub fn close(&mut self, frame: Option<&CloseFrame>) {
        if self.closed().is_none() {
            self.encoder.close(frame);
            self.closing.step(Step::WeClosed);
        }
    }

    /// Returns whether neither end has closed, so that messages may be sent.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.closing, Closing::Open)
    }

    /// Returns how the connection ended, or `None` if it has not ended.
    #[inline]
    pub fn closed(&self) -> Option<&Closed> {
        match &self.closing {
            Closing::Ended(closed) => Some(closed),
            _ => None,
        }
    }

    /// Returns why the connection failed, or `None` if it has not failed. Our Close may be unwritten until
    /// [`Connection::closed`] is `Some`.
    pub fn failure(&self) -> Option<ConnectionError> {
        match &self.closing {
            Closing::Failed(violation) | Closing::Lingering(violation) => Some((*violation).into()),
            Closing::Ended(closed) => closed.failure(),
            _ => None,
        }
    }

    /// Fills `slices` with the bytes to write next, in order, and returns how many it filled.
    pub fn poll_output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.encoder.output(slices)
    }

    /// Returns whether all output was written.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.encoder.is_flushed()
    }

    /// Returns the number of bytes that are queued and not written, including headers.
    #[inline]
    pub fn queued_bytes(&self) -> u64 {
        self.encoder.queued_bytes()
    }

    /// Records that the transport took `count` bytes of the output. Returns how many of them were payload of
    /// messages.
    pub fn handle_written(&mut self, count: usize) -> usize {
        self.encoder.handle_written(count)
    }

    /// Handles a write error: the transport takes no more bytes. Continue to read, because bytes that the peer sent
    /// before may still arrive, including its Close.
    pub fn handle_write_failed(&mut self) {
        let close_sent = self.encoder.is_close_written();
        self.encoder.abandon();
        self.closing.step(Step::WriteBroken { close_sent });
    }

    /// Returns whether the driver must shut the transport down for writing now.
    ///
    /// RFC6455-7.1.2-2, RFC6455-7.1.1-2: after both Close frames, the server closes TCP first, and the client
    /// waits until the server has closed. After a violation, neither end waits.
    pub fn wants_shutdown(&self) -> bool {
        let due = match self.closing {
            Closing::Exchanged { .. } => self.decoder.role() == Role::Server,
            Closing::Failed(_) => true,
            _ => false,
        };
        due && self.encoder.is_flushed()
    }

    /// Records that the transport was shut down for writing.
    pub fn handle_shutdown(&mut self) {
        self.closing.step(Step::ShutDown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault FT-40: this size determines the memory that idle connections take.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Connection>() <= 320);
    }
}
