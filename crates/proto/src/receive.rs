use bytes::{Buf, Bytes, BytesMut};

use crate::frame::FrameStart;
use crate::utf8::Utf8Validator;
use crate::{CloseFrame, FrameHeader, Limits, MaskKey, Message, Opcode, Role, Text, Violation};

/// What the peer sent, as soon as it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message(Message),
    /// A Ping; the Pong is [`Owed`].
    Ping(Bytes),
    /// A Pong, asked for or not.
    Pong(Bytes),
    /// The peer's Close, the last event: whatever follows it is discarded. Our own is [`Owed`],
    /// unless it was sent before.
    Close(Option<CloseFrame>),
}

/// What receiving owes the peer; whoever owns the [`Sender`](crate::Sender) pays it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owed {
    /// A Pong with the Ping's payload (RFC6455-5.5.3-1).
    Pong(Bytes),
    /// A Close: the answer to the peer's (RFC6455-5.5.1-6), or the reason why the connection failed.
    Close(Option<CloseFrame>),
}

impl Event {
    /// What this event obliges us to send.
    pub fn owed(&self) -> Option<Owed> {
        match self {
            Self::Ping(payload) => Some(Owed::Pong(payload.clone())),
            Self::Close(frame) => Some(Owed::Close(frame.clone())),
            Self::Message(_) | Self::Pong(_) => None,
        }
    }
}

impl Violation {
    /// The Close frame that tells the peer what it did (RFC6455-7.1.7-2).
    pub fn owed(&self) -> Owed {
        Owed::Close(Some(CloseFrame::code(self.close_code())))
    }
}

/// The receiving half of a connection: bytes in, events out.
///
/// Call [`Receiver::handle`] with the bytes read so far until it returns `None`, then read more and
/// call it again. It needs no sending half and never waits for one.
#[derive(Debug)]
pub struct Receiver {
    role: Role,
    limits: Limits,
    state: State,
    /// The message whose first fragments have arrived.
    message: Option<Fragments>,
    /// The text under way, across the frames of a message.
    utf8: Utf8Validator,
}

#[derive(Debug)]
enum State {
    /// A frame begins at the first byte of the input.
    Header,
    /// The payload of a frame begins at the first byte of the input.
    Payload(Frame),
    /// After a Close or a violation, nothing has a meaning (RFC6455-7.1.7-3).
    Ended,
}

/// A frame whose header has been read.
#[derive(Debug)]
struct Frame {
    fin: bool,
    opcode: Opcode,
    mask: Option<MaskKey>,
    /// Bytes of the payload that were moved out of the input.
    moved: usize,
    /// Bytes at the front of the input that are unmasked and checked.
    checked: usize,
    /// Bytes of the payload that are or will be at the front of the input.
    remaining: usize,
}

#[derive(Debug)]
struct Fragments {
    kind: Kind,
    payload: BytesMut,
    frames: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

impl Receiver {
    /// The receiving half of the end that plays `role`.
    pub fn new(role: Role, limits: Limits) -> Self {
        Self { role, limits, state: State::Header, message: None, utf8: Utf8Validator::default() }
    }

    /// Takes bytes off the front of `input` until an event is whole.
    ///
    /// `None` means that more bytes are needed. A frame's payload is unmasked where it lies, and a
    /// message of one frame becomes the event's payload without a copy; until it is whole it stays
    /// in `input`, which therefore grows with what arrived, never with what a header announces.
    ///
    /// # Errors
    /// The peer's [`Violation`], once. From then on all input is discarded.
    pub fn handle(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        let event = self.advance(input);
        if matches!(event, Err(_) | Ok(Some(Event::Close(_)))) {
            self.state = State::Ended;
            self.message = None;
            input.clear();
        }
        event
    }

    /// How many bytes the frame under way still lacks: a hint for how much to read at once.
    pub fn lacking(&self, input: &BytesMut) -> usize {
        match &self.state {
            State::Payload(frame) => frame.remaining.saturating_sub(input.len()),
            State::Header | State::Ended => 0,
        }
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        loop {
            match &mut self.state {
                State::Header => match self.begin_frame(input)? {
                    Some(frame) => self.state = State::Payload(frame),
                    None => return Ok(None),
                },
                State::Payload(frame) => {
                    let text = match (frame.opcode, &self.message) {
                        (Opcode::Text, _) => true,
                        (Opcode::Continuation, Some(message)) => message.kind == Kind::Text,
                        _ => false,
                    };
                    let fresh = frame.unmask_arrived(input);
                    if text {
                        self.utf8.push(fresh).map_err(|_| Violation::InvalidUtf8)?;
                    }
                    if frame.is_fragment()
                        && let Some(message) = &mut self.message
                    {
                        frame.move_arrived(input, &mut message.payload);
                    }
                    if frame.checked < frame.remaining {
                        return Ok(None);
                    }
                    let State::Payload(frame) = std::mem::replace(&mut self.state, State::Header)
                    else {
                        return Ok(None);
                    };
                    if let Some(event) = self.end_frame(&frame, input)? {
                        return Ok(Some(event));
                    }
                }
                State::Ended => {
                    input.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Reads a header and judges it; as early as its first two bytes allow.
    fn begin_frame(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, Violation> {
        let Some(&start) = input.first_chunk::<2>() else {
            return Ok(None);
        };
        let start = FrameStart::parse(start)?;
        self.check_start(start)?;
        let Some((header, header_len)) = FrameHeader::parse_rest(start, input)? else {
            return Ok(None);
        };
        let remaining = self.check_size(&header)?;
        input.advance(header_len);
        let FrameHeader { fin, opcode, mask, .. } = header;
        let frame = Frame { fin, opcode, mask, moved: 0, checked: 0, remaining };
        if frame.is_fragment() {
            let kind = if opcode == Opcode::Text { Kind::Text } else { Kind::Binary };
            self.message
                .get_or_insert_with(|| Fragments { kind, payload: BytesMut::new(), frames: 0 })
                .frames += 1;
        }
        Ok(Some(frame))
    }

    fn check_start(&self, start: FrameStart) -> Result<(), Violation> {
        // RFC6455-5.2-1: no extension is agreed that gives the reserved bits a meaning.
        if start.reserved != 0 {
            return Err(Violation::ReservedBit);
        }
        match (self.role, start.masked) {
            // RFC6455-5.1-2, RFC6455-6.2-3
            (Role::Server, false) => Err(Violation::UnmaskedFrame),
            // RFC6455-5.1-4
            (Role::Client, true) => Err(Violation::MaskedFrame),
            _ => match (start.opcode, &self.message) {
                // RFC6455-5.4-10
                (Opcode::Continuation, None) => Err(Violation::UnexpectedContinuation),
                // RFC6455-5.4-3, RFC6455-6.2-2
                (Opcode::Text | Opcode::Binary, Some(_)) => Err(Violation::InterleavedMessage),
                _ => Ok(()),
            },
        }
    }

    /// The frame's length, if the message may grow by that much (RFC6455-10.4-2).
    fn check_size(&self, header: &FrameHeader) -> Result<usize, Violation> {
        let (bytes, frames) = match &self.message {
            Some(message) => (message.payload.len(), message.frames),
            None => (0, 0),
        };
        let Limits { message_bytes, message_frames } = self.limits;
        let too_big = Violation::MessageTooBig { limit: message_bytes };
        let len = usize::try_from(header.payload_len).map_err(|_| too_big)?;
        if header.opcode.is_control() {
            return Ok(len);
        }
        if len > message_bytes.saturating_sub(bytes) {
            return Err(too_big);
        }
        if frames >= message_frames {
            return Err(Violation::TooManyFrames { limit: message_frames });
        }
        Ok(len)
    }

    /// Makes an event of a frame whose whole payload is in the input, or was moved to the message.
    fn end_frame(
        &mut self,
        frame: &Frame,
        input: &mut BytesMut,
    ) -> Result<Option<Event>, Violation> {
        let payload = input.split_to(frame.remaining).freeze();
        let (kind, payload) = match frame.opcode {
            Opcode::Ping => return Ok(Some(Event::Ping(payload))),
            Opcode::Pong => return Ok(Some(Event::Pong(payload))),
            Opcode::Close => return Ok(Some(Event::Close(CloseFrame::parse(&payload)?))),
            _ if !frame.fin => return Ok(None),
            Opcode::Text => (Kind::Text, payload),
            Opcode::Binary => (Kind::Binary, payload),
            Opcode::Continuation => match self.message.take() {
                Some(message) => (message.kind, message.payload.freeze()),
                None => return Err(Violation::UnexpectedContinuation),
            },
        };
        Ok(Some(Event::Message(match kind {
            Kind::Text => {
                // RFC6455-5.6-1: the message as a whole is UTF-8.
                self.utf8.finish().map_err(|_| Violation::InvalidUtf8)?;
                Message::Text(Text::from_validated(payload))
            }
            Kind::Binary => Message::Binary(payload),
        })))
    }
}

impl Frame {
    /// Whether the frame is one of several of a message.
    fn is_fragment(&self) -> bool {
        self.opcode == Opcode::Continuation || !self.fin
    }

    /// Unmasks what arrived since the last call, and returns it.
    fn unmask_arrived<'a>(&mut self, input: &'a mut BytesMut) -> &'a [u8] {
        let arrived = input.len().min(self.remaining);
        let fresh = &mut input[self.checked..arrived];
        if let Some(mask) = self.mask {
            mask.apply(self.moved + self.checked, fresh);
        }
        self.checked = arrived;
        fresh
    }

    /// Moves what arrived to the message that it is a fragment of.
    fn move_arrived(&mut self, input: &mut BytesMut, message: &mut BytesMut) {
        message.extend_from_slice(&input[..self.checked]);
        input.advance(self.checked);
        self.moved += self.checked;
        self.remaining -= self.checked;
        self.checked = 0;
    }
}
