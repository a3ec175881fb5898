//! Whatever a peer calls compressed: what we make of it another inflater makes of it too, and it is
//! never more than the limit. Over two messages of a connection.
#![no_main]

use fullduplex_fuzz::{Agreement, Decoded};
use fullduplex_proto::{
    ContextParams, ContextTakeover, Decoder, FrameHeader, Limits, Message, Opcode, Received, Role,
    Violation, WindowBits,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

const FLAGS: u32 = TINFL_FLAG_HAS_MORE_INPUT
    | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY
    | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;

const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    agreement: Agreement,
    limit: u16,
    /// How many bytes of the data are the first message's; the others are the second's.
    first: u8,
    data: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let limit = usize::from(input.limit);
    let agreed = input.agreement.deflate();
    let mut limits = Limits::default();
    limits.message_bytes = limit;
    let receiver = Decoder::new(Role::Client, limits).with_deflate(agreed);
    let (first, second) = input.data.split_at(input.data.len().min(input.first.into()));
    let frames = [first, second].map(frame).concat();
    let received = Decoded::from(receiver, limit, [&frames[..]]);

    let mut other = Other { context: agreed.server, inflated: Vec::new() };
    let mut verdicts = [first, second].into_iter().map(|data| other.inflate(data, limit));
    for event in received.events {
        let Received::Message(Message::Binary(message)) = event else {
            panic!("{event:?} was not sent");
        };
        assert_eq!(verdicts.next(), Some(Verdict::Inflated(message.to_vec())));
    }
    let verdict = verdicts.next();
    match received.violation {
        None => assert_eq!(verdict, None),
        Some(Violation::MessageTooBig { .. }) => assert_eq!(verdict, Some(Verdict::TooBig)),
        // The other inflater may see what lies beyond the window that was agreed on.
        Some(Violation::CorruptDeflate) if agreed.server.window_bits < WindowBits::MAX => {}
        // The other inflater does not mind a code that has no end of the block, and inflates for ever.
        Some(Violation::CorruptDeflate) => {
            assert!(
                matches!(verdict, Some(Verdict::InflateError | Verdict::TooBig)),
                "{verdict:?}"
            );
        }
        Some(other) => panic!("{other}"),
    }
});

/// A server's frame whose payload claims to be compressed.
fn frame(payload: &[u8]) -> Vec<u8> {
    let (opcode, payload_len) = (Opcode::Binary, payload.len() as u64);
    let header = FrameHeader { fin: true, reserved: 0b100, opcode, mask: None, payload_len };
    let mut frame = Vec::new();
    header.encode(&mut frame);
    frame.extend(payload);
    frame
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Inflated(Vec<u8>),
    TooBig,
    InflateError,
}

/// Another inflater, which keeps all that it has inflated.
struct Other {
    context: ContextParams,
    inflated: Vec<u8>,
}

impl Other {
    fn inflate(&mut self, data: &[u8], limit: usize) -> Verdict {
        if self.context.takeover == ContextTakeover::No {
            self.inflated.clear();
        }
        let start = self.inflated.len();
        self.inflated.resize(start + limit + 1, 0);
        let mut stream = DecompressorOxide::new();
        let (end, status) = self.step(&mut stream, data, start);
        let (tail_end, tail_status) = self.step(&mut stream, &TAIL, end);
        self.inflated.truncate(end);
        // RFC7692-7.2.2-4: the tail ends a block, and inflates to nothing. Nothing is missing either
        // when the data ends with a last block.
        let is_whole = status == TINFLStatus::Done
            || end == tail_end
                && matches!(tail_status, TINFLStatus::BlockBoundary | TINFLStatus::Done);
        if end - start > limit {
            Verdict::TooBig
        } else if is_whole {
            Verdict::Inflated(self.inflated[start..].to_vec())
        } else {
            Verdict::InflateError
        }
    }

    /// Inflates `rest` to what is behind `end`. Returns the new end, and where in a block that is.
    fn step(
        &mut self,
        stream: &mut DecompressorOxide,
        mut rest: &[u8],
        mut end: usize,
    ) -> (usize, TINFLStatus) {
        loop {
            let (status, taken, made) = decompress(stream, rest, &mut self.inflated, end, FLAGS);
            (rest, end) = (&rest[taken..], end + made);
            match status {
                // RFC7692-7.2.1-1
                TINFLStatus::Done => *stream = DecompressorOxide::new(),
                TINFLStatus::BlockBoundary => {}
                _ => return (end, status),
            }
            if rest.is_empty() {
                return (end, status);
            }
        }
    }
}
