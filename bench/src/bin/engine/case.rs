use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

/// One kind of work, which is the same for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) role: Role,
    pub(crate) direction: Direction,
    content: Content,
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive,
    Send,
    /// A server receives bursts of messages, and sends each message back.
    Echo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text with one byte per character.
    Ascii,
    /// Text in which most characters have two bytes.
    Cyrillic,
    /// Binary, so that nothing is validated.
    Binary,
}

/// The length of a payload in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size(usize);

const SMALL: Size = Size(64);
const MEDIUM: Size = Size(1 << 10);
const LARGE: Size = Size(64 << 10);

/// The payloads that are received, in either role.
const RECEIVED: [(Content, Size); 8] = [
    (Content::Ascii, SMALL),
    (Content::Ascii, MEDIUM),
    (Content::Ascii, LARGE),
    (Content::Cyrillic, MEDIUM),
    (Content::Cyrillic, LARGE),
    (Content::Binary, SMALL),
    (Content::Binary, MEDIUM),
    (Content::Binary, LARGE),
];

/// The payloads that a server sends back.
const ECHOED: [(Content, Size); 2] = [(Content::Ascii, SMALL), (Content::Binary, SMALL)];

/// The payloads that are sent. Text is sent as binary, because a sender knows that its text is
/// valid.
const SENT: [(Content, Size); 3] =
    [(Content::Binary, SMALL), (Content::Binary, MEDIUM), (Content::Binary, LARGE)];

impl Case {
    /// Returns all cases.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Role::Server, Role::Client].into_iter().flat_map(|role| {
            let received = RECEIVED.map(|what| (Direction::Receive, what));
            let sent = SENT.map(|what| (Direction::Send, what));
            let echoed = ECHOED.map(|what| (Direction::Echo, what));
            let echoed = echoed.into_iter().filter(move |_| role == Role::Server);
            let all = received.into_iter().chain(sent).chain(echoed);
            all.map(move |(direction, (content, size))| Self { role, direction, content, size })
        })
    }

    /// Returns whether the messages are text.
    pub(crate) fn is_text(&self) -> bool {
        self.content != Content::Binary
    }

    /// Returns the payload of each message.
    pub(crate) fn payload(&self) -> Bytes {
        let pattern: &[u8] = match self.content {
            Content::Ascii => b"The quick brown fox jumps over the lazy dog. ",
            Content::Cyrillic => "Съешь ещё этих мягких французских булок. ".as_bytes(),
            Content::Binary => &[0xff, 0x00, 0x80, 0x7f, 0xc1],
        };
        let Size(size) = self.size;
        let mut payload = pattern.repeat(size / pattern.len());
        // The payload is padded, not cut, so that every character is complete.
        payload.resize(size, b'.');
        payload.into()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Client => "client",
            Role::Server => "server",
        };
        let direction = match self.direction {
            Direction::Receive => "receives",
            Direction::Send => "sends",
            Direction::Echo => "echoes",
        };
        let content = match self.content {
            Content::Ascii => "ascii",
            Content::Cyrillic => "cyrillic",
            Content::Binary => "binary",
        };
        let Size(size) = self.size;
        write!(f, "{role}-{direction}-{content}-{size}")
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::all().find(|case| case.to_string() == name);
        found.ok_or_else(|| "no such case; see `engine list`".into())
    }
}
