//! Every two-byte header, and every sequence of three frames, in both roles, against two oracles
//! written from section 5 of RFC 6455 and nothing else (fault FT-19).

mod support;

use bytes::BytesMut;
use fullduplex_proto::{Event, Role};
use support::*;

/// What a receiver says to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The frame is whole and good, and this is what it is.
    Accepted(What),
    /// Good so far.
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

/// The oracle of one frame, all of whose payload, if it has any, is zeros once unmasked. Returns
/// what is to be said to its first two bytes, and to the whole frame.
fn oracle(role: Role, inside_message: bool, first: u8, second: u8) -> (Verdict, Verdict) {
    let fin = first & 0b1000_0000 != 0;
    let reserved = first & 0b0111_0000;
    let opcode = first & 0b0000_1111;
    let mask = second & 0b1000_0000 != 0;
    let length = second & 0b0111_1111;
    let protocol_error = (Fails(1002), Fails(1002));

    // "MUST be 0 unless an extension is negotiated"
    if reserved != 0 {
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
    let whole = match (opcode, length) {
        // "the first two bytes of the body MUST be a 2-byte unsigned integer": half of one, and 0,
        // which section 7.4.2 says is not used.
        (0x8, 1..) => Fails(1002),
        _ => Accepted(what),
    };
    if mask || length > 0 { (NeedsMore, whole) } else { (whole, whole) }
}

/// What the crate says to `bytes` behind what `input` holds.
fn verdict(
    connection: &mut fullduplex_proto::Connection,
    input: &mut BytesMut,
    bytes: &[u8],
) -> Verdict {
    match read(connection, input, bytes) {
        (events, Some(_)) => {
            assert_eq!(events, []);
            let told = sent(connection);
            Fails(told.last().and_then(Frame::close_code).expect("a Close with a code goes out"))
        }
        (events, None) => match &events[..] {
            // A fragment has been taken off the input; an unfinished frame or header has not, or
            // lacks something.
            [] if input.is_empty() && connection.lacking(input) == 0 => Accepted(What::Fragment),
            [] => NeedsMore,
            [Event::Message(_)] => Accepted(What::Message),
            [Event::Close(_)] => Accepted(What::Control(0x8)),
            [Event::Ping(_)] => Accepted(What::Control(0x9)),
            [Event::Pong(_)] => Accepted(What::Control(0xA)),
            more => panic!("one frame became {more:?}"),
        },
    }
}

/// What makes a whole frame of its first two bytes: the shortest length of its form, a key, zeros.
fn rest_of(second: u8) -> Vec<u8> {
    let (length, announced) = match second & 0x7F {
        126 => (126usize, 126u16.to_be_bytes().to_vec()),
        127 => (65_536, 65_536u64.to_be_bytes().to_vec()),
        short => (usize::from(short), vec![]),
    };
    // A key of zeros leaves the zeros of the payload as they are.
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    [announced, vec![0; key + length]].concat()
}

#[test]
fn every_two_byte_header_in_every_situation() {
    let mut accepted = 0;
    for role in ROLES {
        for inside_message in [false, true] {
            for [first, second] in (0..=u16::MAX).map(u16::to_be_bytes) {
                let (mut connection, mut input) = (connection(role), BytesMut::new());
                if inside_message {
                    let begin = frame(TEXT, "a").unfinished().to(role);
                    assert_eq!(read(&mut connection, &mut input, &begin), (vec![], None));
                }
                let (at_two, at_end) = oracle(role, inside_message, first, second);
                let context = format!("{role:?}, {inside_message}: {first:#010b} {second:#010b}");
                let found = verdict(&mut connection, &mut input, &[first, second]);
                assert_eq!(found, at_two, "{context}");
                if found == NeedsMore {
                    let found = verdict(&mut connection, &mut input, &rest_of(second));
                    assert_eq!(found, at_end, "{context}, whole");
                }
                accepted += usize::from(matches!(at_end, Accepted(_)));
            }
        }
    }
    // Idle: text and binary with FIN or without, 128 lengths each; within a message: continuations.
    // In both: Ping and Pong of 126 lengths, and the Close without a body.
    assert_eq!(accepted, 2 * ((4 * 128) + (2 * 128) + 2 * (2 * 126 + 1)));
}

/// The oracle of a sequence of empty frames: what becomes of each until the last that is looked at.
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
fn every_sequence_of_three_frames() {
    let kinds: Vec<(bool, u8)> = (0..32).map(|bits| (bits & 16 != 0, bits & 15)).collect();
    for role in ROLES {
        let wire = |&(fin, opcode): &(bool, u8)| Frame { fin, ..frame(opcode, "") }.to(role);
        let wires: Vec<Vec<u8>> = kinds.iter().map(wire).collect();
        for index in 0..32 * 32 * 32 {
            let three = [index >> 10, index >> 5 & 31, index & 31];
            let sequence = three.map(|kind| kinds[kind]);
            let expected = sequence_oracle(&sequence);
            let (mut connection, mut input) = (connection(role), BytesMut::new());
            for (position, &kind) in three.iter().enumerate() {
                let Some(&expected) = expected.get(position) else {
                    // RFC6455-7.1.7-3: after the end nothing has a meaning.
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
