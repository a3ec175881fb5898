use zlib_rs::{Inflate, InflateFlush, Status};

use super::{ContextParams, ContextTakeover, TAIL};

/// Inflates the messages of a peer (RFC 7692 section 7.2.2).
pub(crate) struct Inflater {
    context: ContextParams,
    /// Allocated by the first [`Inflater::inflate`].
    stream: Option<Inflate>,
    /// Whether it was used since the last [`Inflater::release_unused`].
    used: bool,
    /// Whether the last input byte ended a block marked as final. The message may continue after it
    /// (RFC7692-7.2.1-1, RFC7692-7.2.1-2).
    is_at_end: bool,
    /// The last inflated bytes: at least the window, at most twice its size. After a final block or a
    /// release, a new stream takes its window from here.
    history: Vec<u8>,
}

/// The compressed data is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InflateError;

/// The result of one inflate step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// How many bytes of input were consumed.
    pub(crate) taken: usize,
    /// How many bytes of output were produced.
    pub(crate) made: usize,
    /// Whether the data after these bytes is invalid.
    pub(crate) corrupt: bool,
}

impl Inflater {
    pub(crate) fn new(context: ContextParams) -> Self {
        Self { context, stream: None, used: false, is_at_end: false, history: Vec::new() }
    }

    /// Inflates a piece of a message into `out`, which must not be empty.
    ///
    /// Repeat this with the rest of the input until all of it was taken and `out` is not full.
    pub(crate) fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Step {
        self.used = true;
        let (taken, made, result) = self.step(input, out, InflateFlush::NoFlush);
        self.remember(&out[..made]);
        if taken > 0 {
            self.is_at_end = false;
        }
        let was_last_block = result == Ok(Status::StreamEnd);
        if was_last_block {
            self.restart();
            self.is_at_end = true;
        }
        let is_stuck = taken == 0 && made == 0 && !input.is_empty() && !was_last_block;
        Step { taken, made, corrupt: result.is_err() || is_stuck }
    }

    /// Ends a message after all its data was inflated (RFC7692-7.2.2-4).
    pub(crate) fn finish(&mut self) -> Result<(), InflateError> {
        // Some deflaters end with a final block and omit the empty block that should follow it
        // (RFC7692-7.2.1-3). The tail is the rest of that empty block, so it is not needed then.
        if !std::mem::take(&mut self.is_at_end) {
            self.take_tail()?;
        }
        if self.context.takeover == ContextTakeover::No {
            self.history.clear();
            self.restart();
        }
        Ok(())
    }

    /// Inflates the tail, which must complete an empty block. The stream is told to stop at the end of a
    /// block, so it leaves the probe's last byte. If it does not, the data was truncated.
    fn take_tail(&mut self) -> Result<(), InflateError> {
        let mut probe = [0; TAIL.len() + 1];
        probe[..TAIL.len()].copy_from_slice(&TAIL);
        if self.step(&probe, &mut [0], InflateFlush::Block) != (TAIL.len(), 0, Ok(Status::Ok)) {
            return Err(InflateError);
        }
        // The empty block may be marked as final.
        if let (_, _, Ok(Status::StreamEnd)) = self.step(&[], &mut [0], InflateFlush::NoFlush) {
            self.restart();
        }
        Ok(())
    }

    /// Frees the stream if it was not used since the last call. Keeps the window, from which it can be
    /// restored. Call it only between messages.
    pub(crate) fn release_unused(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.stream = None;
            let surplus = self.history.len().saturating_sub(self.context.window_bits.bytes());
            self.history.drain(..surplus);
            self.history.shrink_to_fit();
        }
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
        // The stream always has the largest window (RFC7692-7.2.2-2). The result is unspecified if a
        // peer refers back further than agreed.
        let stream = self.stream.get_or_insert_with(|| Inflate::new(false, 15));
        stream.reset(false);
        let window = self.history.len().min(self.context.window_bits.bytes());
        if window > 0 {
            let history = &self.history[self.history.len() - window..];
            stream.set_dictionary(history).expect("a raw stream accepts any dictionary");
        }
    }

    fn remember(&mut self, inflated: &[u8]) {
        let window = self.context.window_bits.bytes();
        let fresh = &inflated[inflated.len().saturating_sub(window)..];
        if self.history.len() + fresh.len() > 2 * window {
            // Moves at most one byte for each byte that is added.
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
