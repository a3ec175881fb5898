//! However a peer's bytes are cut on their way and its messages are delivered, the events and the
//! verdict are the same.
#![no_main]

use fullduplex_fuzz::{Agreement, Decoded, pieces, role};
use fullduplex_proto::{Decoder, Delivery, Limits};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_client: bool,
    in_parts: bool,
    agreement: Option<Agreement>,
    lengths: [u8; 4],
    message_bytes: u8,
    message_frames: u8,
    wire: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let mut limits = Limits::default();
    limits.message_bytes = match input.message_bytes {
        u8::MAX => usize::MAX,
        some => usize::from(some) * 4,
    };
    limits.message_frames = usize::from(input.message_frames);
    let receiver = |delivery| {
        let mut receiver = Decoder::new(role(input.is_client), limits);
        receiver.set_delivery(delivery);
        match input.agreement {
            Some(agreement) => receiver.with_deflate(agreement.deflate()),
            None => receiver,
        }
    };
    let limit = limits.message_bytes;
    let delivery = if input.in_parts { Delivery::Parts } else { Delivery::Whole };
    let whole = Decoded::from(receiver(Delivery::Whole), limit, [input.wire]);
    let cut = Decoded::from(receiver(delivery), limit, pieces(input.wire, input.lengths));
    assert_eq!(cut.events, whole.events);
    assert_eq!(cut.violation, whole.violation);
});
