//! Checks that are made when both ends have ended.

use fullduplex_proto::{Closed, ConnectionError, Received};

use super::end::End;
use super::flow::Flow;
use super::replay;
use super::tally::Tally;
use super::world::World;

/// One of this many runs is replayed, which takes as long as the run.
const REPLAY_ONE_IN: u64 = 4;

pub(super) fn check(world: &mut World<'_>) -> Tally {
    let is_replayed = world.rng.one_in(REPLAY_ONE_IN);
    let mut tally = Tally { seeds: 1, ..Tally::default() };
    let [client, server] = &mut world.ends;
    let [by_client, by_server] = &world.flows;
    // An end whose limit was exceeded does not close cleanly.
    let is_clean = world.expects_clean_end
        && !world.transport_was_ended
        && client.violation.is_none()
        && server.violation.is_none();
    for (end, outgoing_flow, incoming_flow) in
        [(client, by_client, by_server), (server, by_server, by_client)]
    {
        let closed = end.closed.clone().expect("the end has ended");
        check_end(end, &closed, outgoing_flow);
        let is_lost = closed.failure() == Some(ConnectionError::PongTimeout);
        assert!(!is_lost || !world.expects_clean_end, "{:?} was alive", end.role.peer());
        if is_clean {
            assert!(
                closed.was_clean() || !end.connection.is_flushed(),
                "a clean end was possible: {:?}, {closed:?}",
                end.role
            );
        }
        if closed.was_clean() {
            incoming_flow.assert_all_delivered();
        }
        stays_ended(end, &closed);
        if is_replayed {
            replay::check(end);
        }
        tally.count(end, incoming_flow, &closed);
    }
    tally
}

/// Checks that the end reports what happened.
fn check_end(end: &End, closed: &Closed, outgoing_flow: &Flow) {
    let reported = (closed.code(), closed.reason());
    match (end.events.last(), end.violation) {
        (_, Some(violation)) => {
            assert_eq!(reported, (1006, ""));
            assert_eq!(closed.failure(), Some(violation.into()));
        }
        (Some(Received::Close(frame)), None) => {
            let expected = frame.as_ref().map(|frame| (frame.code.get(), frame.reason.as_str()));
            assert_eq!(reported, expected.unwrap_or((1005, "")));
            assert_eq!(closed.failure(), None);
        }
        (_, None) => {
            assert_eq!(reported, (1006, ""));
            assert!(closed.failure().is_some(), "D2: an end without a Close is a failure");
        }
    }
    let exchanged =
        end.violation.is_none() && end.discards_input() && outgoing_flow.wire().is_closed();
    assert!(!closed.was_clean() || exchanged, "RFC6455-7.1.4-1: clean without both Closes");
}

/// D2: later calls of the driver do not change the reported end.
fn stays_ended(end: &mut End, closed: &Closed) {
    let connection = &mut end.connection;
    connection.close(None);
    connection.handle_end_of_input();
    connection.handle_write_failed();
    connection.handle_shutdown();
    assert_eq!(connection.closed(), Some(closed), "D2: a second end");
    assert!(!connection.is_open() && !connection.wants_shutdown());
}
