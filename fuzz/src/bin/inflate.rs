//! Any data as two compressed messages of a connection: our result equals that of another inflater, and never
//! exceeds the limit.
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
    /// How many bytes of the data belong to the first message. The others belong to the second.
    first: u8,
    data: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let limit = usize::from(input.limit);
    let agreed = input.agreement.deflate();
    let mut limits = Limits::default();
    limits.message_bytes = limit;
    let decoder = Decoder::new(Role::Client, limits).with_deflate(agreed);
    let (first, second) = input.data.split_at(input.data.len().min(input.first.into()));
    let frames = [first, second].map(frame).concat();
    let received = Decoded::from(decoder, limit, [&frames[..]]);

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
        // The other inflater accepts distances beyond the agreed window.
        Some(Violation::CorruptDeflate) if agreed.server.window_bits < WindowBits::MAX => {}
        // The other inflater accepts a Huffman code without a symbol for the end of the block, and then never
        // stops inflating.
        Some(Violation::CorruptDeflate) => {
            assert!(
                matches!(verdict, Some(Verdict::InflateError | Verdict::TooBig)),
                "{verdict:?}"
            );
        }
        Some(other) => panic!("{other}"),
    }
});

/// Encodes a server's frame whose payload is marked as compressed.
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

/// Another inflater, which keeps everything that it inflated.
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
        // RFC7692-7.2.2-4: the tail ends a block and inflates to nothing. Data is also complete if it ends
        // with a final block or with the tail, or is empty (FC-15).
        let is_whole = if data.ends_with(&TAIL) {
            matches!(status, TINFLStatus::BlockBoundary | TINFLStatus::Done)
        } else {
            let ends_block = matches!(tail_status, TINFLStatus::BlockBoundary | TINFLStatus::Done);
            data.is_empty() || status == TINFLStatus::Done || end == tail_end && ends_block
        };
        if end - start > limit {
            Verdict::TooBig
        } else if is_whole {
            Verdict::Inflated(self.inflated[start..].to_vec())
        } else {
            Verdict::InflateError
        }
    }

    /// Inflates `rest` and writes the result at `end`. Returns the new end and the status.
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
