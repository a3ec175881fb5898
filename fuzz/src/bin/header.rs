//! Frame headers: our parser must return the same result as a second parser, which follows RFC 6455 section
//! 5.2 bit by bit.
#![no_main]

use fullduplex_proto::{FrameHeader, MaskKey, Opcode, Violation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = FrameHeader::parse(bytes);
    assert_eq!(parsed, naive(bytes));
    if let Ok(Some((header, len))) = parsed {
        // Each header has only one valid form, so encoding it gives the same bytes.
        let mut written = Vec::new();
        assert_eq!(header.encode(&mut written), len);
        assert_eq!(written, bytes[..len]);
    }
});

fn naive(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
    if bytes.len() < 2 {
        return Ok(None);
    }
    let bit = |index: usize| bytes[index / 8] >> (7 - index % 8) & 1;
    let number = |bits: std::ops::Range<usize>| bits.fold(0, |n, i| n << 1 | u64::from(bit(i)));
    let opcode = match number(4..8) {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        reserved => return Err(Violation::UnknownOpcode(reserved as u8)),
    };
    let fin = bit(0) == 1;
    let short = number(9..16);
    if bit(4) == 1 && !fin {
        return Err(Violation::FragmentedControlFrame);
    }
    if bit(4) == 1 && short > 125 {
        return Err(Violation::ControlFrameTooLong);
    }
    let (length_bits, least) = match short {
        126 => (16..32, 126),
        127 => (16..80, 65_536),
        _ => (9..16, 0),
    };
    let mask_start = length_bits.end / 8;
    let len = mask_start + 4 * usize::from(bit(8));
    if bytes.len() < len {
        return Ok(None);
    }
    let payload_len = number(length_bits);
    if payload_len >= 1 << 63 {
        return Err(Violation::LengthOverflow(payload_len));
    }
    if payload_len < least {
        return Err(Violation::LengthNotMinimal(payload_len));
    }
    let mask = (bit(8) == 1).then(|| MaskKey([0, 1, 2, 3].map(|i| bytes[mask_start + i])));
    let reserved = number(1..4) as u8;
    Ok(Some((FrameHeader { fin, reserved, opcode, mask, payload_len }, len)))
}
