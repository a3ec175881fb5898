//! Shared code of the targets.
//!
//! Each file of `src/bin` is a target. Its `Input` is decoded from the bytes of an input: the fields use
//! the first bytes in order, and a slice at the end uses the rest. `seeds/TARGET.txt` has the first
//! inputs, one per line, escaped as in a Rust literal. `seeds/TARGET.dict` has words for libFuzzer to
//! insert.

mod decoded;
mod wire;

pub use decoded::{Decoded, Parts};
pub use wire::{drain, masks, pieces};

use fullduplex_proto::{ContextParams, ContextTakeover, DeflateConfig, Role, WindowBits};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// Parameters of compression, chosen by an input.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Agreement {
    client: u8,
    server: u8,
}

impl Agreement {
    /// Returns the parameters, with which every message is compressed.
    pub fn deflate(self) -> DeflateConfig {
        let mut deflate = DeflateConfig::default();
        deflate.client = context(self.client);
        deflate.server = context(self.server);
        deflate.threshold = 0;
        deflate
    }
}

/// Uses three bits for the window and one for the takeover.
fn context(choice: u8) -> ContextParams {
    let window_bits = WindowBits::new(8 + choice % 8).expect("8 to 15");
    let takeover = if choice & 8 == 0 { ContextTakeover::Yes } else { ContextTakeover::No };
    ContextParams { window_bits, takeover }
}

/// Returns the role that an input chooses.
pub fn role(is_client: bool) -> Role {
    if is_client { Role::Client } else { Role::Server }
}
