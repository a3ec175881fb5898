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

/// While a Pong is queued and at least this many bytes are queued in total, no further Pong is queued.
const PONG_BACKLOG: u64 = 16 << 10;

/// The sending half of a connection: it converts messages into bytes.
///
/// Frames are queued in order. Write the bytes that [`Encoder::output`] returns. Report with
/// [`Encoder::handle_written`] how many of them the transport took.
pub struct Encoder {
    /// A client's masking keys. `None` for a server, which never masks (RFC6455-5.1-3).
    masks: Option<Box<dyn MaskKeys>>,
    /// Set if permessage-deflate was agreed on.
    compression: Option<Box<Compression>>,
    outbox: Outbox,
    state: State,
    /// The message that is being sent in parts, after its first part and before its last.
    message: Option<OpenMessage>,
    /// The position in the outbox at which the last Pong ends.
    pong_end: u64,
    /// The position in the outbox at which our Close ends; `u64::MAX` until it is queued.
    close_end: u64,
    /// The payload of a Pong that is held back until the queued Pong is written.
    next_pong: Option<Box<Bytes>>,
}

#[derive(Debug)]
struct Compression {
    threshold: usize,
    deflater: Deflater,
    /// Whether a context may be created.
    context_allowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OpenMessage {
    kind: Kind,
    compressed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Our Close is queued, and no data may follow it (RFC6455-5.5.1-5).
    Closed,
    /// The transport is broken, and nothing more is queued.
    Broken,
}

/// The state of the connection or the protocol does not allow the call. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// RFC6455-6.1-1, RFC6455-5.1-5: messages are sent only while the connection is open.
    #[error("could not send: the connection is closing or closed")]
    Closing,
    /// RFC6455-5.4-3: messages are not interleaved.
    #[error("could not send: another message is being sent in parts; send its last part first")]
    MessageUnderWay,
    /// RFC6455-5.4-10: all parts of a message have the same kind.
    #[error("could not send the part: the parts of a message must be all text or all binary")]
    KindOfPart,
    /// RFC6455-5.5-1: a Ping can have at most 125 bytes. Holds the length.
    #[error("could not send the ping: it can have at most 125 bytes, and this one has {0}")]
    PingTooLong(usize),
}

impl Encoder {
    /// Creates the sending half of a server.
    pub fn server() -> Self {
        Self::new(None)
    }

    /// Creates the sending half of a client, which masks every frame (RFC6455-5.1-1).
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

    /// Compresses messages with the parameters agreed on in the handshake (RFC7692-5-11).
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        let context = agreed.of(if self.masks.is_some() { Role::Client } else { Role::Server });
        self.compression = Deflater::new(context, agreed.level).map(|deflater| {
            let threshold = agreed.threshold;
            Box::new(Compression { threshold, deflater, context_allowed: true })
        });
        self
    }

    /// Queues a message in one frame (RFC6455-6.1-2).
    ///
    /// # Errors
    /// [`Misuse::Closing`] after [`Encoder::close`]; [`Misuse::MessageUnderWay`] between the parts of
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
            (Outgoing::Message(_), Some(by)) if !by.may_deflate() => None,
            (Outgoing::Message(message), Some(by)) => {
                Some(by.deflater.deflate(message.payload(), true).into())
            }
            (Outgoing::Prepared(prepared), Some(by)) => Some(by.take_prepared(prepared)),
        };
        self.push_frame(true, message.kind().opcode(), message, deflated);
        Ok(())
    }

    /// Queues a copy of a payload as a message, without compression. The caller has checked that the payload
    /// of a text is UTF-8.
    ///
    /// # Errors
    /// As [`Encoder::send`].
    pub fn send_slice(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Misuse> {
        self.check_open()?;
        if self.message.is_some() {
            return Err(Misuse::MessageUnderWay);
        }
        let header = self.header(true, 0, kind.opcode(), payload.len());
        self.outbox.push_slice(&header, payload);
        Ok(())
    }

    /// Returns whether no message is being sent in parts, and no compression was agreed on.
    pub(crate) fn may_send_slice(&self) -> bool {
        self.state == State::Open && self.message.is_none() && self.compression.is_none()
    }

    /// Queues the next part of a message in its own frame. The first part begins the message. If
    /// permessage-deflate was agreed on, the message is compressed, unless its first part is also its last
    /// part and is shorter than the threshold.
    ///
    /// # Errors
    /// [`Misuse::Closing`] after [`Encoder::close`], which leaves the message unfinished;
    /// [`Misuse::KindOfPart`] for a text part after binary parts or the reverse.
    pub fn send_part(&mut self, part: &Part) -> Result<(), Misuse> {
        self.check_open()?;
        let Part { content, last } = part;
        let kind = content.kind();
        let begun = match self.message {
            None if *last => return self.send(content),
            None => {
                let compressed = self.compression.as_ref().is_some_and(|by| by.may_hold_context());
                OpenMessage { kind, compressed }
            }
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
    /// [`Misuse::PingTooLong`] for more than 125 bytes; [`Misuse::Closing`] after [`Encoder::close`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.check_open()?;
        if payload.len() > SHORT_PAYLOAD_MAX {
            return Err(Misuse::PingTooLong(payload.len()));
        }
        self.push_control(Opcode::Ping, payload);
        Ok(())
    }

    /// Queues a Close frame after everything sent before (RFC6455-7.1.2-1). A second call does nothing.
    pub fn close(&mut self, frame: Option<&CloseFrame>) {
        if self.state != State::Open {
            return;
        }
        let body = frame.map(CloseFrame::to_body).unwrap_or_default();
        self.push_control(Opcode::Close, &body);
        self.close_end = self.outbox.end();
        self.state = State::Closed;
        self.compression = None;
    }

    /// Queues a reply.
    ///
    /// While little output is queued, every Ping is answered. If a peer sends Pings but does not read, only
    /// its latest Ping is answered (RFC6455-5.5.3-2), so that the queue does not grow.
    pub fn send_reply(&mut self, reply: Reply) {
        match reply {
            _ if self.state == State::Broken => {}
            Reply::Pong(payload) if self.pong_waits() && self.outbox.len() >= PONG_BACKLOG => {
                self.next_pong = Some(Box::new(payload));
            }
            Reply::Pong(payload) => {
                // The previous Ping is no longer answered.
                self.next_pong = None;
                self.push_pong(&payload);
            }
            Reply::Close(frame) => {
                // RFC6455-5.5.2-1: no Pong is sent after the peer's Close.
                self.next_pong = None;
                self.close(frame.as_ref());
            }
        }
    }

    /// Fills `slices` with the bytes to write next, and returns how many it filled.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.slices(slices)
    }

    /// Returns how many bytes were queued since the connection began.
    pub(crate) fn position(&self) -> u64 {
        self.outbox.end()
    }

    /// Continues at the position of another encoder.
    pub(crate) fn starting_at(mut self, position: u64) -> Self {
        self.outbox = Outbox::starting_at(position);
        self
    }

    /// Reuses this idle encoder for another connection. The encoder of that connection was idle at
    /// `position`.
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

    /// Returns whether nothing is queued, no message has begun and no compression context is kept.
    pub(crate) fn is_idle(&self) -> bool {
        let is_silent = self.state == State::Open && self.message.is_none() && self.is_flushed();
        is_silent && self.compression.is_none()
    }

    /// Returns whether everything queued was written.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Returns whether our Close was written. The peer does not wait for anything queued after it.
    pub(crate) fn is_close_written(&self) -> bool {
        self.outbox.written() >= self.close_end
    }

    /// Returns how many bytes are queued and not written, headers included.
    #[inline]
    pub fn queued_bytes(&self) -> u64 {
        self.outbox.len()
    }

    /// Returns the position after the last written byte, or the end of our Close if that is less. A Pong
    /// after the Close is not progress of the closing handshake.
    pub(crate) fn progress(&self) -> u64 {
        self.written_up_to(self.close_end)
    }

    /// Returns the position after the last written byte, or `end` if that is less.
    pub(crate) fn written_up_to(&self, end: u64) -> u64 {
        self.outbox.written().min(end)
    }

    /// Queues a Ping with a unique payload. Returns the payload, and the position in the outbox at which the
    /// Ping ends. Call it only while the connection is open.
    pub(crate) fn push_heartbeat(&mut self) -> ([u8; 8], u64) {
        // The position is different for each Ping, so the payload is unique.
        let payload = self.outbox.end().to_be_bytes();
        self.push_control(Opcode::Ping, &payload);
        (payload, self.outbox.end())
    }

    /// Records that the transport took `count` bytes of the output.
    ///
    /// Returns how many of them were payload of messages. `buffered_amount` decreases by that number (WHATWG
    /// WebSockets, "bufferedAmount": framing overhead does not count).
    pub fn handle_written(&mut self, count: usize) -> usize {
        let payload = self.outbox.handle_written(count);
        if !self.pong_waits()
            && let Some(pong) = self.next_pong.take()
        {
            self.push_pong(&pong);
        }
        payload
    }

    /// Drops all queued output. After this call, nothing can be queued. Call it when the transport is broken.
    pub fn abandon(&mut self) {
        self.outbox.clear();
        self.next_pong = None;
        self.state = State::Broken;
        self.compression = None;
    }

    /// Returns the memory of the context that sending `outgoing` would create. Returns zero if it creates
    /// none.
    #[inline]
    pub(crate) fn context_needed(&self, outgoing: &Outgoing) -> usize {
        match (&self.compression, outgoing) {
            (Some(by), Outgoing::Message(message))
                if message.len() >= by.threshold && by.deflater.keeps_context() =>
            {
                by.context_needed()
            }
            _ => 0,
        }
    }

    /// Does the same as [`Encoder::context_needed`], for the next part of a message.
    pub(crate) fn context_needed_for_part(&self, part: &Part) -> usize {
        match &self.compression {
            Some(by) if self.message.is_none() => {
                let is_short = part.last && part.content.len() < by.threshold;
                if is_short { 0 } else { by.context_needed() }
            }
            _ => 0,
        }
    }

    /// Sets whether a context may be created. Without a context, messages are then sent uncompressed.
    pub(crate) fn allow_context(&mut self, allowed: bool) {
        if let Some(compression) = &mut self.compression {
            compression.context_allowed = allowed;
        }
    }

    /// Returns the memory that compression takes.
    pub(crate) fn context_bytes(&self) -> usize {
        let held = self.compression.as_ref().filter(|by| by.deflater.is_held());
        held.map_or(0, |by| by.deflater.context_bytes())
    }

    /// Frees the memory of compression, unless a message is being sent in parts.
    pub(crate) fn release_context(&mut self) {
        if self.message.is_none()
            && let Some(compression) = &mut self.compression
        {
            compression.deflater.release();
        }
    }

    /// Frees the memory of compression if it was not used since the last call. The next message then begins
    /// with an empty window. Does nothing between the parts of a message.
    pub fn release_unused(&mut self) {
        if self.message.is_none()
            && let Some(compression) = &mut self.compression
        {
            compression.deflater.release_unused();
        }
    }

    /// Returns whether [`Encoder::release_unused`] could free memory.
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
        // RFC6455-6.1-5, RFC6455-5.5.1-4: data and control frames are masked.
        let mask: Option<MaskKey> = self.masks.as_mut().map(|masks| masks.next_key());
        FrameHeader { fin, reserved, opcode, mask, payload_len: len as u64 }
    }
}

impl Compression {
    /// Returns whether a message in one frame may be compressed. Without context takeover, that needs no context.
    fn may_deflate(&self) -> bool {
        !self.deflater.keeps_context() || self.may_hold_context()
    }

    fn may_hold_context(&self) -> bool {
        self.context_allowed || self.deflater.is_held()
    }

    fn context_needed(&self) -> usize {
        if self.deflater.is_held() { 0 } else { self.deflater.context_bytes() }
    }

    /// Returns the compressed payload of a prepared message. Restarts the deflater. The deflater did not
    /// compress that payload, so its window no longer matches the peer's window.
    fn take_prepared(&mut self, prepared: &Prepared) -> Bytes {
        self.deflater.restart();
        prepared.deflated(&self.deflater).clone()
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
