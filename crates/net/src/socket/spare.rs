//! Memory that a thread keeps for its next connection.

use std::cell::Cell;
use std::thread::LocalKey;

type Spare<T> = LocalKey<Cell<Option<T>>>;

/// Takes the memory that the thread keeps. A thread that is ending keeps no memory, but it may still drop
/// tasks.
pub(super) fn take<T>(spare: &'static Spare<T>) -> Option<T> {
    spare.try_with(Cell::take).ok().flatten()
}

/// Keeps the memory. Does nothing on a thread that is ending.
pub(super) fn put<T>(spare: &'static Spare<T>, kept: T) {
    let _ = spare.try_with(|spare| spare.set(Some(kept)));
}
