use std::cell::RefCell;

use bytes::BytesMut;

/// What one read takes at most, but for large frames.
const SIZE: usize = 64 << 10;

/// A buffer is used as long as it has room for so much.
const ENOUGH: usize = 16 << 10;

/// A buffer that has grown for a large frame is kept for another one, up to this size and so many of them.
const KEPT: usize = 4 << 20;
const LARGE: usize = 4;

/// A large frame is not received into a buffer of more than so many times its length, all of which a
/// message would pin that the application keeps.
const ROOMY: usize = 4;

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Read buffers for all connections of a thread, while they do not read.
#[derive(Debug, Default)]
struct Spare {
    small: Buffer,
    large: Vec<Buffer>,
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

/// Whose the buffer is, once it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Source {
    #[default]
    Own,
    /// The thread's, for whatever comes next.
    Thread,
    /// The thread's, for large frames.
    Large,
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
    /// has arrived, or as a thread has at hand, and never for what is only announced.
    pub(crate) fn make_room(&mut self, bytes_needed: usize) {
        if self.is_empty() {
            if self.source == Source::Own {
                self.buffer = SPARE.with_borrow_mut(|spare| std::mem::take(&mut spare.small));
                self.source = Source::Thread;
            }
            return self.buffer.renew();
        }
        let Buffer { bytes, .. } = &mut self.buffer;
        let wanted = bytes_needed.clamp(ENOUGH, SIZE.max(bytes.len()));
        if bytes.capacity() - bytes.len() >= wanted {
            return;
        }
        if let Some(mut large) = take_large(bytes.len() + bytes_needed) {
            large.bytes.extend_from_slice(bytes);
            self.give_back();
            (self.buffer, self.source) = (large, Source::Large);
            return;
        }
        bytes.reserve(wanted);
        let capacity = bytes.capacity();
        if capacity > SIZE {
            (self.buffer.size, self.source) = (capacity, Source::Large);
        }
    }

    /// Gives back what is not needed while nothing arrives.
    pub(crate) fn settle(&mut self) {
        if self.is_empty() {
            self.give_back();
        } else if self.buffer.bytes.len() <= ENOUGH {
            self.keep_rest();
        }
    }

    /// Gives the buffer of a large message back: it is for large frames only, so that no small message
    /// that is kept pins it.
    pub(crate) fn part_from_message(&mut self, len: usize) {
        if len > SIZE {
            self.keep_rest();
        }
    }

    fn keep_rest(&mut self) {
        let rest = BytesMut::from(&self.buffer.bytes[..]);
        self.give_back();
        self.buffer.bytes = rest;
    }

    /// Leaves the thread its buffer, or nothing of one that is not the thread's.
    fn give_back(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.bytes.clear();
        // A thread that ends has no use for it.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            match std::mem::take(&mut self.source) {
                Source::Own => {}
                Source::Thread => spare.small = buffer,
                Source::Large if buffer.size <= KEPT && spare.large.len() < LARGE => {
                    spare.large.push(buffer);
                }
                Source::Large => {}
            }
        });
    }
}

impl Buffer {
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

/// A spare buffer for a frame of this length, in which no message is any more.
fn take_large(len: usize) -> Option<Buffer> {
    let fits = |buffer: &mut Buffer| {
        let is_right = (len..=ROOMY * len).contains(&buffer.size);
        is_right && buffer.bytes.try_reclaim(buffer.size)
    };
    SPARE.with_borrow_mut(|spare| {
        let at = spare.large.iter_mut().position(fits)?;
        Some(spare.large.swap_remove(at))
    })
}
