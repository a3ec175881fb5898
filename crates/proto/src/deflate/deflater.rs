use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::{ContextParams, ContextTakeover, TAIL, WindowBits};

/// The room made for one step of deflating: this much, or half of what goes in. A step of fewer
/// than seven bytes could go on flushing for ever.
const STEP_MIN: usize = 256;
const STEP_MAX: usize = 32 << 10;

/// One less than the library's default takes a fifth less time for messages of a kilobyte, whose results
/// are longer by a fiftieth.
const LEVEL: i32 = 5;

/// Deflates messages, one after the other (RFC 7692 section 7.2.1).
pub(crate) struct Deflater {
    context: ContextParams,
    /// Made when there is something to deflate.
    stream: Option<Deflate>,
    /// Since the last [`Deflater::release_unused`].
    used: bool,
}

impl Deflater {
    pub(crate) fn new(context: ContextParams) -> Self {
        Self { context, stream: None, used: false }
    }

    /// The window that a receiver needs.
    pub(crate) fn window_bits(&self) -> WindowBits {
        self.context.window_bits
    }

    /// Deflates a message, or the next part of one, into the payload of one frame.
    pub(crate) fn deflate(&mut self, payload: &[u8], last: bool) -> Vec<u8> {
        self.used = true;
        let stream = self.stream.get_or_insert_with(|| new_stream(self.context.window_bits));
        let mut out = Vec::new();
        let mut rest = payload;
        loop {
            let step = (rest.len() / 2).clamp(STEP_MIN, STEP_MAX);
            let end = out.len();
            out.resize(end + step, 0);
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            stream
                .compress(rest, &mut out[end..], DeflateFlush::SyncFlush)
                .expect("a stream in order takes any input");
            rest = &rest[(stream.total_in() - before_in) as usize..];
            let produced = (stream.total_out() - before_out) as usize;
            out.truncate(end + produced);
            // Room that is left means that all is flushed.
            if produced < step {
                break;
            }
        }
        if last {
            end_message(&mut out);
            // RFC7692-7.2.1-5, RFC7692-7.2.1-6
            if self.context.takeover == ContextTakeover::No {
                self.restart();
            }
        }
        out
    }

    /// Forgets the messages before: the next one begins with an empty window, as any may.
    pub(crate) fn restart(&mut self) {
        if let Some(stream) = &mut self.stream
            && stream.total_in() > 0
        {
            stream.reset();
        }
    }

    /// Gives all memory back, and forgets the messages before, unless it was used since the last call.
    pub(crate) fn release_unused(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.stream = None;
        }
    }

    /// Whether there is something to release.
    pub(crate) fn is_held(&self) -> bool {
        self.stream.is_some()
    }
}

/// RFC7692-7.2.1-7, RFC7692-7.2.1-8: a stream that looks no further back than the window.
fn new_stream(window_bits: WindowBits) -> Deflate {
    // The library has no window of 8 bits (RFC7692-7.1.2.1-1). It looks 262 bytes less far back than
    // its window is long, though, so with one of 9 bits it keeps to 8.
    let bits = window_bits.get().max(9);
    // Negative: raw data, without a header around it.
    let window_bits = -i32::from(bits);
    Deflate::new_with_config(DeflateConfig {
        window_bits,
        level: LEVEL,
        ..DeflateConfig::default()
    })
}

/// RFC7692-7.2.1-3: leaves the tail out, which the receiver puts back. Where a flush has added
/// nothing, an empty block stands for nothing.
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
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}
