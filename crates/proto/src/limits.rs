/// What one connection accepts from its peer. Finite by default, in bytes and in parts
/// (RFC6455-10.4-1); each field may be set to any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message, in bytes of payload, in one frame or many, inflated if it is compressed.
    /// An uncompressed frame that would exceed it fails the connection with 1009 when its header
    /// arrives, a compressed message when one byte more was inflated. Default: 64 MiB.
    pub message_bytes: usize,
    /// The most frames of one message, empty ones included (RFC6455-5.4-5). Default: 131,072.
    pub message_frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: 64 << 20, message_frames: 1 << 17 }
    }
}
