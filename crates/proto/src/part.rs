use crate::message::Message;

/// A part of a message that is received or sent in parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// The next bytes of the message, or its next characters: a text is never cut within one. All
    /// parts of a message are of one kind.
    pub content: Message,
    /// Whether the message ends with this part, which may be empty.
    pub last: bool,
}
