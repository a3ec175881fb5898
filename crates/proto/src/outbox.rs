use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::frame::FrameHeader;
use crate::frame::HEADER_MAX;
use crate::mask::MaskKey;

/// A server queues a payload of at least this size by reference. It copies a smaller payload, because a copy
/// costs less than another slice in the write.
const BY_REFERENCE_FROM: usize = 8 << 10;

/// A client copies and masks its payload in blocks of this size, so that the copy is still in the L1
/// cache when it is masked.
const MASK_BLOCK: usize = 16 << 10;

/// The tail is compacted when more bytes than this at its front were written.
const COMPACT_FROM: usize = 4 << 10;

/// The largest capacity that an empty queue keeps: in bytes, and in frames or pieces.
const KEPT_BYTES: usize = 2 << 20;
const KEPT_FRAMES: usize = 1 << 10;

/// The queue of encoded frames. Each byte is kept until the transport has taken it (RFC6455-6.1-6).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The queued data. An empty queue keeps its memory until [`Outbox::take_buffer`] takes it.
    queue: Option<Box<Queue>>,
    /// How many bytes were queued and written since the connection began.
    queued: u64,
    written: u64,
}

/// The memory of an empty send queue. A driver can take it from an idle connection and lend it to the next
/// connection that sends.
#[derive(Debug)]
pub struct SendBuffer(Box<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// Finished pieces, which are written before `tail`.
    pieces: VecDeque<Bytes>,
    /// The piece to which small frames are appended.
    tail: Vec<u8>,
    /// How many bytes of `tail` were written.
    tail_written: usize,
    /// The frames of the bytes in `pieces` and `tail`.
    frames: VecDeque<QueuedFrame>,
    /// The number of queued bytes that `buffered_amount` counts.
    payload: usize,
}

/// The part of a frame that is not written yet. It has two fields, so that it is passed in registers.
#[derive(Debug, Clone, Copy)]
struct QueuedFrame {
    /// How many bytes `buffered_amount` does not count.
    overhead: usize,
    /// The bytes that `buffered_amount` counts, shifted to the left. The lowest bit is set if they are
    /// compressed: then they are counted until the whole frame is written, and the compressed bytes are part
    /// of the overhead. Otherwise, they follow the overhead, and each is counted until it is written.
    content: usize,
}

impl QueuedFrame {
    fn plain(overhead: usize, content_len: usize) -> Self {
        Self { overhead, content: content_len << 1 }
    }

    fn compressed(overhead: usize, content_len: usize) -> Self {
        Self { overhead, content: content_len << 1 | 1 }
    }

    fn is_compressed(self) -> bool {
        self.content & 1 == 1
    }

    /// Returns how many bytes `buffered_amount` counts.
    fn content_len(self) -> usize {
        self.content >> 1
    }

    /// Returns how many bytes are not written.
    fn len(self) -> usize {
        if self.is_compressed() { self.overhead } else { self.overhead + self.content_len() }
    }
}

impl Outbox {
    /// Creates an empty outbox at this position.
    pub(crate) fn starting_at(position: u64) -> Self {
        Self { queue: None, queued: position, written: position }
    }

    /// Sets the position of an empty outbox, and keeps its memory.
    pub(crate) fn resume_at(&mut self, position: u64) {
        (self.queued, self.written) = (position, position);
    }

    #[inline]
    pub(crate) fn has_buffer(&self) -> bool {
        self.queue.is_some()
    }

    /// Takes the memory of an empty queue.
    pub(crate) fn take_buffer(&mut self) -> Option<SendBuffer> {
        if self.is_empty() { self.queue.take().map(SendBuffer) } else { None }
    }

    pub(crate) fn lend_buffer(&mut self, buffer: SendBuffer) {
        if self.is_empty() {
            self.queue = Some(buffer.0);
        }
    }

    /// Queues an uncompressed data frame.
    #[inline]
    pub(crate) fn push_data(&mut self, header: &FrameHeader, payload: &Bytes) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push(header, payload);
        self.queued += queue.count(QueuedFrame::plain(overhead, payload.len()));
    }

    /// Queues an uncompressed data frame, and copies its payload.
    #[inline]
    pub(crate) fn push_slice(&mut self, header: &FrameHeader, payload: &[u8]) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push_copy(header, payload);
        self.queued += queue.count(QueuedFrame::plain(overhead, payload.len()));
    }

    /// Queues a data frame with a compressed payload. `content_len` is its uncompressed length.
    pub(crate) fn push_deflated(
        &mut self,
        header: &FrameHeader,
        payload: &Bytes,
        content_len: usize,
    ) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push(header, payload) + payload.len();
        self.queued += queue.count(QueuedFrame::compressed(overhead, content_len));
    }

    /// Queues a control frame.
    pub(crate) fn push_control(&mut self, header: &FrameHeader, payload: &[u8]) {
        let queue = self.queue.get_or_insert_default();
        let overhead = queue.push_copy(header, payload) + payload.len();
        self.queued += queue.count(QueuedFrame::plain(overhead, 0));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == self.written
    }

    /// Returns how many bytes are queued, headers included.
    pub(crate) fn len(&self) -> u64 {
        self.queued - self.written
    }

    /// Returns the position after the last queued byte. Positions never decrease.
    pub(crate) fn end(&self) -> u64 {
        self.queued
    }

    /// Returns the position after the last written byte.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Fills `slices` with the bytes to write next, and returns how many it filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.slices(slices))
    }

    /// Removes `count` bytes that the transport took. Returns by how much `buffered_amount` decreases.
    pub(crate) fn handle_written(&mut self, count: usize) -> usize {
        self.written += count as u64;
        let is_empty = self.is_empty();
        self.queue.as_mut().map_or(0, |queue| match is_empty {
            true => queue.clear(),
            false => queue.handle_written(count),
        })
    }

    /// Drops all queued bytes.
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

    /// Removes all bytes, after the transport took them. Returns by how much `buffered_amount` decreases.
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

    /// Records a frame, and returns its length in bytes.
    #[inline]
    fn count(&mut self, frame: QueuedFrame) -> u64 {
        self.payload += frame.content_len();
        self.frames.push_back(frame);
        frame.len() as u64
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
            // Without this, a queue that is never empty would grow without limit. This moves fewer bytes than
            // were written since the last compaction.
            self.tail.drain(..self.tail_written);
            self.tail_written = 0;
        }
    }

    fn payload_among(&mut self, mut count: usize) -> usize {
        let mut payload = 0;
        while count > 0 {
            let Some(frame) = self.frames.front_mut() else {
                break;
            };
            let written = count.min(frame.overhead);
            frame.overhead -= written;
            count -= written;
            if frame.overhead > 0 {
                break;
            }
            if frame.is_compressed() {
                payload += frame.content_len();
            } else {
                let written = count.min(frame.content_len());
                *frame = QueuedFrame::plain(0, frame.content_len() - written);
                count -= written;
                payload += written;
                if frame.len() > 0 {
                    break;
                }
            }
            self.frames.pop_front();
        }
        payload
    }
}
