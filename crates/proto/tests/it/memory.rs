//! The memory of a connection, counted by an allocator for the thread of the test only.

use crate::support::*;
use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use fullduplex_proto::{Connection, ConnectionError, Limits, Message, Received, Role, Violation};

/// Fault FT-40: after messages were read and written, an idle connection holds no further memory.
#[test]
fn an_idle_connection_holds_no_memory_of_its_messages() {
    for role in ROLES {
        let mut connection = connection(role);
        let kept = measure(|| {
            for size in [5, 16 << 10] {
                let payload = vec![7; size];
                let received = events(&mut connection, &frame(BINARY, &payload).to(role));
                assert_eq!(received, [Received::Message(payload.clone().into())]);
                connection.send(payload).expect("it is open");
                events(&mut connection, &frame(PING, "x").to(role));
                assert_eq!(sent(&mut connection).len(), 2);
                drop(connection.take_buffer());
            }
        });
        assert_eq!(kept.bytes_current, 0, "{role:?}");
    }
}

/// Fault FT-56, RFC6455-10.4-1: many peers each send a message almost up to the limit and never end it. A
/// driver keeps the sum of [`Connection::held_bytes`] within a budget.
#[test]
fn a_budget_holds_for_the_unfinished_messages_of_all_peers() {
    const LIMIT: usize = 1 << 20;
    const BUDGET: usize = 8 << 20;
    let mut limits = Limits::default();
    limits.message_bytes = LIMIT;
    let payload = vec![7; LIMIT - 1];
    let whole = header_to(Role::Server, 0x82, LIMIT as u64).into_iter().chain(payload.clone());
    let fragments = payload.chunks(10_000);
    let fragments =
        fragments.flat_map(|part| frame(CONTINUATION, part).unfinished().to(Role::Server));
    let begin = frame(BINARY, "").unfinished().to(Role::Server);
    let attacks = [whole.collect(), begin.into_iter().chain(fragments).collect::<Vec<u8>>()];
    let cost = measure(|| {
        let mut refused = 0;
        let mut peers: Vec<_> =
            (0..50).map(|_| (limited(Role::Server, limits), BytesMut::new())).collect();
        for offset in (0..LIMIT).step_by(16 << 10) {
            for index in 0..peers.len() {
                let (connection, input) = &mut peers[index];
                input.extend_from_slice(&attacks[index % 2][offset..offset + (16 << 10)]);
                if read(connection, input, &[]).1.is_some() || connection.failure().is_some() {
                    continue;
                }
                let held =
                    |(connection, input): &(Connection, BytesMut)| connection.held_bytes(input);
                if peers.iter().map(held).sum::<usize>() > BUDGET {
                    let (connection, input) = &mut peers[index];
                    connection.fail_over_budget();
                    assert_eq!(sent(connection)[0].close_code(), Some(1013));
                    assert_eq!(connection.failure(), Some(Violation::OverBudget.into()));
                    assert_eq!(read(connection, input, b"ignored"), (vec![], None));
                    assert_eq!(connection.held_bytes(input), 0);
                    *input = BytesMut::new();
                    refused += 1;
                }
            }
        }
        assert!((40..50).contains(&refused), "{refused}");
    });
    // A buffer that grows counts twice while it is copied.
    assert!(cost.bytes_max < BUDGET as u64 + (4 << 20), "{cost:?}");
}

/// A connection that has ended does not fail again.
#[test]
fn fail_over_budget_does_nothing_after_the_end() {
    for role in ROLES {
        let mut closed = connection(role);
        events(&mut closed, &close_frame(4001, "").to(role));
        closed.fail_over_budget();
        assert_eq!(sent(&mut closed)[0].close_code(), Some(4001));
        assert_eq!(closed.failure(), None);
        let mut lost = connection(role);
        lost.handle_end_of_input();
        lost.fail_over_budget();
        assert_eq!(lost.failure(), Some(ConnectionError::Lost));
        assert_eq!(lost.queued_bytes(), 0);
    }
}

/// The allocations are for the bytes of the message and for the queue.
#[test]
fn a_small_message_takes_three_allocations_to_send() {
    let mut connection = connection(Role::Server);
    let message = Message::from(Bytes::from_static(b"hello"));
    let sent = measure(|| {
        connection.send(message).expect("it is open");
        assert_eq!(connection.handle_written(7), 5);
    });
    assert!(sent.count_total <= 3 && sent.bytes_max <= 512, "{sent:?}");
}
