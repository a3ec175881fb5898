//! The events do not depend on how the input is split into chunks (fault FT-06). If the input ends early,
//! exactly the complete messages were delivered (faults FT-03 and FT-04).

use bytes::BytesMut;
use fullduplex_proto::{Connection, ConnectionError, Received, Role, Violation};
use proptest::prelude::*;

use crate::support::*;

type Outcome = (Vec<Received>, Option<Violation>, Vec<u8>);

/// Reads `chunks` one after the other. Returns the events, the violation, and the bytes of the reply.
fn outcome<'a>(role: Role, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut connection, mut input) = (connection(role), BytesMut::new());
    let (mut events, mut violation) = (Vec::new(), None);
    for chunk in chunks {
        let (more, found) = read(&mut connection, &mut input, chunk);
        assert!(violation.is_none() || (more.is_empty() && found.is_none()));
        events.extend(more);
        violation = violation.or(found);
    }
    (events, violation, drain(&mut connection))
}

/// Frames of every kind, with lengths in several forms. The last frame is a violation.
fn script(role: Role) -> Vec<Frame> {
    let frames = [
        frame(TEXT, "Grüße, 𝄞"),
        frame(BINARY, [0xFF; 126]).unfinished(),
        frame(PING, "between"),
        frame(CONTINUATION, [0x80; 9]).unfinished(),
        frame(CONTINUATION, ""),
        frame(TEXT, &"€".as_bytes()[..2]).unfinished(),
        frame(PONG, ""),
        frame(CONTINUATION, &"€".as_bytes()[2..]),
        frame(TEXT, ""),
        frame(TEXT, b"not text: \xFF"),
    ];
    let mask = (role == Role::Server).then_some([9, 8, 7, 6]);
    frames.map(|frame| Frame { mask, ..frame }).to_vec()
}

fn wire(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

#[test]
fn every_split_of_the_input_gives_the_same_events() {
    for role in ROLES {
        let wire = wire(&script(role));
        let whole = outcome(role, [&wire[..]]);
        assert_eq!((whole.0.len(), whole.1), (6, Some(Violation::InvalidUtf8)));
        for cut in 0..=wire.len() {
            let (one, two) = wire.split_at(cut);
            assert_eq!(outcome(role, [one, two]), whole, "{role:?}: cut at {cut}");
        }
        assert_eq!(outcome(role, wire.chunks(1)), whole, "{role:?}: byte by byte");
    }
}

/// RFC6455-7.2.1-1: complete messages are delivered, incomplete ones are not, and the connection is
/// reported as lost.
#[test]
fn an_early_end_delivers_exactly_the_complete_messages() {
    for role in ROLES {
        let frames: Vec<Frame> = parse_frames(&wire(&script(role))).into_iter().take(9).collect();
        let ends: Vec<usize> = (0..=frames.len()).map(|n| wire(&frames[..n]).len()).collect();
        let wire = wire(&frames);
        for cut in 0..=wire.len() {
            let complete_frames = ends.iter().filter(|&&end| end <= cut).count() - 1;
            let complete = &wire[..ends[complete_frames]];
            let mut connection = connection(role);
            let received = events(&mut connection, &wire[..cut]);
            assert_eq!(
                received,
                events(&mut crate::support::connection(role), complete),
                "cut at {cut}"
            );
            connection.handle_end_of_input();
            assert_lost(&connection);
        }
    }
}

fn assert_lost(connection: &Connection) {
    let closed = connection.closed().expect("the transport has ended");
    assert_eq!((closed.code(), closed.reason(), closed.was_clean()), (1006, "", false));
    assert_eq!(closed.failure(), Some(ConnectionError::Lost));
}

/// Generates frames. Most of them are always allowed. Some are allowed only in some states. A few are never
/// allowed.
fn any_frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![
        8 => prop_oneof![Just(CONTINUATION), Just(TEXT), Just(BINARY), Just(PING), Just(PONG)],
        1 => Just(CLOSE),
    ];
    let reserved = prop_oneof![40 => Just(0), 1 => 1..8u8];
    let payload = prop_oneof![
        4 => "[a-é€𝄞]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(vec![b'x'; 65_536]),
    ];
    (any::<bool>(), reserved, opcode, any::<[u8; 4]>(), payload).prop_map(
        |(fin, reserved, opcode, key, mut payload)| {
            let control = opcode >= 8;
            if control {
                payload.truncate(125);
            }
            Frame { fin: fin || control, reserved, opcode, mask: Some(key), payload }
        },
    )
}

/// Changes most opcodes to match the state of the message, so that the first frames of most scripts are
/// valid.
fn mend(frames: &mut [Frame]) {
    let mut inside = false;
    for (index, frame) in frames.iter_mut().enumerate().filter(|(_, frame)| frame.opcode < 8) {
        if index % 16 != 15 {
            frame.opcode = match (inside, frame.opcode) {
                (true, _) => CONTINUATION,
                (false, CONTINUATION) => BINARY,
                (false, opcode) => opcode,
            };
        }
        inside = !frame.fin;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_frames_in_random_chunks_give_the_same_events(
        mut frames in prop::collection::vec(any_frame(), 0..24),
        sizes in prop::collection::vec(1..400usize, 1..40),
        is_client in any::<bool>(),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        mend(&mut frames);
        if is_client {
            frames.iter_mut().for_each(|frame| frame.mask = None);
        }
        let wire = wire(&frames);
        let mut chunks = Vec::new();
        let (mut rest, mut sizes) = (&wire[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            chunks.push(chunk);
            rest = after;
        }
        prop_assert_eq!(outcome(role, chunks), outcome(role, [&wire[..]]));
    }
}
