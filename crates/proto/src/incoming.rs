use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::deflate::{Inflater, Step};
use crate::frame::FrameHeader;
use crate::limits::MessageLimits;
use crate::mask::MaskKey;
use crate::message::Kind;
use crate::message::Message;
use crate::opcode::Opcode;
use crate::part::Part;
use crate::utf8::Utf8Validator;
use crate::violation::Violation;

/// The minimum and the maximum of the output space that one inflate step reserves. Within these bounds, it is
/// four times the length of the input.
const STEP_MIN: usize = 256;
const STEP_MAX: usize = 32 << 10;

/// The maximum length of a part of inflated data. A part of this length is delivered even if more data could
/// be inflated.
const PART_MAX: usize = 64 << 10;

/// Compressed data is rarely longer than the inflated data. The compressed data of a message may have at most
/// twice the limit of the message, plus this many bytes for each frame. So a frame that is far too long is
/// rejected when its header arrives.
const DEFLATED_EXTRA: usize = 1 << 10;

/// A frame whose header has been read.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    mask: Option<MaskKey>,
    /// How many bytes of the payload were moved out of the input.
    moved: usize,
    /// How many bytes at the front of the input are payload that is already unmasked.
    unmasked: usize,
    /// How many bytes of the payload were not moved out of the input yet. Some of them may not have arrived.
    remaining: usize,
}

/// The payload that has arrived and is unmasked.
#[derive(Debug)]
pub(crate) struct Unmasked<'a> {
    pub(crate) bytes: &'a [u8],
    /// True if the bytes are known to be ASCII. If false, they may still be ASCII.
    pub(crate) is_ascii: bool,
}

impl Frame {
    /// Creates the frame for `header`. The caller has checked the length against the limits.
    pub(crate) fn new(header: &FrameHeader) -> Self {
        let FrameHeader { fin, opcode, mask, payload_len, .. } = *header;
        Self { fin, opcode, mask, moved: 0, unmasked: 0, remaining: payload_len as usize }
    }

    /// Returns how many bytes have not arrived.
    pub(crate) fn bytes_needed(&self, input: &BytesMut) -> usize {
        self.remaining.saturating_sub(input.len())
    }

    /// Unmasks the bytes that arrived since the last call, and returns them (RFC6455-6.2-3).
    pub(crate) fn unmask_arrived<'a>(&mut self, input: &'a mut BytesMut) -> Unmasked<'a> {
        let arrived = input.len().min(self.remaining);
        let bytes = &mut input[self.unmasked..arrived];
        let offset = self.moved + self.unmasked;
        let is_ascii = match self.mask {
            Some(mask) if self.opcode == Opcode::Text => mask.apply_to_text(offset, bytes),
            Some(mask) => {
                mask.apply(offset, bytes);
                false
            }
            None => false,
        };
        self.unmasked = arrived;
        Unmasked { bytes, is_ascii }
    }

    /// Returns whether the rest of the payload has arrived and is unmasked.
    pub(crate) fn is_whole(&self) -> bool {
        self.unmasked == self.remaining
    }

    /// Removes the complete payload from the input, and returns it.
    pub(crate) fn split_payload(&self, input: &mut BytesMut) -> Bytes {
        input.split_to(self.remaining).freeze()
    }

    fn advance(&mut self, input: &mut BytesMut, count: usize) {
        input.advance(count);
        self.moved += count;
        self.unmasked -= count;
        self.remaining -= count;
    }
}

/// A message whose payload is moved out of the input while it arrives. This is a message that has several
/// frames (RFC6455-5.4-2), is compressed (RFC7692-6.2-1), or is delivered in parts.
#[derive(Debug)]
pub(crate) struct Incoming {
    kind: Kind,
    compressed: bool,
    /// The content that is not delivered yet.
    payload: Vec<u8>,
    /// How many bytes were delivered in parts.
    delivered: usize,
    utf8: Utf8Validator,
    /// The sum of the payload lengths in the frame headers so far.
    announced: usize,
    frames: usize,
}

/// Whether a message is delivered when it is complete, or in parts while it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delivery {
    /// As a [`Received::Message`](crate::Received::Message), when it is complete.
    #[default]
    Whole,
    /// As [`Received::Part`](crate::Received::Part)s, while it arrives. So the whole message need not fit
    /// into memory. [`Limits`](crate::Limits) still apply to the whole message.
    Parts,
}

impl Incoming {
    pub(crate) fn new(kind: Kind, compressed: bool) -> Self {
        Self {
            kind,
            compressed,
            payload: Vec::new(),
            delivered: 0,
            utf8: Utf8Validator::default(),
            announced: 0,
            frames: 0,
        }
    }

    /// Adds a frame to the message, if the limits allow it (RFC6455-10.4-2).
    pub(crate) fn begin_frame(
        &mut self,
        header: &FrameHeader,
        limits: MessageLimits,
    ) -> Result<(), Violation> {
        let MessageLimits { message_bytes, message_frames } = limits;
        let most = if self.compressed {
            let extra = DEFLATED_EXTRA.saturating_mul(self.frames + 1);
            message_bytes.saturating_mul(2).saturating_add(extra)
        } else {
            message_bytes
        };
        let too_big = Violation::MessageTooBig { limit: message_bytes };
        let len = usize::try_from(header.payload_len).map_err(|_| too_big)?;
        if len > most - self.announced {
            return Err(too_big);
        }
        if self.frames >= message_frames {
            return Err(Violation::TooManyFrames { limit: message_frames });
        }
        self.announced += len;
        self.frames += 1;
        Ok(())
    }

    /// Returns the memory that the message takes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.payload.capacity()
    }

    /// Returns whether the payload must be inflated. Otherwise it is used unchanged (RFC7692-6.2-2).
    pub(crate) fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Takes the unmasked payload of `frame`, and inflates it if the message is compressed. Fails if the
    /// message then has more than `limit` bytes. `inflater` is set if the message is compressed.
    pub(crate) fn take(
        &mut self,
        frame: &mut Frame,
        input: &mut BytesMut,
        inflater: Option<&mut Inflater>,
        delivery: Delivery,
        limit: usize,
    ) -> Result<Taken, Violation> {
        let all = match inflater {
            Some(inflater) => {
                let most = match delivery {
                    Delivery::Whole => usize::MAX,
                    Delivery::Parts => PART_MAX,
                };
                self.inflate(inflater, frame, input, limit, most)?
            }
            None => {
                let before = self.payload.len();
                grow(&mut self.payload, frame.unmasked, limit - self.delivered - before);
                self.payload.extend_from_slice(&input[..frame.unmasked]);
                frame.advance(input, frame.unmasked);
                self.check(before..self.payload.len(), limit)?;
                Taken::Frame
            }
        };
        Ok(if frame.remaining == 0 { all } else { Taken::Piece })
    }

    /// Inflates the unmasked payload of `frame`. Stops when `most` bytes are ready to be delivered.
    fn inflate(
        &mut self,
        inflater: &mut Inflater,
        frame: &mut Frame,
        input: &mut BytesMut,
        limit: usize,
        most: usize,
    ) -> Result<Taken, Violation> {
        let mut end = self.payload.len();
        let taken = loop {
            if end == most {
                break Taken::Piece;
            }
            if end == self.payload.len() {
                // One byte beyond the limit shows that the limit is exceeded.
                let room = (limit - self.delivered - end).saturating_add(1).min(most - end);
                let step = frame.unmasked.saturating_mul(4).clamp(STEP_MIN, STEP_MAX).min(room);
                grow(&mut self.payload, step, room);
                self.payload.resize(end + step, 0);
            }
            let Step { taken, made, corrupt } =
                inflater.inflate(&input[..frame.unmasked], &mut self.payload[end..]);
            frame.advance(input, taken);
            // Check this before `corrupt`. Then the reported violation does not depend on how the data is
            // split.
            self.check(end..end + made, limit)?;
            if corrupt {
                return Err(Violation::CorruptDeflate);
            }
            end += made;
            if frame.unmasked == 0 && end < self.payload.len() {
                break Taken::Frame;
            }
        };
        self.payload.truncate(end);
        Ok(taken)
    }

    /// Checks the added payload. Text is checked after inflating, not before (RFC7692-6.1-4).
    fn check(&mut self, added: Range<usize>, limit: usize) -> Result<(), Violation> {
        if self.kind == Kind::Text {
            let added = &self.payload[added.clone()];
            self.utf8.push(added).map_err(|_| Violation::InvalidUtf8)?;
        }
        if added.end > limit - self.delivered {
            return Err(Violation::MessageTooBig { limit });
        }
        Ok(())
    }

    /// Takes the content that can be delivered before the message ends. Keeps an incomplete character at its
    /// end.
    pub(crate) fn next_part(&mut self) -> Option<Part> {
        let ready = self.payload.len() - self.utf8.held();
        if ready == 0 {
            return None;
        }
        let held = self.payload.split_off(ready);
        let ready = std::mem::replace(&mut self.payload, held);
        self.delivered += ready.len();
        Some(Part { content: self.kind.message(into_bytes(ready)), last: false })
    }

    /// Ends the message after its last frame, and returns the content that is not delivered yet.
    pub(crate) fn finish(mut self, inflater: Option<&mut Inflater>) -> Result<Message, Violation> {
        if let Some(inflater) = inflater {
            inflater.finish().map_err(|_| Violation::CorruptDeflate)?;
        }
        // RFC6455-5.6-1: the whole message must be UTF-8.
        self.utf8.finish().map_err(|_| Violation::InvalidUtf8)?;
        Ok(self.kind.message(into_bytes(self.payload)))
    }
}

/// How much of a frame was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The whole frame.
    Frame,
    /// The part that has arrived, or only as much as one delivered part may contain.
    Piece,
}

/// Returns the payload to deliver, and frees most of its unused capacity.
fn into_bytes(mut payload: Vec<u8>) -> Bytes {
    if payload.capacity() / 2 > payload.len() {
        payload.shrink_to_fit();
    }
    payload.into()
}

/// Reserves capacity for `count` more bytes. The capacity doubles, but leaves space for at most `most` more
/// bytes, so that no message takes more memory than its limit.
fn grow(payload: &mut Vec<u8>, count: usize, most: usize) {
    let free = payload.capacity() - payload.len();
    if free < count {
        let doubled = payload.capacity() + free;
        payload.reserve_exact(doubled.min(most).max(count));
    }
}
