//! One read buffer for all connections of a thread: a connection that waits holds none.

use std::cell::Cell;

use bytes::BytesMut;

/// What one read takes at most.
const SIZE: usize = 64 << 10;

/// A buffer is used as long as it has room for so much.
const ENOUGH: usize = 16 << 10;

thread_local! {
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Takes the thread's buffer, which is empty and has room for a read.
pub(crate) fn take() -> BytesMut {
    SPARE.take().unwrap_or_else(|| BytesMut::with_capacity(SIZE))
}

/// Gives the buffer of a connection that waits back to the thread; the little that is not yet
/// understood moves to a buffer of its size.
pub(crate) fn give_back(input: &mut BytesMut) {
    if input.len() > ENOUGH {
        return;
    }
    let rest = BytesMut::from(&input[..]);
    let mut buffer = std::mem::replace(input, rest);
    buffer.clear();
    // A message that the application keeps holds its part of the buffer; what lies behind it is used
    // on, so that a message which is kept for long pins no more than what arrived with it. A buffer
    // that a large message has grown is not for keeps.
    let is_useful = buffer.try_reclaim(SIZE) || buffer.capacity() >= ENOUGH;
    if is_useful && buffer.capacity() <= 2 * SIZE {
        SPARE.set(SPARE.take().or(Some(buffer)));
    }
}
