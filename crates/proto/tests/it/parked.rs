//! Idle connections of a server that are parked to save memory.

use std::time::Duration;

use bytes::BytesMut;
use fullduplex_proto::{
    Connection, Delivery, Limits, Message, Part, Received, Role, Timeouts, Violation,
};

use crate::support::pair::Clock;
use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);

fn parked(connection: &Connection) -> Connection {
    connection.park().expect("it is idle").unpark()
}

/// An unparked connection receives, sends and closes as before.
#[test]
fn an_unparked_connection_continues() {
    let mut server = parked(&connection(Role::Server));
    let mut input = BytesMut::from(&frame(TEXT, "hello").to(Role::Server)[..]);
    let event = server.handle_input(&mut input).unwrap();
    assert_eq!(event, Some(Received::Message("hello".into())));
    server.send(Message::from("hello")).unwrap();
    assert_eq!(drain(&mut server), [0x81, 5, b'h', b'e', b'l', b'l', b'o']);
    let mut server = parked(&server);
    server.close(None);
    assert_eq!(drain(&mut server), [0x88, 0]);
    assert!(server.park().is_none(), "it is closing");
}

/// The next Ping is sent at the same time as without parking, and no payload repeats.
#[test]
fn pings_continue_after_parking() {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(20 * SECOND);
    let mut server = Connection::server(Limits::default(), SECOND).with_timeouts(timeouts);
    let start = Clock::new().now;
    let due = server.handle_timeout(start);
    assert_eq!(due, Some(start + 20 * SECOND));
    let mut server = parked(&server);
    assert_eq!(server.handle_timeout(start + 10 * SECOND), due);
    let mut seen = Vec::new();
    for round in 1..=3 {
        server.handle_timeout(start + 20 * round * SECOND);
        let ping = drain(&mut server);
        assert_eq!(ping[..2], [0x89, 8]);
        assert!(!seen.contains(&ping), "{seen:?}");
        assert!(server.park().is_none(), "a Ping waits for its Pong");
        let mut pong = BytesMut::from(&frame(PONG, &ping[2..]).to(Role::Server)[..]);
        server.handle_input(&mut pong).unwrap();
        server = parked(&server);
        server.handle_timeout(start + 20 * round * SECOND);
        seen.push(ping);
    }
}

/// The place of another connection has no effect on the payloads of Pings.
#[test]
fn no_ping_payload_repeats_in_another_place() {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(20 * SECOND);
    let mut server = Connection::server(Limits::default(), SECOND).with_timeouts(timeouts);
    let start = Clock::new().now;
    server.handle_timeout(start);
    let mut seen = Vec::new();
    for round in 1..=3 {
        server.handle_timeout(start + 20 * round * SECOND);
        let ping = drain(&mut server);
        assert!(!seen.contains(&ping), "{seen:?}");
        events(&mut server, &frame(PONG, &ping[2..]).to(Role::Server));
        let mut place = connection(Role::Server);
        server.park().expect("it is idle").unpark_into(&mut place);
        server = place;
        server.handle_timeout(start + 20 * round * SECOND);
        seen.push(ping);
    }
}

/// The idle deadline stays the same.
#[test]
fn the_idle_deadline_continues_after_parking() {
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.idle) = (None, Some(20 * SECOND));
    let mut server = Connection::server(Limits::default(), SECOND).with_timeouts(timeouts);
    let start = Clock::new().now;
    let due = server.handle_timeout(start);
    assert_eq!(due, Some(start + 20 * SECOND));
    assert_eq!(parked(&server).handle_timeout(start + SECOND), due);
}

/// An unparked connection keeps its delivery.
#[test]
fn delivery_in_parts_continues_after_parking() {
    let mut server = connection(Role::Server);
    server.set_delivery(Delivery::Parts);
    let mut place = connection(Role::Server);
    server.park().expect("it is idle").unpark_into(&mut place);
    for mut server in [parked(&server), place] {
        let mut input = BytesMut::from(&frame(BINARY, "hello").to(Role::Server)[..9]);
        let event = server.handle_input(&mut input).unwrap();
        assert!(matches!(event, Some(Received::Part(Part { last: false, .. }))), "{event:?}");
    }
}

/// A connection with an incomplete frame, an incomplete message or unwritten output is not parked.
#[test]
fn a_busy_connection_is_not_parked() {
    for bytes in [
        frame(TEXT, "hello").to(Role::Server)[..3].to_vec(),
        frame(TEXT, "hel").unfinished().to(Role::Server),
    ] {
        let mut server = connection(Role::Server);
        let mut input = BytesMut::from(&bytes[..]);
        assert_eq!(server.handle_input(&mut input), Ok(None));
        assert!(!input.is_empty() || server.park().is_none());
    }
    let mut server = connection(Role::Server);
    server.send(Message::from("hello")).unwrap();
    assert!(server.park().is_none());
}

/// A connection that reuses the allocation of another connection behaves like a connection with its own
/// allocation.
#[test]
fn a_connection_is_unparked_into_the_place_of_another() {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(20 * SECOND);
    let mut limits = Limits::default();
    limits.message_bytes = 100;
    let start = Clock::new().now;
    let mut server = Connection::server(limits, SECOND).with_timeouts(timeouts);
    server.handle_timeout(start);

    let mut place = connection(Role::Server);
    for bytes in [frame(PING, "long ago").to(Role::Server), frame(TEXT, "hello").to(Role::Server)] {
        events(&mut place, &bytes);
    }
    place.send(vec![7; 1000]).unwrap();
    drain(&mut place);
    place.park().expect("it is idle");

    server.park().expect("it is idle").unpark_into(&mut place);
    assert_eq!(format!("{:?}", place.timeouts()), format!("{timeouts:?}"));
    assert_eq!(place.handle_timeout(start + SECOND), Some(start + 20 * SECOND));
    events(&mut place, &frame(PING, "x").to(Role::Server));
    assert_eq!(drain(&mut place), [0x8A, 1, b'x']);
    let mut input = BytesMut::from(&frame(BINARY, vec![7; 101]).to(Role::Server)[..]);
    let violation = place.handle_input(&mut input).unwrap_err();
    assert_eq!(violation, Violation::MessageTooBig { limit: 100 });
}
