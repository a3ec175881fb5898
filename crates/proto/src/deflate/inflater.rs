use zlib_rs::{Inflate, InflateFlush, Status};

use super::{ContextParams, ContextTakeover, TAIL};

/// Inflates the messages of a peer, one after the other (RFC 7692 section 7.2.2).
pub(crate) struct Inflater {
    context: ContextParams,
    /// Made when there is something to inflate.
    stream: Option<Inflate>,
    /// Since the last [`Inflater::release_unused`].
    used: bool,
    /// Nothing has come behind a block of this message that called itself the last one. The message
    /// may go on nevertheless, with the next byte (RFC7692-7.2.1-1, RFC7692-7.2.1-2).
    is_at_end: bool,
    /// The end of what was inflated: all of the window, and at most as much again. A new stream goes
    /// on from there, after a block that said it was the last one, or a release.
    history: Vec<u8>,
}

/// The data is not what a deflater makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InflateError;

/// What one step of inflating took and made, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) taken: usize,
    pub(crate) made: usize,
    /// What follows is not what a deflater makes.
    pub(crate) corrupt: bool,
}

impl Inflater {
    pub(crate) fn new(context: ContextParams) -> Self {
        Self { context, stream: None, used: false, is_at_end: false, history: Vec::new() }
    }

    /// Inflates `input`, a piece of a message, into `out`, which must have room.
    ///
    /// All is done when the whole input was taken and room is left.
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

    /// Ends a message all of whose data is inflated (RFC7692-7.2.2-4).
    pub(crate) fn finish(&mut self) -> Result<(), InflateError> {
        // Some deflaters end with a last block and leave out the empty one that should follow it
        // (RFC7692-7.2.1-3), of which the tail is the rest. Nothing is missing then.
        if !std::mem::take(&mut self.is_at_end) {
            self.take_tail()?;
        }
        if self.context.takeover == ContextTakeover::No {
            self.history.clear();
            self.restart();
        }
        Ok(())
    }

    /// The tail must be the rest of an empty block, which inflates to nothing. Told to stop at the end
    /// of a block, the stream leaves the byte behind it alone, unless it was within something else:
    /// the data was truncated.
    fn take_tail(&mut self) -> Result<(), InflateError> {
        let mut probe = [0; TAIL.len() + 1];
        probe[..TAIL.len()].copy_from_slice(&TAIL);
        if self.step(&probe, &mut [0], InflateFlush::Block) != (TAIL.len(), 0, Ok(Status::Ok)) {
            return Err(InflateError);
        }
        // That block may call itself the last one.
        if let (_, _, Ok(Status::StreamEnd)) = self.step(&[], &mut [0], InflateFlush::NoFlush) {
            self.restart();
        }
        Ok(())
    }

    /// Gives back, between two messages, all that can be made anew, unless it was used since the last
    /// call.
    pub(crate) fn release_unused(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.stream = None;
            let surplus = self.history.len().saturating_sub(self.context.window_bits.bytes());
            self.history.drain(..surplus);
            self.history.shrink_to_fit();
        }
    }

    /// Whether there is something to release.
    pub(crate) fn is_held(&self) -> bool {
        self.stream.is_some()
    }

    /// One call of the library: the bytes taken and made, and how it ended.
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

    /// Begins a stream whose window is the history.
    fn restart(&mut self) {
        // The library has room for the largest window in any case (RFC7692-7.2.2-2). What a peer gets
        // that looks further back than was agreed on is nobody's promise.
        let stream = self.stream.get_or_insert_with(|| Inflate::new(false, 15));
        stream.reset(false);
        let window = self.history.len().min(self.context.window_bits.bytes());
        if window > 0 {
            let history = &self.history[self.history.len() - window..];
            stream.set_dictionary(history).expect("a raw stream takes any dictionary");
        }
    }

    fn remember(&mut self, inflated: &[u8]) {
        let window = self.context.window_bits.bytes();
        let fresh = &inflated[inflated.len().saturating_sub(window)..];
        if self.history.len() + fresh.len() > 2 * window {
            // Moves a byte at most once for each byte that comes in.
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
