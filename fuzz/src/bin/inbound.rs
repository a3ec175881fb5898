//! The events and the violation depend neither on how the input is split nor on the delivery.
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
    let decoder = |delivery| {
        let mut decoder = Decoder::new(role(input.is_client), limits);
        decoder.set_delivery(delivery);
        match input.agreement {
            Some(agreement) => decoder.with_deflate(agreement.deflate()),
            None => decoder,
        }
    };
    let limit = limits.message_bytes;
    let delivery = if input.in_parts { Delivery::Parts } else { Delivery::Whole };
    let whole = Decoded::from(decoder(Delivery::Whole), limit, [input.wire]);
    let split = Decoded::from(decoder(delivery), limit, pieces(input.wire, input.lengths));
    assert_eq!(split.events, whole.events);
    assert_eq!(split.violation, whole.violation);
});
