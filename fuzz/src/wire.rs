use std::io::IoSlice;

use fullduplex_proto::{Encoder, MaskKeys};

/// Splits `bytes` into pieces. Their lengths are those in `lengths` plus one, repeated.
pub fn pieces(bytes: &[u8], lengths: [u8; 4]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    lengths.into_iter().cycle().map_while(move |length| {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(length) + 1));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Returns masking keys that are all different and reproducible.
pub fn masks() -> Box<dyn MaskKeys> {
    let mut count = 0u32;
    Box::new(move || {
        count = count.wrapping_add(0x0101_0107);
        count.to_be_bytes()
    })
}

/// Takes all output.
pub fn drain(encoder: &mut Encoder) -> Vec<u8> {
    let mut wire = Vec::new();
    while !encoder.is_flushed() {
        let mut slices = [IoSlice::new(&[]); 4];
        let count = encoder.output(&mut slices);
        assert!(count > 0, "output is queued, but no slice is filled");
        let before = wire.len();
        slices[..count].iter().for_each(|slice| wire.extend_from_slice(slice));
        encoder.handle_written(wire.len() - before);
    }
    wire
}
