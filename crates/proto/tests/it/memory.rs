//! The memory of a connection. An allocator counts the memory of the test's thread only.

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use fullduplex_proto::{
    Connection, ConnectionError, ContextParams, ContextTakeover, DeflateConfig, Limits, Message,
    Outgoing, Part, Received, Role, Violation, WindowBits,
};

use crate::support::*;

/// Fault FT-40: after messages were read and written, an idle connection holds no more memory than
/// before.
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
    // While a growing buffer is copied, both the old and the new buffer are counted.
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

/// These allocations are for the bytes of the message and for the queue.
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

/// A client copies its messages, to mask them.
#[test]
fn a_copied_message_takes_little_more_than_its_length() {
    let mut connection = connection(Role::Client);
    let message = Message::from(vec![7; 10_000]);
    let sent = measure(|| connection.send(message.clone()).expect("it is open"));
    assert!((10_000..20_000).contains(&sent.bytes_max), "{sent:?}");
}

fn deflate_config(bits: u8, takeover: ContextTakeover) -> DeflateConfig {
    let window_bits = WindowBits::new(bits).expect("it is a number of bits");
    let params = ContextParams { window_bits, takeover };
    let mut config = DeflateConfig::default();
    (config.client, config.server) = (params, params);
    config
}

/// FS-07: the reported memory of compression contexts equals the memory that they take.
#[test]
fn contexts_take_the_memory_that_is_counted() {
    for bits in [8, 9, 12, 15] {
        let config = deflate_config(bits, ContextTakeover::Yes);
        let [mut client, mut server] =
            [Role::Client, Role::Server].map(|role| connection(role).with_deflate(config));
        let message = Message::from(vec![7; 100 << 10]);
        client.send(message.clone()).expect("it is open");
        let wire = drain(&mut client);
        let received = measure(|| drop(events(&mut server, &wire)));
        let needed = server.context_needed(&Outgoing::from(message.clone()));
        let to_receive = server.context_bytes();
        let sent = measure(|| {
            server.send(message.clone()).expect("it is open");
            drop(drain(&mut server));
            drop(server.take_buffer());
        });
        assert_eq!(server.context_bytes(), to_receive + needed);
        for (taken, counted) in [(received, to_receive), (sent, needed)] {
            let (taken, counted) = (taken.bytes_current as f64, counted as f64);
            assert!((0.85..=1.0).contains(&(taken / counted)), "{bits}: {taken} of {counted}");
        }

        let released = measure(|| server.release_contexts());
        let window = server.context_bytes();
        assert!(window <= 1 << bits, "{bits}: {window}");
        let freed = -released.bytes_current as f64 / (to_receive + needed - window) as f64;
        assert!((0.85..=1.0).contains(&freed), "{bits}: {freed}");
        // Both ends continue.
        client.send(message.clone()).expect("it is open");
        let wire = drain(&mut client);
        assert_eq!(events(&mut server, &wire), [Received::Message(message)]);
    }
}

/// The window of a receiving end does not grow with the inflated bytes.
#[test]
fn inflating_much_takes_no_more_memory_than_inflating_little() {
    let config = deflate_config(9, ContextTakeover::Yes);
    let [mut client, mut server] =
        [Role::Client, Role::Server].map(|role| connection(role).with_deflate(config));
    let mut receive = |count| {
        measure(|| {
            for _ in 0..count {
                client.send(vec![7; 1000]).expect("it is open");
                let wire = drain(&mut client);
                assert_eq!(events(&mut server, &wire).len(), 1);
            }
        })
        .bytes_current
    };
    receive(10);
    let grown = receive(1000);
    assert!(grown < 2048, "{grown}");
}

/// Without context takeover, a connection keeps no memory of compression between messages. Its thread does.
#[test]
fn without_context_takeover_no_context_is_kept() {
    let config = deflate_config(15, ContextTakeover::No);
    let exchange = |role: Role| {
        let mut connection = connection(role).with_deflate(config);
        let mut peer = self::connection(role.peer()).with_deflate(config);
        let message = Message::from(vec![7; 16 << 10]);
        peer.send(message.clone()).expect("it is open");
        let wire = drain(&mut peer);
        let kept = measure(|| {
            assert_eq!(events(&mut connection, &wire).len(), 1);
            assert_eq!(connection.context_needed(&Outgoing::from(message.clone())), 0);
            connection.send(message.clone()).expect("it is open");
            drop(drain(&mut connection));
            drop(connection.take_buffer());
        });
        (kept.bytes_current, connection.context_bytes())
    };
    exchange(Role::Server); // The thread gets its memory.
    for role in ROLES {
        assert_eq!(exchange(role), (0, 0), "{role:?}");
    }
}

/// FS-07: if no context may be created, messages are sent uncompressed. An existing context is still used.
#[test]
fn messages_go_uncompressed_while_no_context_may_be_made() {
    let config = deflate_config(15, ContextTakeover::Yes);
    let mut connection = connection(Role::Server).with_deflate(config);
    let message = Message::from(vec![7; 1000]);
    let part = |last| Part { content: message.clone(), last };
    let is_compressed = |connection: &mut Connection| {
        let frames = sent(connection);
        frames.iter().map(|frame| frame.reserved != 0).collect::<Vec<_>>()
    };
    for (allowed, expected) in [(false, false), (true, true), (false, true)] {
        connection.allow_context(allowed);
        connection.send(message.clone()).expect("it is open");
        connection.send_part(&part(false)).expect("it is open");
        connection.send_part(&part(true)).expect("it is open");
        assert_eq!(is_compressed(&mut connection), [expected, expected, false]);
    }
    connection.release_contexts();
    connection.send_part(&part(false)).expect("it is open");
    // Compression does not start within a message.
    connection.allow_context(true);
    connection.send_part(&part(true)).expect("it is open");
    assert_eq!(is_compressed(&mut connection), [false, false]);
    assert_eq!(connection.context_bytes(), 0);
}

/// An end that sends no more messages needs no context to send.
#[test]
fn a_closing_end_frees_its_context() {
    let config = deflate_config(15, ContextTakeover::Yes);
    let mut connection = connection(Role::Server).with_deflate(config);
    connection.send(vec![7; 1000]).expect("it is open");
    assert!(connection.context_bytes() > 0);
    connection.close(None);
    assert_eq!(connection.context_bytes(), 0);
}
