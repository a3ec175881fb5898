//! Messages that are received and sent in parts. A whole message need not fit into memory.

use bytes::BytesMut;
use fullduplex_proto::{
    Connection, DeflateConfig, Delivery, Limits, Message, Misuse, Part, Received, Role, Violation,
};

use crate::support::*;

fn part(content: &str, last: bool) -> Part {
    Part { content: content.into(), last }
}

fn in_parts(role: Role) -> Connection {
    let mut connection = connection(role);
    connection.set_delivery(Delivery::Parts);
    connection
}

/// Each frame is delivered as a part, even if all frames arrive at the same time. An empty frame is not
/// delivered, except at the end of the message.
#[test]
fn each_frame_is_a_part() {
    let mut connection = in_parts(Role::Client);
    let wire: Vec<u8> = [
        frame(TEXT, "one ").unfinished(),
        frame(CONTINUATION, "").unfinished(),
        frame(PING, "p"),
        frame(CONTINUATION, "two").unfinished(),
        frame(CONTINUATION, ""),
        frame(TEXT, "whole"),
        frame(TEXT, ""),
    ]
    .iter()
    .flat_map(Frame::bytes)
    .collect();
    let expected = [
        Received::Part(part("one ", false)),
        Received::Ping("p".into()),
        Received::Part(part("two", false)),
        Received::Part(part("", true)),
        Received::Part(part("whole", true)),
        Received::Part(part("", true)),
    ];
    assert_eq!(events(&mut connection, &wire), expected);
}

/// RFC6455-5.6-1: each part of a text is valid UTF-8. This does not depend on where the frames are split.
#[test]
fn no_part_ends_within_a_character() {
    let text = "aé€𝄞z".repeat(3);
    for role in [Role::Client, Role::Server] {
        for deflate in [false, true] {
            for cut in 0..=text.len() {
                let (head, tail) = text.as_bytes().split_at(cut);
                let frames = [frame(TEXT, head).unfinished(), frame(CONTINUATION, tail)];
                let wire: Vec<u8> =
                    frames.iter().flat_map(|frame| frame.clone().to(role)).collect();
                let mut connection = in_parts(role);
                if deflate {
                    connection = connection.with_deflate(DeflateConfig::default());
                }
                let (mut input, mut joined, mut ended) = (BytesMut::new(), String::new(), false);
                for byte in wire {
                    let (events, violation) = read(&mut connection, &mut input, &[byte]);
                    assert_eq!(violation, None);
                    for event in events {
                        let Received::Part(Part { content: Message::Text(text), last }) = event
                        else {
                            panic!("not a part of a text: {event:?}")
                        };
                        joined.push_str(text.as_str());
                        ended |= last;
                    }
                }
                assert!(ended && joined == text, "{joined}");
            }
        }
    }
}

/// A text fails if it is not UTF-8 or ends within a character. It fails at the first byte that shows the
/// error.
#[test]
fn parts_of_text_are_checked_to_be_utf8() {
    for (bytes, good) in [(&b"fine \xC3"[..], "fine "), (b"fine \xFF", "")] {
        let mut connection = in_parts(Role::Client);
        let unfinished = frame(TEXT, bytes).unfinished().bytes();
        let (mut events, mut violation) = receive(&mut connection, &unfinished);
        if violation.is_none() {
            let rest = receive(&mut connection, &frame(CONTINUATION, "").bytes());
            events.extend(rest.0);
            violation = rest.1;
        }
        let expected: Vec<Received> =
            (!good.is_empty()).then(|| Received::Part(part(good, false))).into_iter().collect();
        assert_eq!((events, violation), (expected, Some(Violation::InvalidUtf8)));
    }
}

/// A frame of any length is delivered while it arrives, and is not buffered.
#[test]
fn a_frame_larger_than_the_memory_is_delivered_in_parts() {
    const LENGTH: u64 = isize::MAX as u64;
    for role in [Role::Client, Role::Server] {
        let mut limits = Limits::default();
        limits.message_bytes = usize::MAX;
        let mut connection = limited(role, limits);
        connection.set_delivery(Delivery::Parts);
        let mut input = BytesMut::new();
        read(&mut connection, &mut input, &header_to(role, 0x82, LENGTH));
        for _ in 0..100 {
            let (events, violation) = read(&mut connection, &mut input, &[b'x'; 10_000]);
            assert_eq!(violation, None);
            let [Received::Part(part)] = &events[..] else { panic!("not one part: {events:?}") };
            assert_eq!((part.content.len(), part.last, input.len()), (10_000, false, 0));
        }
    }
}

/// A few compressed bytes that inflate to megabytes are delivered in parts of 64 KiB.
#[test]
fn inflated_parts_are_small() {
    let mut server = connection(Role::Server).with_deflate(DeflateConfig::default());
    server.send(vec![7; 10_000_000]).unwrap();
    let mut client = in_parts(Role::Client).with_deflate(DeflateConfig::default());
    let mut input = BytesMut::from(&drain(&mut server)[..]);
    let (mut received, mut ended) = (0, false);
    while let Some(event) = client.handle_input(&mut input).unwrap() {
        let Received::Part(part) = event else { panic!("not a part: {event:?}") };
        assert!(!ended && part.content.len() <= 64 << 10);
        assert!(part.content.payload().iter().all(|&byte| byte == 7));
        received += part.content.len();
        ended = part.last;
    }
    assert!(ended && received == 10_000_000, "{received}");
}

/// Fault F4: the same limits apply to messages that are received in parts and to messages that are received
/// whole.
#[test]
fn limits_apply_to_messages_in_parts() {
    let mut limits = Limits::default();
    (limits.message_bytes, limits.message_frames) = (10, 3);
    let begun = |connection: &mut Connection| {
        connection.set_delivery(Delivery::Parts);
        events(connection, &frame(BINARY, "12345").unfinished().bytes());
    };
    let mut connection = limited(Role::Client, limits);
    begun(&mut connection);
    let (_, violation) = receive(&mut connection, &frame(CONTINUATION, "67890x").bytes());
    assert_eq!(violation, Some(Violation::MessageTooBig { limit: 10 }));
    let mut connection = limited(Role::Client, limits);
    begun(&mut connection);
    let empty = frame(CONTINUATION, "").unfinished().bytes();
    let (_, violation) = receive(&mut connection, &empty.repeat(3));
    assert_eq!(violation, Some(Violation::TooManyFrames { limit: 3 }));
}

/// No content is lost when the delivery changes within a message.
#[test]
fn delivery_may_change_within_a_message() {
    let mut connection = in_parts(Role::Client);
    let mut input = BytesMut::new();
    let mut receive = |delivery, frame: Frame| {
        connection.set_delivery(delivery);
        read(&mut connection, &mut input, &frame.bytes()).0
    };
    let (whole, parts) = (Delivery::Whole, Delivery::Parts);
    assert_eq!(receive(whole, frame(TEXT, "a").unfinished()), []);
    assert_eq!(
        receive(parts, frame(CONTINUATION, "b").unfinished()),
        [Received::Part(part("ab", false))]
    );
    assert_eq!(receive(whole, frame(CONTINUATION, "c").unfinished()), []);
    assert_eq!(receive(whole, frame(CONTINUATION, "d")), [Received::Message("cd".into())]);
    assert_eq!(receive(parts, frame(TEXT, "e")), [Received::Part(part("e", true))]);
    // Content that arrived before the change is delivered immediately, not with the next frame.
    assert_eq!(receive(whole, frame(TEXT, "f").unfinished()), []);
    connection.set_delivery(parts);
    assert_eq!(read(&mut connection, &mut input, &[]).0, [Received::Part(part("f", false))]);
}

/// RFC6455-5.4-1, RFC6455-5.4-10: a message that is sent in parts can be received as a whole. Control
/// frames may be sent in between.
#[test]
fn parts_are_sent_as_one_message() {
    for deflate in [false, true] {
        let ends = [Role::Server, Role::Client].map(connection);
        let [mut server, mut client] = match deflate {
            true => ends.map(|end| end.with_deflate(DeflateConfig::default())),
            false => ends,
        };
        let texts = ["first ", "", "second ", "third"];
        for (index, text) in texts.iter().enumerate() {
            server.send_part(&part(text, index == 3)).unwrap();
            server.ping(&[index as u8]).unwrap();
        }
        server.send("and another").unwrap();
        let wire = drain(&mut server);
        let data: Vec<Frame> =
            parse_frames(&wire).into_iter().filter(|frame| frame.opcode != PING).collect();
        let shapes: Vec<_> =
            data.iter().map(|frame| (frame.opcode, frame.fin, frame.reserved)).collect();
        let rsv1 = if deflate { 0b100 } else { 0 };
        let message = [(TEXT, false, rsv1), (CONTINUATION, false, 0), (CONTINUATION, false, 0)];
        assert_eq!(shapes[..3], message);
        assert_eq!(shapes[3..], [(CONTINUATION, true, 0), (TEXT, true, 0)]);
        let events = events(&mut client, &wire);
        let messages: Vec<&Received> =
            events.iter().filter(|event| matches!(event, Received::Message(_))).collect();
        let expected =
            [texts.concat().as_str(), "and another"].map(|text| Received::Message(text.into()));
        assert_eq!(messages, expected.each_ref());
    }
}

/// RFC6455-5.4-3
#[test]
fn a_message_in_parts_must_end_before_the_next() {
    let mut server = connection(Role::Server);
    server.send_part(&part("begun", false)).unwrap();
    assert_eq!(server.send("another"), Err(Misuse::MessageUnderWay));
    let binary = Part { content: vec![1].into(), last: true };
    assert_eq!(server.send_part(&binary), Err(Misuse::KindOfPart));
    server.send_part(&part("", true)).unwrap();
    server.send_part(&binary).unwrap();
    server.close(None);
    assert_eq!(server.send_part(&binary), Err(Misuse::Closing));
    let opcodes: Vec<u8> = sent(&mut server).iter().map(|frame| frame.opcode).collect();
    assert_eq!(opcodes, [TEXT, CONTINUATION, BINARY, CLOSE]);
}
