//! Another inflater reads the output of our deflater, and checks that our deflater stays within the agreed
//! window and takeover. Our inflater reads the output of another deflater. Both checks use several messages.
#![no_main]

// A slow inflater that panics on invalid data.
#[path = "../../../crates/proto/tests/support/inflate.rs"]
mod reference;

use fullduplex_fuzz::{Agreement, Decoded, drain, masks, role};
use fullduplex_proto::{
    AgreedDeflate, ContextParams, ContextTakeover, Decoder, DeflateConfig, Encoder, FrameHeader,
    Limits, Opcode, Outgoing, Part, Prepared, Received, Role,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{DataFormat, MZFlush};

const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
const RSV1: u8 = 0b100;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_client: bool,
    agreement: Agreement,
    messages: Vec<Sent<'a>>,
}

#[derive(Debug, Arbitrary)]
struct Sent<'a> {
    how: How,
    /// How often the content is doubled, which fills the window.
    doubled: u8,
    content: &'a [u8],
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum How {
    Message,
    Prepared,
    Uncompressed,
    /// In two parts, of which the first has this many bytes.
    InParts(u16),
    /// After the memory of compression was released.
    Released,
}

fuzz_target!(|input: Input<'_>| {
    let role = role(input.is_client);
    let agreed = AgreedDeflate::from(input.agreement.deflate());
    let mut encoder = match role {
        Role::Client => Encoder::client(masks()),
        Role::Server => Encoder::server(),
    };
    encoder = encoder.with_deflate(agreed);
    let mut peer = Peer { context: agreed.of(role), inflated: Vec::new() };
    let mut foreign =
        CompressorOxide::with_format_and_level(DataFormat::Raw, CompressionLevel::DefaultLevel);
    let mut foreign_wire = Vec::new();
    let mut messages = Vec::new();
    for Sent { how, doubled, content } in input.messages {
        let content = content.repeat(1 << (doubled % 8));
        send(&mut encoder, how, &content);
        assert_eq!(peer.receive(&drain(&mut encoder)), content);
        let finish = matches!(how, How::Released);
        foreign_wire.extend(compress(&mut foreign, &content, finish));
        messages.push(Received::Message(content.into()));
    }
    // The other deflater always uses the largest window.
    let decoder =
        Decoder::new(Role::Client, Limits::default()).with_deflate(DeflateConfig::default());
    let received = Decoded::from(decoder, usize::MAX, [&foreign_wire[..]]);
    assert_eq!((received.events, received.violation), (messages, None));
});

fn send(encoder: &mut Encoder, how: How, content: &[u8]) {
    let sent = match how {
        How::Message => encoder.send(content),
        How::Prepared => encoder.send(Prepared::new(content)),
        How::Uncompressed => encoder.send(Outgoing::uncompressed(content)),
        How::InParts(first) => {
            let (first, second) = content.split_at(content.len().min(first.into()));
            encoder
                .send_part(&Part { content: first.into(), last: false })
                .and_then(|()| encoder.send_part(&Part { content: second.into(), last: true }))
        }
        How::Released => {
            // The first call only records that the memory was not used since.
            (0..2).for_each(|_| encoder.release_unused());
            encoder.send(content)
        }
    };
    sent.expect("the connection is open");
}

/// Reads what was sent, as RFC 7692 specifies.
struct Peer {
    context: ContextParams,
    inflated: Vec<u8>,
}

impl Peer {
    fn receive(&mut self, wire: &[u8]) -> Vec<u8> {
        let (mut rest, mut payload, mut compressed) = (wire, Vec::new(), false);
        while let Some((header, header_len)) = FrameHeader::parse(rest).expect("a frame") {
            let is_first = header.opcode != Opcode::Continuation;
            // RFC7692-6.1-1, RFC7692-6.1-3
            assert!(header.reserved == 0 || header.reserved == RSV1 && is_first);
            compressed |= header.reserved == RSV1;
            let (frame, after) = rest[header_len..].split_at(header.payload_len as usize);
            let start = payload.len();
            payload.extend_from_slice(frame);
            if let Some(mask) = header.mask {
                mask.apply(0, &mut payload[start..]);
            }
            assert_eq!(header.fin, after.is_empty());
            rest = after;
        }
        if !compressed {
            return payload;
        }
        if self.context.takeover == ContextTakeover::No {
            self.inflated.clear();
        }
        payload.extend(TAIL);
        let before = self.inflated.len();
        let farthest = reference::inflate(&payload, &mut self.inflated);
        assert!(farthest <= self.context.window_bits.bytes(), "{farthest} bytes back");
        self.inflated[before..].to_vec()
    }
}

/// Encodes a server's frame with a message that another deflater compressed. Its last block is final if
/// `finish` is true (RFC7692-7.2.1-1).
fn compress(deflater: &mut CompressorOxide, content: &[u8], finish: bool) -> Vec<u8> {
    let mut payload = vec![0; content.len() + content.len() / 8 + 64];
    let flush = if finish { MZFlush::Finish } else { MZFlush::Sync };
    let result = deflate(deflater, content, &mut payload, flush);
    assert_eq!(result.bytes_consumed, content.len());
    payload.truncate(result.bytes_written);
    if finish {
        deflater.reset();
        payload.push(0x00);
    } else {
        // RFC7692-7.2.1-3
        payload.truncate(payload.len() - TAIL.len());
    }
    let (opcode, payload_len) = (Opcode::Binary, payload.len() as u64);
    let header = FrameHeader { fin: true, reserved: RSV1, opcode, mask: None, payload_len };
    let mut frame = Vec::new();
    header.encode(&mut frame);
    frame.extend(payload);
    frame
}
