use std::cell::RefCell;

use bytes::BytesMut;

/// What one read takes at most, but for large frames.
const SIZE: usize = 64 << 10;

/// A buffer is used as long as it has room for so much.
const ENOUGH: usize = 16 << 10;

/// A buffer that has grown for a large frame is kept for the next one, up to this size.
const KEPT: usize = 4 << 20;

/// How many buffers a thread keeps: one is enough unless large frames arrive on several connections.
const SPARES: usize = 4;

thread_local! {
    /// Read buffers for all connections of a thread, while they do not read.
    static SPARE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that were read and are not yet understood. A connection that waits keeps no buffer, but for an
/// incomplete frame.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buffer: Buffer,
    source: Source,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: BytesMut,
    /// How much room there is once all that was taken out of it is given up.
    size: usize,
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
        Self { buffer: Buffer { bytes, size: 0 }, source: Source::Own }
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.buffer.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.bytes.is_empty()
    }

    /// Makes room for a read, and for a large frame that lacks so many bytes: for more, the more of it
    /// has arrived, and never for what is only announced.
    pub(crate) fn make_room(&mut self, lacking: usize) {
        if !self.is_empty() {
            return self.buffer.grow(lacking);
        }
        if self.source == Source::Own {
            self.buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
            self.source = Source::Thread;
        }
        self.buffer.renew();
    }

    /// Gives back what is not needed while nothing arrives.
    pub(crate) fn settle(&mut self) {
        if self.is_empty() {
            self.give_back();
        } else if self.buffer.bytes.len() <= ENOUGH {
            let rest = BytesMut::from(&self.buffer.bytes[..]);
            self.give_back();
            self.buffer.bytes = rest;
        }
    }

    /// Leaves the thread its buffer, or nothing of one that is not the thread's.
    fn give_back(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if std::mem::take(&mut self.source) == Source::Thread && buffer.size <= KEPT {
            buffer.bytes.clear();
            // A thread that ends has no use for it.
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < SPARES {
                    spare.push(buffer);
                }
            });
        }
    }
}

impl Buffer {
    fn grow(&mut self, lacking: usize) {
        let len = self.bytes.len();
        self.bytes.reserve(lacking.clamp(ENOUGH, SIZE.max(len)));
        self.size = self.size.max(self.bytes.capacity());
    }

    /// Makes room in an empty buffer. A message that the application keeps holds its part of it; what
    /// lies behind is used on, so that a message which is kept for long pins no more than what arrived
    /// with it. Otherwise the same memory is used again, which the processor has at hand.
    fn renew(&mut self) {
        if !self.bytes.try_reclaim(self.size.max(SIZE)) && self.bytes.capacity() < ENOUGH {
            *self = Self { bytes: BytesMut::with_capacity(SIZE), size: SIZE };
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.give_back();
    }
}
