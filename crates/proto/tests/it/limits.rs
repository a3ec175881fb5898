//! The limits of a message are exact, and announced bytes take no memory until they arrive
//! (RFC6455-10.4-1, faults FT-18 and FT-20).

use bytes::BytesMut;
use fullduplex_proto::{DeflateConfig, Delivery, Limits, Message, Part, Received, Role, Violation};

use crate::support::*;

fn bytes(message_bytes: usize) -> Limits {
    let mut limits = Limits::default();
    limits.message_bytes = message_bytes;
    limits
}

fn frames(message_frames: usize) -> Limits {
    let mut limits = Limits::default();
    limits.message_frames = message_frames;
    limits
}

/// RFC6455-10.4-2.
#[test]
fn the_exact_limit_is_allowed_and_one_more_is_not() {
    for role in ROLES {
        for limit in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let mut connection = limited(role, bytes(limit));
            let largest = vec![1; limit];
            let received = events(&mut connection, &frame(BINARY, &largest).to(role));
            assert_eq!(received, [Received::Message(Message::from(largest))]);
            let header = header_to(role, 0x82, limit as u64 + 1);
            let (_, violation) = receive(&mut connection, &header);
            assert_eq!(violation, Some(Violation::MessageTooBig { limit }), "at the header");
        }
    }
}

/// RFC6455-10.4-2: the limit applies to the size of all fragments of one message.
#[test]
fn the_limit_applies_to_all_fragments_together() {
    const LIMIT: usize = 300;
    for role in ROLES {
        for first in 0..=LIMIT {
            let begin = frame(TEXT, vec![b'a'; first]).unfinished().to(role);
            let end = frame(CONTINUATION, vec![b'b'; LIMIT - first]).to(role);
            let mut connection = limited(role, bytes(LIMIT));
            // Control frames do not count.
            let wire = [begin.clone(), frame(PING, [0; 125]).to(role), end, begin].concat();
            let received = events(&mut connection, &wire);
            assert!(matches!(&received[1], Received::Message(message) if message.len() == LIMIT));
            let one_more = header_to(role, CONTINUATION, (LIMIT - first + 1) as u64);
            let (_, violation) = receive(&mut connection, &one_more);
            assert_eq!(violation, Some(Violation::MessageTooBig { limit: LIMIT }), "{first}");
        }
    }
}

/// Fault L1: the sum of two announced lengths could overflow. The limit still applies to the sum. A sum that a
/// `usize` of 32 bits cannot hold exceeds every limit there.
#[test]
fn a_sum_of_lengths_does_not_overflow() {
    for (role, deflate) in [(Role::Client, false), (Role::Server, false), (Role::Client, true)] {
        for length in [1 << 31, u32::MAX.into(), 1 << 32, (1 << 62) + 1, i64::MAX as u64] {
            for limit in [100, Limits::default().message_bytes, usize::MAX] {
                let mut connection = limited(role, bytes(limit));
                let mut begin = frame(BINARY, [0x00, 0x00, 0x00, 0xFF, 0xFF]).unfinished();
                if deflate {
                    connection = connection.with_deflate(DeflateConfig::default());
                    begin.reserved = 0b100;
                }
                assert_eq!(events(&mut connection, &begin.to(role)), []);
                let header = header_to(role, CONTINUATION, length);
                let (_, violation) = receive(&mut connection, &header);
                let sum = usize::try_from(length).ok().and_then(|length| length.checked_add(5));
                let is_too_big = sum.is_none_or(|sum| sum > limit);
                let expected = is_too_big.then_some(Violation::MessageTooBig { limit });
                assert_eq!(violation, expected, "{length} of {limit}, {role:?}, {deflate}");
            }
        }
    }
}

fn ends_a_message(event: &Received) -> bool {
    matches!(event, Received::Message(_) | Received::Part(Part { last: true, .. }))
}

/// Fault F10: zero and the largest number are valid limits, for each method of receiving.
#[test]
fn a_limit_may_be_any_number() {
    let mut server = connection(Role::Server).with_deflate(DeflateConfig::default());
    server.send(vec![0; 1000]).unwrap();
    let deflated = sent(&mut server).remove(0);
    let fragments = [frame(TEXT, "x").unfinished(), frame(CONTINUATION, "y")];
    let messages = [
        (frame(BINARY, "").bytes(), 0, 1),
        (frame(BINARY, "x").bytes(), 1, 1),
        (fragments.map(|fragment| fragment.bytes()).concat(), 2, 2),
        (deflated.bytes(), 1000, 1),
    ];
    for (wire, size, count) in messages {
        for message_bytes in [0, 1, 1000, usize::MAX - 1, usize::MAX] {
            for message_frames in [0, 1, 2, usize::MAX] {
                for delivery in [Delivery::Whole, Delivery::Parts] {
                    let mut limits = bytes(message_bytes);
                    limits.message_frames = message_frames;
                    let client = limited(Role::Client, limits);
                    let mut client = client.with_deflate(DeflateConfig::default());
                    client.set_delivery(delivery);
                    let (events, violation) = receive(&mut client, &wire);
                    let fits = size <= message_bytes && count <= message_frames;
                    assert_eq!(violation.is_none(), fits, "{limits:?}: {size} bytes, {count}");
                    assert_eq!(events.iter().any(ends_a_message), fits, "{events:?}");
                }
            }
        }
    }
}

/// The protocol limits control frames, and the limits of messages do not apply to them.
#[test]
fn message_limits_do_not_apply_to_control_frames() {
    for role in ROLES {
        let mut connection = limited(role, bytes(0));
        let wire = [frame(PING, [1; 125]), frame(PONG, [2; 125]), close_frame(1000, [b'r'; 123])];
        assert_eq!(events(&mut connection, &wire.map(|frame| frame.to(role)).concat()).len(), 3);
    }
}

/// Fault FT-20: empty fragments count.
#[test]
fn a_message_has_at_most_as_many_frames_as_the_limit() {
    for role in ROLES {
        for payload in ["", "x"] {
            for limit in [1, 2, 100] {
                let mut connection = limited(role, frames(limit));
                let fragment = |index, last: bool| {
                    let opcode = if index == 0 { BINARY } else { CONTINUATION };
                    Frame { fin: last, ..frame(opcode, payload) }.to(role)
                };
                let message: Vec<u8> =
                    (0..limit).flat_map(|index| fragment(index, index + 1 == limit)).collect();
                // The count restarts with each message.
                assert_eq!(events(&mut connection, &message.repeat(3)).len(), 3, "{limit}");
                let too_many: Vec<u8> = (0..=limit).flat_map(|i| fragment(i, i == limit)).collect();
                let (_, violation) = receive(&mut connection, &too_many);
                assert_eq!(violation, Some(Violation::TooManyFrames { limit }));
                assert_eq!(sent(&mut connection)[0].close_code(), Some(1008));
            }
        }
    }
}

/// Fault FT-20
#[test]
fn endless_empty_fragments_exceed_the_default_limit() {
    let role = Role::Server;
    let (mut connection, mut input) = (connection(role), BytesMut::new());
    let begin = frame(TEXT, "").unfinished().to(role);
    assert_eq!(read(&mut connection, &mut input, &begin), (vec![], None));
    let thousand = frame(CONTINUATION, "").unfinished().to(role).repeat(1000);
    let refused = (1..1000).find(|_| read(&mut connection, &mut input, &thousand).1.is_some());
    assert_eq!(refused, Some((Limits::default().message_frames).div_ceil(1000)));
}

/// Fault FT-18: a header that announces up to 2^62 bytes reserves no memory, for whole messages and fragments.
#[test]
fn an_announced_length_reserves_no_memory() {
    for role in ROLES {
        for first_byte in [0x82, 0x81, 0x01, 0x02] {
            let lengths = [1 << 31, u32::MAX.into(), 1 << 32, 1 << 62];
            for announced in lengths.into_iter().filter(|&it| usize::try_from(it).is_ok()) {
                let mut connection = limited(role, bytes(usize::MAX));
                let mut input = BytesMut::new();
                let wire = header_to(role, first_byte, announced);
                assert_eq!(read(&mut connection, &mut input, &wire), (vec![], None));
                assert_eq!(connection.bytes_needed(&input) as u64, announced);
                let payload =
                    &frame(TEXT, [b'a'; 1000]).to(role)[header_to(role, 0x81, 1000).len()..];
                assert_eq!(read(&mut connection, &mut input, payload), (vec![], None));
                assert_eq!(connection.bytes_needed(&input) as u64, announced - 1000);
                assert!(input.capacity() <= 64 << 10, "{} bytes", input.capacity());
                assert_eq!(connection.queued_bytes(), 0);
            }
        }
    }
}

/// The hint decreases to zero while the frame arrives.
#[test]
fn bytes_needed_is_the_rest_of_the_frame() {
    for role in ROLES {
        for first in [frame(BINARY, [7; 500]), frame(BINARY, [7; 500]).unfinished()] {
            let (mut connection, mut input) = (connection(role), BytesMut::new());
            let wire = first.to(role);
            let header_len = wire.len() - 500;
            assert_eq!(connection.bytes_needed(&input), 0);
            for (index, byte) in wire.iter().enumerate() {
                let arrived = index + 1;
                read(&mut connection, &mut input, &[*byte]);
                let bytes_needed = if arrived < header_len { 0 } else { wire.len() - arrived };
                assert_eq!(connection.bytes_needed(&input), bytes_needed, "after {arrived} bytes");
            }
        }
    }
}
