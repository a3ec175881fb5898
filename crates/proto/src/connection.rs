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
use crate::message_batch::MessageBatch;
use crate::outbox::SendBuffer;
use crate::outgoing::Outgoing;
use crate::part::Part;
use crate::role::Role;
use crate::timeouts::Timeouts;
use crate::timers::Timers;
use crate::violation::Violation;

/// How many messages are taken together at most.
const BATCH_MAX: usize = 32;

/// An established connection: the receiving and the sending machine, and the closing handshake
/// between them. It does no I/O, reads no clock and draws no random numbers.
///
/// A driver repeats, in any order that suits it:
///
/// 1. Append bytes from the transport to a buffer, and call [`handle_input`] until it returns `None`;
///    when the transport ends, call [`handle_end_of_input`].
/// 2. Write what [`poll_output`] shows, and call [`handle_written`], or [`handle_write_failed`].
/// 3. When [`wants_shutdown`] says so, shut the transport down for writing and call
///    [`handle_shutdown`].
/// 4. Call [`handle_timeout`] after all this, and again not later than the instant that it returns.
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
    /// While it is open.
    timers: Timers,
    /// While it is closing.
    deadline: Deadline,
    /// When to look next whether compression is still used.
    context_check: Option<Instant>,
}

impl Connection {
    /// The client's end of a connection whose opening handshake succeeded.
    ///
    /// `close_timeout` is [`Timeouts::close`]; unless [`Connection::with_timeouts`] sets others, it is
    /// the only one.
    pub fn client(limits: Limits, close_timeout: Duration, masks: Box<dyn MaskKeys>) -> Self {
        let timeouts = Timeouts::for_close(close_timeout).into();
        Self::new(Role::Client, limits.into(), timeouts, Encoder::client(masks))
    }

    /// The server's end of a connection whose opening handshake succeeded; see [`Connection::client`].
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

    /// Compresses both ways, as the handshake has agreed.
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        self.decoder = self.decoder.with_deflate(agreed);
        self.encoder = self.encoder.with_deflate(agreed);
        self
    }

    /// Waits for the peer so long, and asks it so often whether it is alive. Many connections may
    /// share one `Arc` of it.
    pub fn with_timeouts(mut self, timeouts: impl Into<Arc<Timeouts>>) -> Self {
        self.timeouts = timeouts.into();
        self
    }

    /// How long it waits for its peer.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Chooses how messages are delivered from now on; see [`Decoder::set_delivery`].
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.decoder.set_delivery(delivery);
    }

    /// Takes bytes off the front of `input` until an event is whole; `None` asks for more bytes.
    ///
    /// What the event obliges us to send is queued. Messages go on arriving after [`close`] until
    /// the peer's Close.
    ///
    /// # Errors
    /// The peer's [`Violation`], once: the connection has failed. Go on driving it until
    /// [`closed`], so that the peer is told.
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

    /// Takes messages off the front of `input` that have arrived whole, as long as there is nothing to
    /// object to: some of those that [`Connection::handle_input`] would return next, and for less. It is
    /// for a driver that passes on what has arrived together. Whatever obliges us to send something, or
    /// ends the connection, is left for `handle_input`.
    pub fn take_messages(&mut self, input: &mut BytesMut) -> MessageBatch {
        let messages = self.decoder.take_messages(input, BATCH_MAX);
        if messages.len() > 0 {
            self.timers.on_message_end();
        }
        messages
    }

    /// The peer broke a rule: nothing more is read, and the peer is told.
    fn fail(&mut self, violation: Violation) {
        self.decoder.end();
        self.encoder.send_reply(violation.reply());
        self.closing.step(Step::TheyFailed(violation));
    }

    /// Whether no message is under way from the peer: then an empty input holds no event.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.decoder.is_between_messages()
    }

    /// How many bytes the frame under way still lacks: a hint for how much to read at once.
    pub fn bytes_needed(&self, input: &BytesMut) -> usize {
        self.decoder.bytes_needed(input)
    }

    /// Whether there is memory for what will be sent next; otherwise sending allocates it.
    #[inline]
    pub fn has_buffer(&self) -> bool {
        self.encoder.has_buffer()
    }

    /// Takes the memory for what will be sent next out of a connection that waits: it does for any other
    /// one. `None` if something waits to be written, or there is none.
    pub fn take_buffer(&mut self) -> Option<SendBuffer> {
        self.encoder.take_buffer()
    }

    /// Lends it memory for what will be sent, instead of what it has, unless something waits there.
    pub fn lend_buffer(&mut self, buffer: SendBuffer) {
        self.encoder.lend_buffer(buffer);
    }

    /// Returns how much memory the connection holds: unfinished messages, here and in `input`; contexts of
    /// compression; and what is queued. `input` counts with its capacity, unless it is empty.
    ///
    /// [`Limits`] hold for each message. A driver with many connections adds up what they hold, and keeps to a
    /// budget by [`Connection::allow_context`], [`Connection::release_contexts`] and
    /// [`Connection::fail_over_budget`].
    pub fn held_bytes(&self, input: &BytesMut) -> usize {
        let queued = usize::try_from(self.queued_bytes()).unwrap_or(usize::MAX);
        (self.decoder.held_bytes(input) + self.context_bytes()).saturating_add(queued)
    }

    /// Returns how much memory the contexts of compression take.
    pub fn context_bytes(&self) -> usize {
        self.decoder.context_bytes() + self.encoder.context_bytes()
    }

    /// Returns the memory of the compression context that sending `message` would make. Zero if it makes none.
    #[inline]
    pub fn context_needed(&self, message: &Outgoing) -> usize {
        self.encoder.context_needed(message)
    }

    /// As [`Connection::context_needed`], for the next part of a message.
    pub fn context_needed_for_part(&self, part: &Part) -> usize {
        self.encoder.context_needed_for_part(part)
    }

    /// Sets whether sending may make a compression context. If not, messages are sent uncompressed while there is
    /// none. Default: it may.
    ///
    /// The peer's messages make a context nevertheless: once compression is agreed on, it may compress any of
    /// them.
    pub fn allow_context(&mut self, allowed: bool) {
        self.encoder.allow_context(allowed);
    }

    /// Frees the compression contexts now, but for what the peer's next message may refer to. The next messages make
    /// new ones. Does nothing in a direction in which a message is under way.
    pub fn release_contexts(&mut self) {
        self.decoder.release_context();
        self.encoder.release_context();
    }

    /// Fails the connection with [`Violation::OverBudget`], and frees its unfinished messages and its contexts. Go on
    /// driving it until [`Connection::closed`]. Does nothing once the peer has closed, or the connection failed.
    pub fn fail_over_budget(&mut self) {
        if let Closing::Open | Closing::Sent | Closing::Readable = self.closing {
            self.fail(Violation::OverBudget);
        }
    }

    /// Takes note that the transport will bring no more bytes, by its end or by an error.
    pub fn handle_end_of_input(&mut self) {
        let close_sent = self.encoder.is_close_written();
        self.closing.step(Step::TransportEnded { close_sent });
    }

    /// Queues a message.
    ///
    /// # Errors
    /// As [`Encoder::send`]; [`Misuse::Closing`] also once the peer has closed, or the connection
    /// failed or ended.
    #[inline]
    pub fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), Misuse> {
        self.send_outgoing(&message.into())
    }

    /// As [`Connection::send`], for a message that is at hand: its payload is copied, or shared.
    ///
    /// # Errors
    /// As [`Connection::send`].
    #[inline]
    pub fn send_outgoing(&mut self, message: &Outgoing) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.send_outgoing(message)?;
        self.timers.on_send(&self.decoder);
        Ok(())
    }

    /// Queues the next part of a message.
    ///
    /// # Errors
    /// As [`Encoder::send_part`]; [`Misuse::Closing`] also once the peer has closed, or the connection
    /// failed or ended.
    pub fn send_part(&mut self, part: &Part) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.send_part(part)?;
        self.timers.on_send(&self.decoder);
        Ok(())
    }

    /// Queues a Ping.
    ///
    /// # Errors
    /// As [`Encoder::ping`]; [`Misuse::Closing`] also once the peer has closed, or the connection failed or
    /// ended.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.check_open()?;
        self.encoder.ping(payload)
    }

    fn check_open(&self) -> Result<(), Misuse> {
        if self.is_open() { Ok(()) } else { Err(Misuse::Closing) }
    }

    /// Starts the closing handshake, behind everything that was sent before. Does nothing if it is
    /// under way.
    pub fn close(&mut self, frame: Option<&CloseFrame>) {
        if self.closed().is_none() {
            self.encoder.close(frame);
            self.closing.step(Step::WeClosed);
        }
    }

    /// Whether neither end has closed yet: messages may be sent.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.closing, Closing::Open)
    }

    /// How the connection ended, once it has.
    #[inline]
    pub fn closed(&self) -> Option<&Closed> {
        match &self.closing {
            Closing::Ended(closed) => Some(closed),
            _ => None,
        }
    }

    /// Why the connection failed, as soon as it has: the peer may not have our Close yet, until
    /// [`Connection::closed`].
    pub fn failure(&self) -> Option<ConnectionError> {
        match &self.closing {
            Closing::Failed(violation) | Closing::Lingering(violation) => Some((*violation).into()),
            Closing::Ended(closed) => closed.failure(),
            _ => None,
        }
    }

    /// Fills `slices` with what to write next, in order, and returns how many it filled.
    pub fn poll_output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.encoder.output(slices)
    }

    /// Whether everything was written.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.encoder.is_flushed()
    }

    /// Bytes queued and not written, headers included.
    #[inline]
    pub fn queued_bytes(&self) -> u64 {
        self.encoder.queued_bytes()
    }

    /// Takes note that the transport took `count` bytes of the output, and returns how many of them
    /// were payload of messages.
    pub fn handle_written(&mut self, count: usize) -> usize {
        self.encoder.handle_written(count)
    }

    /// Takes note that the transport takes no more bytes. Go on reading: what the peer sent before
    /// may still arrive, its Close among it.
    pub fn handle_write_failed(&mut self) {
        let close_sent = self.encoder.is_close_written();
        self.encoder.abandon();
        self.closing.step(Step::WriteBroken { close_sent });
    }

    /// Whether the transport is to be shut down for writing now.
    ///
    /// RFC6455-7.1.2-2, RFC6455-7.1.1-2: once both have closed, the server ends TCP, and the client
    /// waits for it. An end whose peer broke a rule does not wait.
    pub fn wants_shutdown(&self) -> bool {
        let due = match self.closing {
            Closing::Exchanged { .. } => self.decoder.role() == Role::Server,
            Closing::Failed(_) => true,
            _ => false,
        };
        due && self.encoder.is_flushed()
    }

    /// Takes note that the transport was shut down for writing.
    pub fn handle_shutdown(&mut self) {
        self.closing.step(Step::ShutDown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault FT-40: what many idle connections cost begins here.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Connection>() <= 320);
    }
}
