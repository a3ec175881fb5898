//! permessage-deflate (RFC 7692): what the ends may ask of each other, and the two machines that
//! keep to it. The negotiation is [`handshake`](crate::handshake)'s.

mod deflater;
mod inflater;

pub(crate) use deflater::Deflater;
pub(crate) use inflater::{Inflater, Step};

use crate::role::Role;

/// What ends the data of every flush, and is left out at the end of a message (RFC7692-7.2.1-3).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// What one end wants of permessage-deflate. The handshake makes an [`AgreedDeflate`] of it.
///
/// Compressing a secret together with bytes that an attacker chooses tells the secret by the length
/// of the result, and encryption does not hide it (RFC7692-8-1). Send such a message as
/// [`Outgoing::Uncompressed`](crate::Outgoing::Uncompressed), or leave compression off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// How the client compresses. A server can limit only the window of a client that offers it.
    pub client: ContextParams,
    /// How the server compresses.
    pub server: ContextParams,
    /// Messages with fewer bytes are sent uncompressed. The peer is not told. Default: 64.
    pub threshold: usize,
}

/// The parameters of permessage-deflate that both ends agreed on in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AgreedDeflate {
    /// How the client compresses.
    pub client: ContextParams,
    /// How the server compresses.
    pub server: ContextParams,
    /// [`DeflateConfig::threshold`] of this end.
    pub threshold: usize,
}

/// The compression context of one direction: how one end compresses what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ContextParams {
    /// How far back a repetition may lie. Default: 15 bits, 32 KiB.
    pub window_bits: WindowBits,
    /// Whether a message may refer to the messages before it. Default: yes, which compresses small
    /// messages best; either end keeps the window meanwhile, the receiving one as long as the
    /// connection lasts.
    pub takeover: ContextTakeover,
}

/// Whether the window outlives a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContextTakeover {
    /// It may: the receiving end must keep it (RFC7692-7.2.2-1).
    #[default]
    Yes,
    /// Each message begins with an empty window.
    No,
}

/// The size of a window as a power of two, from 8 (256 bytes) to 15 (32 KiB); 10 and more are
/// recommended (RFC7692-7.3-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

/// A number of bits that no window can have (RFC7692-7.1.2.1-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window has 8 to 15 bits, not {0}")]
pub struct WindowBitsError(pub u8);

impl WindowBits {
    /// The smallest window: 256 bytes.
    pub const MIN: Self = Self(8);
    /// The largest window: 32 KiB (RFC7692-7.2.1-4).
    pub const MAX: Self = Self(15);

    /// Checks the number.
    ///
    /// # Errors
    /// [`WindowBitsError`] below 8 and above 15.
    pub const fn new(bits: u8) -> Result<Self, WindowBitsError> {
        match bits {
            8..=15 => Ok(Self(bits)),
            _ => Err(WindowBitsError(bits)),
        }
    }

    /// The number of bits.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The size of the window in bytes.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self { client: ContextParams::default(), server: ContextParams::default(), threshold: 64 }
    }
}

impl ContextParams {
    /// What both this and `other` allow.
    pub(crate) fn narrowed_to(self, other: Self) -> Self {
        let takeover = match (self.takeover, other.takeover) {
            (ContextTakeover::Yes, ContextTakeover::Yes) => ContextTakeover::Yes,
            _ => ContextTakeover::No,
        };
        Self { window_bits: self.window_bits.min(other.window_bits), takeover }
    }
}

/// What is agreed if the peer accepts everything that `config` asks for.
impl From<DeflateConfig> for AgreedDeflate {
    fn from(config: DeflateConfig) -> Self {
        let DeflateConfig { client, server, threshold } = config;
        Self { client, server, threshold }
    }
}

impl AgreedDeflate {
    /// Returns how the end that plays `role` compresses.
    pub fn of(&self, role: Role) -> ContextParams {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }
}
