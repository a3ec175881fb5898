//! Replays what an end has received: all at once, and in the other role.

use bytes::BytesMut;
use fullduplex_proto::{AgreedDeflate, Decoder, Received, Role, Violation};

use super::end::{End, Reading};
use super::frame::mirrored;

/// I13, I14: checks that the events depend neither on the chunks nor on the role.
pub(super) fn check(end: &End) {
    let writer = end.role.peer();
    check_as(end, end.role, end.deflate, &end.received, "I13: in one chunk");
    let deflate = end.deflate.map(swapped);
    check_as(end, writer, deflate, &mirrored(&end.received, writer), "I14: in the other role");
}

fn check_as(end: &End, role: Role, deflate: Option<AgreedDeflate>, wire: &[u8], how: &str) {
    let mut decoder = Decoder::new(role, end.limits);
    if let Some(agreed) = deflate {
        decoder = decoder.with_deflate(agreed);
    }
    let (events, violation) = receive_all(decoder, wire);
    let common = events.len().min(end.events.len());
    assert!(events[..common] == end.events[..], "{how} the events differ");
    // An end that timed out may have left input unparsed.
    if end.reading != Reading::Undrained {
        assert_eq!((events.len(), violation), (common, end.violation), "{how}");
    }
}

fn receive_all(mut decoder: Decoder, wire: &[u8]) -> (Vec<Received>, Option<Violation>) {
    let (mut input, mut events) = (BytesMut::from(wire), Vec::new());
    loop {
        match decoder.handle(&mut input) {
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
