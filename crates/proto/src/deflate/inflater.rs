use std::cell::Cell;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::deflater::TAIL;
use super::{ContextParams, ContextTakeover, InflateError, Step};

/// An empty block: its header and the tail.
const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xFF, 0xFF];

/// The value of [`Inflater::ending`] at the beginning of a message. It may be any value except the tail.
const NO_ENDING: [u8; TAIL.len()] = [0xAA; 4];

thread_local! {
    /// A stream for the next message of this thread that needs no context. So connections without context takeover
    /// hold no memory between messages.
    static SPARE: Cell<Option<Spare>> = const { Cell::new(None) };
}

struct Spare {
    stream: Inflate,
    /// Empty memory for [`Inflater::history`].
    history: Vec<u8>,
}

/// Inflates the messages of a peer (RFC 7692 section 7.2.2).
pub(crate) struct Inflater {
    context: ContextParams,
    /// Created when there is data to inflate. Without context takeover, it is `None` between messages.
    stream: Option<Inflate>,
    /// Whether anything was inflated since the last [`Inflater::release_unused`].
    used: bool,
    /// Whether the message needs the tail: it has data, and the data so far does not end with a final block.
    /// More data may follow a final block (RFC7692-7.2.1-1, RFC7692-7.2.1-2).
    needs_tail: bool,
    /// The last bytes of the message's data.
    ending: [u8; TAIL.len()],
    /// The last inflated bytes: at least the window, at most twice its size. After a release or a final
    /// block, they become the window of the new stream.
    history: Vec<u8>,
}

/// The memory that the library allocates for a stream: the largest window, and the state of the stream.
const STREAM_BYTES: usize = 48 << 10;

impl Inflater {
    /// Returns `None` only if the feature `deflate` is off.
    pub(crate) fn new(context: ContextParams) -> Option<Self> {
        Some(Self {
            context,
            stream: None,
            used: false,
            needs_tail: false,
            ending: NO_ENDING,
            history: Vec::new(),
        })
    }

    /// Inflates a piece of a message into `out`, which must not be empty.
    ///
    /// Call it again with the rest of the input until all input was taken and `out` was not filled
    /// completely.
    pub(crate) fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Step {
        self.used = true;
        let (taken, made, result) = self.step(input, out, InflateFlush::NoFlush);
        self.remember(&out[..made]);
        if taken > 0 {
            self.needs_tail = true;
            self.note_ending(&input[..taken]);
        }
        let was_last_block = result == Ok(Status::StreamEnd);
        if was_last_block {
            self.restart();
            self.needs_tail = false;
        }
        let is_stuck = taken == 0 && made == 0 && !input.is_empty() && !was_last_block;
        Step { taken, made, corrupt: result.is_err() || is_stuck }
    }

    /// Ends a message, after all of its data was inflated (RFC7692-7.2.2-4).
    pub(crate) fn finish(&mut self) -> Result<(), InflateError> {
        // This accepts three violations of RFC7692-7.2.1-3, because no data can be lost (FC-15). First, the
        // data ends with a final block, and the empty block after it is missing. Second, an empty message has
        // no data. Third, the tail was not removed.
        if std::mem::take(&mut self.needs_tail) {
            // After the tail is removed, the highest bit of the last byte is zero. The tail ends with 0xFF.
            // So data that ends with the bytes of the tail still has its tail.
            let is_unstripped = self.ending == TAIL;
            self.take_empty_block(if is_unstripped { &EMPTY_BLOCK } else { &TAIL })?;
        }
        self.ending = NO_ENDING;
        if self.context.takeover == ContextTakeover::No {
            self.recycle();
        }
        Ok(())
    }

    /// Leaves the stream to the next message of this thread.
    fn recycle(&mut self) {
        let mut history = std::mem::take(&mut self.history);
        history.clear();
        if let Some(stream) = self.stream.take() {
            let spare = Spare { stream, history };
            // While the thread ends, there is no place for it.
            SPARE.try_with(|place| place.set(Some(spare))).ok();
        }
    }

    /// Inflates an empty block, or the rest of an empty block, to check that the data was not truncated. The
    /// probe has one byte more than the block. The stream stops at the end of the block and leaves that byte,
    /// unless the data was truncated.
    fn take_empty_block(&mut self, block: &[u8]) -> Result<(), InflateError> {
        let mut probe = [0; EMPTY_BLOCK.len() + 1];
        probe[..block.len()].copy_from_slice(block);
        let probe = &probe[..=block.len()];
        if self.step(probe, &mut [0], InflateFlush::Block) != (block.len(), 0, Ok(Status::Ok)) {
            return Err(InflateError);
        }
        // The empty block may be marked as final.
        if let (_, _, Ok(Status::StreamEnd)) = self.step(&[], &mut [0], InflateFlush::NoFlush) {
            self.restart();
        }
        Ok(())
    }

    /// Returns the memory that the context takes.
    pub(crate) fn held_bytes(&self) -> usize {
        let stream = if self.is_held() { STREAM_BYTES } else { 0 };
        stream + self.history.capacity()
    }

    /// Frees the stream if it was not used since the last call. Keeps the window, so that the stream can be
    /// restored. Call it only between messages.
    pub(crate) fn release_unused(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.release();
        }
    }

    /// Frees the stream. Keeps the window, because the next message may refer to it. Call it only between
    /// messages.
    pub(crate) fn release(&mut self) {
        self.stream = None;
        let start = self.history.len().saturating_sub(self.context.window_bits.bytes());
        self.history = Vec::from(&self.history[start..]);
    }

    /// Returns whether [`Inflater::release_unused`] could free memory.
    pub(crate) fn is_held(&self) -> bool {
        self.stream.is_some()
    }

    /// Calls the library once. Returns the bytes consumed and produced, and the status.
    fn step(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        flush: InflateFlush,
    ) -> (usize, usize, Result<Status, InflateError>) {
        if self.stream.is_none() {
            self.restart();
        }
        let Some(stream) = &mut self.stream else {
            return (0, 0, Err(InflateError));
        };
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let result = stream.decompress(input, out, flush).map_err(|_| InflateError);
        let taken = (stream.total_in() - before_in) as usize;
        let made = (stream.total_out() - before_out) as usize;
        (taken, made, result)
    }

    /// Begins a stream with the history as its window.
    fn restart(&mut self) {
        // The stream always has the largest window (RFC7692-7.2.2-2). If the peer refers back further than
        // agreed, the inflated data is unspecified.
        let mut stream = self.stream.take().unwrap_or_else(|| self.new_stream());
        stream.reset(false);
        let window = self.history.len().min(self.context.window_bits.bytes());
        if window > 0 {
            let history = &self.history[self.history.len() - window..];
            stream.set_dictionary(history).expect("a raw stream accepts any dictionary");
        }
        self.stream = Some(stream);
    }

    fn new_stream(&mut self) -> Inflate {
        if self.context.takeover == ContextTakeover::No
            && let Ok(Some(spare)) = SPARE.try_with(Cell::take)
        {
            self.history = spare.history;
            return spare.stream;
        }
        Inflate::new(false, 15)
    }

    fn note_ending(&mut self, data: &[u8]) {
        match data.last_chunk() {
            Some(last) => self.ending = *last,
            None => {
                self.ending.rotate_left(data.len());
                let start = self.ending.len() - data.len();
                self.ending[start..].copy_from_slice(data);
            }
        }
    }

    fn remember(&mut self, inflated: &[u8]) {
        let window = self.context.window_bits.bytes();
        let fresh = &inflated[inflated.len().saturating_sub(window)..];
        if self.history.len() + fresh.len() > 2 * window {
            // On average, this moves at most one byte for each added byte.
            let kept = window - fresh.len();
            self.history.drain(..self.history.len() - kept);
        }
        self.history.extend_from_slice(fresh);
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater")
            .field("context", &self.context)
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}
