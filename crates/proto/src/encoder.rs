use std::io::IoSlice;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::decoder::Reply;
use crate::deflate::AgreedDeflate;
use crate::deflate::Deflater;
use crate::frame::FrameHeader;
use crate::frame::{RSV1, SHORT_PAYLOAD_MAX};
use crate::mask::{MaskKey, MaskKeys};
use crate::message::Kind;
use crate::message::Message;
use crate::opcode::Opcode;
use crate::outbox::{Outbox, SendBuffer};
use crate::outgoing::Outgoing;
use crate::part::Part;
use crate::prepared::Prepared;
use crate::role::Role;

/// While so many bytes wait for the transport, a Pong among them, no further Pong joins them.
const PONG_BACKLOG: u64 = 16 << 10;

/// The sending half of a connection: messages in, bytes out.
///
/// What is sent is queued, whole and in order. Write what [`Encoder::output`] shows, and say with
/// [`Encoder::handle_written`] how much of it the transport took.
pub struct Encoder {
    /// A client's; a server never masks (RFC6455-5.1-3).
    masks: Option<Box<dyn MaskKeys>>,
    /// Set if permessage-deflate was agreed on.
    compression: Option<Box<Compression>>,
    outbox: Outbox,
    state: State,
    /// The message of which parts have been sent, and more must follow.
    message: Option<Begun>,
    /// Where in the outbox the last Pong ends.
    pong_end: u64,
    /// Where in the outbox our Close ends: nowhere until it is queued.
    close_end: u64,
    /// The latest Pong owed while another one waits in the outbox.
    next_pong: Option<Box<Bytes>>,
}

#[derive(Debug)]
struct Compression {
    threshold: usize,
    deflater: Deflater,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begun {
    kind: Kind,
    compressed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Our Close is queued: no data may follow it (RFC6455-5.5.1-5).
    Closed,
    /// The transport is broken: nothing is queued any more.
    Broken,
}

/// A call that the state of the connection or the protocol does not allow. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// RFC6455-6.1-1, RFC6455-5.1-5: messages are sent between the opening and the closing handshake only.
    #[error("the connection is closing or closed, and takes no more messages")]
    Closing,
    /// RFC6455-5.4-3: messages are not interleaved.
    #[error("a message is being sent in parts; send its last part first")]
    MessageUnderWay,
    /// RFC6455-5.4-10: a message is text or binary as a whole.
    #[error("the parts of a message are either all text or all binary")]
    KindOfPart,
    /// RFC6455-5.5-1: a Ping has room for 125 bytes.
    #[error("a ping has room for 125 bytes, and this one has {0}")]
    PingTooLong(usize),
}

impl Encoder {
    /// The sending half of a server.
    pub fn server() -> Self {
        Self::new(None)
    }

    /// The sending half of a client, which masks every frame (RFC6455-5.1-1).
    pub fn client(masks: Box<dyn MaskKeys>) -> Self {
        Self::new(Some(masks))
    }

    fn new(masks: Option<Box<dyn MaskKeys>>) -> Self {
        Self {
            masks,
            compression: None,
            outbox: Outbox::default(),
            state: State::Open,
            message: None,
            pong_end: 0,
            close_end: u64::MAX,
            next_pong: None,
        }
    }

    /// Compresses messages, as the handshake has agreed (RFC7692-5-11).
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        let context = agreed.of(if self.masks.is_some() { Role::Client } else { Role::Server });
        let deflater = Deflater::new(context);
        self.compression = Some(Box::new(Compression { threshold: agreed.threshold, deflater }));
        self
    }

    /// Queues a message, in one frame (RFC6455-6.1-2).
    ///
    /// # Errors
    /// [`Misuse::Closing`] after [`Encoder::close`], [`Misuse::MessageUnderWay`] between the parts of
    /// another message.
    #[inline]
    pub fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), Misuse> {
        self.send_outgoing(&message.into())
    }

    #[inline]
    pub(crate) fn send_outgoing(&mut self, outgoing: &Outgoing) -> Result<(), Misuse> {
        self.check_open()?;
        if self.message.is_some() {
            return Err(Misuse::MessageUnderWay);
        }
        let message = outgoing.message();
        let compression = self.compression.as_mut().filter(|by| message.len() >= by.threshold);
        let deflated = match (outgoing, compression) {
            (Outgoing::Uncompressed(_), _) | (_, None) => None,
            (Outgoing::Message(message), Some(by)) => {
                Some(by.deflater.deflate(message.payload(), true).into())
            }
            (Outgoing::Prepared(prepared), Some(by)) => Some(by.take_prepared(prepared)),
        };
        self.push_frame(true, message.kind().opcode(), message, deflated);
        Ok(())
    }

    /// Queues the next part of a message, in a frame of its own; the first part begins the message.
    /// It is compressed where that was agreed on, unless it is shorter than the threshold as a whole.
    ///
    /// # Errors
    /// [`Misuse::Closing`] after [`Encoder::close`], which leaves the message unfinished;
    /// [`Misuse::KindOfPart`] for text after binary parts or the other way round.
    pub fn send_part(&mut self, part: &Part) -> Result<(), Misuse> {
        self.check_open()?;
        let Part { content, last } = part;
        let kind = content.kind();
        let begun = match self.message {
            None if *last => return self.send(content),
            None => Begun { kind, compressed: self.compression.is_some() },
            Some(begun) if begun.kind == kind => begun,
            Some(_) => return Err(Misuse::KindOfPart),
        };
        let compression = self.compression.as_mut().filter(|_| begun.compressed);
        let deflated = compression.map(|by| by.deflater.deflate(content.payload(), *last).into());
        // RFC6455-5.4-10, RFC6455-6.1-4
        let opcode = if self.message.is_none() { kind.opcode() } else { Opcode::Continuation };
        self.push_frame(*last, opcode, content, deflated);
        self.message = (!last).then_some(begun);
        Ok(())
    }

    /// Queues a Ping (RFC6455-5.5.2-2).
    ///
    /// # Errors
    /// [`Misuse::PingTooLong`] above 125 bytes, [`Misuse::Closing`] after [`Encoder::close`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.check_open()?;
        if payload.len() > SHORT_PAYLOAD_MAX {
            return Err(Misuse::PingTooLong(payload.len()));
        }
        self.push_control(Opcode::Ping, payload);
        Ok(())
    }

    /// Queues the Close frame, behind everything that was sent before it (RFC6455-7.1.2-1). A second
    /// call does nothing.
    pub fn close(&mut self, frame: Option<&CloseFrame>) {
        if self.state != State::Open {
            return;
        }
        let body = frame.map(CloseFrame::to_body).unwrap_or_default();
        self.push_control(Opcode::Close, &body);
        self.close_end = self.outbox.end();
        self.state = State::Closed;
    }

    /// Queues what receiving owes the peer.
    ///
    /// Every Ping has its Pong while little waits for the transport. A peer that asks and does not
    /// read costs no more memory than that: then only its latest Ping is answered (RFC6455-5.5.3-2).
    pub fn send_reply(&mut self, owed: Reply) {
        match owed {
            _ if self.state == State::Broken => {}
            Reply::Pong(payload) if self.pong_waits() && self.outbox.len() >= PONG_BACKLOG => {
                self.next_pong = Some(Box::new(payload));
            }
            Reply::Pong(payload) => {
                // An earlier Ping is not answered after a later one.
                self.next_pong = None;
                self.push_pong(&payload);
            }
            Reply::Close(frame) => {
                // RFC6455-5.5.2-1: after the peer's Close, no Pong is due.
                self.next_pong = None;
                self.close(frame.as_ref());
            }
        }
    }

    /// Fills `slices` with what to write next, in order, and returns how many it filled.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.slices(slices)
    }

    /// How much was queued since the beginning.
    pub(crate) fn position(&self) -> u64 {
        self.outbox.end()
    }

    /// Goes on where another one was.
    pub(crate) fn starting_at(mut self, position: u64) -> Self {
        self.outbox = Outbox::starting_at(position);
        self
    }

    /// Goes on where another one was, which was idle, as this one is.
    pub(crate) fn resume_at(&mut self, position: u64) {
        self.outbox.resume_at(position);
        self.pong_end = 0;
    }

    #[inline]
    pub(crate) fn has_buffer(&self) -> bool {
        self.outbox.has_buffer()
    }

    pub(crate) fn take_buffer(&mut self) -> Option<SendBuffer> {
        self.outbox.take_buffer()
    }

    pub(crate) fn lend_buffer(&mut self, buffer: SendBuffer) {
        self.outbox.lend_buffer(buffer);
    }

    /// Whether nothing is under way, and nothing remembered of what was.
    pub(crate) fn is_idle(&self) -> bool {
        let is_silent = self.state == State::Open && self.message.is_none() && self.is_flushed();
        is_silent && self.compression.is_none()
    }

    /// Whether everything was written.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether our Close was written: whatever stands behind it is nothing that the peer waits for.
    pub(crate) fn is_close_written(&self) -> bool {
        self.outbox.written() >= self.close_end
    }

    /// Bytes queued and not written, headers included.
    #[inline]
    pub fn queued_bytes(&self) -> u64 {
        self.outbox.len()
    }

    /// How far writing has come on its way to the end of our Close; what is written behind it, a
    /// Pong, brings the connection no nearer to its end.
    pub(crate) fn progress(&self) -> u64 {
        self.written_up_to(self.close_end)
    }

    /// How far writing has come on its way to `end`, a position in the outbox.
    pub(crate) fn written_up_to(&self, end: u64) -> u64 {
        self.outbox.written().min(end)
    }

    /// Queues a Ping that nobody else sends, while messages may be sent. Returns its payload, and where
    /// it ends in the outbox.
    pub(crate) fn push_heartbeat(&mut self) -> ([u8; 8], u64) {
        // Its own position is different from that of any Ping before.
        let payload = self.outbox.end().to_be_bytes();
        self.push_control(Opcode::Ping, &payload);
        (payload, self.outbox.end())
    }

    /// Takes note that the transport took `count` bytes of the output.
    ///
    /// Returns how many of them were payload of messages: that much `buffered_amount` falls
    /// (WHATWG WebSockets, "bufferedAmount": framing overhead does not count).
    pub fn handle_written(&mut self, count: usize) -> usize {
        let payload = self.outbox.handle_written(count);
        if !self.pong_waits()
            && let Some(pong) = self.next_pong.take()
        {
            self.push_pong(&pong);
        }
        payload
    }

    /// Forgets what waits and takes nothing more: the transport is broken.
    pub fn abandon(&mut self) {
        self.outbox.clear();
        self.next_pong = None;
        self.state = State::Broken;
    }

    /// Gives back the memory of compression unless it was used since the last call; the next message
    /// begins with an empty window, as any may. Does nothing between the parts of a message.
    pub fn release_unused(&mut self) {
        if self.message.is_none()
            && let Some(compression) = &mut self.compression
        {
            compression.deflater.release_unused();
        }
    }

    /// Whether there is memory to release.
    pub fn holds_context(&self) -> bool {
        self.compression.as_ref().is_some_and(|by| by.deflater.is_held())
    }

    /// RFC6455-6.1-1, RFC6455-5.5.1-5
    fn check_open(&self) -> Result<(), Misuse> {
        if self.state == State::Open { Ok(()) } else { Err(Misuse::Closing) }
    }

    fn pong_waits(&self) -> bool {
        self.pong_end > self.outbox.written()
    }

    fn push_pong(&mut self, payload: &[u8]) {
        self.push_control(Opcode::Pong, payload);
        self.pong_end = self.outbox.end();
    }

    #[inline]
    fn push_frame(
        &mut self,
        fin: bool,
        opcode: Opcode,
        content: &Message,
        deflated: Option<Bytes>,
    ) {
        match deflated {
            Some(payload) => {
                // RFC7692-6.1-1, RFC7692-6.1-3: on the first frame of a message only.
                let reserved = if opcode.begins_message() { RSV1 } else { 0 };
                let header = self.header(fin, reserved, opcode, payload.len());
                self.outbox.push_deflated(&header, &payload, content.len());
            }
            None => {
                let header = self.header(fin, 0, opcode, content.len());
                self.outbox.push_data(&header, content.payload());
            }
        }
    }

    fn push_control(&mut self, opcode: Opcode, payload: &[u8]) {
        let header = self.header(true, 0, opcode, payload.len());
        self.outbox.push_control(&header, payload);
    }

    #[inline]
    fn header(&mut self, fin: bool, reserved: u8, opcode: Opcode, len: usize) -> FrameHeader {
        // RFC6455-6.1-5, RFC6455-5.5.1-4: data and control frames alike.
        let mask: Option<MaskKey> = self.masks.as_mut().map(|masks| masks.next_key());
        FrameHeader { fin, reserved, opcode, mask, payload_len: len as u64 }
    }
}

impl Compression {
    /// The prepared message's compressed payload, of which the deflater knows nothing: what it
    /// remembers lies no longer where it was in the peer's window.
    fn take_prepared(&mut self, prepared: &Prepared) -> Bytes {
        self.deflater.restart();
        prepared.deflated(self.deflater.window_bits()).clone()
    }
}

/// RFC6455-6.1-3
impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("masks", &self.masks.is_some())
            .field("compression", &self.compression)
            .field("message", &self.message)
            .field("queued_bytes", &self.queued_bytes())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
