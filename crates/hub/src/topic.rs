use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of a topic, in bytes.
const MAX_LEN: usize = 255;

/// The name of a topic: 1 to 255 bytes of text without control characters.
///
/// All other characters are allowed, such as `*`, `>`, `.`, `{` and spaces. They have no special meaning, because a
/// name is encoded before it is sent to a broker.
///
/// ```
/// use fullduplex_hub::Topic;
/// let topic: Topic = "rooms/7".parse()?;
/// assert_eq!(topic.as_str(), "rooms/7");
/// assert!("".parse::<Topic>().is_err());
/// # Ok::<(), fullduplex_hub::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// The error for a text that is not a valid name of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// It is empty.
    #[error("could not use the topic name: it is empty")]
    Empty,
    /// It is too long, and has this many bytes.
    #[error("could not use the topic name: it has {0} bytes, and at most {MAX_LEN} are allowed")]
    TooLong(usize),
    /// It contains a control character.
    #[error("could not use the topic name: it contains the control character {0:?}")]
    Control(char),
}

impl Topic {
    /// Checks a name.
    ///
    /// # Errors
    /// [`TopicError`] if the name is empty, too long, or contains a control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, TopicError> {
        let name = name.as_ref();
        match name.chars().find(|character| character.is_control()) {
            _ if name.is_empty() => Err(TopicError::Empty),
            _ if name.len() > MAX_LEN => Err(TopicError::TooLong(name.len())),
            Some(character) => Err(TopicError::Control(character)),
            None => Ok(Self(name.into())),
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(name: &str) -> Result<Self, TopicError> {
        Self::new(name)
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(Topic::new(""), Err(TopicError::Empty));
        assert_eq!(Topic::new("a".repeat(256)), Err(TopicError::TooLong(256)));
        assert_eq!(Topic::new("a\nb"), Err(TopicError::Control('\n')));
        assert_eq!(Topic::new("a\0"), Err(TopicError::Control('\0')));
        assert!(Topic::new("a".repeat(255)).is_ok());
    }
}
