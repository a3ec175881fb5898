use std::cell::Cell;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::{CompressionLevel, ContextParams, ContextTakeover, WindowBits};

/// The bytes that end every flush. They are removed at the end of a message (RFC7692-7.2.1-3).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The output space of one deflate step: half the length of the input, within these limits. With fewer than
/// seven bytes of output space, zlib could repeat the flush without end.
const STEP_MIN: usize = 256;
const STEP_MAX: usize = 32 << 10;

/// The memory that the library allocates in addition to the window: a table of 64 Ki hashes, buffers, and its
/// state.
const FIXED_BYTES: usize = (128 << 10) + (112 << 10) + (6 << 10);

thread_local! {
    /// A stream with an empty window, for the next message of this thread that needs no context. So connections
    /// without context takeover hold no memory between messages, and the tables stay in the processor's cache.
    static SPARE: Cell<Option<Spare>> = const { Cell::new(None) };
}

struct Spare {
    stream: Deflate,
    window_bits: WindowBits,
    level: CompressionLevel,
}

/// Compresses messages (RFC 7692 section 7.2.1).
pub(crate) struct Deflater {
    context: ContextParams,
    level: CompressionLevel,
    /// Allocated by the first [`Deflater::deflate`]. Without context takeover, it is `None` between messages.
    stream: Option<Deflate>,
    /// Whether the stream was used since the last [`Deflater::release_unused`].
    used: bool,
}

impl Deflater {
    /// Returns `None` only if the feature `deflate` is off.
    pub(crate) fn new(context: ContextParams, level: CompressionLevel) -> Option<Self> {
        Some(Self { context, level, stream: None, used: false })
    }

    /// Returns whether a context is kept from one message to the next.
    pub(crate) fn keeps_context(&self) -> bool {
        self.context.takeover == ContextTakeover::Yes
    }

    /// Returns the memory that a context takes, whether or not a context is allocated.
    pub(crate) fn context_bytes(&self) -> usize {
        let window = 1 << library_bits(self.context.window_bits);
        // Two windows of bytes, and a position for each byte of a window.
        FIXED_BYTES + 4 * window
    }

    /// Returns the size of the window that the receiving end needs.
    pub(crate) fn window_bits(&self) -> WindowBits {
        self.context.window_bits
    }

    /// Compresses a message, or its next part, into the payload of one frame.
    pub(crate) fn deflate(&mut self, payload: &[u8], last: bool) -> Vec<u8> {
        self.used = true;
        let mut stream = self.stream.take().unwrap_or_else(|| self.new_stream());
        let mut out = Vec::new();
        let mut rest = payload;
        loop {
            let step = (rest.len() / 2).clamp(STEP_MIN, STEP_MAX);
            let end = out.len();
            out.resize(end + step, 0);
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            stream
                .compress(rest, &mut out[end..], DeflateFlush::SyncFlush)
                .expect("a valid deflate stream accepts any input");
            rest = &rest[(stream.total_in() - before_in) as usize..];
            let produced = (stream.total_out() - before_out) as usize;
            out.truncate(end + produced);
            // If output space is left, everything was flushed.
            if produced < step {
                break;
            }
        }
        if last {
            end_message(&mut out);
        }
        // RFC7692-7.2.1-5, RFC7692-7.2.1-6
        if last && !self.keeps_context() {
            self.recycle(stream);
        } else {
            self.stream = Some(stream);
        }
        out
    }

    /// Compresses a message without the context of this deflater, for a window of the same size.
    pub(crate) fn deflate_alone(&self, payload: &[u8]) -> Vec<u8> {
        let context = ContextParams { takeover: ContextTakeover::No, ..self.context };
        Self { context, level: self.level, stream: None, used: false }.deflate(payload, true)
    }

    /// Returns a stream with an empty window, whose references to earlier data stay within the window
    /// (RFC7692-7.2.1-7, RFC7692-7.2.1-8).
    fn new_stream(&self) -> Deflate {
        if !self.keeps_context()
            && let Ok(Some(spare)) = SPARE.try_with(Cell::take)
            && (spare.window_bits, spare.level) == (self.context.window_bits, self.level)
        {
            return spare.stream;
        }
        // A negative number means raw data without a zlib header.
        let window_bits = -i32::from(library_bits(self.context.window_bits));
        let level = self.level.get().into();
        Deflate::new_with_config(DeflateConfig { window_bits, level, ..DeflateConfig::default() })
    }

    /// Empties the window of the stream, and leaves the stream to the next message of this thread.
    fn recycle(&self, mut stream: Deflate) {
        stream.reset();
        let spare = Spare { stream, window_bits: self.context.window_bits, level: self.level };
        // While the thread ends, there is no place for it.
        SPARE.try_with(|place| place.set(Some(spare))).ok();
    }

    /// Empties the window, so that the next message does not refer to earlier messages.
    pub(crate) fn restart(&mut self) {
        if let Some(stream) = &mut self.stream
            && stream.total_in() > 0
        {
            stream.reset();
        }
    }

    /// Frees all memory if the stream was not used since the last call. This empties the window.
    pub(crate) fn release_unused(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.release();
        }
    }

    /// Frees the context, which empties the window.
    pub(crate) fn release(&mut self) {
        self.stream = None;
    }

    /// Returns whether [`Deflater::release_unused`] could free memory.
    pub(crate) fn is_held(&self) -> bool {
        self.stream.is_some()
    }
}

/// Converts an agreed window size to a size that the library supports.
///
/// The library has no window of 8 bits (RFC7692-7.1.2.1-1). With 9 bits, its references go back at most 250
/// bytes (512 - 262), so they fit into an 8-bit window.
fn library_bits(window_bits: WindowBits) -> u8 {
    window_bits.get().max(9)
}

/// Removes the tail, which the receiving end adds again (RFC7692-7.2.1-3). If there is no tail, the flush
/// added nothing. In this case, appends the first byte of an empty block.
fn end_message(out: &mut Vec<u8>) {
    match out.strip_suffix(&TAIL) {
        Some(data) => out.truncate(data.len()),
        None => out.push(0x00),
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater")
            .field("context", &self.context)
            .field("level", &self.level)
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}
