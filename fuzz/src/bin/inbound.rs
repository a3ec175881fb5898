//! However a peer's bytes are cut on their way, the events and the verdict are the same.
#![no_main]

use fullduplex_fuzz::{Received, pieces};
use fullduplex_proto::{Event, Limits, Receiver, Role};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_client: bool,
    lengths: [u8; 4],
    message_bytes: u8,
    message_frames: u8,
    wire: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let role = if input.is_client { Role::Client } else { Role::Server };
    let mut limits = Limits::default();
    // Beyond any number that is chosen there is "unlimited".
    limits.message_bytes = match input.message_bytes {
        u8::MAX => usize::MAX,
        some => usize::from(some) * 4,
    };
    limits.message_frames = usize::from(input.message_frames);

    let receive = |pieces: &mut dyn Iterator<Item = _>| {
        Received::from(Receiver::new(role, limits), limits.message_bytes, pieces)
    };
    let whole = receive(&mut [input.wire].into_iter());
    assert_eq!(receive(&mut pieces(input.wire, input.lengths)), whole);
    for event in &whole.events {
        if let Event::Message(message) = event {
            assert!(message.len() <= limits.message_bytes);
        }
    }
});
