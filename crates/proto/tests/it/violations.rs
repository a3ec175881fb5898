//! Every [`Violation`] with its close code, in each role that it applies to. Each violation is detected as
//! early as possible.

use bytes::BytesMut;
use fullduplex_proto::{Limits, Message, Misuse, Received, Role, Violation};

use crate::support::*;

/// Bytes that break a rule, and valid bytes that precede them.
struct Case {
    role: Role,
    before: Vec<u8>,
    wrong: Vec<u8>,
    violation: Violation,
    code: u16,
}

const LIMIT: usize = 1000;
const FRAMES: usize = 10;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.message_bytes = LIMIT;
    limits.message_frames = FRAMES;
    limits
}

/// Violations that the first two bytes of a frame show, between two messages and within a message.
fn seen_in_two_bytes(role: Role) -> Vec<Case> {
    let mask_bit = if role == Role::Server { 0x80 } else { 0 };
    let idle = Vec::new;
    let inside = || frame(TEXT, "a").unfinished().to(role);
    let case = |before: Vec<u8>, first: u8, second: u8, violation| {
        let wrong = vec![first, mask_bit | second];
        Case { role, before, wrong, violation, code: 1002 }
    };
    let mut cases = vec![
        // RFC6455-5.4-10
        case(idle(), 0x80, 1, Violation::UnexpectedContinuation),
        case(idle(), 0x00, 0, Violation::UnexpectedContinuation),
        // RFC6455-5.4-3
        case(inside(), 0x81, 1, Violation::InterleavedMessage),
        case(inside(), 0x02, 127, Violation::InterleavedMessage),
    ];
    // RFC6455-5.2-1
    for reserved in 1..8u8 {
        cases.push(case(idle(), 0x81 | reserved << 4, 0, Violation::ReservedBit));
        cases.push(case(inside(), 0x80 | reserved << 4, 0, Violation::ReservedBit));
        cases.push(case(idle(), 0x89 | reserved << 4, 0, Violation::ReservedBit));
    }
    // RFC6455-5.2-2
    for opcode in (3..8).chain(0xB..=0xF) {
        cases.push(case(idle(), 0x80 | opcode, 0, Violation::UnknownOpcode(opcode)));
        cases.push(case(inside(), opcode, 0, Violation::UnknownOpcode(opcode)));
    }
    // RFC6455-5.4-1, RFC6455-5.5-1
    for opcode in [CLOSE, PING, PONG] {
        cases.push(case(idle(), opcode, 0, Violation::FragmentedControlFrame));
        cases.push(case(inside(), opcode, 0, Violation::FragmentedControlFrame));
        for length in [126, 127] {
            cases.push(case(idle(), 0x80 | opcode, length, Violation::ControlFrameTooLong));
        }
    }
    // RFC6455-5.1-2, RFC6455-5.1-4: the mask is checked for each opcode that is allowed here.
    let violation = match role {
        Role::Server => Violation::UnmaskedFrame,
        Role::Client => Violation::MaskedFrame,
    };
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        let wrong = vec![0x80 | opcode, mask_bit ^ 0x80];
        cases.push(Case { role, before: idle(), wrong, violation, code: 1002 });
    }
    cases
}

/// Violations that are visible only in the whole header or in the payload.
fn seen_later(role: Role) -> Vec<Case> {
    let case = |before: Vec<u8>, wrong: Vec<u8>, violation, code| Case {
        role,
        before,
        wrong,
        violation,
        code,
    };
    let in_long_form = |second: u8, length: &[u8]| {
        let masked = role == Role::Server;
        let key = if masked { &[1, 2, 3, 4][..] } else { &[] };
        [&[0x82, second | u8::from(masked) << 7], length, key].concat()
    };
    let not_minimal = Violation::LengthNotMinimal;
    let too_big = Violation::MessageTooBig { limit: LIMIT };
    let too_many = Violation::TooManyFrames { limit: FRAMES };
    let fragment = |size| frame(BINARY, vec![0; size]).unfinished().to(role);
    let empty = frame(CONTINUATION, "").unfinished().to(role);
    let full = [fragment(0), empty.repeat(FRAMES - 1)].concat();
    let mut cases = vec![
        // RFC6455-5.2-4
        case(vec![], in_long_form(126, &125u16.to_be_bytes()), not_minimal(125), 1002),
        case(vec![], in_long_form(126, &[0, 0]), not_minimal(0), 1002),
        case(vec![], in_long_form(127, &65_535u64.to_be_bytes()), not_minimal(65_535), 1002),
        case(vec![], in_long_form(127, &[0; 8]), not_minimal(0), 1002),
        // RFC6455-10.4-2, fault FT-18: the violation is detected after the header, before the payload.
        case(vec![], header_to(role, 0x82, LIMIT as u64 + 1), too_big, 1009),
        case(vec![], header_to(role, 0x01, 1 << 31), too_big, 1009),
        case(vec![], header_to(role, 0x81, 1 << 32), too_big, 1009),
        case(vec![], header_to(role, 0x82, i64::MAX as u64), too_big, 1009),
        case(fragment(LIMIT), header_to(role, 0x80, 1), too_big, 1009),
        case(fragment(1), header_to(role, 0x00, LIMIT as u64), too_big, 1009),
        case(full.clone(), empty.clone(), too_many, 1008),
        case(full, header_to(role, 0x80, 5), too_many, 1008),
        // RFC6455-5.5.1-1, RFC6455-8.1-1
        case(vec![], frame(CLOSE, [3]).to(role), Violation::CloseBodyOfOneByte, 1002),
        case(vec![], close_frame(1000, b"\xC3").to(role), Violation::CloseReasonNotUtf8, 1007),
        case(vec![], frame(TEXT, b"\xC3\x28").to(role), Violation::InvalidUtf8, 1007),
    ];
    // RFC6455-5.2-3: this applies with any limit.
    for length in [1 << 63, (1 << 63) + 1, u64::MAX] {
        let violation = Violation::LengthOverflow(length);
        cases.push(case(vec![], header_to(role, 0x82, length), violation, 1002));
    }
    // RFC6455-7.4.1-1, RFC6455-7.4.1-2, RFC6455-7.4.1-3, RFC6455-7.4.2-1
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, u16::MAX] {
        let wrong = close_frame(code, "").to(role);
        cases.push(case(vec![], wrong, Violation::CloseCode(code), 1002));
    }
    cases
}

fn cases() -> Vec<Case> {
    let of_role = |role| seen_in_two_bytes(role).into_iter().chain(seen_later(role));
    ROLES.into_iter().flat_map(of_role).collect()
}

/// RFC6455-7.1.7-2, RFC6455-10.7-1, RFC6455-10.7-2, fault FT-19: each violation is returned to the caller,
/// and reported to the peer in a Close frame.
#[test]
fn each_violation_is_reported_to_the_caller_and_the_peer() {
    for Case { role, before, wrong, violation, code } in cases() {
        let mut connection = limited(role, limits());
        assert_eq!(events(&mut connection, &before), [], "{violation:?}");
        let (events, found) = receive(&mut connection, &wrong);
        assert_eq!((events, found), (vec![], Some(violation)), "{role:?}: {wrong:x?}");
        assert_eq!(violation.close_code().get(), code, "{violation:?}");
        let frames = sent(&mut connection);
        assert_eq!(frames.len(), 1, "{violation:?}");
        assert_eq!(frames[0].close_code(), Some(code), "{violation:?}");
        assert_eq!(frames[0].mask.is_some(), role == Role::Client);
        assert!(!connection.is_open());
    }
}

/// The table above has each violation, in each role that it applies to.
#[test]
fn the_table_of_violations_is_complete() {
    let cases = cases();
    let has = |role, wanted: fn(&Violation) -> bool| {
        cases.iter().any(|case| case.role == role && wanted(&case.violation))
    };
    for role in ROLES {
        assert!(has(role, |v| matches!(v, Violation::ReservedBit)));
        assert!(has(role, |v| matches!(v, Violation::UnknownOpcode(_))));
        assert!(has(role, |v| matches!(v, Violation::LengthOverflow(_))));
        assert!(has(role, |v| matches!(v, Violation::LengthNotMinimal(_))));
        assert!(has(role, |v| matches!(v, Violation::FragmentedControlFrame)));
        assert!(has(role, |v| matches!(v, Violation::ControlFrameTooLong)));
        assert!(has(role, |v| matches!(v, Violation::UnexpectedContinuation)));
        assert!(has(role, |v| matches!(v, Violation::InterleavedMessage)));
        assert!(has(role, |v| matches!(v, Violation::InvalidUtf8)));
        assert!(has(role, |v| matches!(v, Violation::CloseBodyOfOneByte)));
        assert!(has(role, |v| matches!(v, Violation::CloseCode(_))));
        assert!(has(role, |v| matches!(v, Violation::CloseReasonNotUtf8)));
        assert!(has(role, |v| matches!(v, Violation::MessageTooBig { .. })));
        assert!(has(role, |v| matches!(v, Violation::TooManyFrames { .. })));
    }
    assert!(has(Role::Server, |v| matches!(v, Violation::UnmaskedFrame)));
    assert!(has(Role::Client, |v| matches!(v, Violation::MaskedFrame)));
}

/// The bytes of each case are sufficient to detect the violation, even if they arrive one by one.
#[test]
fn violations_are_found_as_early_as_possible() {
    for Case { role, before, wrong, violation, .. } in cases() {
        let (mut connection, mut input) = (limited(role, limits()), BytesMut::new());
        read(&mut connection, &mut input, &before);
        let mut found = None;
        for byte in &wrong {
            let (events, violation) = read(&mut connection, &mut input, &[*byte]);
            assert_eq!(events, []);
            found = found.or(violation);
        }
        assert_eq!(found, Some(violation), "{role:?}: {wrong:x?}");
    }
}

/// RFC6455-7.1.7-3: even a Close is discarded. RFC6455-5.5.1-5: nothing more is sent.
#[test]
fn after_a_violation_all_input_is_discarded() {
    for Case { role, before, wrong, violation, .. } in cases() {
        let after =
            [frame(TEXT, "x").to(role), frame(PING, "").to(role), frame(CLOSE, "").to(role)]
                .concat();
        let (mut connection, mut input) = (limited(role, limits()), BytesMut::new());
        read(&mut connection, &mut input, &before);
        let (_, found) = read(&mut connection, &mut input, &[wrong, after.clone()].concat());
        assert_eq!((found, input.len()), (Some(violation), 0), "{violation:?}");
        for _ in 0..3 {
            assert_eq!(read(&mut connection, &mut input, &after), (vec![], None));
            assert_eq!((input.len(), connection.bytes_needed(&input)), (0, 0));
        }
        assert_eq!(connection.send(Message::from("x")), Err(Misuse::Closing));
        assert_eq!(sent(&mut connection).len(), 1, "the Close and nothing else");
    }
}

/// RFC6455-7.1.1-1, RFC6455-7.1.3-1, fault FT-13: data, Pings and a second Close are discarded.
#[test]
fn after_a_close_all_input_is_discarded() {
    for role in ROLES {
        let after = [frame(TEXT, "x"), frame(PING, ""), close_frame(4000, ""), frame(0xF, "")]
            .map(|frame| frame.to(role))
            .concat();
        let (mut connection, mut input) = (connection(role), BytesMut::new());
        let wire = [frame(CLOSE, "").to(role), after.clone()].concat();
        let (events, violation) = read(&mut connection, &mut input, &wire);
        assert_eq!((events, violation), (vec![Received::Close(None)], None));
        assert_eq!(read(&mut connection, &mut input, &after), (vec![], None));
        assert!(input.is_empty());
        assert_eq!(sent(&mut connection).len(), 1, "the Close and nothing else");
    }
}
