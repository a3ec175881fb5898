use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::frame::FrameHeader;
use crate::frame::HEADER_MAX;
use crate::mask::MaskKey;

/// A payload of a server from this size on is queued by reference; a smaller one is copied behind
/// its header, which costs less than a further slice for the write.
const BY_REFERENCE_FROM: usize = 8 << 10;

/// A client's payload is copied and masked in blocks of this size, so that each byte is still in the
/// first cache when the mask meets it.
const MASK_BLOCK: usize = 16 << 10;

/// A queue that is never quite empty is rid of what it has written from this size on.
const COMPACT_FROM: usize = 4 << 10;

/// An empty queue keeps no more room than this for the next frames: bytes, and frames or pieces.
const KEPT_BYTES: usize = 2 << 20;
const KEPT_FRAMES: usize = 1 << 10;

/// Encoded frames on their way to the transport, every byte of them until the transport has taken it
/// (RFC6455-6.1-6).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// What waits. It keeps its memory for the next frames until that is taken.
    queue: Option<Box<Queue>>,
    /// Bytes queued and bytes written since the beginning.
    queued: u64,
    written: u64,
}

/// Memory for what will be sent, which holds nothing: a driver keeps it for the next connection that
/// sends, for most wait most of the time.
#[derive(Debug)]
pub struct SendBuffer(Box<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// Closed pieces, to be written before `tail`.
    pieces: VecDeque<Bytes>,
    /// The open piece, to which small frames are appended.
    tail: Vec<u8>,
    /// How much of `tail` was written.
    tail_written: usize,
    /// What the bytes above are made of.
    frames: VecDeque<QueuedFrame>,
    /// How much of them `buffered_amount` counts.
    payload: usize,
}

/// How much of a frame is not written yet.
#[derive(Debug)]
struct QueuedFrame {
    /// What `buffered_amount` does not count.
    overhead: usize,
    content: Content,
}

/// What `buffered_amount` counts of a frame.
#[derive(Debug)]
enum Content {
    /// So many bytes behind the overhead, each when it is written.
    Plain(usize),
    /// The bytes that compressed ones, which are overhead here, stand for: when the last is written.
    Compressed(usize),
}

impl Outbox {
    /// An empty one, before which so much was queued and written.
    pub(crate) fn starting_at(position: u64) -> Self {
        Self { queue: None, queued: position, written: position }
    }

    /// As one that starts there, but keeps the memory that this one has; it is empty.
    pub(crate) fn resume_at(&mut self, position: u64) {
        (self.queued, self.written) = (position, position);
    }

    #[inline]
    pub(crate) fn has_buffer(&self) -> bool {
        self.queue.is_some()
    }

    /// Takes the memory that an empty queue has kept.
    pub(crate) fn take_buffer(&mut self) -> Option<SendBuffer> {
        if self.is_empty() { self.queue.take().map(SendBuffer) } else { None }
    }

    pub(crate) fn lend_buffer(&mut self, buffer: SendBuffer) {
        if self.is_empty() {
            self.queue = Some(buffer.0);
        }
    }

    /// Queues a data frame, whose payload is counted when it is written.
    #[inline]
    pub(crate) fn push_data(&mut self, header: &FrameHeader, payload: &Bytes) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push(header, payload);
        self.queued += queue.count(overhead, Content::Plain(payload.len()));
    }

    /// Queues a data frame with a compressed payload that stands for so many bytes.
    pub(crate) fn push_deflated(
        &mut self,
        header: &FrameHeader,
        payload: &Bytes,
        stands_for: usize,
    ) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push(header, payload) + payload.len();
        self.queued += queue.count(overhead, Content::Compressed(stands_for));
    }

    /// Queues a control frame.
    pub(crate) fn push_control(&mut self, header: &FrameHeader, payload: &[u8]) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push_copy(header, payload) + payload.len();
        self.queued += queue.count(overhead, Content::Plain(0));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == self.written
    }

    /// Bytes waiting, headers included.
    pub(crate) fn len(&self) -> u64 {
        self.queued - self.written
    }

    /// The position behind the last byte queued, on a scale that only grows.
    pub(crate) fn end(&self) -> u64 {
        self.queued
    }

    /// The position behind the last byte written, on the same scale.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Fills `slices` with what to write next, in order, and returns how many it filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.slices(slices))
    }

    /// Takes note that the transport took `count` bytes; returns how many of them were payload.
    pub(crate) fn handle_written(&mut self, count: usize) -> usize {
        self.written += count as u64;
        let is_empty = self.is_empty();
        self.queue.as_mut().map_or(0, |queue| match is_empty {
            true => queue.clear(),
            false => queue.handle_written(count),
        })
    }

    /// Forgets all that waits: the transport takes nothing more.
    pub(crate) fn clear(&mut self) {
        *self = Self { queue: None, queued: self.written, written: self.written };
    }
}

impl Queue {
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = &self.tail[self.tail_written..];
        if self.pieces.is_empty()
            && let Some(slot) = slices.first_mut()
        {
            *slot = IoSlice::new(tail);
            return usize::from(!tail.is_empty());
        }
        let pieces = self.pieces.iter().map(|piece| &piece[..]).chain([tail]);
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces.filter(|piece| !piece.is_empty())) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn handle_written(&mut self, count: usize) -> usize {
        self.drop_written(count);
        let payload = self.payload_among(count);
        self.payload -= payload;
        payload
    }

    /// Takes note that all was written.
    fn clear(&mut self) -> usize {
        let payload = std::mem::take(&mut self.payload);
        let is_large = self.tail.capacity() > KEPT_BYTES
            || self.frames.capacity() > KEPT_FRAMES
            || self.pieces.capacity() > KEPT_FRAMES;
        if is_large {
            *self = Self::default();
        } else {
            self.pieces.clear();
            self.frames.clear();
            self.tail.clear();
            self.tail_written = 0;
        }
        payload
    }

    /// Queues the bytes of a frame, and returns the length of its header.
    #[inline]
    fn push(&mut self, header: &FrameHeader, payload: &Bytes) -> usize {
        if header.mask.is_some() || payload.len() < BY_REFERENCE_FROM {
            return self.push_copy(header, payload);
        }
        let header_len = header.encode(&mut self.tail);
        self.close_tail();
        self.pieces.push_back(payload.clone());
        header_len
    }

    #[inline]
    fn push_copy(&mut self, header: &FrameHeader, payload: &[u8]) -> usize {
        self.tail.reserve(HEADER_MAX + payload.len());
        let header_len = header.encode(&mut self.tail);
        self.copy(header.mask, payload);
        header_len
    }

    #[inline]
    fn copy(&mut self, mask: Option<MaskKey>, payload: &[u8]) {
        let Some(mask) = mask else {
            return self.tail.extend_from_slice(payload);
        };
        let mut offset = 0;
        for block in payload.chunks(MASK_BLOCK) {
            let start = self.tail.len();
            self.tail.extend_from_slice(block);
            mask.apply(offset, &mut self.tail[start..]);
            offset += block.len();
        }
    }

    /// Takes note of what the bytes of a frame are, and returns how many they are.
    #[inline]
    fn count(&mut self, overhead: usize, content: Content) -> u64 {
        let (bytes, payload) = match content {
            Content::Plain(plain) => (overhead + plain, plain),
            Content::Compressed(stands_for) => (overhead, stands_for),
        };
        self.payload += payload;
        self.frames.push_back(QueuedFrame { overhead, content });
        bytes as u64
    }

    fn close_tail(&mut self) {
        let mut piece = Bytes::from(std::mem::take(&mut self.tail));
        piece.advance(std::mem::take(&mut self.tail_written));
        self.pieces.push_back(piece);
    }

    fn drop_written(&mut self, mut count: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let taken = count.min(piece.len());
            piece.advance(taken);
            count -= taken;
            if !piece.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.tail_written += count;
        if self.tail_written == self.tail.len() {
            self.tail_written = 0;
            self.tail.clear();
        } else if self.tail_written > COMPACT_FROM && self.tail_written > self.tail.len() / 2 {
            // A queue that is never quite empty must not keep what it has written. Less is moved
            // than was written since the last time.
            self.tail.drain(..self.tail_written);
            self.tail_written = 0;
        }
    }

    fn payload_among(&mut self, mut count: usize) -> usize {
        let mut payload = 0;
        while count > 0 {
            let Some(QueuedFrame { overhead, content }) = self.frames.front_mut() else {
                break;
            };
            let written = count.min(*overhead);
            *overhead -= written;
            count -= written;
            if *overhead > 0 {
                break;
            }
            match content {
                Content::Plain(rest) => {
                    let written = count.min(*rest);
                    *rest -= written;
                    count -= written;
                    payload += written;
                    if *rest > 0 {
                        break;
                    }
                }
                Content::Compressed(stands_for) => payload += *stands_for,
            }
            self.frames.pop_front();
        }
        payload
    }
}
