//! A server's connection on which nothing is under way, kept in little memory.

use std::time::Duration;

use crate::support::pair::Clock;
use crate::support::*;
use bytes::BytesMut;
use fullduplex_proto::{
    Connection, Delivery, Limits, Message, Part, Received, Role, Timeouts, Violation,
};

const SECOND: Duration = Duration::from_secs(1);

fn parked(connection: &Connection) -> Connection {
    connection.park().expect("nothing is under way").unpark()
}

/// It receives, sends and closes as if it had never dozed.
#[test]
fn a_connection_goes_on_where_it_was() {
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

/// The next Ping comes when it would have come, and each has another payload.
#[test]
fn pings_go_on() {
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
        assert!(server.park().is_none(), "a Ping is under way");
        let mut pong = BytesMut::from(&frame(PONG, &ping[2..]).to(Role::Server)[..]);
        server.handle_input(&mut pong).unwrap();
        server = parked(&server);
        server.handle_timeout(start + 20 * round * SECOND);
        seen.push(ping);
    }
}

/// Whoever takes messages in parts, because they need not fit into memory, goes on doing so.
#[test]
fn messages_go_on_coming_in_parts() {
    let mut server = connection(Role::Server);
    server.set_delivery(Delivery::Parts);
    let mut place = connection(Role::Server);
    server.park().expect("nothing is under way").unpark_into(&mut place);
    for mut server in [parked(&server), place] {
        let mut input = BytesMut::from(&frame(BINARY, "hello").to(Role::Server)[..9]);
        let event = server.handle_input(&mut input).unwrap();
        assert!(matches!(event, Some(Received::Part(Part { last: false, .. }))), "{event:?}");
    }
}

/// Half a frame, half a message, and what is not written are under way.
#[test]
fn nothing_under_way_is_forgotten() {
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

/// In the place of one that was used, it differs in nothing from one in a place of its own.
#[test]
fn a_connection_goes_on_in_the_place_of_another() {
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
    place.park().expect("nothing is under way");

    server.park().expect("nothing is under way").unpark_into(&mut place);
    assert_eq!(format!("{:?}", place.timeouts()), format!("{timeouts:?}"));
    assert_eq!(place.handle_timeout(start + SECOND), Some(start + 20 * SECOND));
    events(&mut place, &frame(PING, "x").to(Role::Server));
    assert_eq!(drain(&mut place), [0x8A, 1, b'x']);
    let mut input = BytesMut::from(&frame(BINARY, vec![7; 101]).to(Role::Server)[..]);
    let violation = place.handle_input(&mut input).unwrap_err();
    assert_eq!(violation, Violation::MessageTooBig { limit: 100 });
}
