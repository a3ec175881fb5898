use bytes::{Buf, Bytes, BytesMut};

use crate::close::CloseFrame;
use crate::deflate::AgreedDeflate;
use crate::deflate::Inflater;
use crate::frame::FrameHeader;
use crate::frame::{FrameStart, RSV1};
use crate::incoming::Delivery;
use crate::incoming::{Frame, Incoming, Taken, Unmasked};
use crate::limits::{Limits, MessageLimits};
use crate::mask::MaskKey;
use crate::message::Kind;
use crate::message::Message;
use crate::message_batch::{MessageBatch, Shape};
use crate::opcode::Opcode;
use crate::part::Part;
use crate::role::Role;
use crate::utf8::{Utf8Validator, is_utf8};
use crate::violation::Violation;

/// A message or control frame from the peer, or a part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(Message),
    /// The next part of a message, with [`Delivery::Parts`].
    Part(Part),
    /// A Ping. [`Received::reply`] returns the Pong that must be sent.
    Ping(Bytes),
    /// A Pong, solicited or not (RFC6455-5.5.3-3).
    Pong(Bytes),
    /// The peer's Close, which is the last event. All later input is discarded. [`Received::reply`] returns
    /// our Close, which must be sent unless it was sent before.
    Close(Option<CloseFrame>),
}

/// A frame that must be sent in reply to something received. Pass it to
/// [`Encoder::send_reply`](crate::Encoder::send_reply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A Pong with the Ping's payload (RFC6455-5.5.3-1).
    Pong(Bytes),
    /// A Close: the answer to the peer's Close (RFC6455-5.5.1-6), or the report of a [`Violation`].
    Close(Option<CloseFrame>),
}

impl Received {
    /// Returns the reply that this event requires.
    pub fn reply(&self) -> Option<Reply> {
        match self {
            Self::Ping(payload) => Some(Reply::Pong(payload.clone())),
            Self::Close(frame) => Some(Reply::Close(frame.clone())),
            Self::Message(_) | Self::Part(_) | Self::Pong(_) => None,
        }
    }
}

impl Violation {
    /// Returns the Close frame that reports this violation to the peer (RFC6455-7.1.7-2).
    pub fn reply(&self) -> Reply {
        Reply::Close(Some(CloseFrame::code(self.close_code())))
    }
}

/// The receiving half of a connection: it converts bytes into events (RFC6455-6.2-1).
///
/// Call [`Decoder::handle`] with the bytes read so far until it returns `None`, then read more and
/// call it again. It works without the sending half.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: MessageLimits,
    delivery: Delivery,
    /// Inflates the peer's messages, if permessage-deflate was agreed on.
    inflater: Option<Box<Inflater>>,
    state: State,
    /// The unfinished fragmented message, while the decoder is between two of its frames.
    message: Option<Box<Incoming>>,
    /// How many bytes of data frames arrived while the frame was incomplete.
    arrived_in_part: u64,
}

#[derive(Debug)]
enum State {
    /// The input begins with a frame header.
    Header,
    /// The input begins with the rest of a frame's payload, which is moved to the message.
    Moving(Frame, Box<Incoming>),
    /// The input begins with the payload of a control frame or of a message in one frame. The payload stays
    /// in the input until it is complete. Text is checked while it arrives.
    InPlace(Frame, Utf8Validator),
    /// After a Close or a violation, all input is discarded (RFC6455-7.1.7-3).
    Ended,
}

impl Decoder {
    /// Creates the receiving half of the end with the role `role`.
    pub fn new(role: Role, limits: Limits) -> Self {
        Self::with_limits(role, limits.into())
    }

    pub(crate) fn with_limits(role: Role, limits: MessageLimits) -> Self {
        let (delivery, inflater) = (Delivery::Whole, None);
        Self {
            role,
            limits,
            delivery,
            inflater,
            state: State::Header,
            message: None,
            arrived_in_part: 0,
        }
    }

    /// Accepts compressed messages with the parameters agreed on in the handshake (RFC7692-5-11).
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        self.inflater = Inflater::new(agreed.of(self.role.peer())).map(Box::new);
        self
    }

    /// Chooses how messages are delivered from now on. No content is lost: after a change to
    /// [`Delivery::Whole`] within a message, the rest of that message is one [`Received::Message`].
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    /// Removes bytes from the front of `input` and returns the next event, or `None` if more bytes are
    /// needed.
    ///
    /// The payload is unmasked in place. An uncompressed message in one frame stays in `input` until it is
    /// complete, and becomes the event's payload without a copy. So the size of `input` depends on the bytes
    /// that arrived, not on the length in a frame header.
    ///
    /// # Errors
    /// The peer's [`Violation`]. It is returned once. After that, all input is discarded.
    pub fn handle(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Violation> {
        if let Some(message) = self.take_message(input) {
            return Ok(Some(Received::Message(message)));
        }
        let event = self.advance(input);
        if matches!(event, Err(_) | Ok(Some(Received::Close(_)))) {
            self.end();
            input.clear();
        }
        event
    }

    /// Removes the message at the front of `input`. This is the fast path for a complete, valid, uncompressed
    /// message in one frame. It leaves everything else unchanged.
    fn take_message(&self, input: &mut BytesMut) -> Option<Message> {
        if !self.may_take_messages() {
            return None;
        }
        let shape = self.unmask_whole(input)?;
        let mut frame = input.split_to(shape.len());
        frame.advance(shape.header_len);
        Some(shape.kind.message(frame.freeze()))
    }

    /// Removes up to `most` messages from the front of `input`, as [`Decoder::handle`] removes one of them at a time.
    /// Stops at the first message that does not fit the fast path.
    pub(crate) fn take_messages(&mut self, input: &mut BytesMut, most: usize) -> MessageBatch {
        if input.is_empty() || !self.may_take_messages() {
            return MessageBatch::default();
        }
        let (mut count, mut end) = (0, 0);
        while count < most
            && let Some(shape) = self.unmask_whole(&mut input[end..])
        {
            end += shape.len();
            count += 1;
        }
        if count == 0 {
            MessageBatch::default()
        } else {
            MessageBatch::new(input.split_to(end), count)
        }
    }

    fn may_take_messages(&self) -> bool {
        self.is_between_messages() && self.delivery == Delivery::Whole
    }

    /// Unmasks the message at the front of `input` and returns the shape of its frame. Returns `None` if the message
    /// does not fit the fast path. It is always inlined, because a burst calls it for each message.
    #[inline(always)]
    fn unmask_whole(&self, input: &mut [u8]) -> Option<Shape> {
        let shape = Shape::parse(input)?;
        let is_allowed =
            shape.payload_len <= self.limits.message_bytes && self.limits.message_frames > 0;
        if !is_allowed || shape.is_masked != (self.role == Role::Server) {
            return None;
        }
        let (header, payload) = input.get_mut(..shape.len())?.split_at_mut(shape.header_len);
        let mask = header.last_chunk().filter(|_| shape.is_masked).map(|key| MaskKey(*key));
        let is_ascii = mask.is_some_and(|mask| mask.apply_to_text(0, payload));
        // RFC6455-5.6-1
        if shape.kind == Kind::Text && !is_ascii && !is_utf8(payload) {
            // Mask the payload again, so that the frame is unchanged.
            mask.inspect(|mask| mask.apply(0, payload));
            return None;
        }
        Some(shape)
    }

    /// Discards all later input (RFC6455-7.1.7-3).
    pub(crate) fn end(&mut self) {
        self.state = State::Ended;
        self.message = None;
        self.inflater = None;
    }

    /// Returns the role of this end.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Returns whether a message has begun and not ended.
    pub(crate) fn is_within_message(&self) -> bool {
        let is_within_frame = match &self.state {
            State::Moving(..) => true,
            State::InPlace(frame, _) => !frame.opcode.is_control(),
            State::Header | State::Ended => false,
        };
        is_within_frame || self.message.is_some()
    }

    /// Returns how much memory unfinished messages hold, in the decoder and in `input`.
    pub(crate) fn held_bytes(&self, input: &BytesMut) -> usize {
        let moving = match &self.state {
            State::Moving(_, message) => Some(message),
            _ => self.message.as_ref(),
        };
        let arrived = if input.is_empty() { 0 } else { input.capacity() };
        arrived + moving.map_or(0, |message| message.held_bytes())
    }

    /// Returns the memory that decompression takes.
    pub(crate) fn context_bytes(&self) -> usize {
        self.inflater.as_ref().map_or(0, |inflater| inflater.held_bytes())
    }

    /// Frees the memory of decompression between two messages. Keeps the window, because the next message may
    /// refer to it.
    pub(crate) fn release_context(&mut self) {
        if self.is_between_messages()
            && let Some(inflater) = &mut self.inflater
        {
            inflater.release();
        }
    }

    /// Returns a number that grows while the bytes of a data frame arrive.
    pub(crate) fn arrived_in_part(&self) -> u64 {
        self.arrived_in_part
    }

    /// Returns how many bytes the current frame still needs. This is a hint for how much to read.
    pub fn bytes_needed(&self, input: &BytesMut) -> usize {
        match &self.state {
            State::Moving(frame, _) | State::InPlace(frame, _) => frame.bytes_needed(input),
            State::Header | State::Ended => 0,
        }
    }

    /// Returns whether the next frame begins a message or is a control frame between two messages.
    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Header) && self.message.is_none()
    }

    /// Reuses this idle decoder for another connection. The decoder of that connection was idle too.
    pub(crate) fn resume(&mut self, limits: MessageLimits, delivery: Delivery) {
        (self.limits, self.delivery, self.arrived_in_part) = (limits, delivery, 0);
    }

    /// Returns whether no message has begun and no compression context is kept.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_between_messages() && self.inflater.is_none()
    }

    pub(crate) fn limits(&self) -> MessageLimits {
        self.limits
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Frees the memory of decompression if it was not used since the last call. Keeps the window, because
    /// the peer's next message may refer to it. Does nothing within a message.
    pub fn release_unused(&mut self) {
        if self.is_between_messages()
            && let Some(inflater) = &mut self.inflater
        {
            inflater.release_unused();
        }
    }

    /// Returns whether [`Decoder::release_unused`] could free memory.
    pub fn holds_context(&self) -> bool {
        self.inflater.as_ref().is_some_and(|inflater| inflater.is_held())
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Violation> {
        loop {
            match std::mem::replace(&mut self.state, State::Header) {
                State::Header => match self.begin_frame(input)? {
                    Some(state) => self.state = state,
                    // `set_delivery` may have selected parts after the last frame arrived.
                    None => {
                        let message = self.message.as_mut();
                        return Ok(message.and_then(|begun| next_part(begun, self.delivery)));
                    }
                },
                State::InPlace(mut frame, mut utf8) => {
                    let Unmasked { bytes, is_ascii } = frame.unmask_arrived(input);
                    let arrived = bytes.len();
                    if frame.opcode == Opcode::Text && !(is_ascii && utf8.held() == 0) {
                        utf8.push(bytes).map_err(|_| Violation::InvalidUtf8)?;
                    }
                    if !frame.is_whole() {
                        if !frame.opcode.is_control() {
                            self.arrived_in_part += arrived as u64;
                        }
                        self.state = State::InPlace(frame, utf8);
                        return Ok(None);
                    }
                    return end_in_place(&frame, utf8, input).map(Some);
                }
                State::Moving(mut frame, mut message) => {
                    let arrived = frame.unmask_arrived(input).bytes.len();
                    let inflater = self.inflater.as_deref_mut();
                    let mut inflater = inflater.filter(|_| message.is_compressed());
                    let (delivery, limit) = (self.delivery, self.limits.message_bytes);
                    let by = inflater.as_deref_mut();
                    let taken = message.take(&mut frame, input, by, delivery, limit)?;
                    if taken == Taken::Frame && frame.fin {
                        let content = message.finish(inflater)?;
                        return Ok(Some(match delivery {
                            Delivery::Whole => Received::Message(content),
                            Delivery::Parts => Received::Part(Part { content, last: true }),
                        }));
                    }
                    let part = next_part(&mut message, delivery);
                    match taken {
                        Taken::Frame => self.message = Some(message),
                        Taken::Piece => {
                            self.arrived_in_part += arrived as u64;
                            self.state = State::Moving(frame, message);
                        }
                    }
                    if part.is_some() || taken == Taken::Piece {
                        return Ok(part);
                    }
                }
                State::Ended => {
                    self.state = State::Ended;
                    input.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Reads a header. Validates the first two bytes before the rest has arrived (RFC6455-10.7-1).
    fn begin_frame(&mut self, input: &mut BytesMut) -> Result<Option<State>, Violation> {
        let Some(&start) = input.first_chunk::<2>() else {
            return Ok(None);
        };
        let start = FrameStart::parse(start)?;
        check_start(start, self.role, self.inflater.is_some(), self.message.is_some())?;
        let Some((header, header_len)) = FrameHeader::parse_rest(start, input)? else {
            return Ok(None);
        };
        let kind = match header.opcode {
            Opcode::Text => Kind::Text,
            Opcode::Binary | Opcode::Continuation => Kind::Binary,
            // RFC6455-5.4-4: control frames are also allowed between the fragments of a message.
            Opcode::Ping | Opcode::Pong | Opcode::Close => {
                input.advance(header_len);
                return Ok(Some(State::InPlace(Frame::new(&header), Utf8Validator::default())));
            }
        };
        let compressed = header.reserved == RSV1;
        // RFC6455-5.4-6: the payload of a message in one frame can stay in the input. The payload of a
        // fragmented message is moved.
        let begun = self.message.take();
        let stays =
            begun.is_none() && header.fin && !compressed && self.delivery == Delivery::Whole;
        let frame = Frame::new(&header);
        let state = if stays {
            Incoming::new(kind, compressed).begin_frame(&header, self.limits)?;
            State::InPlace(frame, Utf8Validator::default())
        } else {
            let mut message = begun.unwrap_or_else(|| Box::new(Incoming::new(kind, compressed)));
            message.begin_frame(&header, self.limits)?;
            State::Moving(frame, message)
        };
        input.advance(header_len);
        Ok(Some(state))
    }
}

/// Validates the first two bytes of a frame for a receiver with the role `role`.
#[inline]
pub(crate) fn check_start(
    start: FrameStart,
    role: Role,
    inflates: bool,
    is_within_message: bool,
) -> Result<(), Violation> {
    match start.reserved {
        0 => {}
        // RFC7692-6.1-3: on the first frame of a message only.
        RSV1 if inflates && start.opcode.begins_message() => {}
        // RFC6455-5.2-1: no agreed extension uses these bits.
        _ => return Err(Violation::ReservedBit),
    }
    match (role, start.masked) {
        // RFC6455-5.1-2, RFC6455-6.2-3
        (Role::Server, false) => Err(Violation::UnmaskedFrame),
        // RFC6455-5.1-4
        (Role::Client, true) => Err(Violation::MaskedFrame),
        _ => match (start.opcode, is_within_message) {
            // RFC6455-5.4-10
            (Opcode::Continuation, false) => Err(Violation::UnexpectedContinuation),
            // RFC6455-5.4-3, RFC6455-6.2-2
            (Opcode::Text | Opcode::Binary, true) => Err(Violation::InterleavedMessage),
            _ => Ok(()),
        },
    }
}

/// Returns the part of an unfinished message that can be delivered now.
fn next_part(message: &mut Incoming, delivery: Delivery) -> Option<Received> {
    match delivery {
        Delivery::Whole => None,
        Delivery::Parts => message.next_part().map(Received::Part),
    }
}

/// Converts a frame into an event. The payload of the frame is complete in the input.
fn end_in_place(
    frame: &Frame,
    mut utf8: Utf8Validator,
    input: &mut BytesMut,
) -> Result<Received, Violation> {
    let payload = frame.split_payload(input);
    Ok(match frame.opcode {
        Opcode::Ping => Received::Ping(payload),
        Opcode::Pong => Received::Pong(payload),
        Opcode::Close => Received::Close(CloseFrame::parse(&payload)?),
        Opcode::Text => {
            // RFC6455-5.6-1
            utf8.finish().map_err(|_| Violation::InvalidUtf8)?;
            Received::Message(Kind::Text.message(payload))
        }
        Opcode::Binary | Opcode::Continuation => Received::Message(Kind::Binary.message(payload)),
    })
}
