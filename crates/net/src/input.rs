use std::cell::Cell;

use bytes::BytesMut;

/// What one read takes at most, but for large frames.
const SIZE: usize = 64 << 10;

/// A buffer is used as long as it has room for so much.
const ENOUGH: usize = 16 << 10;

thread_local! {
    /// One read buffer for all connections of a thread, while none of them reads.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Bytes that were read and are not yet understood. A connection that waits keeps no buffer, but for an
/// incomplete frame.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: BytesMut,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Source {
    /// It is the thread's, and will be given back.
    Thread,
    #[default]
    Own,
}

impl Input {
    pub(crate) fn new(bytes: BytesMut) -> Self {
        Self { bytes, source: Source::Own }
    }

    pub(crate) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for a read, and for a large frame that lacks so many bytes: for up to three times of what
    /// has arrived of it, and never for what is only announced.
    pub(crate) fn make_room(&mut self, lacking: usize) {
        if !self.bytes.is_empty() {
            return self.bytes.reserve(lacking.clamp(ENOUGH, SIZE.max(3 * self.bytes.len())));
        }
        if self.source == Source::Own {
            self.bytes = SPARE.take().unwrap_or_default();
            self.source = Source::Thread;
        }
        // A message that the application keeps holds its part of the buffer; what lies behind it is used
        // on, so that a message which is kept for long pins no more than what arrived with it. Otherwise
        // the same memory is used again, which the processor has at hand.
        if !self.bytes.try_reclaim(SIZE) && self.bytes.capacity() < ENOUGH {
            self.bytes = BytesMut::with_capacity(SIZE);
        }
    }

    /// Gives back what is not needed while nothing arrives.
    pub(crate) fn settle(&mut self) {
        if self.bytes.is_empty() {
            self.give_back();
        } else if self.bytes.len() <= ENOUGH {
            let rest = BytesMut::from(&self.bytes[..]);
            self.give_back();
            self.bytes = rest;
        }
    }

    /// Gives the buffer of a large message up: it belongs to the message now, and lives as long.
    pub(crate) fn part_from_message(&mut self, len: usize) {
        if len > SIZE {
            self.bytes = BytesMut::from(&self.bytes[..]);
            self.source = Source::Own;
        }
    }

    /// Leaves the thread its buffer, or nothing of one that is not the thread's.
    fn give_back(&mut self) {
        let mut buffer = std::mem::take(&mut self.bytes);
        // One that a large frame has grown is not for keeps.
        if std::mem::take(&mut self.source) == Source::Thread && buffer.capacity() <= 2 * SIZE {
            buffer.clear();
            // A thread that ends has no use for it.
            SPARE.try_with(|spare| spare.set(Some(buffer))).ok();
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.give_back();
    }
}
