//! permessage-deflate (RFC 7692): its parameters, the deflater and the inflater.
//! [`handshake`](crate::handshake) negotiates the parameters.

#[cfg(not(feature = "deflate"))]
mod absent;
#[cfg(feature = "deflate")]
mod deflater;
#[cfg(feature = "deflate")]
mod inflater;

#[cfg(not(feature = "deflate"))]
pub(crate) use absent::{Deflater, Inflater};
#[cfg(feature = "deflate")]
pub(crate) use deflater::Deflater;
#[cfg(feature = "deflate")]
pub(crate) use inflater::Inflater;

use crate::role::Role;

/// Whether messages can be compressed. If not, the handshake neither offers nor accepts compression.
pub(crate) const IS_BUILT: bool = cfg!(feature = "deflate");

/// The data is not valid DEFLATE.
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

/// The parameters of permessage-deflate in the configuration of one end. The handshake negotiates an
/// [`AgreedDeflate`] from them.
///
/// **Do not compress a secret together with bytes that an attacker chooses.** The length of the result
/// reveals the secret, even through TLS (RFC7692-8-1). Send such a message as
/// [`Outgoing::Uncompressed`](crate::Outgoing::Uncompressed), or do not enable compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// How the client compresses. A server can limit the client's window only if the client's offer permits
    /// it.
    pub client: ContextParams,
    /// How the server compresses.
    pub server: ContextParams,
    /// Messages shorter than this many bytes are sent uncompressed. This is not negotiated. Default: 64.
    pub threshold: usize,
    /// How much time this end spends to compress a message. This is not negotiated.
    pub level: CompressionLevel,
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
    /// [`DeflateConfig::level`] of this end.
    pub level: CompressionLevel,
}

/// The compression context of one direction: how one end compresses the messages that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ContextParams {
    /// The size of the window: how many of the preceding bytes the compressed data may refer to. Default: 15 bits,
    /// 32 KiB.
    pub window_bits: WindowBits,
    /// Whether a message may refer to earlier messages. Default: yes, which compresses small messages best.
    /// Then both ends keep the window between messages. The receiving end keeps it until the connection ends.
    pub takeover: ContextTakeover,
}

/// Whether the window is kept from one message to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContextTakeover {
    /// The window is kept. The receiving end must keep it (RFC7692-7.2.2-1).
    #[default]
    Yes,
    /// Each message begins with an empty window.
    No,
}

/// The size of a window as a power of two, from 8 (256 bytes) to 15 (32 KiB). At least 10 is recommended
/// (RFC7692-7.3-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

/// How much time is spent to compress a message: from 1, the fastest, to 9, the smallest result. Default: 5.
///
/// A level changes neither the memory of a context nor the work of the receiving end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompressionLevel(u8);

/// The compression level is not 1 to 9. Holds the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a compression level must be 1 to 9, not {0}")]
pub struct CompressionLevelError(pub u8);

impl CompressionLevel {
    /// The fastest level: 1.
    pub const FASTEST: Self = Self(1);
    /// The level with the smallest result: 9.
    pub const SMALLEST: Self = Self(9);

    /// Checks that `level` is 1 to 9.
    ///
    /// # Errors
    /// [`CompressionLevelError`] for any other number.
    pub const fn new(level: u8) -> Result<Self, CompressionLevelError> {
        match level {
            1..=9 => Ok(Self(level)),
            _ => Err(CompressionLevelError(level)),
        }
    }

    /// Returns the number of the level.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// For JSON of one kilobyte, level 5 takes less time than level 6, the library's default, and the result is
/// 2 % longer.
impl Default for CompressionLevel {
    fn default() -> Self {
        Self(5)
    }
}

/// The number of window bits is not 8 to 15 (RFC7692-7.1.2.1-1). Holds the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a compression window must have 8 to 15 bits, not {0}")]
pub struct WindowBitsError(pub u8);

impl WindowBits {
    /// The smallest window: 256 bytes.
    pub const MIN: Self = Self(8);
    /// The largest window: 32 KiB (RFC7692-7.2.1-4).
    pub const MAX: Self = Self(15);

    /// Checks that `bits` is 8 to 15.
    ///
    /// # Errors
    /// [`WindowBitsError`] for any other number.
    pub const fn new(bits: u8) -> Result<Self, WindowBitsError> {
        match bits {
            8..=15 => Ok(Self(bits)),
            _ => Err(WindowBitsError(bits)),
        }
    }

    /// Returns the number of bits.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Returns the size of the window in bytes.
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
        Self {
            client: ContextParams::default(),
            server: ContextParams::default(),
            threshold: 64,
            level: CompressionLevel::default(),
        }
    }
}

impl ContextParams {
    /// Returns the parameters that both this and `other` allow.
    pub(crate) fn narrowed_to(self, other: Self) -> Self {
        let takeover = match (self.takeover, other.takeover) {
            (ContextTakeover::Yes, ContextTakeover::Yes) => ContextTakeover::Yes,
            _ => ContextTakeover::No,
        };
        Self { window_bits: self.window_bits.min(other.window_bits), takeover }
    }
}

/// Assumes that the peer accepts everything in `config`.
impl From<DeflateConfig> for AgreedDeflate {
    fn from(config: DeflateConfig) -> Self {
        let DeflateConfig { client, server, threshold, level } = config;
        Self { client, server, threshold, level }
    }
}

impl AgreedDeflate {
    /// Returns how the end with the role `role` compresses.
    pub fn of(&self, role: Role) -> ContextParams {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }
}
