//! What a connection keeps of memory, counted by an allocator for the thread of the test alone.

mod support;

use allocation_counter::measure;
use bytes::Bytes;
use fullduplex_proto::{Event, Message, Role};
use support::*;

/// Fault FT-40: what was read and written leaves nothing behind. Of ten thousand idle connections,
/// none keeps room for its next message.
#[test]
fn an_idle_connection_keeps_nothing_of_its_messages() {
    for role in ROLES {
        let mut connection = connection(role);
        let kept = measure(|| {
            for size in [5, 16 << 10] {
                let payload = vec![7; size];
                let received = events(&mut connection, &frame(BINARY, &payload).to(role));
                assert_eq!(received, [Event::Message(payload.clone().into())]);
                connection.send(payload).expect("it is open");
                events(&mut connection, &frame(PING, "x").to(role));
                assert_eq!(sent(&mut connection).len(), 2);
            }
        });
        assert_eq!(kept.bytes_current, 0, "{role:?}");
    }
}

/// A small message takes the memory of its bytes, and of the queue that it stands in until it is written.
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
