use std::fmt;
use std::num::NonZeroU16;

/// A status code that may be sent in a Close frame.
///
/// The codes 1005, 1006 and 1015 are never sent. They report an end without a code (RFC6455-7.4.1-1,
/// RFC6455-7.4.1-2, RFC6455-7.4.1-3). Codes that are not assigned are not sent either (RFC6455-7.4.2-1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(NonZeroU16);

impl CloseCode {
    /// 1000: the connection is no longer needed.
    pub const NORMAL: Self = Self::assigned(1000);
    /// 1001: this end is going away. For example, a server shuts down, or the user leaves a page.
    pub const GOING_AWAY: Self = Self::assigned(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self::assigned(1002);
    /// 1007: the peer sent text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self::assigned(1007);
    /// 1008: the peer violated a policy, and no more specific code applies.
    pub const POLICY_VIOLATION: Self = Self::assigned(1008);
    /// 1009: the peer sent a message that is larger than this end accepts.
    pub const MESSAGE_TOO_BIG: Self = Self::assigned(1009);
    /// 1011: an unexpected condition at this end.
    pub const INTERNAL_ERROR: Self = Self::assigned(1011);
    /// 1013: this end is overloaded, so the peer should try again later (IANA assigned this code after the
    /// RFC).
    pub const TRY_AGAIN_LATER: Self = Self::assigned(1013);

    /// Checks that `code` may be sent in a Close frame: 1000–1003, 1007–1014 (IANA assigned 1012–1014 after
    /// the RFC) or 3000–4999.
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

    /// Returns the number that is sent.
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

/// The code must not be sent in a Close frame. Holds the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the close code {0} must not be sent: use 1000-1003, 1007-1014 or 3000-4999")]
pub struct CloseCodeError(pub u16);
