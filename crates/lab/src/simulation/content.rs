//! Random content of messages, Pings and Closes.

use bytes::Bytes;
use fullduplex_proto::{CloseCode, CloseFrame, CloseReason, Message, Part, Text};

use crate::rng::Rng;

/// The words of texts: characters of one to four bytes, and words that compress.
const WORDS: [&str; 10] =
    ["the ", "quick ", "Grüße, ", "{\"id\": ", "}", "é", "€", "𝄞", "0123456789", "\0"];

/// Payload lengths at which the header encodes the length in another form, and their neighbours.
const BOUNDARIES: [usize; 6] = [125, 126, 127, 65_535, 65_536, 65_537];

/// Makes a message of at most `max` bytes.
pub(super) fn message(rng: &mut Rng, max: usize) -> Message {
    let mut length = rng.log_uniform(max as u64) as usize;
    if rng.one_in(16) {
        length = max.min(*rng.pick(&BOUNDARIES));
    }
    match rng.below(4) {
        0 => Message::from(bytes(rng, length)),
        1 => Message::from(text(rng, length).into_bytes()),
        _ => Message::from(text(rng, length)),
    }
}

/// Splits a message into parts, of which some may be empty.
pub(super) fn parts(rng: &mut Rng, message: &Message) -> Vec<Part> {
    let len = message.len();
    let mut cuts: Vec<usize> = (0..rng.log_uniform(12)).map(|_| rng.index(len + 1)).collect();
    if let Message::Text(text) = message {
        let text = text.as_str();
        for cut in &mut cuts {
            while !text.is_char_boundary(*cut) {
                *cut -= 1;
            }
        }
    }
    cuts.sort_unstable();
    cuts.push(len);
    let mut start = 0;
    let part = |(index, &end): (usize, &usize)| {
        let bytes = message.payload().slice(std::mem::replace(&mut start, end)..end);
        let content = match message {
            Message::Text(_) => Text::from_utf8(bytes).expect("no character was cut").into(),
            Message::Binary(_) => bytes.into(),
        };
        Part { content, last: index + 1 == cuts.len() }
    };
    cuts.iter().enumerate().map(part).collect()
}

/// Makes the payload of a Ping.
pub(super) fn ping(rng: &mut Rng) -> Bytes {
    let length = rng.log_uniform(125) as usize;
    bytes(rng, length).into()
}

/// Makes the body of a Close, which may be empty.
pub(super) fn close(rng: &mut Rng) -> Option<CloseFrame> {
    let number = *rng.pick(&[1000, 1001, 1003, 1008, 1011, 1014, 3000, 4999]);
    let code = CloseCode::new(number).expect("each of these is valid");
    let length = rng.log_uniform(CloseReason::MAX_BYTES as u64) as usize;
    let reason = CloseReason::new(text(rng, length)).expect("it is short enough");
    (!rng.one_in(4)).then_some(CloseFrame { code, reason })
}

/// Makes a text of exactly `length` bytes.
fn text(rng: &mut Rng, length: usize) -> String {
    let mut text = String::with_capacity(length);
    loop {
        let word = *rng.pick(&WORDS);
        if text.len() + word.len() > length {
            break;
        }
        text.push_str(word);
    }
    text.extend(std::iter::repeat_n('.', length - text.len()));
    text
}

/// Makes bytes that compress, or bytes that do not.
fn bytes(rng: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![rng.next() as u8; length];
    if rng.one_in(2) {
        rng.fill(&mut bytes);
    }
    bytes
}
