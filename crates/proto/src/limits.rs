/// The limits on what one connection accepts from its peer (RFC6455-10.4-1). Each field may be set to
/// any value; zero allows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message, in bytes of payload after decompression. A larger message fails the connection
    /// with 1009. An uncompressed message fails at the frame header with which its length exceeds the limit.
    /// A compressed message fails as soon as more bytes than the limit are inflated. Default: 64 MiB.
    pub message_bytes: usize,
    /// The maximum number of frames of one message, including empty frames (RFC6455-5.4-5). Default: 131,072.
    pub message_frames: usize,
    /// The maximum size of an HTTP head in bytes. A server applies it to the opening request, and a client to
    /// each response. Default: 16 KiB.
    ///
    /// Raise the limit for large cookies or tokens. Each connection can take this much memory before it is
    /// open. A server answers a longer head with 431.
    pub head_bytes: usize,
    /// The maximum number of headers in an HTTP head. Default: 100.
    pub head_headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 20,
            message_frames: 1 << 17,
            head_bytes: 16 << 10,
            head_headers: 100,
        }
    }
}

/// The part of [`Limits`] that an open connection needs. The state of an idle connection contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageLimits {
    pub(crate) message_bytes: usize,
    pub(crate) message_frames: usize,
}

impl From<Limits> for MessageLimits {
    fn from(limits: Limits) -> Self {
        let Limits { message_bytes, message_frames, .. } = limits;
        Self { message_bytes, message_frames }
    }
}
