//! The return values of small public methods. Mutation testing showed that no other test checks them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::handshake::{Answer, Nonce, Offer, Subprotocol, Subprotocols};
use fullduplex_proto::{
    CloseReason, ConnectionError, DeflateConfig, Message, Observer, Role, Text, Timeouts, Violation,
};

use crate::support::opening::NONCE;
use crate::support::pair::Clock;
use crate::support::*;

const RSV1: u8 = 0b100;

fn no_timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.idle, timeouts.message) = (None, None, None);
    timeouts
}

#[test]
fn a_batch_knows_how_many_messages_are_left() {
    let mut connection = connection(Role::Server);
    let frames = ["one", "two", "three"].map(|text| frame(TEXT, text).to(Role::Server)).concat();
    let mut batch = connection.take_messages(&mut BytesMut::from(&frames[..]));
    assert_eq!((batch.len(), batch.size_hint()), (3, (3, Some(3))));
    assert_eq!(batch.next(), Some("one".into()));
    assert_eq!((batch.len(), batch.size_hint()), (2, (2, Some(2))));
    assert_eq!(batch.collect::<Vec<Message>>(), ["two".into(), "three".into()]);
}

#[test]
fn a_reason_is_read_as_a_string() {
    let reason = CloseReason::new("bye").unwrap();
    assert_eq!((reason.as_str(), &*reason, reason.to_string()), ("bye", "bye", "bye".into()));
    assert!(reason == *"bye" && reason != *"hi");
    assert!(reason == "bye" && reason != "hi");
}

#[test]
fn a_text_becomes_a_string_or_bytes() {
    let text = Text::from("grüße");
    assert_eq!(String::from(text.clone()), "grüße");
    assert_eq!(Bytes::from(text), "grüße");
}

/// A connection that exceeds the memory budget of a server is closed with 1013, unless it has already ended.
#[test]
fn a_connection_over_budget_fails() {
    let mut over = connection(Role::Server);
    over.fail_over_budget();
    assert_eq!(over.failure(), Some(ConnectionError::Violation(Violation::OverBudget)));
    assert_eq!(sent(&mut over)[0].close_code(), Some(1013));

    let mut closed = connection(Role::Server);
    events(&mut closed, &close_frame(1000, "").to(Role::Server));
    closed.fail_over_budget();
    assert_eq!(closed.failure(), None);
}

#[test]
fn an_answer_names_the_chosen_subprotocol() {
    let names = |names: &[&str]| Subprotocols::new(names.iter().copied()).unwrap();
    let offer = Offer::new(Nonce(NONCE), names(&["chat", "news"]));
    let chosen = |answer: &Answer| answer.subprotocol().map(|name| name.as_str().to_owned());

    let answer = Answer::choosing(&offer, &names(&["other", "news"]));
    assert_eq!(chosen(&answer), Some("news".into()));
    let answer = answer.with_subprotocol(&offer, Subprotocol::new("chat").unwrap()).unwrap();
    assert_eq!(chosen(&answer), Some("chat".into()));
    assert!(answer.with_subprotocol(&offer, Subprotocol::new("other").unwrap()).is_err());
}

#[test]
fn an_observer_shows_the_reserved_bits() {
    let mut observer = Observer::new(Role::Server, 100);
    for reserved in 0..8 {
        let bytes = Frame { reserved, ..frame(TEXT, "a") }.to(Role::Server);
        let shown = observer.observe(&mut &bytes[..]).unwrap();
        assert_eq!(shown.reserved, reserved);
    }
}

/// A connection is settled only if all its timeouts have started. Then a driver need not call it before the
/// next deadline.
#[test]
fn a_connection_is_settled_once_its_timeouts_have_started() {
    let limit = Duration::from_secs(10);
    let now = Clock::new().now;
    assert!(connection(Role::Server).with_timeouts(no_timeouts()).is_settled());
    let mut ping = no_timeouts();
    ping.ping = Some(limit);
    let mut idle = no_timeouts();
    idle.idle = Some(limit);
    for timeouts in [ping, idle] {
        let mut connection = connection(Role::Server).with_timeouts(timeouts);
        assert!(!connection.is_settled());
        assert_eq!(connection.handle_timeout(now), Some(now + limit));
        assert!(connection.is_settled());
        connection.close(None);
        assert!(!connection.is_settled(), "the deadline of closing has to start");
    }
}

/// A context is freed only after it was not used for 15 to 30 seconds.
#[test]
fn a_context_is_held_while_it_is_used() {
    let agreed = DeflateConfig::default();
    let mut connection = connection(Role::Server).with_timeouts(no_timeouts()).with_deflate(agreed);
    assert!(!connection.has_deadline() && connection.is_settled());
    let hello = Frame { reserved: RSV1, ..frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00") };
    assert_eq!(events(&mut connection, &hello.to(Role::Server)).len(), 1);

    let period = Duration::from_secs(15);
    let now = Clock::new().now;
    assert!(connection.has_deadline() && !connection.is_settled(), "it holds a context");
    assert_eq!(connection.handle_timeout(now), Some(now + period));
    assert!(connection.is_settled());
    let now = now + period;
    assert_eq!(connection.handle_timeout(now), Some(now + period), "used since the last check");
    let now = now + period;
    assert_eq!(connection.handle_timeout(now), None);
    assert!(!connection.has_deadline());
}
