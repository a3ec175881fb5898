//! What an end has received, once more: all at once, and as the other role would receive it.

use bytes::BytesMut;
use fullduplex_proto::{AgreedDeflate, Decoder, Received, Role, Violation};

use super::end::{End, Reading};
use super::frame::mirrored;

/// I13, I14: neither the chunks nor the role make a difference.
pub(super) fn check(end: &End) {
    let writer = end.role.peer();
    check_as(end, end.role, end.deflate, &end.received, "I13: in other chunks");
    let deflate = end.deflate.map(swapped);
    check_as(end, writer, deflate, &mirrored(&end.received, writer), "I14: in the other role");
}

fn check_as(end: &End, role: Role, deflate: Option<AgreedDeflate>, wire: &[u8], how: &str) {
    let mut receiver = Decoder::new(role, end.limits);
    if let Some(agreed) = deflate {
        receiver = receiver.with_deflate(agreed);
    }
    let (events, violation) = receive_all(receiver, wire);
    let as_far = events.len().min(end.events.len());
    assert!(events[..as_far] == end.events[..], "{how} other events arrive");
    // An end that was given up may have left something unread.
    if end.reading != Reading::Undrained {
        assert_eq!((events.len(), violation), (as_far, end.violation), "{how}");
    }
}

fn receive_all(mut receiver: Decoder, wire: &[u8]) -> (Vec<Received>, Option<Violation>) {
    let (mut input, mut events) = (BytesMut::from(wire), Vec::new());
    loop {
        match receiver.handle(&mut input) {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(violation) => return (events, Some(violation)),
        }
    }
}

fn swapped(deflate: AgreedDeflate) -> AgreedDeflate {
    let mut swapped = deflate;
    (swapped.client, swapped.server) = (deflate.server, deflate.client);
    swapped
}
