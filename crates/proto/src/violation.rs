use crate::close_code::CloseCode;

/// A rule of the protocol, or a limit of this end, that the peer broke.
///
/// The connection has failed. All further input is discarded, and a Close with
/// [`Violation::close_code`] is sent to the peer (RFC6455-7.1.7-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// RFC6455-5.2-1, RFC7692-6.1-3: a reserved bit that no extension uses.
    #[error(
        "the peer set a reserved bit in a frame in which no agreed extension uses it (RFC 6455 section 5.2)"
    )]
    ReservedBit,
    /// RFC6455-5.2-2: a reserved opcode.
    #[error("the peer sent a frame with the reserved opcode {0:#x} (RFC 6455 section 5.2)")]
    UnknownOpcode(u8),
    /// RFC6455-5.2-3: a length of 2^63 or more.
    #[error(
        "the peer announced a frame of {0} bytes; lengths end at 2^63 - 1 (RFC 6455 section 5.2)"
    )]
    LengthOverflow(u64),
    /// RFC6455-5.2-4: a length that is not in its shortest form.
    #[error(
        "the peer sent the frame length {0} in a longer form than it needs (RFC 6455 section 5.2)"
    )]
    LengthNotMinimal(u64),
    /// RFC6455-5.1-2: a client sent a frame without a mask.
    #[error("the client sent an unmasked frame (RFC 6455 section 5.1)")]
    UnmaskedFrame,
    /// RFC6455-5.1-4: a server sent a frame with a mask.
    #[error("the server sent a masked frame (RFC 6455 section 5.1)")]
    MaskedFrame,
    /// RFC6455-5.4-1: a control frame without FIN.
    #[error("the peer fragmented a control frame (RFC 6455 section 5.4)")]
    FragmentedControlFrame,
    /// RFC6455-5.5-1: a control frame with more than 125 bytes.
    #[error("the peer sent a control frame with more than 125 bytes (RFC 6455 section 5.5)")]
    ControlFrameTooLong,
    /// RFC6455-5.4-10: a continuation frame outside a message.
    #[error("the peer continued a message that it had not begun (RFC 6455 section 5.4)")]
    UnexpectedContinuation,
    /// RFC6455-5.4-3: a new message before the end of the previous message.
    #[error("the peer began a message before it ended the last one (RFC 6455 section 5.4)")]
    InterleavedMessage,
    /// RFC6455-8.1-1, RFC6455-5.6-1: text that is not UTF-8.
    #[error("the peer sent text that is not valid UTF-8 (RFC 6455 section 8.1)")]
    InvalidUtf8,
    /// RFC6455-5.5.1-1: a Close frame with a body of one byte.
    #[error("the peer sent a Close frame with a body of one byte (RFC 6455 section 5.5.1)")]
    CloseBodyOfOneByte,
    /// RFC6455-7.4.1-1, RFC6455-7.4.1-2, RFC6455-7.4.1-3, RFC6455-7.4.2-1: a code that must not be sent.
    #[error(
        "the peer sent a Close frame with the code {0}, which may not be sent (RFC 6455 section 7.4)"
    )]
    CloseCode(u16),
    /// RFC6455-8.1-1: a close reason that is not UTF-8.
    #[error("the peer sent a close reason that is not valid UTF-8 (RFC 6455 section 5.5.1)")]
    CloseReasonNotUtf8,
    /// RFC7692-7.2.2-4: compressed data that cannot be inflated.
    #[error("the peer sent a compressed message that cannot be inflated (RFC 7692 section 7.2)")]
    CorruptDeflate,
    /// RFC6455-10.4-2: more bytes than [`Limits::message_bytes`](crate::Limits::message_bytes).
    #[error(
        "the peer sent a message of more than {limit} bytes; raise the limit if it should be allowed"
    )]
    MessageTooBig {
        /// The limit that was exceeded.
        limit: usize,
    },
    /// RFC6455-10.4-2: more frames than [`Limits::message_frames`](crate::Limits::message_frames).
    #[error(
        "the peer sent a message in more than {limit} frames; raise the limit if it should be allowed"
    )]
    TooManyFrames {
        /// The limit that was exceeded.
        limit: usize,
    },
    /// RFC6455-10.4-1: a message took longer than [`Timeouts::message`](field@crate::Timeouts::message).
    #[error("the peer took too long to send a message; raise the limit if it should be allowed")]
    MessageTooSlow,
    /// RFC6455-10.4-1: all connections together exceeded their memory budget; see
    /// [`Connection::fail_over_budget`](crate::Connection::fail_over_budget).
    #[error(
        "the connections of this end held too much memory, and this one held the most; raise the budget if it should be allowed"
    )]
    OverBudget,
}

impl Violation {
    /// Returns the close code that is sent to the peer (RFC6455-7.1.7-2, RFC6455-10.7-2).
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::CloseReasonNotUtf8 | Self::CorruptDeflate => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFrames { .. } | Self::MessageTooSlow => CloseCode::POLICY_VIOLATION,
            Self::OverBudget => CloseCode::TRY_AGAIN_LATER,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
