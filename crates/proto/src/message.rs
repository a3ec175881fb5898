use std::fmt;

use bytes::Bytes;

use crate::Opcode;

/// A whole message: what one `send` of one end becomes at the other. Its bytes are shared, and nobody
/// can change them (RFC6455-10.3-2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// Text, which is always valid UTF-8.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

/// Which of the two a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

impl Kind {
    /// The opcode of the message's first frame (RFC6455-6.1-3).
    pub(crate) fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }

    /// A message of this kind, made of bytes that were validated if it is text.
    pub(crate) fn message(self, payload: Bytes) -> Message {
        match self {
            Self::Text => Message::Text(Text(payload)),
            Self::Binary => Message::Binary(payload),
        }
    }
}

impl Message {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The payload, whichever kind it is.
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Text(text) => &text.0,
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload's length in bytes.
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether the payload is empty. An empty message is a message.
    pub fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }
}

impl From<&Self> for Message {
    fn from(message: &Self) -> Self {
        message.clone()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

/// Text that is known to be UTF-8, in shared bytes: cloning it copies nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Text {
    /// Checks that `bytes` are UTF-8, without copying them.
    ///
    /// # Errors
    /// The bytes, if they are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Bytes> {
        match simdutf8::basic::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(bytes),
        }
    }

    /// The text. Keep the result where it is used often: this crate has no `unsafe`, so each call
    /// walks over the bytes once, at the speed of memory.
    pub fn as_str(&self) -> &str {
        simdutf8::basic::from_utf8(&self.0).expect("a Text is made of validated bytes only")
    }

    /// The text's bytes, at no cost.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text's bytes, at no cost.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_checked_once_and_only_once() {
        let text = Text::from_utf8(Bytes::from_static("Grüße".as_bytes())).unwrap();
        assert_eq!(text, "Grüße");
        assert_eq!(text.as_str().len(), 7);
        assert!(Text::from_utf8(Bytes::from_static(b"\xC3")).is_err());
    }
}
