use bytes::{Buf, Bytes, BytesMut};

use crate::frame::SHORT_PAYLOAD_MAX;
use crate::message::Kind;
use crate::message::Message;
use crate::opcode::Opcode;

/// An iterator over messages that arrived together, in order. Their payloads are slices of the received
/// buffer and are not copied.
#[derive(Debug, Clone, Default)]
pub struct MessageBatch {
    /// The frames, which are complete, unmasked and valid.
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

/// The header of the most common frames: an uncompressed message in one frame, shorter than 64 KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) is_masked: bool,
    pub(crate) header_len: usize,
    pub(crate) payload_len: usize,
}

impl Shape {
    /// Parses the header of a frame. Returns `None` if the header is incomplete or belongs to another kind of
    /// frame.
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
            // RFC6455-5.2-4: `is_minimal` below rejects a length that is not in its shortest form.
            126 => (u16::from_be_bytes(*input.get(2..)?.first_chunk()?).into(), 4),
            127 => return None,
            short => (usize::from(short), 2),
        };
        let is_masked = second & 0x80 != 0;
        let header_len = if is_masked { length_end + 4 } else { length_end };
        let is_minimal = length_end == 2 || payload_len > SHORT_PAYLOAD_MAX;
        is_minimal.then_some(Self { kind, is_masked, header_len, payload_len })
    }

    /// Returns the length of the frame.
    pub(crate) fn len(self) -> usize {
        self.header_len + self.payload_len
    }
}

/// The first byte of an uncompressed message in one frame.
const TEXT: u8 = 0x80 | Opcode::Text as u8;
const BINARY: u8 = 0x80 | Opcode::Binary as u8;
