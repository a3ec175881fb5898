//! What the targets share.

use bytes::BytesMut;
use fullduplex_proto::{Event, Receiver, Violation};

/// Cuts `bytes` into pieces of the given lengths plus one, over and over.
pub fn pieces(bytes: &[u8], lengths: [u8; 4]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    lengths.into_iter().cycle().map_while(move |length| {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(length) + 1));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// What came of all bytes that a receiver was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub events: Vec<Event>,
    pub violation: Option<Violation>,
}

impl Received {
    /// Gives `pieces` to the receiver, one after the other.
    ///
    /// Nothing may come after a violation or a Close, and what waits in the input must not be more
    /// than `limit`, the largest message allowed, and a header.
    pub fn from<'a>(
        mut receiver: Receiver,
        limit: usize,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        const HEADER_MAX: usize = 14;
        let mut received = Self::default();
        let mut input = BytesMut::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while let Some(outcome) = receiver.handle(&mut input).transpose() {
                assert!(!received.is_over(), "{outcome:?} after the end");
                match outcome {
                    Ok(event) => received.events.push(event),
                    Err(violation) => received.violation = Some(violation),
                }
            }
            assert!(input.len() <= limit.max(125).saturating_add(HEADER_MAX));
            assert!(input.is_empty() || !received.is_over());
        }
        received
    }

    fn is_over(&self) -> bool {
        self.violation.is_some() || matches!(self.events.last(), Some(Event::Close(_)))
    }
}
