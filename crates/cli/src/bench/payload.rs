use bytes::Bytes;
use fullduplex_net::proto::{Message, Text};

use super::args::Content;

/// Creates messages of one size, and recognizes their echoes.
#[derive(Debug)]
pub(super) struct Payload {
    /// Each message is a different part of the pool, so that no message repeats the previous one.
    pool: Bytes,
    size: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Binary,
}

/// The size of the pool. It is large, so that the compression window of 32 KiB rarely contains a
/// part of the next message.
const POOL: usize = 1 << 20;

/// A message begins with its number in this many hex digits, if it is long enough.
const NUMBER: usize = 16;

impl Payload {
    pub(super) fn new(size: usize, binary: bool, content: Content) -> Self {
        let kind = if binary { Kind::Binary } else { Kind::Text };
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut pool = Vec::with_capacity(POOL + size);
        while pool.len() < POOL + size {
            match (content, kind) {
                (Content::Words, _) => {
                    let words = &WORDS[random.next() as usize % WORDS.len()..][..1];
                    pool.extend_from_slice(words[0].as_bytes());
                }
                (Content::Random, Kind::Text) => {
                    pool.extend(
                        random.next().to_le_bytes().map(|byte| DIGITS[usize::from(byte & 63)]),
                    );
                }
                (Content::Random, Kind::Binary) => pool.extend(random.next().to_le_bytes()),
            }
        }
        Self { pool: pool.into(), size, kind }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns message `number` of a connection.
    pub(super) fn message(&self, number: u64) -> Message {
        let bytes = self.bytes(number);
        match self.kind {
            Kind::Binary => Message::Binary(bytes),
            // The bytes are always ASCII.
            Kind::Text => Text::from_utf8(bytes).map_or_else(Message::Binary, Message::Text),
        }
    }

    /// Returns the number at the start of an answer. Returns `None` if the answer has no number, or if
    /// messages are too short for a number.
    pub(super) fn number_of(&self, answer: &Message) -> Option<u64> {
        let digits = answer.payload().get(..NUMBER).filter(|_| self.has_number())?;
        let digits = str::from_utf8(digits).ok()?;
        // `from_str_radix` would also accept a sign.
        let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u64::from_str_radix(digits, 16).ok().filter(|_| is_number)
    }

    /// Returns whether messages are long enough for a number.
    pub(super) fn has_number(&self) -> bool {
        self.size >= NUMBER
    }

    /// Returns whether an answer is the echo of this message.
    pub(super) fn is_echo(&self, answer: &Message, number: u64) -> bool {
        let is_kind = matches!(
            (answer, self.kind),
            (Message::Text(_), Kind::Text) | (Message::Binary(_), Kind::Binary)
        );
        let payload = answer.payload();
        is_kind
            && payload.len() == self.size
            && match self.has_number() {
                true => {
                    payload[..NUMBER] == *hex(number).as_bytes()
                        && payload[NUMBER..] == self.part(number)[NUMBER..]
                }
                false => payload == self.part(number),
            }
    }

    fn bytes(&self, number: u64) -> Bytes {
        let part = self.part(number);
        if !self.has_number() {
            return self.pool.slice_ref(part);
        }
        [hex(number).as_bytes(), &part[NUMBER..]].concat().into()
    }

    fn part(&self, number: u64) -> &[u8] {
        let start = Random(number.wrapping_add(1)).next() as usize % POOL;
        &self.pool[start..start + self.size]
    }
}

fn hex(number: u64) -> String {
    format!("{number:0NUMBER$x}")
}

/// A pseudorandom sequence that is the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Typical pieces of application messages.
const WORDS: [&str; 32] = [
    "{\"id\":",
    "\"type\":\"",
    "\"user\":\"",
    "\"time\":",
    "\"text\":\"",
    "\"},",
    "],",
    "null,",
    "1024",
    "77",
    "3",
    "2026-11-26T",
    "09:41:00",
    "true,",
    "false,",
    "message",
    "update",
    "price",
    " the",
    " of",
    " and",
    " to",
    " in",
    " a",
    " is",
    " that",
    " for",
    " it",
    " with",
    " as",
    " was",
    "\"room\":\"",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_echo_of_a_message_is_recognized() {
        for (size, binary, content) in [
            (0, false, Content::Words),
            (15, false, Content::Random),
            (128, false, Content::Words),
            (128, true, Content::Random),
            (3 << 20, true, Content::Words),
        ] {
            let payload = Payload::new(size, binary, content);
            let message = payload.message(7);
            assert_eq!((message.len(), matches!(message, Message::Binary(_))), (size, binary));
            assert!(payload.is_echo(&message, 7));
            assert_eq!(payload.number_of(&message), (size >= 16).then_some(7));
            if size > 0 {
                assert!(!payload.is_echo(&message, 8), "{size}");
                assert!(!payload.is_echo(&message.payload()[1..].into(), 7));
            }
            assert!(binary == payload.is_echo(&message.payload().clone().into(), 7));
        }
    }
}
