use crate::close::CloseFrame;
use crate::decoder::check_start;
use crate::deflate::AgreedDeflate;
use crate::deflate::{Inflater, Step};
use crate::frame::FrameHeader;
use crate::frame::{FrameStart, HEADER_MAX, RSV1, SHORT_PAYLOAD_MAX};
use crate::mask::MaskKey;
use crate::opcode::Opcode;
use crate::role::Role;
use crate::utf8::Utf8Validator;
use crate::violation::Violation;

/// How many bytes are unmasked or inflated at a time.
const STEP: usize = 4 << 10;

/// Parses the frames that one end of a connection sends. This is for tools that show the traffic
/// between two other programs.
///
/// An observer is passive: it never replies, and continues with the next frame after a violation. It
/// keeps only the beginning of each frame's content.
///
/// Call [`Observer::observe`] until it returns `None`, and [`Observer::finish`] at the end of the stream.
#[derive(Debug)]
pub struct Observer {
    /// The role of the end that sends.
    sender: Role,
    /// How many bytes of each frame's content are kept.
    keep: usize,
    /// Inflates the messages, if permessage-deflate was agreed on.
    inflater: Option<Box<Inflater>>,
    state: State,
    /// The unfinished fragmented message, while the observer is between two of its frames.
    message: Option<Message>,
    /// Whether a Close was observed.
    is_closed: bool,
}

#[derive(Debug)]
enum State {
    /// Within a header: its bytes, and how many of them were observed.
    Header([u8; HEADER_MAX], usize),
    Payload(Box<CurrentFrame>),
}

/// A frame whose header is complete.
#[derive(Debug)]
struct CurrentFrame {
    frame: Observed,
    /// The message that the frame belongs to.
    message: Option<Message>,
}

#[derive(Debug)]
struct Message {
    opcode: Opcode,
    compression: Compression,
    /// Checks the text of the message. `None` if it is not a text message, or the text is not UTF-8.
    utf8: Option<Utf8Validator>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Deflated,
    /// Compressed, but the data is corrupt.
    Unreadable,
}

/// A frame that was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// The FIN bit: whether this is the last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 in the low three bits. RSV1 is the highest of them.
    pub reserved: u8,
    /// The four bits of the opcode, which [`Opcode::from_bits`] converts.
    pub opcode: u8,
    /// The kind of the frame's message, [`Opcode::Text`] or [`Opcode::Binary`]. `None` if the frame belongs
    /// to no message.
    pub message: Option<Opcode>,
    /// The masking key, if the frame is masked.
    pub mask: Option<MaskKey>,
    /// The length that the header announces. It may be invalid.
    pub payload_len: u64,
    /// How many bytes of the payload were observed. This is less than `payload_len` if the stream ended
    /// within the frame.
    pub passed: u64,
    /// Whether the frame's message is compressed.
    pub compressed: bool,
    /// The beginning of the frame's content: the payload, unmasked and inflated.
    pub content: Vec<u8>,
    /// The length of the frame's whole content in bytes.
    pub content_len: u64,
    /// The first violation that a receiver would find in the frame.
    pub violation: Option<Violation>,
    /// Whether the frame follows a Close. A receiver ignores such a frame.
    pub after_close: bool,
}

impl Observer {
    /// Creates an observer of the bytes that the end with the role `sender` sends after the opening
    /// handshake. It keeps the first `keep` bytes of each frame's content. It always keeps the whole content
    /// of a valid control frame.
    pub fn new(sender: Role, keep: usize) -> Self {
        let state = State::Header([0; HEADER_MAX], 0);
        Self { sender, keep, inflater: None, state, message: None, is_closed: false }
    }

    /// Inflates messages with the parameters agreed on in the handshake, which
    /// [`agreed_deflate`](crate::handshake::agreed_deflate) returns.
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        self.inflater = Inflater::new(agreed.of(self.sender)).map(Box::new);
        self
    }

    /// Removes bytes from the front of `input` until a frame is complete, and returns the frame. Returns
    /// `None` when `input` is empty.
    pub fn observe(&mut self, input: &mut &[u8]) -> Option<Observed> {
        loop {
            match &mut self.state {
                State::Header(header, passed) => {
                    let bytes_needed = header_len(&header[..*passed]) - *passed;
                    let (bytes, rest) = input.split_at(bytes_needed.min(input.len()));
                    header[*passed..*passed + bytes.len()].copy_from_slice(bytes);
                    *passed += bytes.len();
                    *input = rest;
                    if bytes.len() < bytes_needed {
                        return None;
                    }
                    if *passed == header_len(&header[..*passed]) {
                        let (header, len) = (*header, *passed);
                        self.begin_frame(&header[..len]);
                    }
                }
                State::Payload(current) => {
                    let frame = &current.frame;
                    let bytes_needed = frame.payload_len - frame.passed;
                    if bytes_needed == 0 {
                        return self.end_frame();
                    }
                    let passes =
                        usize::try_from(bytes_needed).unwrap_or(usize::MAX).min(input.len());
                    if passes == 0 {
                        return None;
                    }
                    let (bytes, rest) = input.split_at(passes);
                    *input = rest;
                    current.take(bytes, self.keep, self.inflater.as_deref_mut());
                }
            }
        }
    }

    /// Ends the stream. Returns the last frame if it is incomplete.
    pub fn finish(mut self) -> Option<Observed> {
        match &mut self.state {
            State::Header(..) => None,
            State::Payload(current) => Some(current.frame.clone()),
        }
    }

    /// Returns whether the next byte begins a frame.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header(_, 0))
    }

    fn begin_frame(&mut self, header: &[u8]) {
        let (first, second) = (header[0], header[1]);
        let opcode = Opcode::from_bits(first & 0x0F);
        let message = match opcode {
            Some(opcode @ (Opcode::Text | Opcode::Binary)) => {
                Some(self.begin_message(opcode, first >> 4 & 0b111))
            }
            Some(Opcode::Continuation) => self.message.take(),
            _ => None,
        };
        // Whether a message had begun before this frame.
        let was_within_message = match opcode {
            Some(Opcode::Continuation) => message.is_some(),
            _ => self.message.is_some(),
        };
        let frame = Observed {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 0b111,
            opcode: first & 0x0F,
            message: message.as_ref().map(|message| message.opcode),
            mask: header.last_chunk().filter(|_| second & 0x80 != 0).map(|key| MaskKey(*key)),
            payload_len: payload_len(header),
            passed: 0,
            compressed: message.as_ref().is_some_and(|m| m.compression != Compression::None),
            content: Vec::new(),
            content_len: 0,
            violation: self.check(header, was_within_message).err(),
            after_close: self.is_closed,
        };
        self.state = State::Payload(Box::new(CurrentFrame { frame, message }));
    }

    fn begin_message(&self, opcode: Opcode, reserved: u8) -> Message {
        let is_deflated = reserved == RSV1 && self.inflater.is_some();
        Message {
            opcode,
            compression: if is_deflated { Compression::Deflated } else { Compression::None },
            utf8: (opcode == Opcode::Text).then(Utf8Validator::default),
        }
    }

    /// Checks the header in the same order as a receiver.
    fn check(&self, header: &[u8], is_within_message: bool) -> Result<(), Violation> {
        let start = FrameStart::parse([header[0], header[1]])?;
        check_start(start, self.sender.peer(), self.inflater.is_some(), is_within_message)?;
        FrameHeader::parse_rest(start, header).map(drop)
    }

    fn end_frame(&mut self) -> Option<Observed> {
        let State::Payload(current) =
            std::mem::replace(&mut self.state, State::Header([0; HEADER_MAX], 0))
        else {
            return None;
        };
        let CurrentFrame { mut frame, message } = *current;
        if let Some(mut message) = message {
            if !frame.fin {
                self.message = Some(message);
            } else if let Err(violation) = message.finish(self.inflater.as_deref_mut()) {
                frame.violation.get_or_insert(violation);
            }
        }
        if frame.opcode == Opcode::Close as u8 {
            self.is_closed = true;
            if let Err(violation) = CloseFrame::parse(&frame.content) {
                frame.violation.get_or_insert(violation);
            }
        }
        Some(frame)
    }
}

impl CurrentFrame {
    /// Takes the next bytes of the payload.
    fn take(&mut self, bytes: &[u8], keep: usize, mut inflater: Option<&mut Inflater>) {
        let keep = keep.max(SHORT_PAYLOAD_MAX);
        let mut plain = [0; STEP];
        for piece in bytes.chunks(STEP) {
            let plain = &mut plain[..piece.len()];
            plain.copy_from_slice(piece);
            if let Some(mask) = self.frame.mask {
                // The key repeats every four bytes.
                mask.apply((self.frame.passed % 4) as usize, plain);
            }
            self.frame.passed += piece.len() as u64;
            match (&mut self.message, inflater.as_deref_mut()) {
                (Some(message), Some(inflater)) if message.compression == Compression::Deflated => {
                    inflate(message, &mut self.frame, plain, keep, inflater);
                }
                (Some(Message { compression: Compression::Unreadable, .. }), _) => {}
                (message, _) => add(message.as_mut(), &mut self.frame, plain, keep),
            }
        }
    }
}

impl Message {
    fn finish(&mut self, inflater: Option<&mut Inflater>) -> Result<(), Violation> {
        if let Some(inflater) = inflater.filter(|_| self.compression == Compression::Deflated) {
            inflater.finish().map_err(|_| Violation::CorruptDeflate)?;
        }
        let is_whole = self.utf8.as_mut().is_none_or(|utf8| utf8.finish().is_ok());
        if is_whole { Ok(()) } else { Err(Violation::InvalidUtf8) }
    }
}

/// Inflates a piece of a compressed payload, and adds the result to the frame.
fn inflate(
    message: &mut Message,
    frame: &mut Observed,
    mut piece: &[u8],
    keep: usize,
    inflater: &mut Inflater,
) {
    let mut out = [0; STEP];
    loop {
        let Step { taken, made, corrupt } = inflater.inflate(piece, &mut out);
        piece = &piece[taken..];
        add(Some(message), frame, &out[..made], keep);
        if corrupt {
            frame.violation.get_or_insert(Violation::CorruptDeflate);
            message.compression = Compression::Unreadable;
            return;
        }
        if piece.is_empty() && made < out.len() {
            return;
        }
    }
}

/// Adds content to a frame.
fn add(message: Option<&mut Message>, frame: &mut Observed, content: &[u8], keep: usize) {
    let room = keep - frame.content.len();
    frame.content.extend_from_slice(&content[..content.len().min(room)]);
    frame.content_len += content.len() as u64;
    if let Some(message) = message
        && let Some(utf8) = &mut message.utf8
        && utf8.push(content).is_err()
    {
        message.utf8 = None;
        frame.violation.get_or_insert(Violation::InvalidUtf8);
    }
}

/// Returns the length of the header that begins with these bytes, or 2 if they are fewer than two.
fn header_len(header: &[u8]) -> usize {
    let Some(second) = header.get(1) else {
        return 2;
    };
    let length = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & 0x80 != 0 { 4 } else { 0 }
}

/// Returns the payload length that a complete header announces, even if it is invalid.
fn payload_len(header: &[u8]) -> u64 {
    let bytes = match header[1] & 0x7F {
        126 => &header[2..4],
        127 => &header[2..10],
        short => &[short][..],
    };
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
