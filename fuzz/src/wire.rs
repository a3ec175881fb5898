use std::io::IoSlice;

use fullduplex_proto::{Encoder, MaskKeys};

/// Cuts `bytes` into pieces of the given lengths plus one, over and over.
pub fn pieces(bytes: &[u8], lengths: [u8; 4]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    lengths.into_iter().cycle().map_while(move |length| {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(length) + 1));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Keys that count.
pub fn masks() -> Box<dyn MaskKeys> {
    let mut count = 0u32;
    Box::new(move || {
        count = count.wrapping_add(0x0101_0107);
        count.to_be_bytes()
    })
}

/// Takes all output.
pub fn drain(sender: &mut Encoder) -> Vec<u8> {
    let mut wire = Vec::new();
    while !sender.is_flushed() {
        let mut slices = [IoSlice::new(&[]); 4];
        let count = sender.output(&mut slices);
        assert!(count > 0, "output waits, and none is shown");
        let before = wire.len();
        slices[..count].iter().for_each(|slice| wire.extend_from_slice(slice));
        sender.handle_written(wire.len() - before);
    }
    wire
}
