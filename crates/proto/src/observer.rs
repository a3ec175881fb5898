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

/// What is unmasked or inflated at a time.
const STEP: usize = 4 << 10;

/// Reads the frames that one end sends, as they pass, for tools that show what others say to each other.
///
/// It is no end of the connection: it owes nothing and refuses nothing. What no receiver would accept
/// is named, and reading goes on where the next frame begins. Of a frame, however long, the
/// beginning of its content is kept, and no more.
///
/// Call [`Observer::observe`] until nothing is left of what has passed, and [`Observer::finish`] at
/// the end of the stream.
#[derive(Debug)]
pub struct Observer {
    /// Who sends.
    sender: Role,
    /// How much of a frame's content is kept.
    keep: usize,
    /// What inflates the messages, if permessage-deflate was agreed on.
    inflater: Option<Box<Inflater>>,
    state: State,
    /// The message of which frames have passed, and more must follow.
    message: Option<Message>,
    /// A Close has passed.
    is_closed: bool,
}

#[derive(Debug)]
enum State {
    /// So many bytes of a header have passed.
    Header([u8; HEADER_MAX], usize),
    Payload(Box<Passing>),
}

/// A frame whose header has passed.
#[derive(Debug)]
struct Passing {
    frame: Observed,
    /// The message to which its payload belongs.
    message: Option<Message>,
}

#[derive(Debug)]
struct Message {
    opcode: Opcode,
    compression: Compression,
    /// What its text is checked with; `None` if it is no text, or was found not to be UTF-8.
    utf8: Option<Utf8Validator>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Deflated,
    /// It is compressed, and cannot be inflated.
    Unreadable,
}

/// A frame that has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Whether it says that it is its message's last.
    pub fin: bool,
    /// RSV1, RSV2, RSV3 in the low three bits, RSV1 the highest of them.
    pub reserved: u8,
    /// The four bits that say what it is; [`Opcode::from_bits`] knows those that mean something.
    pub opcode: u8,
    /// What its message is, [`Opcode::Text`] or [`Opcode::Binary`]; `None` if it belongs to no message.
    pub message: Option<Opcode>,
    /// The key that its payload was masked with.
    pub mask: Option<MaskKey>,
    /// The length that the header announces, which may be one that cannot be.
    pub payload_len: u64,
    /// How many bytes of the payload have passed: fewer if the stream has ended within the frame.
    pub passed: u64,
    /// Whether its message is compressed.
    pub compressed: bool,
    /// The beginning of its content: of the payload, unmasked, and inflated if it is compressed.
    pub content: Vec<u8>,
    /// How many bytes its content has in all.
    pub content_len: u64,
    /// What a receiver would find wrong with it, the first thing only.
    pub violation: Option<Violation>,
    /// A Close was before it, so nobody gives it a meaning.
    pub after_close: bool,
}

impl Observer {
    /// Observes what the end that plays `sender` sends once the connection is open, and keeps so many
    /// bytes of each frame's content; of control frames always all.
    pub fn new(sender: Role, keep: usize) -> Self {
        let state = State::Header([0; HEADER_MAX], 0);
        Self { sender, keep, inflater: None, state, message: None, is_closed: false }
    }

    /// Inflates messages, as the handshake has agreed; see
    /// [`agreed_deflate`](crate::handshake::agreed_deflate).
    pub fn with_deflate(mut self, agreed: impl Into<AgreedDeflate>) -> Self {
        let agreed = agreed.into();
        self.inflater = Some(Box::new(Inflater::new(agreed.of(self.sender))));
        self
    }

    /// Takes bytes off the front of `input` until a frame has passed whole; `None` when nothing is left.
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
                State::Payload(passing) => {
                    let frame = &passing.frame;
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
                    passing.take(bytes, self.keep, self.inflater.as_deref_mut());
                }
            }
        }
    }

    /// Ends the stream: if that is within a frame, returns what has passed of it.
    pub fn finish(mut self) -> Option<Observed> {
        match &mut self.state {
            State::Header(..) => None,
            State::Payload(passing) => Some(passing.frame.clone()),
        }
    }

    /// Whether the stream stands between two frames.
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
        // The verdict is on what was under way before.
        let was_amid_message = match opcode {
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
            violation: self.judge(header, was_amid_message).err(),
            after_close: self.is_closed,
        };
        self.state = State::Payload(Box::new(Passing { frame, message }));
    }

    fn begin_message(&self, opcode: Opcode, reserved: u8) -> Message {
        let is_deflated = reserved == RSV1 && self.inflater.is_some();
        Message {
            opcode,
            compression: if is_deflated { Compression::Deflated } else { Compression::None },
            utf8: (opcode == Opcode::Text).then(Utf8Validator::default),
        }
    }

    /// What a receiver says of this header, in the order in which it looks at it.
    fn judge(&self, header: &[u8], is_amid_message: bool) -> Result<(), Violation> {
        let start = FrameStart::parse([header[0], header[1]])?;
        check_start(start, self.sender.peer(), self.inflater.is_some(), is_amid_message)?;
        FrameHeader::parse_rest(start, header).map(drop)
    }

    fn end_frame(&mut self) -> Option<Observed> {
        let State::Payload(passing) =
            std::mem::replace(&mut self.state, State::Header([0; HEADER_MAX], 0))
        else {
            return None;
        };
        let Passing { mut frame, message } = *passing;
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

impl Passing {
    /// Takes the next bytes of the payload.
    fn take(&mut self, bytes: &[u8], keep: usize, mut inflater: Option<&mut Inflater>) {
        let keep = keep.max(SHORT_PAYLOAD_MAX);
        let mut plain = [0; STEP];
        for piece in bytes.chunks(STEP) {
            let plain = &mut plain[..piece.len()];
            plain.copy_from_slice(piece);
            if let Some(mask) = self.frame.mask {
                // A key repeats after four bytes.
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

/// Adds what a piece of a compressed payload inflates to.
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

/// The length of the header that begins so, as far as these bytes tell.
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

/// The length of the payload that a whole header announces, even one that may not be.
fn payload_len(header: &[u8]) -> u64 {
    let bytes = match header[1] & 0x7F {
        126 => &header[2..4],
        127 => &header[2..10],
        short => &[short][..],
    };
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
