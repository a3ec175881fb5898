//! What the targets share.
//!
//! A target is a file of `src/bin`. An input is its `Input`, whose fields take the first bytes in
//! their order, a slice at the end takes the rest. `seeds/TARGET.txt` has inputs to begin with, one on
//! each line, escaped as in a Rust literal; `seeds/TARGET.dict` has words for libFuzzer to put in.

mod decoded;
mod wire;

pub use decoded::{Decoded, Parts};
pub use wire::{drain, masks, pieces};

use fullduplex_proto::{ContextParams, ContextTakeover, DeflateConfig, Role, WindowBits};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// How both ends compress, as an input chooses it.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Agreement {
    client: u8,
    server: u8,
}

impl Agreement {
    /// The agreement, under which every message is compressed.
    pub fn deflate(self) -> DeflateConfig {
        let mut deflate = DeflateConfig::default();
        deflate.client = context(self.client);
        deflate.server = context(self.server);
        deflate.threshold = 0;
        deflate
    }
}

/// Three bits for the window, one for the takeover.
fn context(choice: u8) -> ContextParams {
    let window_bits = WindowBits::new(8 + choice % 8).expect("8 to 15");
    let takeover = if choice & 8 == 0 { ContextTakeover::Yes } else { ContextTakeover::No };
    ContextParams { window_bits, takeover }
}

/// One of the two roles, as an input chooses it.
pub fn role(is_client: bool) -> Role {
    if is_client { Role::Client } else { Role::Server }
}
