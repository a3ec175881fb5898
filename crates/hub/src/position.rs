use std::fmt;
use std::str::FromStr;

/// The place of a message in the history of a topic (HUB-3).
///
/// A client keeps the position of the last message that it received, and sends it when it reconnects:
/// [`SubscribeOptions::recover`](crate::SubscribeOptions::recover). The text of a position has at most 46 letters,
/// digits and hyphens, so it needs no escapes in a URL.
///
/// ```
/// use fullduplex_hub::Position;
/// let position: Position = "9f3a01-42-5ee1".parse()?;
/// assert_eq!(position.to_string(), "9f3a01-42-5ee1");
/// # Ok::<(), fullduplex_hub::PositionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The epoch of the log. A log that starts again has a new epoch.
    pub(crate) epoch: u64,
    /// The offset in the log. Later messages have larger offsets, which need not be consecutive.
    pub(crate) offset: u64,
    /// A part of the message's id. It differs if the broker lost the end of its log and then wrote another message at
    /// this offset.
    pub(crate) check: u32,
}

/// The error for a text that is not a valid [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not parse the position: it is not of the form `epoch-offset-check`")]
pub struct PositionError;

impl Position {
    /// Creates a position from its parts. Only an implementation for another broker needs this method. Applications get
    /// positions from messages.
    pub fn new(epoch: u64, offset: u64, check: u32) -> Self {
        Self { epoch, offset, check }
    }

    /// Returns the epoch of the log. A log that starts again has a new epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the offset in the log. Later messages have larger offsets, which need not be consecutive.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}-{:x}", self.epoch, self.offset, self.check)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        // `from_str_radix` would accept a sign.
        if text.bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-') {
            return Err(PositionError);
        }
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(PositionError);
        let (epoch, offset, check) = (next()?, next()?, next()?);
        let position = Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| PositionError)?,
            offset: offset.parse().map_err(|_| PositionError)?,
            check: u32::from_str_radix(check, 16).map_err(|_| PositionError)?,
        };
        parts.next().is_none().then_some(position).ok_or(PositionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_the_same_after_a_round_trip_as_text() {
        for position in [
            Position::new(0, 0, 0),
            Position::new(u64::MAX, u64::MAX, u32::MAX),
            Position::new(1, 2, 3),
        ] {
            let text = position.to_string();
            assert_eq!(text.parse(), Ok(position));
            assert!(text.len() <= 46, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_positions() {
        for text in
            ["", "-", "--", "1-2", "1-2-3-4", "x-1-1", "1-x-1", "+1-2-3", "1--2-3", "1-2-1ffffffff"]
        {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
