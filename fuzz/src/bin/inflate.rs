//! Whatever a peer calls compressed: what we make of it another inflater makes of it too, and it is
//! never more than the limit. Over several messages of a connection.
#![no_main]

use fullduplex_fuzz::{Agreement, Received};
use fullduplex_proto::{
    ContextTakeover, Event, FrameHeader, Limits, Message, Opcode, Receiver, Role, Violation,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    agreement: Agreement,
    limit: u16,
    /// How many bytes of the data are the first message's; the others are the second's.
    first: u8,
    data: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let agreed = input.agreement.deflate();
    let limit = usize::from(input.limit);
    let mut limits = Limits::default();
    limits.message_bytes = limit;
    let (first, second) = input.data.split_at(input.data.len().min(input.first.into()));
    let messages = [first, second];
    let receiver = Receiver::new(Role::Client, limits).with_deflate(agreed);
    let frames = messages.map(frame).concat();
    let received = Received::from(receiver, limit, [&frames[..]]);

    let mut theirs = Inflated::default();
    for event in &received.events {
        let Event::Message(Message::Binary(message)) = event else {
            panic!("{event:?} was not sent");
        };
        if agreed.server.takeover == ContextTakeover::No {
            theirs = Inflated::default();
        }
    }
});
