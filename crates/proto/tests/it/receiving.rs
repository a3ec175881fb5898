//! Receiving messages in one or many frames, with control frames in between. Text is checked while it
//! arrives, and Pings are answered.

use bytes::{Bytes, BytesMut};
use fullduplex_proto::{CloseCode, CloseFrame, CloseReason, Message, Received, Role, Violation};

use crate::support::*;

fn message(message: impl Into<Message>) -> Received {
    Received::Message(message.into())
}

/// RFC6455-5.2-5: each form of a length; RFC6455-6.2-2: the next frame begins a new message.
#[test]
fn messages_in_one_frame_are_received() {
    for role in ROLES {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let payload = "x".repeat(length);
            let wire = [frame(TEXT, &payload).to(role), frame(BINARY, &payload).to(role)].concat();
            assert_eq!(
                events(&mut connection(role), &wire),
                [message(&*payload), message(payload.as_bytes())],
                "{role:?}, {length} bytes"
            );
        }
    }
}

/// RFC6455-5.4-2, RFC6455-5.4-5, RFC6455-5.4-6, RFC6455-5.4-10: the fragments are joined in order. They may
/// have any size. The first fragment determines the kind of the message.
#[test]
fn fragments_are_joined_into_a_message() {
    let sizes = [0, 1, 3, 125, 126, 0, 65_536, 7, 0];
    let bytes = |count: usize| (0..count).map(|i| b'a' + (i % 23) as u8).collect::<Vec<u8>>();
    for role in ROLES {
        for opcode in [TEXT, BINARY] {
            let (mut wire, mut whole) = (Vec::new(), Vec::new());
            for (index, &size) in sizes.iter().enumerate() {
                let opcode = if index == 0 { opcode } else { CONTINUATION };
                wire.extend(frame(opcode, bytes(size)).unfinished().to(role));
                whole.extend(bytes(size));
            }
            wire.extend(frame(CONTINUATION, "end").to(role));
            whole.extend(b"end");
            let expected = match opcode {
                TEXT => message(String::from_utf8(whole).unwrap()),
                _ => message(whole),
            };
            // The second message is not affected by the first.
            let received = events(&mut connection(role), &wire.repeat(2));
            assert_eq!(received, [expected.clone(), expected]);
        }
    }
}

/// RFC6455-5.4-1, RFC6455-5.4-4: control frames are handled immediately, not after the message.
#[test]
fn control_frames_between_fragments_are_handled_at_once() {
    for role in ROLES {
        let wire = [
            frame(TEXT, "one ").unfinished().to(role),
            frame(PING, "a").to(role),
            frame(CONTINUATION, "two").unfinished().to(role),
            frame(PONG, "b").to(role),
            frame(PING, "").to(role),
            frame(CONTINUATION, "").to(role),
        ];
        let expected = [
            vec![],
            vec![Received::Ping("a".into())],
            vec![],
            vec![Received::Pong("b".into())],
            vec![Received::Ping("".into())],
            vec![message("one two")],
        ];
        let mut connection = connection(role);
        for (bytes, expected) in wire.iter().zip(expected) {
            assert_eq!(events(&mut connection, bytes), expected, "{role:?}");
        }
    }
}

/// RFC6455-6.2-3
#[test]
fn every_mask_is_removed() {
    for mask in [[0; 4], [0xFF; 4], [1, 2, 3, 4], [0, 0, 0, 0x80]] {
        let payload: Vec<u8> = (0..=255).collect();
        let masked = Frame { mask: Some(mask), ..frame(BINARY, &payload) };
        let received = events(&mut connection(Role::Server), &masked.bytes());
        assert_eq!(received, [message(payload)]);
    }
}

/// RFC6455-7.1.5-1, RFC6455-7.1.6-1: the peer's Close within a message, with and without a body.
#[test]
fn a_close_event_has_the_code_and_reason() {
    let bye = CloseReason::new("bye").unwrap();
    let code = CloseCode::new(4001).unwrap();
    for role in ROLES {
        for (sent, expected) in [
            (frame(CLOSE, ""), None),
            (close_frame(1000, ""), Some(CloseFrame::code(CloseCode::NORMAL))),
            (close_frame(4001, "bye"), Some(CloseFrame { code, reason: bye.clone() })),
        ] {
            let wire = [frame(TEXT, "unended").unfinished().to(role), sent.to(role)].concat();
            assert_eq!(events(&mut connection(role), &wire), [Received::Close(expected)]);
        }
    }
}

/// RFC6455-5.5.2-1, RFC6455-5.5.3-1: this applies to every size from 0 to 125.
#[test]
fn a_ping_is_answered_with_its_own_payload() {
    for role in ROLES {
        let mut connection = connection(role);
        for size in 0..=125u8 {
            let payload: Vec<u8> = (0..size).map(|i| i ^ size).collect();
            let received = events(&mut connection, &frame(PING, &payload).to(role));
            assert_eq!(received, [Received::Ping(payload.clone().into())]);
            let pongs = sent(&mut connection);
            assert_eq!(pongs.len(), 1);
            assert_eq!((pongs[0].fin, pongs[0].opcode), (true, PONG));
            assert_eq!(pongs[0].payload, payload);
        }
    }
}

/// RFC6455-5.5.3-3, fault FT-16.
#[test]
fn a_pong_is_not_answered() {
    for role in ROLES {
        let mut connection = connection(role);
        let pongs = frame(PONG, "unsolicited").to(role).repeat(1000);
        assert_eq!(events(&mut connection, &pongs).len(), 1000);
        assert_eq!(connection.queued_bytes(), 0);
    }
}

/// RFC6455-5.5.2-1: every Ping of a burst is answered.
#[test]
fn each_ping_of_a_burst_is_answered() {
    for role in ROLES {
        let mut connection = connection(role);
        let payloads: Vec<Vec<u8>> = (0..100).map(|count| vec![count; 125]).collect();
        let pings = payloads.iter().flat_map(|payload| frame(PING, payload.clone()).to(role));
        events(&mut connection, &pings.collect::<Vec<_>>());
        let pongs: Vec<_> = sent(&mut connection).into_iter().map(|pong| pong.payload).collect();
        assert_eq!(pongs, payloads);
    }
}

/// RFC6455-5.5.3-2: while much output is queued, some Pings are not answered. The others are answered in
/// order.
#[test]
fn pings_are_answered_in_order() {
    for role in [Role::Client, Role::Server] {
        let mut connection = connection(role);
        connection.send(vec![0; 20_000]).unwrap();
        for payload in ["first", "skipped"] {
            events(&mut connection, &frame(PING, payload).to(role));
        }
        // Less output is queued now. It still contains the first Pong.
        connection.handle_written(10_000);
        events(&mut connection, &frame(PING, "last").to(role));
        let rest = connection.queued_bytes() as usize;
        let wire = drain(&mut connection);
        assert_eq!(wire.len(), rest, "no further Pong is queued");
        let pongs = ["first", "last"].map(|payload| frame(PONG, payload));
        let len = pongs.iter().map(|pong| pong.clone().to(role.peer()).len()).sum::<usize>();
        let mut sent = parse_frames(&wire[wire.len() - len..]);
        sent.iter_mut().for_each(|pong| pong.mask = None);
        assert_eq!(sent, pongs);
    }
}

/// RFC6455-5.5.3-2, fault FT-15: Pings of a peer that does not read take little memory. When the peer reads
/// again, its latest Ping is answered.
#[test]
fn a_million_pings_queue_few_pongs_and_the_latest() {
    for role in ROLES {
        let thousand: Vec<u8> =
            (0..1000).flat_map(|count| frame(PING, format!("{count:0125}")).to(role)).collect();
        let (mut connection, mut input) = (connection(role), BytesMut::new());
        for _ in 0..1000 {
            input.extend_from_slice(&thousand);
            while connection.handle_input(&mut input).unwrap().is_some() {
                assert!(connection.queued_bytes() < (16 << 10) + 131);
            }
        }
        events(&mut connection, &frame(PING, "the latest").to(role));
        let pongs = sent(&mut connection);
        assert!(pongs.iter().all(|pong| pong.opcode == PONG));
        assert_eq!(pongs.last().unwrap().payload, b"the latest");
        // The next Ping is answered immediately.
        events(&mut connection, &frame(PING, "next").to(role));
        assert_eq!(sent(&mut connection)[0].payload, b"next");
    }
}

/// RFC6455-5.6-1: the whole message must be UTF-8, not each frame.
#[test]
fn a_character_may_be_split_between_frames() {
    let text = "aé€𝄞z\u{10FFFF}";
    for role in ROLES {
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let wire = [
                    frame(TEXT, &text.as_bytes()[..first]).unfinished().to(role),
                    frame(PING, "\u{FF}").to(role),
                    frame(CONTINUATION, &text.as_bytes()[first..second]).unfinished().to(role),
                    frame(CONTINUATION, &text.as_bytes()[second..]).to(role),
                ];
                let received = events(&mut connection(role), &wire.concat());
                assert_eq!(received[1..], [message(text)], "split at {first} and {second}");
            }
        }
    }
}

/// RFC6455-8.1-1: text fails as soon as no further byte can make it valid.
#[test]
fn invalid_utf8_fails_at_its_first_wrong_byte() {
    let wrong: [(&[u8], &str); 8] = [
        (b"\xFF", "no such byte"),
        (b"\x80", "a continuation byte without a first byte"),
        (b"\xC0", "always overlong"),
        (b"\xC3\x28", "no continuation byte"),
        (b"\xE0\x80", "overlong"),
        (b"\xED\xA0", "a surrogate"),
        (b"\xF4\x90", "above U+10FFFF"),
        (b"\xF0\x9D\x84\x41", "a wrong last byte"),
    ];
    for role in ROLES {
        for (bytes, why) in wrong {
            for before in ["", "€", "a text that is long enough for SIMD instructions"] {
                let header = header_to(role, 0x80 | TEXT, 1 << 20);
                let text = [before.as_bytes(), bytes].concat();
                // The masked text, without the header of its short frame.
                let wire = frame(TEXT, &text).to(role);
                let start = wire.len() - text.len();
                let (good, last) = wire[start..].split_at(text.len() - 1);
                let (mut connection, mut input) = (connection(role), BytesMut::new());
                let so_far = [header, good.to_vec()].concat();
                assert_eq!(read(&mut connection, &mut input, &so_far), (vec![], None), "{why}");
                let (_, violation) = read(&mut connection, &mut input, last);
                assert_eq!(violation, Some(Violation::InvalidUtf8), "{why}");
                assert_eq!(sent(&mut connection)[0].close_code(), Some(1007));
            }
        }
    }
}

/// RFC6455-5.6-1: a frame may end within a character, but a message must not.
#[test]
fn text_that_ends_within_a_character_fails() {
    for role in ROLES {
        for cut in ["é", "€", "𝄞"].map(|text| &text.as_bytes()[..text.len() - 1]) {
            let fragments =
                [frame(TEXT, cut).unfinished().to(role), frame(CONTINUATION, "").to(role)].concat();
            for wire in [frame(TEXT, cut).to(role), fragments] {
                let (events, violation) = receive(&mut connection(role), &wire);
                assert_eq!((events, violation), (vec![], Some(Violation::InvalidUtf8)));
            }
        }
    }
}

/// Binary messages need not be UTF-8, and do not affect the check of the next text.
#[test]
fn binary_messages_are_not_checked_to_be_utf8() {
    for role in ROLES {
        let wire = [
            frame(BINARY, b"\xC3").to(role),
            frame(BINARY, b"\xFF").unfinished().to(role),
            frame(CONTINUATION, b"\xF0").to(role),
            frame(TEXT, "text").to(role),
        ];
        let expected =
            [message(&b"\xC3"[..]), message(Bytes::from_static(b"\xFF\xF0")), message("text")];
        assert_eq!(events(&mut connection(role), &wire.concat()), expected);
    }
}
