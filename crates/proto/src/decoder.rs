use bytes::{Buf, Bytes, BytesMut};

use crate::close::CloseFrame;
use crate::deflate::AgreedDeflate;
use crate::deflate::Inflater;
use crate::frame::FrameHeader;
use crate::frame::{FrameStart, RSV1};
use crate::incoming::Delivery;
use crate::incoming::{Frame, Fresh, Incoming, Taken};
use crate::limits::Limits;
use crate::mask::MaskKey;
use crate::message::Kind;
use crate::message::Message;
use crate::message_batch::{MessageBatch, Shape};
use crate::opcode::Opcode;
use crate::part::Part;
use crate::role::Role;
use crate::utf8::{Utf8Validator, is_utf8};
use crate::violation::Violation;

/// What the peer sent, as soon as it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(Message),
    /// The next part of a message, where [`Delivery::Parts`] was asked for.
    Part(Part),
    /// A Ping; the Pong is [`Reply`].
    Ping(Bytes),
    /// A Pong, asked for or not (RFC6455-5.5.3-3).
    Pong(Bytes),
    /// The peer's Close, the last event: whatever follows it is discarded. Our own is [`Reply`],
    /// unless it was sent before.
    Close(Option<CloseFrame>),
}

/// What receiving obliges us to send. The owner of the [`Encoder`](crate::Encoder) sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A Pong with the Ping's payload (RFC6455-5.5.3-1).
    Pong(Bytes),
    /// A Close: the answer to the peer's (RFC6455-5.5.1-6), or the reason why the connection failed.
    Close(Option<CloseFrame>),
}

impl Received {
    /// What this event obliges us to send.
    pub fn reply(&self) -> Option<Reply> {
        match self {
            Self::Ping(payload) => Some(Reply::Pong(payload.clone())),
            Self::Close(frame) => Some(Reply::Close(frame.clone())),
            Self::Message(_) | Self::Part(_) | Self::Pong(_) => None,
        }
    }
}

impl Violation {
    /// The Close frame that tells the peer what it did (RFC6455-7.1.7-2).
    pub fn reply(&self) -> Reply {
        Reply::Close(Some(CloseFrame::code(self.close_code())))
    }
}

/// The receiving half of a connection: bytes in, events out (RFC6455-6.2-1).
///
/// Call [`Decoder::handle`] with the bytes read so far until it returns `None`, then read more and
/// call it again. It needs no sending half and never waits for one.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    delivery: Delivery,
    /// What inflates the peer's messages, if permessage-deflate was agreed on.
    inflater: Option<Box<Inflater>>,
    state: State,
    /// The message of which frames have been received, and more must follow.
    message: Option<Box<Incoming>>,
    /// Bytes of data frames that arrived before the end of their frame did.
    arrived_in_part: u64,
}

#[derive(Debug)]
enum State {
    /// A frame begins at the first byte of the input.
    Header,
    /// The rest of a frame's payload begins at the first byte of the input, and moves to its message.
    Moving(Frame, Box<Incoming>),
    /// The payload of a frame that is an event of its own begins at the first byte of the input, and
    /// stays there until it is whole. A text is checked as it arrives.
    InPlace(Frame, Utf8Validator),
    /// After a Close or a violation, nothing has a meaning (RFC6455-7.1.7-3).
    Ended,
}

impl Decoder {
    /// The receiving half of the end that plays `role`.
    pub fn new(role: Role, limits: Limits) -> Self {
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

    /// Lets the peer compress, as the handshake has agreed (RFC7692-5-11).
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        self.inflater = Some(Box::new(Inflater::new(agreed.of(self.role.peer()))));
        self
    }

    /// Chooses how messages are delivered from now on. Nothing is lost in between: what is left of a
    /// message of which parts were delivered comes as one [`Received::Message`], if that is chosen.
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    /// Takes bytes off the front of `input` until an event is whole.
    ///
    /// `None` means that more bytes are needed. A frame's payload is unmasked where it lies, and an
    /// uncompressed message of one frame becomes the event's payload without a copy; until it is
    /// whole it stays in `input`, which therefore grows with what arrived, never with what a header
    /// announces.
    ///
    /// # Errors
    /// The peer's [`Violation`], once. From then on all input is discarded.
    pub fn handle(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Violation> {
        if let Some(message) = self.take_messages(input, 1).next() {
            return Ok(Some(Received::Message(message)));
        }
        let event = self.advance(input);
        if matches!(event, Err(_) | Ok(Some(Received::Close(_)))) {
            self.end();
            input.clear();
        }
        event
    }

    /// Takes up to `most` messages off the front of `input` that have arrived whole, each in one frame, and
    /// to which there is nothing to object: most small messages do, and need no state. Whatever else
    /// stands there is left for [`Decoder::handle`] to judge, as it was.
    pub(crate) fn take_messages(&mut self, input: &mut BytesMut, most: usize) -> MessageBatch {
        if !self.is_between_messages() || self.delivery != Delivery::Whole {
            return MessageBatch::default();
        }
        let (mut count, mut end) = (0, 0);
        while count < most
            && let Some(len) = self.unmask_whole(&mut input[end..])
        {
            end += len;
            count += 1;
        }
        if count == 0 {
            MessageBatch::default()
        } else {
            MessageBatch::new(input.split_to(end), count)
        }
    }

    /// Unmasks the message at the front of `input`, if that is as [`Decoder::take_messages`] wants it, and
    /// returns the length of its frame. To tell what is wrong with any other takes more.
    #[inline]
    fn unmask_whole(&self, input: &mut [u8]) -> Option<usize> {
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
            // As it was.
            mask.inspect(|mask| mask.apply(0, payload));
            return None;
        }
        Some(shape.len())
    }

    /// Gives no meaning to anything that follows (RFC6455-7.1.7-3).
    pub(crate) fn end(&mut self) {
        self.state = State::Ended;
        self.message = None;
        self.inflater = None;
    }

    /// The role of this end.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn is_amid_message(&self) -> bool {
        let is_amid_frame = match &self.state {
            State::Moving(..) => true,
            State::InPlace(frame, _) => !frame.opcode.is_control(),
            State::Header | State::Ended => false,
        };
        is_amid_frame || self.message.is_some()
    }

    /// The memory that is kept of what is not whole, here and in `input`.
    pub(crate) fn held_bytes(&self, input: &BytesMut) -> usize {
        let moving = match &self.state {
            State::Moving(_, message) => Some(message),
            _ => self.message.as_ref(),
        };
        let arrived = if input.is_empty() { 0 } else { input.capacity() };
        arrived + moving.map_or(0, |message| message.held_bytes())
    }

    /// A number that grows while bytes of one data frame arrive.
    pub(crate) fn arrived_in_part(&self) -> u64 {
        self.arrived_in_part
    }

    /// How many bytes the frame under way still lacks: a hint for how much to read at once.
    pub fn bytes_needed(&self, input: &BytesMut) -> usize {
        match &self.state {
            State::Moving(frame, _) | State::InPlace(frame, _) => frame.bytes_needed(input),
            State::Header | State::Ended => 0,
        }
    }

    /// Whether the next byte is the first of a message, or of a control frame between two.
    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Header) && self.message.is_none()
    }

    /// Goes on where another one was, which was idle, as this one is.
    pub(crate) fn resume(&mut self, limits: Limits, delivery: Delivery) {
        (self.limits, self.delivery, self.arrived_in_part) = (limits, delivery, 0);
    }

    /// Whether nothing is under way, and nothing remembered of what was.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_between_messages() && self.inflater.is_none()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Gives back the memory of decompression unless it was used since the last call, but for what the
    /// peer's next message may refer to. Does nothing within a message.
    pub fn release_unused(&mut self) {
        if self.is_between_messages()
            && let Some(inflater) = &mut self.inflater
        {
            inflater.release_unused();
        }
    }

    /// Whether there is memory to release.
    pub fn holds_context(&self) -> bool {
        self.inflater.as_ref().is_some_and(|inflater| inflater.is_held())
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Violation> {
        loop {
            match std::mem::replace(&mut self.state, State::Header) {
                State::Header => match self.begin_frame(input)? {
                    Some(state) => self.state = state,
                    // Parts may have been asked for since the last frame.
                    None => {
                        let message = self.message.as_mut();
                        return Ok(message.and_then(|begun| next_part(begun, self.delivery)));
                    }
                },
                State::InPlace(mut frame, mut utf8) => {
                    let Fresh { bytes, is_ascii } = frame.unmask_arrived(input);
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

    /// Reads a header and judges it (RFC6455-10.7-1); as early as its first two bytes allow.
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
            // RFC6455-5.4-4: whatever message is under way.
            Opcode::Ping | Opcode::Pong | Opcode::Close => {
                input.advance(header_len);
                return Ok(Some(State::InPlace(Frame::new(&header), Utf8Validator::default())));
            }
        };
        let compressed = header.reserved == RSV1;
        // RFC6455-5.4-6: a message of one frame may stay where it is, one of many moves.
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

/// Judges the first two bytes of a frame, for a receiver that plays `role`.
#[inline]
pub(crate) fn check_start(
    start: FrameStart,
    role: Role,
    inflates: bool,
    is_amid_message: bool,
) -> Result<(), Violation> {
    match start.reserved {
        0 => {}
        // RFC7692-6.1-3: on the first frame of a message only.
        RSV1 if inflates && start.opcode.begins_message() => {}
        // RFC6455-5.2-1: no extension is agreed on that gives the bits a meaning.
        _ => return Err(Violation::ReservedBit),
    }
    match (role, start.masked) {
        // RFC6455-5.1-2, RFC6455-6.2-3
        (Role::Server, false) => Err(Violation::UnmaskedFrame),
        // RFC6455-5.1-4
        (Role::Client, true) => Err(Violation::MaskedFrame),
        _ => match (start.opcode, is_amid_message) {
            // RFC6455-5.4-10
            (Opcode::Continuation, false) => Err(Violation::UnexpectedContinuation),
            // RFC6455-5.4-3, RFC6455-6.2-2
            (Opcode::Text | Opcode::Binary, true) => Err(Violation::InterleavedMessage),
            _ => Ok(()),
        },
    }
}

/// What is to be delivered of a message before its end.
fn next_part(message: &mut Incoming, delivery: Delivery) -> Option<Received> {
    match delivery {
        Delivery::Whole => None,
        Delivery::Parts => message.next_part().map(Received::Part),
    }
}

/// Makes an event of a frame whose whole payload is in the input.
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
