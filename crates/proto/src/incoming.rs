use bytes::{Buf, Bytes, BytesMut};

use crate::deflate::Inflater;
use crate::utf8::Utf8Validator;
use crate::{FrameHeader, Limits, MaskKey, Message, Opcode, Part, Text, Violation};

/// What one step of inflating makes room for: some times what goes in, between these.
const STEP_MIN: usize = 256;
const STEP_MAX: usize = 32 << 10;

/// A part of inflated data is delivered when it has so many bytes, even if more could be inflated.
const PART_MAX: usize = 64 << 10;

/// Deflated data is hardly ever longer than what it inflates to. It may have twice the length and so
/// many bytes more, so that a frame of an absurd length is refused when its header arrives.
const DEFLATED_EXTRA: usize = 1 << 10;

/// After a block that calls itself the last one, a new stream is made, which takes as long as
/// inflating hundreds of bytes. So there may be one in each frame and one for so many bytes.
const BYTES_PER_LAST_BLOCK: usize = 64;

/// A frame whose header has been read.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    mask: Option<MaskKey>,
    /// Bytes of the payload that were moved out of the input.
    moved: usize,
    /// Bytes of the payload that are unmasked, at the front of the input.
    unmasked: usize,
    /// Bytes of the payload that are or will be at the front of the input.
    remaining: usize,
}

impl Frame {
    /// The frame that `header`, whose length the limits allow, announces.
    pub(crate) fn new(header: &FrameHeader) -> Self {
        let FrameHeader { fin, opcode, mask, payload_len, .. } = *header;
        Self { fin, opcode, mask, moved: 0, unmasked: 0, remaining: payload_len as usize }
    }

    /// How many bytes have not arrived.
    pub(crate) fn lacking(&self, input: &BytesMut) -> usize {
        self.remaining.saturating_sub(input.len())
    }

    /// Unmasks what arrived since the last call, and returns it (RFC6455-6.2-3).
    pub(crate) fn unmask_arrived<'a>(&mut self, input: &'a mut BytesMut) -> &'a [u8] {
        let arrived = input.len().min(self.remaining);
        let fresh = &mut input[self.unmasked..arrived];
        if let Some(mask) = self.mask {
            mask.apply(self.moved + self.unmasked, fresh);
        }
        self.unmasked = arrived;
        fresh
    }

    /// Whether all that is left of the payload is unmasked.
    pub(crate) fn is_whole(&self) -> bool {
        self.unmasked == self.remaining
    }

    /// Splits the payload, which is whole, off the input.
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

/// A message that is moved out of the input as it arrives: it comes in several frames, is
/// compressed, or is delivered in parts.
#[derive(Debug)]
pub(crate) struct Incoming {
    kind: Kind,
    compressed: bool,
    /// What is not delivered yet.
    payload: Vec<u8>,
    /// How many bytes were delivered in parts.
    delivered: usize,
    utf8: Utf8Validator,
    /// The payload of the frames so far, as their headers announce it.
    announced: usize,
    frames: usize,
    /// Blocks that called themselves the last one.
    last_blocks: usize,
}

/// Whether a message is delivered when it is whole, or as it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delivery {
    /// As [`Event::Message`](crate::Event::Message), when it is whole.
    #[default]
    Whole,
    /// As [`Event::Part`](crate::Event::Part)s, as it arrives, so that it need not fit into memory.
    /// [`Limits`] hold for the message nevertheless.
    Parts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
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
            last_blocks: 0,
        }
    }

    /// Adds a frame to the message, if the limits allow it (RFC6455-10.4-2).
    pub(crate) fn begin_frame(
        &mut self,
        header: &FrameHeader,
        limits: Limits,
    ) -> Result<(), Violation> {
        let Limits { message_bytes, message_frames } = limits;
        let most = match self.compressed {
            true => message_bytes.saturating_mul(2).saturating_add(DEFLATED_EXTRA),
            false => message_bytes,
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

    /// Takes what is unmasked of `frame`, and returns whether that was all of the frame.
    pub(crate) fn take(
        &mut self,
        frame: &mut Frame,
        input: &mut BytesMut,
        inflater: Option<&mut Inflater>,
        delivery: Delivery,
        limits: Limits,
    ) -> Result<bool, Violation> {
        let before = self.payload.len();
        let limit = limits.message_bytes;
        let left = limit - self.delivered - before;
        // RFC7692-6.2-1, RFC6455-5.4-2: frame by frame, as they come. RFC7692-6.2-2: a message that is not
        // compressed passes the inflater by.
        let all = match inflater.filter(|_| self.compressed) {
            Some(inflater) => {
                let room = left.saturating_add(1).min(match delivery {
                    Delivery::Whole => usize::MAX,
                    Delivery::Parts => PART_MAX,
                });
                self.inflate(inflater, frame, input, room)?
            }
            None => {
                grow(&mut self.payload, frame.unmasked, left);
                self.payload.extend_from_slice(&input[..frame.unmasked]);
                frame.advance(input, frame.unmasked);
                true
            }
        };
        let fresh = &self.payload[before..];
        if fresh.len() > left {
            return Err(Violation::MessageTooBig { limit });
        }
        // RFC7692-6.1-4: inflated, if it was compressed.
        if self.kind == Kind::Text {
            self.utf8.push(fresh).map_err(|_| Violation::InvalidUtf8)?;
        }
        Ok(all && frame.remaining == 0)
    }

    /// Inflates what is unmasked of `frame` until it is done or has made `room` bytes, and returns
    /// whether it is done.
    fn inflate(
        &mut self,
        inflater: &mut Inflater,
        frame: &mut Frame,
        input: &mut BytesMut,
        room: usize,
    ) -> Result<bool, Violation> {
        let out = &mut self.payload;
        let most = out.len().saturating_add(room);
        while out.len() < most {
            let (end, left) = (out.len(), most - out.len());
            let step = frame.unmasked.saturating_mul(4).clamp(STEP_MIN, STEP_MAX).min(left);
            grow(out, step, left);
            out.resize(end + step, 0);
            let stepped = inflater.inflate(&input[..frame.unmasked], &mut out[end..]);
            let stepped = stepped.map_err(|_| Violation::CorruptDeflate)?;
            out.truncate(end + stepped.made);
            frame.advance(input, stepped.taken);
            if stepped.was_last_block {
                self.last_blocks += 1;
                let inflated = self.announced - frame.remaining;
                if self.last_blocks > self.frames + inflated / BYTES_PER_LAST_BLOCK {
                    return Err(Violation::TooManyLastBlocks);
                }
            } else if frame.unmasked == 0 && stepped.made < step {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What can be delivered before the message's end: not half of a character.
    pub(crate) fn next_part(&mut self) -> Option<Part> {
        let held = self.payload.split_off(self.payload.len() - self.utf8.held());
        let ready = std::mem::replace(&mut self.payload, held);
        if ready.is_empty() {
            return None;
        }
        self.delivered += ready.len();
        Some(Part { content: self.kind.message(ready.into()), last: false })
    }

    /// Ends the message, all of whose frames are taken, and returns what is not delivered of it.
    pub(crate) fn finish(mut self, inflater: Option<&mut Inflater>) -> Result<Message, Violation> {
        if let Some(inflater) = inflater.filter(|_| self.compressed) {
            inflater.finish().map_err(|_| Violation::CorruptDeflate)?;
        }
        // RFC6455-5.6-1: the message as a whole is UTF-8.
        self.utf8.finish().map_err(|_| Violation::InvalidUtf8)?;
        Ok(self.kind.message(self.payload.into()))
    }
}

impl Kind {
    /// A message of this kind, made of bytes that were validated if it is text.
    pub(crate) fn message(self, payload: Bytes) -> Message {
        match self {
            Self::Text => Message::Text(Text::from_validated(payload)),
            Self::Binary => Message::Binary(payload),
        }
    }
}

/// Makes room for `count` more bytes, and by doubling for more, but never for more than `most`: so
/// that no message takes more memory than its limit.
fn grow(payload: &mut Vec<u8>, count: usize, most: usize) {
    let free = payload.capacity() - payload.len();
    if free < count {
        let doubled = payload.capacity() + free;
        payload.reserve_exact(doubled.min(most).max(count));
    }
}
