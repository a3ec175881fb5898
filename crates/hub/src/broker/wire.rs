//! The encoding of topics and content at a broker.

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use fullduplex_proto::{Message, Prepared, Text};

use crate::entry::Content;
use crate::topic::Topic;

/// The length of the header of encoded content: the kind, the id, and the subscriber to skip.
pub(super) const HEAD: usize = 17;

/// Encodes the name of a topic in letters, digits, `-`, `_` and `=` (HUB-7). Different names have different
/// encodings.
pub(super) fn encode_topic(topic: &Topic) -> String {
    let mut encoded = String::with_capacity(topic.as_str().len());
    for byte in topic.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "={byte:02X}").expect("a string can be written to");
        }
    }
    encoded
}

/// Decodes the name of a topic. Returns `None` for a name that [`encode_topic`] does not produce.
pub(super) fn decode_topic(encoded: &str) -> Option<Topic> {
    let mut parts = encoded.split('=');
    let mut name = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        name.push(u8::from_str_radix(code, 16).ok()?);
        name.extend_from_slice(rest.as_bytes());
    }
    Topic::new(String::from_utf8(name).ok()?).ok()
}

pub(super) fn encode(content: &Content) -> Bytes {
    let message = content.message.as_ref().map(Prepared::message);
    let payload = message.map_or(&[][..], |message| message.payload());
    let mut bytes = BytesMut::with_capacity(HEAD + payload.len());
    bytes.put_u8(match message {
        None => b'm',
        Some(Message::Text(_)) => b't',
        Some(Message::Binary(_)) => b'b',
    });
    bytes.put_u64(content.id);
    bytes.put_u64(content.except);
    bytes.put_slice(payload);
    bytes.freeze()
}

/// Decodes content. Returns `None` for bytes that [`encode`] does not produce.
pub(super) fn decode(mut bytes: Bytes) -> Option<Content> {
    if bytes.len() < HEAD {
        return None;
    }
    let payload = bytes.split_off(HEAD);
    let number = |from: usize| bytes[from..from + 8].try_into().map(u64::from_be_bytes).ok();
    let message = match bytes[0] {
        b'm' => None,
        b't' => Some(Message::Text(Text::from_utf8(payload).ok()?)),
        b'b' => Some(Message::Binary(payload)),
        _ => return None,
    };
    Some(Content { id: number(1)?, except: number(9)?, message: message.map(Prepared::new) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HUB-7.
    #[test]
    fn encoded_names_are_unique_and_contain_no_broker_syntax() {
        let names = ["*", ">", ".", " ", "{", "}", "a.b", "a=2Eb", "a/b", "a:b", "é", "$SYS", "a"];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let topic = Topic::new(name).unwrap();
            let encoded = encode_topic(&topic);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
            assert!(encoded.bytes().all(is_plain), "{encoded}");
            assert_eq!(decode_topic(&encoded), Some(topic));
            assert!(seen.insert(encoded), "{name}");
        }
        for bad in ["", "=", "=2", "=zz", "a=é", "=FF", "=0A"] {
            assert_eq!(decode_topic(bad), None, "{bad}");
        }
    }

    #[test]
    fn content_is_the_same_after_a_round_trip() {
        for message in
            [None, Some(Message::from("é")), Some(Message::from(vec![0xff])), Some("".into())]
        {
            let content = Content { id: 7, except: 9, message: message.clone().map(Prepared::new) };
            let decoded = decode(encode(&content)).unwrap();
            assert_eq!((decoded.id, decoded.except), (7, 9));
            assert_eq!(decoded.message.map(|prepared| prepared.message().clone()), message);
        }
    }

    #[test]
    fn content_of_other_programs_is_rejected() {
        let content = Content { id: 1, except: 0, message: Some(Prepared::new("a")) };
        let mut bad = encode(&content).to_vec();
        *bad.last_mut().unwrap() = 0xff;
        assert!(decode(bad.clone().into()).is_none(), "invalid UTF-8");
        bad[0] = b'?';
        assert!(decode(bad.clone().into()).is_none(), "an unknown kind");
        for len in 0..HEAD {
            assert!(decode(bad[..len].to_vec().into()).is_none(), "{len} bytes");
        }
    }
}
