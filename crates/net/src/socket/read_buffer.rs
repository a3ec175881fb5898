use std::cell::RefCell;

use bytes::BytesMut;

/// The size of a read buffer, except for large frames.
const SIZE: usize = 64 << 10;

/// The minimum room for a read. A buffer with less room is replaced.
const MIN_READ: usize = 16 << 10;

/// The maximum number of buffers for large frames that a thread keeps. Each has at most `LARGE_SIZE_MAX`
/// bytes.
const LARGE_KEPT: usize = 4;
const LARGE_SIZE_MAX: usize = 4 << 20;

/// The maximum ratio of the size of a kept buffer to the length of a large frame that is received into it. It
/// is limited, because the message keeps the whole buffer alive.
const MAX_WASTE: usize = 4;

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// The read buffers of a thread, which its connections use in turn.
#[derive(Debug, Default)]
struct Spare {
    small: Buffer,
    large: Vec<Buffer>,
}

/// Bytes that were read and not yet parsed. An idle connection holds no buffer, unless a frame is incomplete.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buffer: Buffer,
    source: Source,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: BytesMut,
    /// The capacity of the buffer when no message refers to it.
    size: usize,
}

/// The owner of the buffer after its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Source {
    #[default]
    Own,
    /// The thread, for any frames.
    Thread,
    /// The thread, for large frames.
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

    /// Makes room for a read. A large frame that still needs `bytes_needed` gets capacity in proportion to the bytes
    /// received, or a buffer that the thread has kept. It never gets capacity for bytes that were only announced.
    pub(crate) fn make_room(&mut self, bytes_needed: usize) {
        if self.is_empty() {
            if self.source == Source::Own {
                self.buffer = SPARE.with_borrow_mut(|spare| std::mem::take(&mut spare.small));
                self.source = Source::Thread;
            }
            return self.buffer.renew();
        }
        let Buffer { bytes, .. } = &mut self.buffer;
        let wanted = bytes_needed.clamp(MIN_READ, SIZE.max(bytes.len()));
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

    /// Releases the buffer of an idle connection. Keeps an incomplete frame in a buffer of its size.
    pub(crate) fn settle(&mut self) {
        if self.is_empty() {
            self.give_back();
        } else if self.buffer.bytes.len() <= MIN_READ {
            self.keep_rest();
        }
    }

    /// Releases the buffer after a large message, so that no small message keeps it alive.
    pub(crate) fn part_from_message(&mut self, len: usize) {
        if len > SIZE {
            self.keep_rest();
        }
    }

    /// Drops all bytes.
    pub(crate) fn clear(&mut self) {
        self.give_back();
    }

    fn keep_rest(&mut self) {
        let rest = BytesMut::from(&self.buffer.bytes[..]);
        self.give_back();
        self.buffer.bytes = rest;
    }

    /// Returns the buffer to the thread, or drops it if the thread does not own it.
    fn give_back(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.bytes.clear();
        // Fails in a thread that is ending.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            match std::mem::take(&mut self.source) {
                Source::Own => {}
                Source::Thread => spare.small = buffer,
                Source::Large
                    if buffer.size <= LARGE_SIZE_MAX && spare.large.len() < LARGE_KEPT =>
                {
                    spare.large.push(buffer);
                }
                Source::Large => {}
            }
        });
    }
}

impl Buffer {
    /// Makes room in an empty buffer. If no message refers to the buffer, the whole buffer is reused, because
    /// it is likely in the processor's cache. Otherwise, the unused rest of the buffer is used. If that is
    /// too small, a new buffer is allocated.
    fn renew(&mut self) {
        if !self.bytes.try_reclaim(self.size.max(SIZE)) && self.bytes.capacity() < MIN_READ {
            *self = Self { bytes: BytesMut::with_capacity(SIZE), size: SIZE };
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Takes a kept buffer that suits a frame of this length. No message may refer to the buffer.
fn take_large(len: usize) -> Option<Buffer> {
    let fits = |buffer: &mut Buffer| {
        let fits_len = (len..=MAX_WASTE * len).contains(&buffer.size);
        fits_len && buffer.bytes.try_reclaim(buffer.size)
    };
    SPARE.with_borrow_mut(|spare| {
        let at = spare.large.iter_mut().position(fits)?;
        Some(spare.large.swap_remove(at))
    })
}
