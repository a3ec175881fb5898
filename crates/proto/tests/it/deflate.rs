//! permessage-deflate on the wire (RFC 7692 sections 6 and 7.2), checked with a second inflater.

use bytes::BytesMut;
use fullduplex_proto::{
    Connection, ContextParams, ContextTakeover, DeflateConfig, Delivery, Limits, Outgoing, Part,
    Prepared, Received, Role, Violation, WindowBits,
};

use crate::support::inflate::inflate;
use crate::support::pair::Clock;
use crate::support::*;

const RSV1: u8 = 0b100;

fn agreed(window_bits: u8, takeover: ContextTakeover) -> DeflateConfig {
    let context =
        ContextParams { window_bits: WindowBits::new(window_bits).expect("8 to 15"), takeover };
    let mut deflate = DeflateConfig::default();
    (deflate.client, deflate.server, deflate.threshold) = (context, context, 0);
    deflate
}

fn deflating(role: Role) -> Connection {
    connection(role).with_deflate(agreed(15, ContextTakeover::Yes))
}

/// Creates a compressed message in one frame.
fn compressed(opcode: u8, data: impl AsRef<[u8]>) -> Frame {
    Frame { reserved: RSV1, ..frame(opcode, data) }
}

fn text(text: &str) -> Received {
    Received::Message(text.into())
}

/// RFC7692-vec, RFC7692-6.2-1, RFC7692-7.2.1-1: the examples of section 7.2.3, in one connection.
#[test]
fn the_examples_of_the_rfc_inflate() {
    for role in [Role::Client, Role::Server] {
        let mut connection = deflating(role);
        let mut receive = |frames: &[Frame]| {
            let wire: Vec<u8> = frames.iter().cloned().flat_map(|frame| frame.to(role)).collect();
            events(&mut connection, &wire)
        };
        let hello = [text("Hello")];
        assert_eq!(receive(&[compressed(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00")]), hello);
        // 7.2.3.2: the data refers to the previous message.
        assert_eq!(receive(&[compressed(TEXT, b"\xf2\x00\x11\x00\x00")]), hello);
        // 7.2.3.1: in two frames.
        let fragments = [
            compressed(TEXT, b"\xf2\x48\xcd").unfinished(),
            frame(CONTINUATION, b"\xc9\xc9\x07\x00"),
        ];
        assert_eq!(receive(&fragments), hello);
        // 7.2.3.3: a stored block.
        assert_eq!(
            receive(&[compressed(TEXT, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")]),
            hello
        );
        // 7.2.3.4: a final block with padding (RFC7692-7.2.1-2).
        assert_eq!(receive(&[compressed(TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")]), hello);
        // The window is kept after it (RFC7692-7.2.2-1).
        assert_eq!(receive(&[compressed(TEXT, b"\xf2\x00\x11\x00\x00")]), hello);
        // 7.2.3.5: two blocks.
        let two = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
        assert_eq!(receive(&[compressed(TEXT, two)]), hello);
        // 7.2.3.6: an empty message.
        assert_eq!(receive(&[compressed(TEXT, b"\x00")]), [text("")]);
        // RFC7692-6.2-2: an uncompressed message does not change the window, in one frame or two.
        assert_eq!(receive(&[frame(TEXT, "World")]), [text("World")]);
        let fragments = [frame(TEXT, "Wo").unfinished(), frame(CONTINUATION, "rld")];
        assert_eq!(receive(&fragments), [text("World")]);
        assert_eq!(receive(&[compressed(TEXT, b"\xf2\x00\x11\x00\x00")]), hello);
    }
}

/// RFC7692-vec: compressing the messages of the RFC's examples gives the bytes in the RFC.
#[test]
fn the_messages_of_the_rfc_compress_to_its_examples() {
    let mut connection = deflating(Role::Server);
    for data in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"] {
        connection.send("Hello").unwrap();
        assert_eq!(sent(&mut connection), [compressed(TEXT, data)]);
    }
    connection.send("").unwrap();
    assert_eq!(sent(&mut connection), [compressed(TEXT, b"\x00")]);
}

/// Returns the data of a message in one stored block.
fn stored(content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).expect("it fits in a block");
    [&[0x00][..], &len.to_le_bytes(), &(!len).to_le_bytes(), content, &[0x00]].concat()
}

/// RFC7692-7.2.2-2: a block that refers back 32,768 bytes is inflated if 32,768 bytes precede it, and refused
/// if 32,767 bytes precede it. The result is the same after the memory was released.
#[test]
fn the_receiver_has_the_largest_window() {
    // A block with fixed codes that copies 258 bytes from 32,768 bytes before.
    let far = compressed(BINARY, b"\x1a\xbd\xff\x1f\x00").bytes();
    for released in [false, true] {
        for len in [32_767, 32_768] {
            let mut client = deflating(Role::Client);
            let first = prose(1, len);
            let wire = compressed(BINARY, stored(&first)).bytes();
            assert_eq!(events(&mut client, &wire), [Received::Message(first.clone().into())]);
            let mut clock = Clock::new();
            while let Some(at) = client.handle_timeout(clock.now).filter(|_| released) {
                clock.now = at;
            }
            assert_eq!(client.has_deadline(), !released);
            let expected = match len {
                32_768 => (vec![Received::Message(first[..258].into())], None),
                _ => (vec![], Some(Violation::CorruptDeflate)),
            };
            assert_eq!(receive(&mut client, &far), expected);
        }
    }
}

/// RFC7692-7.2.1-3, RFC7692-6.1-1, RFC7692-6.1-3: only the first frame of a message has RSV1, and only the
/// last omits the tail of its flush. Control frames in between do not change the stream.
#[test]
fn the_parts_of_a_message_are_one_compressed_stream() {
    for role in ROLES {
        let mut connection = deflating(role);
        let mut peer = Peer::default();
        for seed in [1, 2] {
            let message = prose(seed, 10_000);
            for (content, last) in
                [(&message[..9000], false), (&[], false), (&message[9000..], false), (&[], true)]
            {
                connection.send_part(&Part { content: content.into(), last }).unwrap();
                connection.ping(b"between").unwrap();
            }
            let (data, pings): (Vec<Frame>, _) =
                sent(&mut connection).into_iter().partition(|frame| frame.opcode < CLOSE);
            let heads: Vec<_> = data.iter().map(|f| (f.fin, f.reserved, f.opcode)).collect();
            let further = (false, 0, CONTINUATION);
            let expected = [(false, RSV1, BINARY), further, further, (true, 0, CONTINUATION)];
            assert_eq!(heads, expected);
            assert!(pings.iter().all(|ping| (ping.reserved, &ping.payload[..]) == (0, b"between")));
            let [first, .., end] = &data[..] else { panic!("there are four frames") };
            assert!(first.payload.ends_with(b"\x00\x00\xFF\xFF"));
            assert!(!end.payload.ends_with(b"\x00\x00\xFF\xFF"));
            let payloads: Vec<&[u8]> = data.iter().map(|frame| &frame.payload[..]).collect();
            assert!(peer.inflate(&payloads.concat()).0 == message);
        }
    }
}

/// Fault FT-23: invalid compressed data fails the connection with 1007.
#[test]
fn corrupt_compressed_data_is_refused() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("a reserved block type", b"\x06".to_vec()),
        ("a stored block with a wrong complement", b"\x00\x05\x00\x05\x00Hello\x00".to_vec()),
        ("a stored block that the tail would complete", b"\x00\x09\x00\xf6\xffHello\x00".to_vec()),
        ("a stored block that the tail would begin", b"\x00\x05\x00\xfa\xffH".to_vec()),
        ("a distance before the beginning", b"\x02\x00\x11\x00\x00".to_vec()),
        ("a final block and half a block", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x05".to_vec()),
        ("half of the tail", [&hello[..], b"\x00\x00"].concat()),
        ("the tail twice", [&hello[..], b"\x00\x00\xff\xff\x00\x00\xff\xff"].concat()),
        (
            "a truncated stored block like the tail",
            b"\x00\x05\x00\xfa\xff\x00\x00\xff\xff".to_vec(),
        ),
    ];
    cases.extend((1..hello.len()).map(|cut| ("cut off", hello[..cut].to_vec())));
    for (what, data) in cases {
        for fragments in [false, true] {
            let mut connection = deflating(Role::Client);
            let mut wire = compressed(BINARY, &data).to(Role::Client);
            if fragments {
                wire = compressed(BINARY, []).unfinished().to(Role::Client);
                for byte in &data {
                    wire.extend(frame(CONTINUATION, [*byte]).unfinished().to(Role::Client));
                }
                wire.extend(frame(CONTINUATION, []).to(Role::Client));
            }
            let (events, violation) = receive(&mut connection, &wire);
            assert_eq!(events, [], "{what}: {data:x?}");
            assert_eq!(violation, Some(Violation::CorruptDeflate), "{what}: {data:x?}");
            assert_eq!(sent(&mut connection).last().and_then(Frame::close_code), Some(1007));
        }
    }
}

/// Generates letters that contain repetitions at all distances up to 40,000 bytes.
fn prose(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut out = Vec::new();
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let back = state as usize % 40_000 + 1;
        let copied = (state >> 20) as usize % 40;
        if back <= out.len() && copied > 3 {
            (0..copied).for_each(|_| out.push(out[out.len() - back]));
        } else {
            out.push(b'a' + (state >> 27) as u8 % 26);
        }
    }
    out.truncate(len);
    out
}

/// The peer of a connection, with a second inflater. It contains all data that it inflated.
#[derive(Default)]
struct Peer(Vec<u8>);

impl Peer {
    /// Inflates a message, and returns how far back its data refers (RFC7692-7.2.2-4, RFC7692-6.2-1).
    fn inflate(&mut self, data: &[u8]) -> (Vec<u8>, usize) {
        let before = self.0.len();
        let farthest = inflate(&[data, &[0x00, 0x00, 0xFF, 0xFF]].concat(), &mut self.0);
        (self.0[before..].to_vec(), farthest)
    }
}

/// RFC7692-6.1-1: a second inflater reads our messages, with any window, with and without takeover. No
/// distance exceeds the agreed window (RFC7692-7.2.1-4, RFC7692-7.2.1-5, RFC7692-7.2.1-6,
/// RFC7692-7.2.1-7, RFC7692-7.2.1-8, fault Z6). This includes a window of 256 bytes, which the compression
/// library does not support.
#[test]
fn compression_uses_only_the_agreed_window() {
    for role in [Role::Client, Role::Server] {
        for (bits, takeover) in
            (8..=15).flat_map(|bits| [(bits, ContextTakeover::Yes), (bits, ContextTakeover::No)])
        {
            let mut connection = connection(role).with_deflate(agreed(bits, takeover));
            let mut peer = Peer::default();
            let mut farthest = 0;
            for (seed, len) in [0, 1, 5, 200, 5000, 100_000, 3, 70_000].into_iter().enumerate() {
                let message = prose(seed as u32, len);
                connection.send(message.clone()).unwrap();
                let frame = sent(&mut connection).remove(0);
                assert_eq!((frame.fin, frame.reserved, frame.opcode), (true, RSV1, BINARY));
                if takeover == ContextTakeover::No {
                    peer = Peer::default();
                }
                let (inflated, distance) = peer.inflate(&frame.payload);
                assert_eq!(inflated, message, "{role:?} {bits} {takeover:?}");
                farthest = farthest.max(distance);
            }
            let window = 1 << bits;
            assert!(farthest <= window, "{farthest} bytes back, with a window of {window}");
            // The library does not use its whole window: its distances are at most the window minus 262
            // bytes.
            assert!(bits == 8 || farthest > window / 4, "{farthest} of {window} are used");
        }
    }
}

/// RFC7692-7.2.2-1: the window is kept from message to message, even if the memory of an idle connection
/// is released in between.
#[test]
fn contexts_outlive_a_release() {
    for (bits, takeover) in
        [(15, ContextTakeover::Yes), (9, ContextTakeover::Yes), (15, ContextTakeover::No)]
    {
        let [mut client, mut server] = [Role::Client, Role::Server]
            .map(|role| connection(role).with_deflate(agreed(bits, takeover)));
        let mut clock = Clock::new();
        for seed in 0..20 {
            let message = prose(seed % 3, 1000 << (seed % 7));
            server.send(message.clone()).unwrap();
            let wire = drain(&mut server);
            assert_eq!(events(&mut client, &wire), [Received::Message(message.into())]);
            if seed % 4 == 3 {
                // The receiving end releases memory. The sending end does not, so its next messages may still
                // refer to earlier ones.
                assert_eq!(client.has_deadline(), takeover == ContextTakeover::Yes);
                while let Some(at) = client.handle_timeout(clock.now) {
                    clock.now = at;
                }
                assert!(!client.has_deadline());
            }
        }
        // The sending end may drop its window at any time.
        while let Some(at) = server.handle_timeout(clock.now) {
            clock.now = at;
        }
        assert!(!server.has_deadline());
        server.send("after the release").unwrap();
        assert_eq!(events(&mut client, &drain(&mut server)), [text("after the release")]);
    }
}

/// A context that is still used is not released.
#[test]
fn contexts_in_use_are_kept() {
    let mut server = deflating(Role::Server);
    let mut clock = Clock::new();
    server.send("first").unwrap();
    for _ in 0..10 {
        clock.now = server.handle_timeout(clock.now).expect("there is a context to release");
        server.send("again and again").unwrap();
        server.handle_timeout(clock.now);
    }
    assert!(server.has_deadline());
    drain(&mut server);
    server.send("again and again").unwrap();
    let repeated = sent(&mut server).remove(0).payload.len();
    assert!(repeated < "again and again".len() / 2, "{repeated} bytes: the window is lost");
}

/// RFC7692-6.1-2, RFC7692-6.2-2, RFC7692-8-1: short messages, and messages that are marked as uncompressed,
/// are sent uncompressed and do not change the window.
#[test]
fn short_and_uncompressed_messages_are_not_compressed() {
    let mut deflate = agreed(15, ContextTakeover::Yes);
    deflate.threshold = 10;
    let mut server = connection(Role::Server).with_deflate(deflate);
    let mut client = connection(Role::Client).with_deflate(deflate);
    let secret = Outgoing::uncompressed("a secret of many letters");
    for (outgoing, reserved) in [
        ("ten bytes.".into(), RSV1),
        ("nine byte".into(), 0),
        (secret, 0),
        ("ten bytes.".into(), RSV1),
        (Prepared::new("nine byte").into(), 0),
        (Prepared::new("ten bytes.").into(), RSV1),
        ("ten bytes.".into(), RSV1),
    ] {
        let message = outgoing.message().clone();
        server.send(outgoing).unwrap();
        let wire = drain(&mut server);
        assert_eq!(parse_frames(&wire)[0].reserved, reserved, "{message:?}");
        if reserved == 0 {
            assert_eq!(parse_frames(&wire)[0].payload, *message.payload());
        }
        assert_eq!(events(&mut client, &wire), [Received::Message(message)]);
    }
}

/// RFC7692-6.1-3, RFC6455-5.4-4: control frames are allowed between compressed fragments, and must not be
/// compressed.
#[test]
fn control_frames_are_allowed_between_compressed_fragments() {
    let mut connection = deflating(Role::Client);
    let ping = Received::Ping("within".into());
    let wire = [
        compressed(TEXT, b"\xf2\x48\xcd").unfinished(),
        frame(PING, "within"),
        frame(CONTINUATION, b"\xc9\xc9\x07\x00"),
    ];
    let wire: Vec<u8> = wire.iter().flat_map(Frame::bytes).collect();
    assert_eq!(events(&mut connection, &wire), [ping, text("Hello")]);
    for opcode in [PING, PONG, CLOSE, CONTINUATION] {
        let mut connection = deflating(Role::Client);
        let begun = compressed(TEXT, b"\xf2\x48\xcd").unfinished().bytes();
        assert_eq!(events(&mut connection, &begun), []);
        let (events, violation) = receive(&mut connection, &compressed(opcode, []).bytes());
        assert_eq!((events, violation), (vec![], Some(Violation::ReservedBit)));
    }
}

/// RFC7692-6.1-4, RFC6455-5.6-1: compressed text is checked while it is inflated.
#[test]
fn compressed_text_is_checked_to_be_utf8() {
    let mut server = deflating(Role::Server);
    server.send(b"fine so far \xC3\x28 not fine".to_vec()).unwrap();
    let binary = sent(&mut server).remove(0);
    let mut client = deflating(Role::Client);
    let (events, violation) = receive(&mut client, &Frame { opcode: TEXT, ..binary }.bytes());
    assert_eq!((events, violation), (vec![], Some(Violation::InvalidUtf8)));
    // An incomplete character at the end.
    let mut client = deflating(Role::Client);
    let data = b"\x00\x01\x00\xfe\xff\xc3\x00";
    let (events, violation) = receive(&mut client, &compressed(TEXT, data).bytes());
    assert_eq!((events, violation), (vec![], Some(Violation::InvalidUtf8)));
}

/// Fault Z1, RFC6455-10.4-2: the limit applies to inflated bytes. It is exact, and it is checked while the
/// data is inflated.
#[test]
fn the_limit_counts_inflated_bytes() {
    for limit in [0, 1, 1000, 100_000] {
        let mut limits = Limits::default();
        limits.message_bytes = limit;
        for (len, allowed) in [(limit, true), (limit + 1, false), (limit + 5_000_000, false)] {
            let mut server = deflating(Role::Server);
            server.send(vec![0; len]).unwrap();
            let wire = drain(&mut server);
            for delivery in [Delivery::Whole, Delivery::Parts] {
                let mut client =
                    limited(Role::Client, limits).with_deflate(agreed(15, ContextTakeover::Yes));
                client.set_delivery(delivery);
                let (events, violation) = receive(&mut client, &wire);
                assert_eq!(violation, (!allowed).then_some(Violation::MessageTooBig { limit }));
                let received: usize = events.iter().map(content_len).sum();
                assert!(if allowed { received == len } else { received <= limit }, "{received}");
            }
        }
        // Data that inflates to nothing is limited too. It may have twice the limit, plus 1 KiB for each
        // frame.
        let blocks = [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(200);
        let begun = compressed(BINARY, &blocks).unfinished().bytes();
        for (surplus, expected) in [(0, None), (1, Some(Violation::MessageTooBig { limit }))] {
            let mut client =
                limited(Role::Client, limits).with_deflate(agreed(15, ContextTakeover::Yes));
            let most = (2 * limit + 2 * 1024 - blocks.len()) as u64;
            let wire = [&begun[..], &header(0x00, None, most + surplus)].concat();
            assert_eq!(receive(&mut client, &wire), (vec![], expected));
        }
    }
}

/// RFC6455-5.2-1, RFC6455-9.1-5: without agreement, RSV1 is a violation.
#[test]
fn without_agreement_nothing_is_compressed() {
    for role in [Role::Client, Role::Server] {
        let mut plain = connection(role);
        plain.send(vec![0; 1000]).unwrap();
        assert_eq!(sent(&mut plain)[0].reserved, 0);
        let (_, violation) = receive(&mut plain, &compressed(TEXT, b"\x00").to(role));
        assert_eq!(violation, Some(Violation::ReservedBit));
    }
}

/// WHATWG WebSockets, "bufferedAmount": the uncompressed length of a compressed message is counted until the
/// transport has taken its last byte.
#[test]
fn a_compressed_message_counts_with_its_uncompressed_length() {
    let mut server = deflating(Role::Server);
    server.send(vec![0; 10_000]).unwrap();
    server.send("x").unwrap();
    let first = parse_frames(&{
        let mut other = deflating(Role::Server);
        other.send(vec![0; 10_000]).unwrap();
        drain(&mut other)
    })[0]
        .bytes()
        .len();
    assert_eq!(server.handle_written(first - 1), 0);
    assert_eq!(server.handle_written(1), 10_000);
    let rest = server.queued_bytes() as usize;
    assert_eq!(server.handle_written(rest), 1);
}

fn content_len(event: &Received) -> usize {
    match event {
        Received::Message(message) => message.len(),
        Received::Part(part) => part.content.len(),
        _ => 0,
    }
}

/// RFC7692-7.2.1-1: final blocks may appear anywhere and any number of times. The empty block after the
/// last one may be missing.
#[test]
fn final_blocks_do_not_end_the_message() {
    let empty = b"\x03\x00";
    let hello = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    let stored = b"\x01\x05\x00\xfa\xffHello";
    for (frames, expected) in [
        (vec![[&empty.repeat(1000)[..], b"\x00"].concat()], ""),
        (vec![empty.to_vec(), hello.to_vec(), b"\x00".to_vec()], "Hello"),
        (vec![hello.to_vec(), stored.to_vec(), b"\x00".to_vec()], "HelloHello"),
        (vec![hello.to_vec()], "Hello"),
        (vec![hello.to_vec(), vec![]], "Hello"),
        (vec![stored.to_vec(), hello.to_vec()], "HelloHello"),
        // The empty block that the tail completes may be final too.
        (vec![b"\x01".to_vec()], ""),
        (vec![stored.to_vec(), b"\x01".to_vec()], "Hello"),
    ] {
        let mut connection = deflating(Role::Client);
        let last = frames.len() - 1;
        let wire: Vec<u8> = (0..)
            .zip(&frames)
            .flat_map(|(index, data)| {
                let first =
                    if index == 0 { compressed(TEXT, data) } else { frame(CONTINUATION, data) };
                Frame { fin: index == last, ..first }.bytes()
            })
            .collect();
        assert_eq!(events(&mut connection, &wire), [text(expected)], "{frames:x?}");
        // The next messages are read.
        let next = compressed(TEXT, stored.as_slice()).bytes();
        assert_eq!(events(&mut connection, &next), [text("Hello")], "after {frames:x?}");
        let next = compressed(TEXT, b"").bytes();
        assert_eq!(events(&mut connection, &next), [text("")], "after {frames:x?}");
    }
}

/// The first violation in the message is reported. This does not depend on how the bytes are split.
#[test]
fn the_first_violation_is_reported_at_every_chunk_size() {
    let mut limits = Limits::default();
    limits.message_bytes = 100;
    let bad_text = [b"ab\xFF".as_slice(), &[b'x'; 1000]].concat();
    let mut server = deflating(Role::Server);
    server.send(bad_text).unwrap();
    let frame = Frame { opcode: TEXT, ..sent(&mut server).remove(0) };
    let mut beyond = compressed(BINARY, {
        let mut server = deflating(Role::Server);
        server.send(vec![b'y'; 101]).unwrap();
        sent(&mut server).remove(0).payload
    });
    beyond.payload.extend(b"\xff\xff\xff\xff\xff\xff\xff");
    for (frame, expected) in
        [(frame, Violation::InvalidUtf8), (beyond, Violation::MessageTooBig { limit: 100 })]
    {
        let wire = frame.bytes();
        for chunk in 1..=wire.len() {
            let mut client =
                limited(Role::Client, limits).with_deflate(agreed(15, ContextTakeover::Yes));
            let mut input = BytesMut::new();
            let violations =
                wire.chunks(chunk).filter_map(|chunk| read(&mut client, &mut input, chunk).1);
            assert_eq!(violations.collect::<Vec<_>>(), [expected], "in chunks of {chunk}");
        }
    }
}

/// Parts of a few bytes become longer when they are compressed. The limit applies to the inflated length.
#[test]
fn small_parts_stay_within_the_limit() {
    let mut limits = Limits::default();
    limits.message_bytes = 4096;
    let deflate = agreed(15, ContextTakeover::Yes);
    let mut server = connection(Role::Server).with_deflate(deflate);
    let mut client = limited(Role::Client, limits).with_deflate(deflate);
    for index in 0..1024u32 {
        let content = index.wrapping_mul(2_654_435_761).to_be_bytes().to_vec();
        server.send_part(&Part { content: content.into(), last: index == 1023 }).unwrap();
    }
    let events = events(&mut client, &drain(&mut server));
    assert_eq!(events.iter().map(content_len).sum::<usize>(), 4096);
}

/// FC-15: an empty message without data is accepted. Data whose tail was not removed is accepted too. This
/// does not depend on how the data is split into frames. No data can be lost.
#[test]
fn messages_without_data_or_with_the_tail_are_accepted() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let stored = b"\x00\x05\x00\xfa\xffHello\x00";
    let tail = b"\x00\x00\xff\xff";
    for takeover in [ContextTakeover::Yes, ContextTakeover::No] {
        let mut connection = connection(Role::Client).with_deflate(agreed(15, takeover));
        for (data, expected) in [
            (b"".to_vec(), ""),
            ([&hello[..], tail].concat(), "Hello"),
            ([&stored[..], tail].concat(), "Hello"),
            (hello.to_vec(), "Hello"),
            (b"".to_vec(), ""),
        ] {
            let whole = compressed(TEXT, &data).bytes();
            assert_eq!(events(&mut connection, &whole), [text(expected)], "{data:x?}");
            let mut pieces = compressed(TEXT, []).unfinished().bytes();
            for byte in &data {
                pieces.extend(frame(CONTINUATION, [*byte]).unfinished().bytes());
            }
            pieces.extend(frame(CONTINUATION, []).bytes());
            assert_eq!(events(&mut connection, &pieces), [text(expected)], "{data:x?}");
        }
    }
}
