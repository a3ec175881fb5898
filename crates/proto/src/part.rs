use crate::message::Message;

/// A part of a message that is received or sent in parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// The next bytes of the message. A text is never split within a character. The parts of a message are
    /// all text or all binary.
    pub content: Message,
    /// Whether the message ends with this part. The last part may be empty.
    pub last: bool,
}
