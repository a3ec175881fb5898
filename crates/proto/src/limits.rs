/// The limits on what one connection accepts from its peer (RFC6455-10.4-1). Each field may be set to
/// any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message, in bytes of payload after decompression. A larger one fails the connection
    /// with 1009: an uncompressed message when the frame header arrives that exceeds the limit, a
    /// compressed one as soon as one byte too many is inflated. Default: 64 MiB.
    pub message_bytes: usize,
    /// The maximum number of frames of one message, including empty ones (RFC6455-5.4-5). Default:
    /// 131,072.
    pub message_frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: 64 << 20, message_frames: 1 << 17 }
    }
}
