//! Tests every two-byte header and every sequence of four frames, in both roles (fault FT-19). The results
//! are compared with two oracles that were written from RFC 6455 section 5 and RFC 7692 section 6 alone.
//! Debug builds try sequences of three frames only; `cargo xtask exhaustive` runs everything.

mod support;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::{CloseCode, Connection, DeflateConfig, Message, Received, Role};
use support::*;

/// The result of a frame for the end that receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The frame is complete and valid.
    Accepted(What),
    /// The frame is valid so far, and incomplete.
    NeedsMore,
    /// The connection fails with this code.
    Fails(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Fragment,
    Message,
    Control(u8),
}

use Verdict::{Accepted, Fails, NeedsMore};

const SITUATIONS: [Situation; 3] =
    [Situation::Idle, Situation::InText, Situation::InCompressedText];

/// The state in which a frame arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Idle,
    InText,
    InCompressedText,
}

/// The oracle for one frame whose payload is all zeros. Returns the verdict on its first two bytes, and
/// the verdict on the whole frame.
fn oracle(
    role: Role,
    deflate: bool,
    situation: Situation,
    [first, second]: [u8; 2],
) -> (Verdict, Verdict) {
    let fin = first & 0b1000_0000 != 0;
    let reserved = first & 0b0111_0000;
    let opcode = first & 0b0000_1111;
    let mask = second & 0b1000_0000 != 0;
    let length = second & 0b0111_1111;
    let protocol_error = (Fails(1002), Fails(1002));
    let inside_message = situation != Situation::Idle;

    // "MUST be 0 unless an extension is negotiated"; RFC 7692: RSV1 is allowed on the first fragment of a
    // data message, but on no other fragment and on no control frame.
    let rsv1 = reserved == 0b0100_0000 && deflate && (opcode == 0x1 || opcode == 0x2);
    if reserved != 0 && !rsv1 {
        return protocol_error;
    }
    // "%x3-7 are reserved for further non-control frames", "%xB-F for further control frames"
    if (0x3..=0x7).contains(&opcode) || opcode >= 0xB {
        return protocol_error;
    }
    // "The server MUST close the connection upon receiving a frame that is not masked"; "a client
    // MUST close a connection if it detects a masked frame"
    if mask != (role == Role::Server) {
        return protocol_error;
    }
    let is_control = opcode >= 0x8;
    // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented"
    if is_control && (!fin || length > 125) {
        return protocol_error;
    }
    // "The fragments of one message MUST NOT be interleaved between the fragments of another"
    if !is_control && (opcode == 0x0) != inside_message {
        return protocol_error;
    }
    let what = match (is_control, fin) {
        (true, _) => What::Control(opcode),
        (false, true) => What::Message,
        (false, false) => What::Fragment,
    };
    let compressed = rsv1 || (opcode == 0x0 && situation == Situation::InCompressedText);
    let whole = match (opcode, length) {
        // RFC 7692: the data and the tail 00 00 FF FF form blocks. A zero byte begins a stored block of
        // length 0, whose complement FF FF can only come from the tail. If there is no data, the message is
        // empty (FC-15).
        (0x0..=0x2, 2..) if compressed && fin => Fails(1007),
        (0x0..=0x2, 5..) if compressed => Fails(1007),
        // "the first two bytes of the body MUST be a 2-byte unsigned integer": one byte is too few, and
        // the code 0 is not used (section 7.4.2).
        (0x8, 1..) => Fails(1002),
        _ => Accepted(what),
    };
    if mask || length > 0 { (NeedsMore, whole) } else { (whole, whole) }
}

/// Returns the crate's verdict on `bytes`, which are appended to `input`.
fn verdict(connection: &mut Connection, input: &mut BytesMut, bytes: &[u8]) -> Verdict {
    match read(connection, input, bytes) {
        (events, Some(_)) => {
            assert_eq!(events, []);
            let frames = sent(connection);
            Fails(frames.last().and_then(Frame::close_code).expect("a Close with a code is sent"))
        }
        (events, None) => match &events[..] {
            // A complete fragment was removed from the input, and no further bytes are needed.
            [] if input.is_empty() && connection.bytes_needed(input) == 0 => {
                Accepted(What::Fragment)
            }
            [] => NeedsMore,
            [Received::Message(_)] => Accepted(What::Message),
            [Received::Close(_)] => Accepted(What::Control(0x8)),
            [Received::Ping(_)] => Accepted(What::Control(0x9)),
            [Received::Pong(_)] => Accepted(What::Control(0xA)),
            more => panic!("one frame became {more:?}"),
        },
    }
}

/// Returns the bytes that complete a frame: the shortest length of its form, a masking key, and a payload
/// of zeros.
fn rest_of(second: u8) -> Vec<u8> {
    let (length, announced) = match second & 0x7F {
        126 => (126usize, 126u16.to_be_bytes().to_vec()),
        127 => (65_536, 65_536u64.to_be_bytes().to_vec()),
        short => (usize::from(short), vec![]),
    };
    // A key of zeros does not change the zeros of the payload.
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    [announced, vec![0; key + length]].concat()
}

/// RFC6455-6.2-1, RFC6455-10.7-1.
#[test]
fn every_two_byte_header_gets_the_verdict_of_the_oracle() {
    let (mut verdicts, mut accepted) = (0, 0);
    for role in ROLES {
        for (deflate, situation) in [false, true]
            .into_iter()
            .flat_map(|deflate| SITUATIONS.map(|situation| (deflate, situation)))
        {
            for start in (0..=u16::MAX).map(u16::to_be_bytes) {
                verdicts += 1;
                let context = format!("{role:?}, {deflate}, {situation:?}: {start:x?}");
                let Some((mut connection, mut input)) = at(role, deflate, situation) else {
                    // This situation is impossible.
                    assert_eq!((deflate, situation), (false, Situation::InCompressedText));
                    continue;
                };
                let (at_two, at_end) = oracle(role, deflate, situation, start);
                let found = verdict(&mut connection, &mut input, &start);
                assert_eq!(found, at_two, "{context}");
                if found == NeedsMore {
                    let found = verdict(&mut connection, &mut input, &rest_of(start[1]));
                    assert_eq!(found, at_end, "{context}, whole");
                }
                accepted += usize::from(matches!(at_end, Accepted(_)));
            }
        }
    }
    assert_eq!(verdicts, 786_432);
    // In every situation: Ping and Pong with 126 lengths each, and a Close without a body.
    let control = 2 * 126 + 1;
    // For each of text and binary, or for continuations within a message: with FIN or without, 128 lengths
    // each. Compressed: two lengths with FIN, five without.
    let (plain, compressed) = (2 * 128, 2 + 5);
    let without = 2 * control + 2 * plain + plain;
    let with = 3 * control + 2 * (plain + compressed) + plain + compressed;
    assert_eq!(accepted, 2 * (without + with));
}

/// Creates a connection in the given situation. Returns `None` if the situation is impossible.
fn at(role: Role, deflate: bool, situation: Situation) -> Option<(Connection, BytesMut)> {
    let (mut connection, mut input) = (connection(role), BytesMut::new());
    if deflate {
        connection = connection.with_deflate(DeflateConfig::default());
    }
    let begin = match situation {
        Situation::Idle => return Some((connection, input)),
        Situation::InText => frame(TEXT, "a"),
        // The RFC's example. The tail is only removed at the end of a message, so this fragment has one.
        Situation::InCompressedText => Frame {
            reserved: 0b100,
            ..frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff")
        },
    };
    let (events, violation) = read(&mut connection, &mut input, &begin.unfinished().to(role));
    assert_eq!(events, []);
    violation.is_none().then_some((connection, input))
}

/// The oracle for a sequence of empty frames. Returns a verdict for each frame, up to the last frame that is
/// not discarded.
fn sequence_oracle(frames: &[(bool, u8)]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut inside_message = false;
    for &(fin, opcode) in frames {
        let verdict = match opcode {
            0x0 if inside_message => Accepted(if fin { What::Message } else { What::Fragment }),
            0x1 | 0x2 if !inside_message => {
                Accepted(if fin { What::Message } else { What::Fragment })
            }
            0x8..=0xA if fin => Accepted(What::Control(opcode)),
            _ => Fails(1002),
        };
        if opcode <= 0x2 {
            inside_message = !fin;
        }
        verdicts.push(verdict);
        if matches!(verdict, Fails(_) | Accepted(What::Control(0x8))) {
            break;
        }
    }
    verdicts
}

#[test]
fn every_sequence_of_frames_gets_the_verdicts_of_the_oracle() {
    const FRAMES: u32 = if cfg!(debug_assertions) { 3 } else { 4 };
    let kinds: Vec<(bool, u8)> = (0..32).map(|bits| (bits & 16 != 0, bits & 15)).collect();
    for role in ROLES {
        let wire = |&(fin, opcode): &(bool, u8)| Frame { fin, ..frame(opcode, "") }.to(role);
        let wires: Vec<Vec<u8>> = kinds.iter().map(wire).collect();
        for index in 0..32usize.pow(FRAMES) {
            let chosen: Vec<usize> = (0..FRAMES).map(|place| index >> (5 * place) & 31).collect();
            let sequence: Vec<(bool, u8)> = chosen.iter().map(|&kind| kinds[kind]).collect();
            let expected = sequence_oracle(&sequence);
            let (mut connection, mut input) = (connection(role), BytesMut::new());
            for (position, &kind) in chosen.iter().enumerate() {
                let Some(&expected) = expected.get(position) else {
                    // RFC6455-7.1.7-3: after the end all input is discarded.
                    let after = read(&mut connection, &mut input, &wires[kind]);
                    assert_eq!((after, input.len()), ((vec![], None), 0), "{sequence:x?}");
                    continue;
                };
                let found = verdict(&mut connection, &mut input, &wires[kind]);
                assert_eq!(found, expected, "{role:?}: {sequence:x?} at {position}");
            }
        }
    }
}

/// RFC6455-7.4.1-1, RFC6455-7.4.1-2, RFC6455-7.4.1-3, RFC6455-7.4.2-1: all 65,536 codes, received and sent.
#[test]
fn every_close_code_is_accepted_or_refused_in_both_directions() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            // Section 7.4, and the codes 1012 to 1014, which were added to the registry.
            let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let (mut connection, mut input) = (connection(role), BytesMut::new());
            let found = verdict(&mut connection, &mut input, &close_frame(code, "why").to(role));
            let expected = if allowed { Accepted(What::Control(0x8)) } else { Fails(1002) };
            assert_eq!(found, expected, "{role:?}: {code}");
            assert_eq!(CloseCode::new(code).is_ok(), allowed, "{code}");
            if allowed {
                // The answer has the same code.
                assert_eq!(sent(&mut connection)[0].close_code(), Some(code));
            }
        }
    }
}

/// Faults L13 and L14: messages of all lengths up to 70,000 arrive unchanged. The message after each of them
/// arrives unchanged too.
#[test]
fn messages_of_every_length_round_trip() {
    let payload = Bytes::from((0..70_000u32).map(|index| (index % 251) as u8).collect::<Vec<_>>());
    let step = if cfg!(debug_assertions) { 619 } else { 1 };
    for role in ROLES {
        let (mut from, mut to) = (connection(role), connection(role.peer()));
        for length in (0..=70_000).step_by(step).chain([125, 126, 127, 65_535, 65_536]) {
            let message = Message::Binary(payload.slice(..length));
            from.send(&message).unwrap();
            from.send("next").unwrap();
            let expected = [Received::Message(message), Received::Message("next".into())];
            assert_eq!(events(&mut to, &drain(&mut from)), expected, "{role:?}: {length}");
        }
    }
}
