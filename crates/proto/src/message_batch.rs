use bytes::{Buf, Bytes, BytesMut};

use crate::frame::SHORT_PAYLOAD_MAX;
use crate::message::Kind;
use crate::message::Message;
use crate::opcode::Opcode;

/// Messages that have arrived together, in order: they share the bytes in which they arrived, until each
/// is taken.
#[derive(Debug, Clone, Default)]
pub struct MessageBatch {
    /// Their frames, which are whole, unmasked, and allowed.
    frames: Bytes,
    count: usize,
}

impl MessageBatch {
    pub(crate) fn new(frames: BytesMut, count: usize) -> Self {
        Self { frames: frames.freeze(), count }
    }
}

impl Iterator for MessageBatch {
    type Item = Message;

    #[inline]
    fn next(&mut self) -> Option<Message> {
        let shape = Shape::parse(&self.frames)?;
        let mut frame = self.frames.split_to(shape.len());
        frame.advance(shape.header_len);
        self.count -= 1;
        Some(shape.kind.message(frame))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for MessageBatch {}

/// What the header of the most common frames says: of a message in one frame, not compressed, and of less
/// than 64 KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) is_masked: bool,
    pub(crate) header_len: usize,
    pub(crate) payload_len: usize,
}

impl Shape {
    /// Reads the header of a frame, unless it is longer than `input` or one of another shape.
    #[inline]
    pub(crate) fn parse(input: &[u8]) -> Option<Self> {
        let [first, second, ..] = *input else {
            return None;
        };
        let kind = match first {
            TEXT => Kind::Text,
            BINARY => Kind::Binary,
            _ => return None,
        };
        let (payload_len, length_end) = match second & 0x7F {
            // RFC6455-5.2-4: a longer form than needed is nothing to pass over.
            126 => (u16::from_be_bytes(*input.get(2..)?.first_chunk()?).into(), 4),
            127 => return None,
            short => (usize::from(short), 2),
        };
        let is_masked = second & 0x80 != 0;
        let header_len = if is_masked { length_end + 4 } else { length_end };
        let is_minimal = length_end == 2 || payload_len > SHORT_PAYLOAD_MAX;
        is_minimal.then_some(Self { kind, is_masked, header_len, payload_len })
    }

    /// The length of the frame.
    pub(crate) fn len(self) -> usize {
        self.header_len + self.payload_len
    }
}

/// The first byte of a message in one frame, not compressed.
const TEXT: u8 = 0x80 | Opcode::Text as u8;
const BINARY: u8 = 0x80 | Opcode::Binary as u8;
