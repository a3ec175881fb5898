//! Tests that fail: what the crate promises and does not keep yet. Each moves to the file of its
//! topic when it passes.

mod support;

use std::io::IoSlice;

use fullduplex_proto::Message;
use fullduplex_proto::handshake::Offer;
use support::opening::{REQUEST, head, request};
use support::*;

/// `handle_write_failed`: "the transport takes no more bytes"; `Sender::abandon`: "takes nothing
/// more". A Ping that arrives afterwards is still answered, into the output of a broken transport.
#[test]
fn a_ping_after_a_failed_write_is_not_answered() {
    for role in ROLES {
        let mut connection = connection(role);
        connection.handle_write_failed();
        events(&mut connection, &frame(PING, "x").to(role));
        assert_eq!(connection.queued_bytes(), 0, "{role:?}");
    }
}

/// A queue that is never quite empty, as under any steady load, keeps every byte that it ever wrote:
/// what is shown lies ever farther from the beginning of one allocation.
#[test]
fn a_queue_that_is_never_empty_does_not_grow() {
    for role in ROLES {
        let mut connection = connection(role);
        let message = Message::from(vec![1; 100]);
        connection.send(&message).unwrap();
        let (mut expected, mut run, mut longest) = (std::ptr::null::<u8>(), 0, 0);
        for _ in 0..100_000 {
            connection.send(&message).unwrap();
            let half = usize::try_from(connection.queued_bytes() / 2).unwrap();
            let mut slices = [IoSlice::new(&[]); 1];
            assert_eq!(connection.poll_output(&mut slices), 1);
            let start = slices[0].as_ptr();
            // Bytes written one behind the other, none of them ever reused, are still held.
            run = if start == expected { run + half } else { 0 };
            longest = longest.max(run);
            expected = start.wrapping_add(half);
            connection.handle_written(half);
            assert!(connection.queued_bytes() <= 216);
        }
        assert!(longest <= 256 << 10, "{role:?}: {longest} written bytes are kept");
    }
}

/// RFC6455-4.2.1-1, -2: the target is a resource name or an absolute http(s) URI with one.
#[test]
fn a_request_for_no_resource_is_refused() {
    for target in ["*", "server.example.com:80", "ftp://server.example.com/", "/chat#fragment"] {
        let line = format!("GET {target} HTTP/1.1");
        let head = request(head(&REQUEST, "GET", &[&line]));
        let refused = match &head {
            Ok(request) => Offer::from_request(request.as_ref().unwrap()).is_err(),
            Err(_) => true,
        };
        assert!(refused, "{target}: {head:?}");
    }
}
