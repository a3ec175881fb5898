//! Compression (RFC 7692).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use fullduplex_bench::client::Offer;

/// The end of an empty block, which is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A limit for the growth of a message by compression.
const ROOM: usize = 64;

/// Compresses a message so that it can be inflated without the previous ones. A client may always
/// do so.
pub(crate) fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(message.len() + ROOM);
    let mut compress = Compress::new(Compression::default(), false);
    let status = compress.compress_vec(message, &mut payload, FlushCompress::Sync);
    assert!(matches!(status, Ok(Status::Ok)) && payload.ends_with(&TAIL), "there is room");
    payload.truncate(payload.len() - TAIL.len());
    payload
}

/// Inflates the messages of one connection.
#[derive(Debug)]
pub(crate) struct Inflater {
    decompress: Decompress,
    offer: Offer,
    message: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new(offer: Offer) -> Self {
        Self { decompress: Decompress::new(false), offer, message: Vec::new() }
    }

    /// Inflates a message. Returns whether it is the expected one.
    pub(crate) fn yields(&mut self, payload: &mut Vec<u8>, expected: &[u8]) -> bool {
        if self.offer == Offer::DeflateWithoutTakeover {
            self.decompress.reset(false);
        }
        payload.extend(TAIL);
        self.message.clear();
        self.message.reserve(expected.len() + ROOM);
        let status =
            self.decompress.decompress_vec(payload, &mut self.message, FlushDecompress::Sync);
        status.is_ok() && self.message == expected
    }
}
