use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::closing::{Closing, Step};
use crate::{
    CloseFrame, Closed, Deflate, Delivery, Event, Failure, Limits, MaskKeys, Misuse, Outgoing,
    Part, Receiver, Role, Sender, Violation,
};

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
/// 4. Call [`handle_time`], and again not later than the instant that it returns.
/// 5. Stop, and drop the transport, when [`closed`] is `Some`.
///
/// [`handle_input`]: Self::handle_input
/// [`handle_end_of_input`]: Self::handle_end_of_input
/// [`poll_output`]: Self::poll_output
/// [`handle_written`]: Self::handle_written
/// [`handle_write_failed`]: Self::handle_write_failed
/// [`wants_shutdown`]: Self::wants_shutdown
/// [`handle_shutdown`]: Self::handle_shutdown
/// [`handle_time`]: Self::handle_time
/// [`closed`]: Self::closed
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    closing: Closing,
    close_timeout: Duration,
    deadline: Option<Deadline>,
    /// When to look next whether compression is still used.
    context_check: Option<Instant>,
}

/// Contexts of compression that were not used for so long are given back.
const CONTEXTS_KEPT: Duration = Duration::from_secs(15);

/// When a closing peer that shows no progress is given up.
#[derive(Debug)]
struct Deadline {
    at: Instant,
    /// How far writing had come when the deadline was set.
    progress: u64,
}

impl Connection {
    /// The client's end of a connection whose opening handshake succeeded.
    ///
    /// `close_timeout` is how long a closing connection waits for a peer that takes no byte and
    /// sends no end.
    pub fn client(limits: Limits, close_timeout: Duration, masks: Box<dyn MaskKeys>) -> Self {
        Self::new(Role::Client, limits, close_timeout, Sender::client(masks))
    }

    /// The server's end of a connection whose opening handshake succeeded; see [`Connection::client`].
    pub fn server(limits: Limits, close_timeout: Duration) -> Self {
        Self::new(Role::Server, limits, close_timeout, Sender::server())
    }

    fn new(role: Role, limits: Limits, close_timeout: Duration, sender: Sender) -> Self {
        Self {
            receiver: Receiver::new(role, limits),
            sender,
            closing: Closing::Open,
            close_timeout,
            deadline: None,
            context_check: None,
        }
    }

    /// Compresses both ways, as the handshake has agreed.
    pub fn with_deflate(mut self, agreed: Deflate) -> Self {
        self.receiver = self.receiver.with_deflate(agreed);
        self.sender = self.sender.with_deflate(agreed);
        self
    }

    /// Chooses how messages are delivered from now on; see [`Receiver::set_delivery`].
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.receiver.set_delivery(delivery);
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
    pub fn handle_input(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        match self.receiver.handle(input) {
            Ok(Some(event)) => {
                if let Some(owed) = event.owed() {
                    self.sender.pay(owed);
                }
                if let Event::Close(frame) = &event {
                    self.closing.step(Step::TheyClosed(frame.clone().map(Box::new)));
                }
                Ok(Some(event))
            }
            Ok(None) => Ok(None),
            Err(violation) => {
                self.sender.pay(violation.owed());
                self.closing.step(Step::TheyFailed(violation));
                Err(violation)
            }
        }
    }

    /// How many bytes the frame under way still lacks: a hint for how much to read at once.
    pub fn lacking(&self, input: &BytesMut) -> usize {
        self.receiver.lacking(input)
    }

    /// Takes note that the transport will bring no more bytes, by its end or by an error.
    pub fn handle_end_of_input(&mut self) {
        let flushed = self.sender.is_flushed();
        self.closing.step(Step::TransportEnded { flushed });
    }

    /// Queues a message.
    ///
    /// # Errors
    /// As [`Sender::send`]; [`Misuse::Closing`] also once the peer has closed, or the connection failed.
    pub fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), Misuse> {
        self.sender.send(message)
    }

    /// Queues the next part of a message.
    ///
    /// # Errors
    /// As [`Sender::send_part`]; [`Misuse::Closing`] also once the peer has closed, or the connection
    /// failed.
    pub fn send_part(&mut self, part: &Part) -> Result<(), Misuse> {
        self.sender.send_part(part)
    }

    /// Queues a Ping.
    ///
    /// # Errors
    /// As [`Sender::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.sender.ping(payload)
    }

    /// Starts the closing handshake, behind everything that was sent before. Does nothing if it is
    /// under way.
    pub fn close(&mut self, frame: Option<&CloseFrame>) {
        self.sender.close(frame);
        self.closing.step(Step::WeClosed);
    }

    /// Whether neither end has closed yet: messages may be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.closing, Closing::Open)
    }

    /// How the connection ended, once it has.
    pub fn closed(&self) -> Option<&Closed> {
        match &self.closing {
            Closing::Ended(closed) => Some(closed),
            _ => None,
        }
    }

    /// Why the connection failed, as soon as it has: the peer may still have to be told, until
    /// [`Connection::closed`].
    pub fn failure(&self) -> Option<Failure> {
        match &self.closing {
            Closing::Failed(violation) | Closing::Lingering(violation) => Some((*violation).into()),
            Closing::Ended(closed) => closed.failure(),
            _ => None,
        }
    }

    /// Fills `slices` with what to write next, in order, and returns how many it filled.
    pub fn poll_output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.sender.output(slices)
    }

    /// Whether everything was written.
    pub fn is_flushed(&self) -> bool {
        self.sender.is_flushed()
    }

    /// Bytes queued and not written, headers included.
    pub fn queued_bytes(&self) -> u64 {
        self.sender.queued_bytes()
    }

    /// Takes note that the transport took `count` bytes of the output, and returns how many of them
    /// were payload of messages.
    pub fn handle_written(&mut self, count: usize) -> usize {
        self.sender.handle_written(count)
    }

    /// Takes note that the transport takes no more bytes. Go on reading: what the peer sent before
    /// may still arrive, its Close among it.
    pub fn handle_write_failed(&mut self) {
        self.sender.abandon();
        self.closing.step(Step::WriteBroken);
    }

    /// Whether the transport is to be shut down for writing now.
    ///
    /// RFC6455-7.1.2-2, RFC6455-7.1.1-2: once both have closed, the server ends TCP, and the client
    /// waits for it. An end whose peer broke a rule does not wait.
    pub fn wants_shutdown(&self) -> bool {
        let due = match self.closing {
            Closing::Exchanged(_) => self.receiver.role() == Role::Server,
            Closing::Failed(_) => true,
            _ => false,
        };
        due && self.sender.is_flushed()
    }

    /// Takes note that the transport was shut down for writing.
    pub fn handle_shutdown(&mut self) {
        self.closing.step(Step::ShutDown);
    }

    /// Takes note that nobody reads the transport now: the deadline of a closing connection starts
    /// anew when the time is told again.
    pub fn handle_pause(&mut self) {
        self.deadline = None;
    }

    /// Tells the time, and returns when to tell it again at the latest.
    ///
    /// A closing connection has a deadline: it is given up when, for the close timeout, the peer
    /// neither took a byte of what leads up to our Close nor ended the connection (RFC6455-5.5.1-7).
    /// An open one is never closed for its age or its silence (RFC6455-7.1.7-4, RFC6455-7.3-1); if it
    /// compresses, it gives back, after some 15 to 30 seconds without use, what memory that takes.
    pub fn handle_time(&mut self, now: Instant) -> Option<Instant> {
        match self.closing {
            Closing::Open => return self.check_contexts(now),
            Closing::Ended(_) => return None,
            _ => {}
        }
        let progress = self.sender.progress();
        match &self.deadline {
            Some(deadline) if deadline.progress == progress => {
                if now >= deadline.at {
                    let flushed = self.sender.is_flushed();
                    self.closing.step(Step::DeadlinePassed { flushed });
                    return None;
                }
                Some(deadline.at)
            }
            _ => {
                // A timeout beyond the end of time is none.
                let at = now.checked_add(self.close_timeout)?;
                self.deadline = Some(Deadline { at, progress });
                Some(at)
            }
        }
    }

    /// Whether [`Connection::handle_time`] waits for anything now.
    pub fn has_deadline(&self) -> bool {
        match self.closing {
            Closing::Open => self.holds_context(),
            Closing::Ended(_) => false,
            _ => true,
        }
    }

    fn check_contexts(&mut self, now: Instant) -> Option<Instant> {
        if self.context_check.is_some_and(|at| now >= at) {
            self.context_check = None;
            self.receiver.release_unused();
            self.sender.release_unused();
        }
        if !self.holds_context() {
            return None;
        }
        if self.context_check.is_none() {
            self.context_check = now.checked_add(CONTEXTS_KEPT);
        }
        self.context_check
    }

    fn holds_context(&self) -> bool {
        self.receiver.holds_context() || self.sender.holds_context()
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
