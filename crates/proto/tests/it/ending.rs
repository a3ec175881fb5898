//! Connections that end without a complete closing handshake: the transport is lost, a write fails, or the
//! peer is silent. These tests also check the deadlines.

use std::time::Duration;

use fullduplex_proto::{Connection, ConnectionError, Message, Misuse, Part, Received, Role};

use crate::support::pair::Clock;
use crate::support::*;

fn assert_ended(connection: &Connection, code: u16, clean: bool, failure: Option<ConnectionError>) {
    let closed = connection.closed().expect("the connection has ended");
    assert_eq!((closed.code(), closed.was_clean(), closed.failure()), (code, clean, failure));
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// RFC6455-7.2.1-1: without the peer's Close, the connection was lost. This does not depend on the frames
/// that we sent.
#[test]
fn an_end_without_a_close_is_1006() {
    for role in ROLES {
        for we_closed in [false, true] {
            for written in [false, true] {
                let mut connection = connection(role);
                connection.send(Message::from("lost or not")).unwrap();
                if we_closed {
                    connection.close(None);
                }
                if written {
                    drain(&mut connection);
                }
                connection.handle_end_of_input();
                assert_ended(&connection, 1006, false, Some(ConnectionError::Lost));
                // The end is final.
                connection.handle_write_failed();
                connection.handle_end_of_input();
                connection.close(None);
                assert_ended(&connection, 1006, false, Some(ConnectionError::Lost));
            }
        }
    }
}

/// RFC6455-7.1.5-1, fault FT-14: the received code is reported, and the connection does not end cleanly.
#[test]
fn a_close_whose_answer_is_not_written_keeps_its_code() {
    type End = fn(&mut Connection);
    let ends: [End; 2] = [Connection::handle_end_of_input, Connection::handle_write_failed];
    for role in ROLES {
        for end in ends {
            for (code, reported) in [(Some(4001), 4001), (None, 1005)] {
                let mut connection = connection(role);
                let close = code.map_or(frame(CLOSE, ""), |code| close_frame(code, "why"));
                events(&mut connection, &close.to(role));
                assert!(connection.closed().is_none());
                end(&mut connection);
                assert_ended(&connection, reported, false, None);
                let reason = code.map_or("", |_| "why");
                assert_eq!(connection.closed().unwrap().reason(), reason);
            }
        }
    }
}

/// RFC6455-7.1.4-1: after our answer is written, either end may end the transport.
#[test]
fn a_close_whose_answer_is_written_is_clean_when_the_transport_ends() {
    for role in ROLES {
        let mut connection = connection(role);
        events(&mut connection, &close_frame(4001, "").to(role));
        drain(&mut connection);
        connection.handle_end_of_input();
        assert_ended(&connection, 4001, true, None);
    }
}

/// RFC6455-7.1.4-1: both Close frames were exchanged. The peer does not need the Pong after our Close.
#[test]
fn an_unwritten_pong_after_our_close_does_not_make_the_end_unclean() {
    type End = fn(&mut Connection);
    let ends: [End; 3] =
        [Connection::handle_end_of_input, Connection::handle_write_failed, |connection| {
            let deadline = connection.handle_timeout(Clock::new().now).expect("it is closing");
            connection.handle_timeout(deadline);
        }];
    for role in ROLES {
        for end in ends {
            let mut connection = connection(role);
            connection.close(None);
            drain(&mut connection);
            events(&mut connection, &frame(PING, "x").to(role));
            events(&mut connection, &close_frame(4001, "").to(role));
            assert!(!connection.is_flushed(), "the Pong is queued");
            end(&mut connection);
            assert_ended(&connection, 4001, true, None);
        }
        // Writing the Pong fails before the peer's Close is read.
        let mut connection = connection(role);
        connection.close(None);
        drain(&mut connection);
        events(&mut connection, &frame(PING, "x").to(role));
        connection.handle_write_failed();
        assert!(connection.closed().is_none());
        events(&mut connection, &close_frame(4001, "").to(role));
        connection.handle_end_of_input();
        assert_ended(&connection, 4001, true, None);
    }
}

/// RFC6455-6.1-1
#[test]
fn sending_after_the_end_is_misuse() {
    for role in ROLES {
        let mut connection = connection(role);
        connection.handle_end_of_input();
        let part = Part { content: "x".into(), last: true };
        assert_eq!(connection.send("x"), Err(Misuse::Closing));
        assert_eq!(connection.send_part(&part), Err(Misuse::Closing));
        assert_eq!(connection.ping(b"x"), Err(Misuse::Closing));
        connection.close(None);
        assert_eq!(connection.queued_bytes(), 0);
    }
}

/// Fault FT-14: bytes that the peer sent before the transport broke are still read, including its Close.
#[test]
fn a_failed_write_does_not_hide_the_close_of_the_peer() {
    for role in ROLES {
        for we_closed in [false, true] {
            let mut connection = connection(role);
            connection.send(Message::from("never arrives")).unwrap();
            if we_closed {
                connection.close(None);
            }
            connection.handle_write_failed();
            assert!(!connection.is_open() && connection.closed().is_none());
            assert!(connection.is_flushed() && !connection.wants_shutdown());
            assert_eq!(connection.send(Message::from("x")), Err(Misuse::Closing));
            let wire = [frame(TEXT, "why").to(role), close_frame(4001, "that").to(role)].concat();
            let received = events(&mut connection, &wire);
            assert_eq!(received[0], Received::Message("why".into()));
            assert_ended(&connection, 4001, false, None);
            assert_eq!(connection.closed().unwrap().reason(), "that");
            assert!(connection.is_flushed(), "no answer is queued");
        }
    }
}

/// A Ping is still an event, but no Pong is queued.
#[test]
fn after_a_failed_write_no_ping_is_answered() {
    for role in ROLES {
        for waiting in [0, 1, 2] {
            let mut connection = connection(role);
            let ping = frame(PING, "x").to(role);
            events(&mut connection, &ping.repeat(waiting));
            connection.handle_write_failed();
            assert_eq!(events(&mut connection, &ping.repeat(2)).len(), 2);
            assert_eq!(connection.queued_bytes(), 0, "{role:?}: {waiting} waited before");
        }
    }
}

/// Without a Close the connection was lost, or failed if the peer broke a rule.
#[test]
fn after_a_failed_write_the_input_decides_how_the_connection_ends() {
    for role in ROLES {
        let mut lost = connection(role);
        lost.handle_write_failed();
        lost.handle_end_of_input();
        assert_ended(&lost, 1006, false, Some(ConnectionError::Lost));

        let mut failed = connection(role);
        failed.handle_write_failed();
        let (_, violation) = receive(&mut failed, &frame(0x3, "").to(role));
        assert_ended(&failed, 1006, false, violation.map(ConnectionError::Violation));
        assert!(failed.is_flushed());

        let mut unwritten = connection(role);
        let (_, violation) = receive(&mut unwritten, &frame(0x3, "").to(role));
        unwritten.handle_write_failed();
        assert_ended(&unwritten, 1006, false, violation.map(ConnectionError::Violation));
    }
}

/// RFC6455-7.1.7-4, RFC6455-7.3-1: an open connection may be silent for years.
#[test]
fn an_open_connection_has_no_deadline() {
    for role in ROLES {
        let (mut connection, mut clock) = (connection(role), Clock::new());
        connection.send(Message::from("unwritten")).unwrap();
        for _ in 0..3 {
            assert_eq!(connection.handle_timeout(clock.now), None);
            clock.advance(Duration::from_secs(365 * 24 * 3600));
        }
        assert!(connection.is_open());
        // The time before the Close does not count.
        connection.close(None);
        assert_eq!(connection.handle_timeout(clock.now), Some(clock.now + CLOSE_TIMEOUT));
    }
}

/// RFC6455-5.5.1-7, fault FT-12: the connection ends exactly at the timeout.
#[test]
fn a_silent_peer_is_cut_off_at_the_close_timeout() {
    for role in ROLES {
        let (mut connection, mut clock) = (connection(role), Clock::new());
        connection.close(None);
        drain(&mut connection);
        let deadline = clock.now + CLOSE_TIMEOUT;
        assert_eq!(connection.handle_timeout(clock.now), Some(deadline));
        for by in [MILLISECOND, CLOSE_TIMEOUT - 2 * MILLISECOND] {
            assert_eq!(connection.handle_timeout(clock.advance(by)), Some(deadline));
            assert!(connection.closed().is_none());
        }
        assert_eq!(connection.handle_timeout(clock.advance(MILLISECOND)), None);
        assert_ended(&connection, 1006, false, Some(ConnectionError::CloseTimeout));
        assert_eq!(connection.handle_timeout(clock.advance(CLOSE_TIMEOUT)), None);
    }
}

/// The deadline does not elapse while a slow transport takes our bytes.
#[test]
fn each_written_byte_postpones_the_deadline() {
    for role in ROLES {
        let (mut connection, mut clock) = (connection(role), Clock::new());
        connection.send(Message::from(vec![0; 100])).unwrap();
        connection.close(None);
        connection.handle_timeout(clock.now);
        while !connection.is_flushed() {
            let almost = clock.advance(CLOSE_TIMEOUT - MILLISECOND);
            connection.handle_written(1);
            assert_eq!(connection.handle_timeout(almost), Some(almost + CLOSE_TIMEOUT));
        }
        connection.handle_timeout(clock.advance(CLOSE_TIMEOUT));
        assert_ended(&connection, 1006, false, Some(ConnectionError::CloseTimeout));
    }
}

/// An answer to the peer's Ping is not progress of the closing handshake.
#[test]
fn pings_after_our_close_do_not_postpone_the_deadline() {
    for role in ROLES {
        let (mut connection, mut clock) = (connection(role), Clock::new());
        connection.close(None);
        drain(&mut connection);
        let deadline = connection.handle_timeout(clock.now);
        events(&mut connection, &frame(PING, "x").to(role));
        assert!(!drain(&mut connection).is_empty(), "the pong");
        assert_eq!(connection.handle_timeout(clock.advance(MILLISECOND)), deadline);
        assert_eq!(connection.handle_timeout(clock.advance(CLOSE_TIMEOUT)), None);
        assert_ended(&connection, 1006, false, Some(ConnectionError::CloseTimeout));
    }
}

/// The result of the deadline in each state that has a deadline.
#[test]
fn the_deadline_ends_every_waiting_state() {
    let close = |role| close_frame(4001, "").to(role);
    for role in ROLES {
        let ended = |connection: &mut Connection, code, clean, failure| {
            let clock = Clock::new();
            let deadline =
                connection.handle_timeout(clock.now).expect("a closing connection has a deadline");
            assert_eq!(connection.handle_timeout(deadline), None);
            assert_ended(connection, code, clean, failure);
        };
        let mut unanswered = connection(role);
        events(&mut unanswered, &close(role));
        ended(&mut unanswered, 4001, false, None);

        // RFC6455-7.1.1-2: the client may close TCP itself if the server does not.
        let mut exchanged = connection(Role::Client);
        events(&mut exchanged, &close(Role::Client));
        drain(&mut exchanged);
        ended(&mut exchanged, 4001, true, None);

        let mut broken = connection(role);
        broken.handle_write_failed();
        ended(&mut broken, 1006, false, Some(ConnectionError::Lost));

        for shuts_down in [false, true] {
            let mut failed = connection(role);
            let (_, violation) = receive(&mut failed, &frame(0x3, "").to(role));
            if shuts_down {
                drain(&mut failed);
                failed.handle_shutdown();
            }
            ended(&mut failed, 1006, false, violation.map(ConnectionError::Violation));
        }
    }
}
