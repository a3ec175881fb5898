use std::fmt;

use crate::close_code::{CloseCode, CloseCodeError};
use crate::violation::Violation;

/// The reason in a Close frame: at most 123 bytes of UTF-8 (RFC6455-5.5.1-2).
///
/// It is meant for a developer's log. A received reason was chosen by the peer, so do not show it to end
/// users (RFC6455-5.5.1-3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CloseReason(String);

impl CloseReason {
    /// The maximum length of a reason in bytes. A control frame has at most 125 bytes (RFC6455-5.5-1), and
    /// the code takes two of them.
    pub const MAX_BYTES: usize = 123;

    /// Creates a close reason.
    ///
    /// # Errors
    /// [`CloseReasonError`] for more than [`CloseReason::MAX_BYTES`] bytes.
    pub fn new(reason: impl Into<String>) -> Result<Self, CloseReasonError> {
        let reason = reason.into();
        if reason.len() > Self::MAX_BYTES {
            return Err(CloseReasonError(reason.len()));
        }
        Ok(Self(reason))
    }

    /// Returns the reason's text, which is empty if no reason was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for CloseReason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for CloseReason {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for CloseReason {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// The reason is too long for a Close frame. Holds its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a close reason can have at most 123 bytes of UTF-8; this one has {0}")]
pub struct CloseReasonError(pub usize);

/// The body of a Close frame: a code and a reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    /// The status code.
    pub code: CloseCode,
    /// The reason, which may be empty.
    pub reason: CloseReason,
}

/// The code or the reason cannot be sent in a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// The code must not be sent.
    #[error(transparent)]
    Code(#[from] CloseCodeError),
    /// The reason is too long.
    #[error(transparent)]
    Reason(#[from] CloseReasonError),
}

impl CloseFrame {
    /// Creates a frame with a code and a reason.
    ///
    /// ```
    /// # use fullduplex_proto::CloseFrame;
    /// let frame = CloseFrame::new(1000, "bye")?;
    /// # assert_eq!((frame.code.get(), frame.reason.as_str()), (1000, "bye"));
    /// # Ok::<(), fullduplex_proto::CloseFrameError>(())
    /// ```
    ///
    /// [`CloseFrame::code`] creates a frame without a reason and cannot fail.
    ///
    /// # Errors
    /// [`CloseFrameError`] for a code that must not be sent (see [`CloseCode::new`]) or a reason of more
    /// than [`CloseReason::MAX_BYTES`] bytes.
    pub fn new(code: u16, reason: impl Into<String>) -> Result<Self, CloseFrameError> {
        Ok(Self { code: CloseCode::new(code)?, reason: CloseReason::new(reason)? })
    }

    /// Creates a frame with a code and no reason.
    pub fn code(code: CloseCode) -> Self {
        Self { code, reason: CloseReason::default() }
    }

    /// Parses the body of a Close frame. Returns `None` if it is empty.
    ///
    /// # Errors
    /// A [`Violation`] for a body of one byte (RFC6455-5.5.1-1), a code that must not be sent
    /// (RFC6455-7.4.1-1) or a reason that is not UTF-8 (RFC6455-8.1-1).
    pub fn parse(body: &[u8]) -> Result<Option<Self>, Violation> {
        let (code, reason) = match body {
            [] => return Ok(None),
            [_] => return Err(Violation::CloseBodyOfOneByte),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        let code = CloseCode::new(code).map_err(|_| Violation::CloseCode(code))?;
        let reason = str::from_utf8(reason).map_err(|_| Violation::CloseReasonNotUtf8)?;
        let reason = CloseReason::new(reason).map_err(|_| Violation::ControlFrameTooLong)?;
        Ok(Some(Self { code, reason }))
    }

    /// Encodes the body, which [`CloseFrame::parse`] reads.
    pub fn to_body(&self) -> Vec<u8> {
        let mut body = self.code.get().to_be_bytes().to_vec();
        body.extend_from_slice(self.reason.as_str().as_bytes());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC6455-5.5.1-1.
    #[test]
    fn a_body_is_empty_or_has_at_least_two_bytes() {
        assert_eq!(CloseFrame::parse(&[]), Ok(None));
        assert_eq!(CloseFrame::parse(&[3]), Err(Violation::CloseBodyOfOneByte));
    }

    /// RFC6455-5.5.1-2, RFC6455-5.5-1, RFC6455-8.1-1.
    #[test]
    fn a_reason_is_utf8_of_at_most_123_bytes() {
        assert_eq!(
            CloseFrame::parse(&[0x03, 0xE8, 0xC3]),
            Err(Violation::CloseReasonNotUtf8),
            "the character is incomplete"
        );
        // Characters of one to four bytes around the limit (fault C13).
        for character in ["a", "é", "€", "𝄞"] {
            for count in 28..=130 {
                let reason = character.repeat(count);
                let fits = reason.len() <= CloseReason::MAX_BYTES;
                assert_eq!(CloseReason::new(&*reason).is_ok(), fits, "{count} × {character}");
                let mut body = 1000u16.to_be_bytes().to_vec();
                body.extend_from_slice(reason.as_bytes());
                assert_eq!(CloseFrame::parse(&body).is_ok(), fits);
            }
        }
    }
}
