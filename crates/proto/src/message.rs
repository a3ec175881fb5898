use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::opcode::Opcode;
use crate::text::Text;

/// A whole message. Its bytes are shared and cannot be changed (RFC6455-10.3-2). A clone does not copy them.
///
/// String types convert into a text message. Byte types convert into a binary message:
///
/// ```
/// # use fullduplex_proto::Message;
/// assert!(Message::from("hello").is_text());
/// assert!(Message::from(vec![1, 2, 3]).is_binary());
/// assert_eq!(Message::text("hello").to_text(), Ok("hello"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// A text message, which is always valid UTF-8.
    Text(Text),
    /// A binary message.
    Binary(Bytes),
}

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The payload is UTF-8.
    Text,
    /// The payload is any bytes.
    Binary,
}

impl Kind {
    /// Returns the opcode of the message's first frame (RFC6455-6.1-3).
    pub(crate) fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }

    /// Creates a message of this kind. The caller has checked that the payload of a text is UTF-8.
    pub(crate) fn message(self, payload: Bytes) -> Message {
        match self {
            Self::Text => Message::Text(Text::from_checked(payload)),
            Self::Binary => Message::Binary(payload),
        }
    }
}

impl Message {
    /// Creates a text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// Creates a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Returns the type of the message.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Returns whether this is a binary message.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// Returns the text of a text message, or `None` for a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the payload as a string. A binary message is checked to be UTF-8.
    ///
    /// # Errors
    /// [`Utf8Error`] for a binary message that is not UTF-8.
    pub fn to_text(&self) -> Result<&str, Utf8Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) => str::from_utf8(bytes),
        }
    }

    /// Converts the payload into a [`Text`] without a copy. A binary message is checked to be UTF-8.
    ///
    /// # Errors
    /// [`Utf8Error`] for a binary message that is not UTF-8.
    pub fn into_text(self) -> Result<Text, Utf8Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) => match Text::from_utf8(bytes) {
                Ok(text) => Ok(text),
                Err(bytes) => str::from_utf8(&bytes).map(Text::from),
            },
        }
    }

    /// Returns the payload of either kind.
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload of either kind without a copy.
    #[doc(alias = "into_data")]
    pub fn into_payload(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload's length in bytes.
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Returns whether the payload is empty. An empty message can be sent.
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

/// Implements `From` for each type by a conversion into `Text` or `Bytes`.
macro_rules! message_from {
    ($(($($generic:tt)*) $from:ty => $variant:ident($payload:expr);)*) => {
        $(impl $($generic)* From<$from> for Message {
            fn from(from: $from) -> Self {
                Self::$variant($payload(from))
            }
        })*
    };
}

message_from! {
    () Text => Text(Text::from);
    () &Text => Text(Text::from);
    () &str => Text(Text::from);
    () String => Text(Text::from);
    () &String => Text(Text::from);
    () Cow<'_, str> => Text(Text::from);
    () Arc<str> => Text(Text::from);
    () Box<str> => Text(Text::from);
    () Bytes => Binary(Bytes::from);
    () &Bytes => Binary(Bytes::clone);
    () BytesMut => Binary(Bytes::from);
    () Vec<u8> => Binary(Bytes::from);
    () &Vec<u8> => Binary(|bytes: &Vec<u8>| Bytes::copy_from_slice(bytes));
    () &[u8] => Binary(Bytes::copy_from_slice);
    () Box<[u8]> => Binary(Bytes::from);
    (<const N: usize>) [u8; N] => Binary(|bytes: [u8; N]| Bytes::copy_from_slice(&bytes));
    (<const N: usize>) &[u8; N] => Binary(|bytes: &[u8; N]| Bytes::copy_from_slice(bytes));
}
