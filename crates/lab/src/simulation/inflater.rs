//! An inflater of another project, with a window of exactly the agreed size.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Inflates the messages of one end (RFC 7692 section 7.2.2).
pub(super) struct Inflater {
    stream: Box<DecompressorOxide>,
    /// The last inflated bytes, in a ring buffer. A distance larger than this buffer is an error.
    window: Vec<u8>,
    position: usize,
    keeps_window: bool,
}

impl Inflater {
    pub(super) fn new(window_bits: u8, keeps_window: bool) -> Self {
        let (stream, window) = (Box::default(), vec![0; 1 << window_bits]);
        Self { stream, window, position: 0, keeps_window }
    }

    /// Inflates the payload of a message.
    pub(super) fn inflate(&mut self, mut payload: Vec<u8>) -> Vec<u8> {
        payload.extend([0x00, 0x00, 0xFF, 0xFF]);
        let mut rest = &payload[..];
        let mut out = Vec::new();
        loop {
            let (status, taken, made) = decompress(
                &mut self.stream,
                rest,
                &mut self.window,
                self.position,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            out.extend_from_slice(&self.window[self.position..self.position + made]);
            self.position = (self.position + made) % self.window.len();
            rest = &rest[taken..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => break,
                _ => panic!("I8: the data is invalid for this window: {status:?}"),
            }
        }
        if !self.keeps_window {
            *self.stream = DecompressorOxide::default();
            self.window.fill(0);
            self.position = 0;
        }
        out
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("position", &self.position).finish_non_exhaustive()
    }
}
