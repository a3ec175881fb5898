//! The closing handshake between two connections (RFC 6455 section 7). Either end or both ends start it. The
//! tests check how each end reports it.

use fullduplex_proto::{
    CloseCode, CloseFrame, CloseReason, ConnectionError, Message, Misuse, Received, Role,
};

use crate::support::pair::{Pair, carry};
use crate::support::*;

fn body(code: u16, reason: &str) -> Option<CloseFrame> {
    let code = CloseCode::new(code).expect("a valid code");
    Some(CloseFrame { code, reason: CloseReason::new(reason).expect("a short reason") })
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// Bodies of a Close, with the code and the reason that are reported (RFC6455-7.1.5-1, RFC6455-7.1.6-1).
fn bodies() -> [(Option<CloseFrame>, u16, &'static str); 4] {
    [
        (None, 1005, ""),
        (body(1000, ""), 1000, ""),
        (body(1001, "gone"), 1001, "gone"),
        (body(4001, "Grüße"), 4001, "Grüße"),
    ]
}

/// RFC6455-7.1.2-1: the body is empty, or two bytes of code and the reason.
#[test]
fn a_close_has_the_given_code_and_reason() {
    for role in ROLES {
        for (given, bytes) in [
            (None, &b""[..]),
            (body(1000, ""), b"\x03\xE8"),
            (body(4001, "Grüße"), b"\x0F\xA1Gr\xC3\xBC\xC3\x9Fe"),
        ] {
            let mut connection = connection(role);
            connection.close(given.as_ref());
            let frames = sent(&mut connection);
            assert_eq!(frames.len(), 1);
            assert_eq!((frames[0].opcode, &frames[0].payload[..]), (CLOSE, bytes));
        }
    }
}

/// RFC6455-7.1.4-1, RFC6455-5.5.1-6, RFC6455-7.3-1: the answer has the same body, so both ends report the
/// same code and reason.
#[test]
fn either_end_can_close_and_both_report_a_clean_close() {
    for closer in ROLES {
        for (body, code, reason) in bodies() {
            let mut pair = Pair::new();
            pair.end(closer).connection.close(body.as_ref());
            pair.shuttle();
            for role in ROLES {
                let end = pair.end(role);
                assert_eq!(end.events, [Received::Close(body.clone())], "{closer:?}: {role:?}");
                let closed = end.closed();
                assert_eq!((closed.code(), closed.reason()), (code, reason));
                assert!(closed.was_clean() && closed.failure().is_none(), "{closer:?}: {role:?}");
            }
        }
    }
}

/// RFC6455-5.5.1-8, fault FT-13: each end reports the other end's body.
#[test]
fn both_ends_can_close_at_once() {
    for (client_body, client_code, client_reason) in bodies() {
        for (server_body, server_code, server_reason) in bodies() {
            let mut pair = Pair::new();
            pair.client.connection.close(client_body.as_ref());
            pair.server.connection.close(server_body.as_ref());
            let crossing = drain(&mut pair.client.connection);
            assert_eq!(parse_frames(&crossing).len(), 1);
            assert_eq!(events(&mut pair.server.connection, &crossing).len(), 1);
            pair.shuttle();
            let (client, server) = (pair.client.closed(), pair.server.closed());
            assert_eq!((client.code(), client.reason()), (server_code, server_reason));
            assert_eq!((server.code(), server.reason()), (client_code, client_reason));
            assert!(client.was_clean() && server.was_clean());
        }
    }
}

/// RFC6455-5.1-5, RFC6455-7.1.3-1: the peer's messages are delivered until its Close.
#[test]
fn messages_are_delivered_until_the_close_of_the_peer() {
    for closer in ROLES {
        let mut pair = Pair::new();
        pair.end(closer).connection.close(None);
        for text in ["late", "later"] {
            pair.end(other(closer)).connection.send(Message::from(text)).unwrap();
        }
        pair.shuttle();
        let late = ["late", "later"].map(|text| Received::Message(text.into()));
        let closer = pair.end(closer);
        assert_eq!(closer.events, [late.to_vec(), vec![Received::Close(None)]].concat());
        assert!(closer.closed().was_clean());
    }
}

/// Fault FT-11: messages that were sent before the Close are not lost. This does not depend on which end
/// closes.
#[test]
fn queued_messages_go_out_before_the_close() {
    for role in ROLES {
        for peer_closes in [false, true] {
            let mut connection = connection(role);
            for size in [0, 10, 10_000, 100_000] {
                connection.send(Message::from(vec![7; size])).unwrap();
            }
            connection.ping(b"still there?").unwrap();
            if peer_closes {
                events(&mut connection, &frame(CLOSE, "").to(role));
            } else {
                connection.close(None);
            }
            let frames = sent(&mut connection);
            let opcodes: Vec<u8> = frames.iter().map(|frame| frame.opcode).collect();
            assert_eq!(opcodes, [BINARY, BINARY, BINARY, BINARY, PING, CLOSE]);
            assert_eq!(frames[3].payload, [7; 100_000]);
        }
    }
}

/// RFC6455-6.1-1, RFC6455-5.5.1-5: this applies after either end has closed.
#[test]
fn sending_after_a_close_is_misuse() {
    for role in ROLES {
        for peer_closes in [false, true] {
            let mut connection = connection(role);
            if peer_closes {
                events(&mut connection, &frame(CLOSE, "").to(role));
            } else {
                connection.close(body(1000, "").as_ref());
            }
            assert!(!connection.is_open());
            let queued = connection.queued_bytes();
            assert_eq!(connection.send(Message::from("x")), Err(Misuse::Closing));
            assert_eq!(connection.ping(b""), Err(Misuse::Closing));
            // A second Close is not sent.
            connection.close(body(4000, "again").as_ref());
            assert_eq!(connection.queued_bytes(), queued);
            assert_eq!(sent(&mut connection).len(), 1);
            connection.close(None);
            assert!(connection.is_flushed());
        }
    }
}

/// RFC6455-7.1.1-2, RFC6455-7.1.2-2, RFC6455-5.5.1-7: the server shuts down when both Close frames were
/// exchanged and its own Close was written.
#[test]
fn the_server_shuts_down_first() {
    for closer in ROLES {
        let mut pair = Pair::new();
        assert!(!pair.client.connection.wants_shutdown());
        assert!(!pair.server.connection.wants_shutdown());
        pair.end(closer).connection.close(None);
        assert!(!pair.end(closer).connection.wants_shutdown());
        if closer == Role::Client {
            let close = drain(&mut pair.client.connection);
            assert_eq!(events(&mut pair.server.connection, &close), [Received::Close(None)]);
            assert!(!pair.server.connection.wants_shutdown(), "its Close is not written yet");
            let answer = drain(&mut pair.server.connection);
            assert!(pair.server.connection.wants_shutdown());
            assert_eq!(events(&mut pair.client.connection, &answer), [Received::Close(None)]);
            assert!(!pair.client.connection.wants_shutdown(), "it waits for the server");
        } else {
            while !pair.server.shutdown {
                carry(&mut pair.server, &mut pair.client);
                assert!(!pair.client.connection.wants_shutdown());
                carry(&mut pair.client, &mut pair.server);
                assert!(!pair.client.connection.wants_shutdown());
            }
        }
        pair.shuttle();
        assert!(pair.server.closed().was_clean() && pair.client.closed().was_clean());
    }
}

/// RFC6455-5.5.2-1: no Pong is sent after the peer's Close. This includes a Pong that was held back.
#[test]
fn no_pong_follows_the_close_of_the_peer() {
    for role in ROLES {
        let ping = |payload: &str| frame(PING, payload).to(role);
        let close = close_frame(1000, "").to(role);
        let mut connection = connection(role);
        // The queue is so long that the second Pong is held back.
        connection.send(Message::from(vec![0; 16 << 10])).unwrap();
        let wire = [ping("first"), ping("waits"), close, ping("ignored")].concat();
        assert_eq!(events(&mut connection, &wire).len(), 3);
        let frames = sent(&mut connection);
        assert_eq!(frames.len(), 3);
        assert_eq!((frames[1].opcode, &frames[1].payload[..]), (PONG, &b"first"[..]));
        assert_eq!(frames[2].close_code(), Some(1000));
    }
}

/// RFC6455-5.5.2-1: Pings are still answered after our own Close.
#[test]
fn a_pong_follows_our_own_close() {
    for role in ROLES {
        let mut connection = connection(role);
        connection.close(None);
        events(&mut connection, &frame(PING, "alive?").to(role));
        let frames = sent(&mut connection);
        let opcodes: Vec<u8> = frames.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, [CLOSE, PONG]);
        assert_eq!(frames[1].payload, b"alive?");
    }
}

/// RFC6455-7.1.7-1, RFC6455-7.1.7-2, RFC6455-7.1.7-3: the end that finds a violation sends a Close, shuts
/// down, and waits for the end of the transport.
#[test]
fn a_failed_connection_sends_a_close_and_shuts_down() {
    for role in ROLES {
        let mut connection = connection(role);
        let (_, violation) = receive(&mut connection, &frame(0x3, "").to(role));
        assert!(!connection.wants_shutdown(), "the Close is not written yet");
        assert_eq!(sent(&mut connection)[0].close_code(), Some(1002));
        assert!(connection.wants_shutdown() && connection.closed().is_none());
        connection.handle_shutdown();
        assert!(!connection.wants_shutdown() && connection.closed().is_none(), "it lingers");
        // Further input is discarded, even a Close.
        assert_eq!(events(&mut connection, &close_frame(4001, "").to(role)), []);
        connection.handle_end_of_input();
        let closed = connection.closed().unwrap();
        assert_eq!((closed.code(), closed.reason(), closed.was_clean()), (1006, "", false));
        assert_eq!(closed.failure(), violation.map(ConnectionError::Violation));
    }
}
