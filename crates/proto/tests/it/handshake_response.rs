//! Valid handshake responses in various forms, and invalid responses with their errors (RFC 6455 section 4.1;
//! fault FT-30).

use fullduplex_proto::handshake::{Answer, AnswerError, Nonce, Offer, Subprotocol, Subprotocols};
use http::{StatusCode, Version};

use crate::support::opening::{NONCE, RESPONSE, head, response};

fn offer() -> Offer {
    Offer::new(Nonce(NONCE), Subprotocols::new(["chat", "v2.chat"]).expect("tokens"))
}

fn answer(replaced: &str, by: &[&str]) -> Result<Answer, AnswerError> {
    let head = head(&RESPONSE, replaced, by);
    let response = response(&head).expect("a head of HTTP/1").expect("a whole head");
    Answer::from_response(&offer(), &response)
}

/// RFC6455-4.1-25, RFC6455-4.1-26, RFC6455-4.1-27, RFC6455-4.1-28, RFC6455-4.1-29, RFC6455-4.1-30.
#[test]
fn an_invalid_response_is_an_error() {
    let not_offered = |name: &str| AnswerError::SubprotocolNotOffered(name.to_owned());
    let extension = |name: &str| AnswerError::ExtensionNotOffered(name.to_owned());
    let http_10 = AnswerError::HttpVersion(Version::HTTP_10);
    let cases: Vec<(&str, &[&str], AnswerError)> = vec![
        ("HTTP", &["HTTP/1.0 101 Switching Protocols"], http_10),
        ("Upgrade", &[], AnswerError::Upgrade),
        ("Upgrade", &["Upgrade:"], AnswerError::Upgrade),
        ("Upgrade", &["Upgrade: h2c"], AnswerError::Upgrade),
        ("Upgrade", &["Upgrade: websockets"], AnswerError::Upgrade),
        ("", &["Upgrade: websocket"], AnswerError::Upgrade),
        ("", &["Upgrade: h2c"], AnswerError::Upgrade),
        ("Connection", &[], AnswerError::Connection),
        ("Connection", &["Connection:"], AnswerError::Connection),
        ("Connection", &["Connection: close"], AnswerError::Connection),
        ("Connection", &["Connection: Upgraded"], AnswerError::Connection),
        ("Sec-WebSocket-Accept", &[], AnswerError::AcceptMissing),
        // RFC6455-11.3.3-1
        ("", &["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], AnswerError::AcceptRepeated),
        ("Sec-WebSocket-Accept", &["Sec-WebSocket-Accept:"], AnswerError::AcceptMismatch),
        // The key itself, the correct value in another case, and the correct value with more characters.
        (
            "Sec-WebSocket-Accept",
            &["Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ=="],
            AnswerError::AcceptMismatch,
        ),
        (
            "Sec-WebSocket-Accept",
            &["Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO="],
            AnswerError::AcceptMismatch,
        ),
        (
            "Sec-WebSocket-Accept",
            &["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x"],
            AnswerError::AcceptMismatch,
        ),
        ("", &["Sec-WebSocket-Extensions: permessage-deflate"], extension("permessage-deflate")),
        ("", &["Sec-WebSocket-Extensions: x; y=1"], extension("x")),
        ("", &["Sec-WebSocket-Extensions:"], AnswerError::ExtensionsMalformed),
        ("", &["Sec-WebSocket-Extensions: ,"], AnswerError::ExtensionsMalformed),
        ("Upgrade", &["Upgrade: , ,"], AnswerError::Upgrade),
        ("Upgrade", &["Upgrade: websocket, websocket"], AnswerError::Upgrade),
        ("Upgrade", &["Upgrade: websocket, h2c"], AnswerError::Upgrade),
        ("", &["Sec-WebSocket-Protocol: chat,"], not_offered("chat,")),
        ("", &["Sec-WebSocket-Extensions: x; y=\"z"], AnswerError::ExtensionsMalformed),
        ("", &["Sec-WebSocket-Protocol: Chat"], not_offered("Chat")),
        ("", &["Sec-WebSocket-Protocol: chat, v2.chat"], not_offered("chat, v2.chat")),
        ("", &["Sec-WebSocket-Protocol: other"], not_offered("other")),
        // RFC6455-4.2.2-7
        ("", &["Sec-WebSocket-Protocol:"], not_offered("")),
        // RFC6455-11.3.4-1
        (
            "",
            &["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"],
            AnswerError::SubprotocolRepeated,
        ),
    ];
    for (replaced, by, expected) in cases {
        assert_eq!(answer(replaced, by), Err(expected), "{replaced:?} by {by:?}");
    }
}

/// RFC6455-4.1-24: any status but 101 is an error, even another 1xx.
#[test]
fn any_other_status_is_an_error() {
    for status in [100, 103, 200, 204, 301, 401, 407, 426, 500, 599] {
        let line = format!("HTTP/1.1 {status} Whatever");
        let expected = AnswerError::Status(StatusCode::from_u16(status).unwrap());
        assert_eq!(answer("HTTP", &[&line]), Err(expected));
    }
}

/// RFC6455-4.1-27: every character is compared, including its case.
#[test]
fn every_character_of_the_accept_header_is_compared() {
    let (name, accept) = RESPONSE[3].split_once(": ").unwrap();
    for index in 0..accept.len() {
        for replacement in [b'A', b'b', b'=', accept.as_bytes()[index] ^ 0x20] {
            let mut wrong = accept.as_bytes().to_vec();
            if wrong[index] == replacement || !replacement.is_ascii_graphic() {
                continue;
            }
            wrong[index] = replacement;
            let line = format!("{name}: {}", String::from_utf8(wrong).unwrap());
            assert_eq!(answer(name, &[&line]), Err(AnswerError::AcceptMismatch), "{line}");
        }
    }
}

/// RFC6455-4.1-25, RFC6455-4.1-26, RFC6455-4.1-31: case, white space, order and further elements do not matter.
#[test]
fn a_valid_response_is_accepted_in_every_spelling() {
    for (replaced, by) in [
        ("", &[][..]),
        ("HTTP", &["HTTP/1.1 101"]),
        ("HTTP", &["HTTP/1.1 101 Web Socket Protocol Handshake"]),
        ("Upgrade", &["UPGRADE:WebSocket"]),
        // FS-11
        ("Upgrade", &["Upgrade: ,websocket, "]),
        ("Connection", &["Connection: , Upgrade,"]),
        ("Connection", &["connection: upgrade"]),
        ("Connection", &["Connection: keep-alive, UPGRADE"]),
        ("Connection", &["Connection: keep-alive", "Connection: Upgrade"]),
        ("Sec-WebSocket-Accept", &["sec-websocket-accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t"]),
        // RFC6455-11.3.5-1: a response may list versions.
        ("", &["Sec-WebSocket-Version: 13, 8", "Sec-WebSocket-Version: 7"]),
        ("", &["Server: \u{e4}", "Set-Cookie: a=b", "Set-Cookie: c=d"]),
    ] {
        let answer = answer(replaced, by).unwrap_or_else(|error| panic!("{by:?}: {error}"));
        assert_eq!(answer.subprotocol(), None);
    }
}

/// RFC6455-4.1-29.
#[test]
fn an_offered_subprotocol_is_accepted() {
    for name in ["chat", "v2.chat"] {
        let line = format!("Sec-WebSocket-Protocol:  {name} ");
        let answer = answer("", &[&line]).unwrap();
        assert_eq!(answer.subprotocol().map(Subprotocol::as_str), Some(name));
    }
}

/// FC-14: frames begin after the head, even if headers announce a body.
#[test]
fn headers_that_announce_a_body_are_ignored() {
    for header in ["Transfer-Encoding: chunked", "Content-Length: 5", "Content-Length: 0"] {
        answer("", &[header]).expect(header);
    }
}
