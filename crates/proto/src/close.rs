use std::fmt;
use std::num::NonZeroU16;

use crate::violation::Violation;

/// A status code that may stand in a Close frame.
///
/// Never one of the codes that only describe an end without one: 1005, 1006, 1015
/// (RFC6455-7.4.1-1, RFC6455-7.4.1-2, RFC6455-7.4.1-3); never one that nobody assigned
/// (RFC6455-7.4.2-1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(NonZeroU16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self::assigned(1000);
    /// 1001: this end goes away: a server shuts down, a page is left.
    pub const GOING_AWAY: Self = Self::assigned(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self::assigned(1002);
    /// 1007: the peer sent text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self::assigned(1007);
    /// 1008: the peer broke a policy that no other code names.
    pub const POLICY_VIOLATION: Self = Self::assigned(1008);
    /// 1009: the peer sent a message larger than this end takes.
    pub const MESSAGE_TOO_BIG: Self = Self::assigned(1009);
    /// 1011: this end met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self::assigned(1011);
    /// 1013: this end has too much to do; come back later (assigned by IANA since the RFC).
    pub const TRY_AGAIN_LATER: Self = Self::assigned(1013);

    /// Checks that `code` may be sent and received in a Close frame: 1000–1003, 1007–1014 (IANA has
    /// assigned 1012–1014 since the RFC) or 3000–4999.
    ///
    /// # Errors
    /// [`CloseCodeError`] for any other number.
    pub fn new(code: u16) -> Result<Self, CloseCodeError> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => {
                NonZeroU16::new(code).map(Self).ok_or(CloseCodeError(code))
            }
            _ => Err(CloseCodeError(code)),
        }
    }

    /// The number on the wire.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    const fn assigned(code: u16) -> Self {
        match NonZeroU16::new(code) {
            Some(code) => Self(code),
            None => panic!("no close code is zero"),
        }
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = CloseCodeError;

    fn try_from(code: u16) -> Result<Self, CloseCodeError> {
        Self::new(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.get()
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, other: &u16) -> bool {
        self.get() == *other
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({self})")
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number given may not stand in a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} may not stand in a Close frame: use 1000-1003, 1007-1014 or 3000-4999")]
pub struct CloseCodeError(pub u16);

/// Why a connection closes, in words for a developer's log: at most 123 bytes of UTF-8
/// (RFC6455-5.5.1-2).
///
/// It comes from the peer; do not show it to end users (RFC6455-5.5.1-3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CloseReason(String);

impl CloseReason {
    /// What 125 bytes of a control frame leave beside the code (RFC6455-5.5-1).
    pub const MAX_BYTES: usize = 123;

    /// Checks the length of `reason`.
    ///
    /// # Errors
    /// [`CloseReasonError`] above [`CloseReason::MAX_BYTES`] bytes of UTF-8.
    pub fn new(reason: impl Into<String>) -> Result<Self, CloseReasonError> {
        let reason = reason.into();
        if reason.len() > Self::MAX_BYTES {
            return Err(CloseReasonError(reason.len()));
        }
        Ok(Self(reason))
    }

    /// The reason's text; empty when none was given.
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

/// The reason given does not fit in a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a close reason has room for 123 bytes of UTF-8, and this one has {0}")]
pub struct CloseReasonError(pub usize);

/// The body of a Close frame that has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    /// Why, as a number.
    pub code: CloseCode,
    /// Why, in words.
    pub reason: CloseReason,
}

/// A Close frame cannot have this code or this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// The code may not be sent.
    #[error(transparent)]
    Code(#[from] CloseCodeError),
    /// The reason is too long.
    #[error(transparent)]
    Reason(#[from] CloseReasonError),
}

impl CloseFrame {
    /// Checks the code and the reason, and makes a frame of them.
    ///
    /// ```
    /// # use fullduplex_proto::CloseFrame;
    /// let frame = CloseFrame::new(1000, "bye")?;
    /// # assert_eq!((frame.code.get(), frame.reason.as_str()), (1000, "bye"));
    /// # Ok::<(), fullduplex_proto::CloseFrameError>(())
    /// ```
    ///
    /// Both often come from a variable, a reason even from another peer. So a wrong one is an error, not
    /// a panic. [`CloseFrame::code`] cannot fail.
    ///
    /// # Errors
    /// [`CloseFrameError`] for a code that may not be sent (see [`CloseCode::new`]) or a reason of more
    /// than [`CloseReason::MAX_BYTES`] bytes.
    pub fn new(code: u16, reason: impl Into<String>) -> Result<Self, CloseFrameError> {
        Ok(Self { code: CloseCode::new(code)?, reason: CloseReason::new(reason)? })
    }

    /// Makes a frame with a code and no reason.
    pub fn code(code: CloseCode) -> Self {
        Self { code, reason: CloseReason::default() }
    }

    /// Reads the body of a Close frame; `None` when it is empty.
    ///
    /// # Errors
    /// The [`Violation`] of a body of one byte (RFC6455-5.5.1-1), a code that may not be sent
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

    /// The bytes of the body, as [`CloseFrame::parse`] reads them.
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
            "a character cut in half"
        );
        // Four-byte, three-byte, two-byte characters around the limit (fault C13).
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
