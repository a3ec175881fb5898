use bytes::BytesMut;
use fullduplex_proto::{Decoder, Message, Received, Violation};

/// What came of all bytes that a receiver was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Messages are whole, however they were delivered.
    pub events: Vec<Received>,
    pub violation: Option<Violation>,
}

impl Decoded {
    /// Gives `pieces` to the receiver, one after the other.
    ///
    /// Nothing may come after a violation or a Close, no message may be larger than `limit`, and no
    /// more may wait in the input than that and a header.
    pub fn from<'a>(
        mut receiver: Decoder,
        limit: usize,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        const CONTROL_MAX: usize = 125;
        const HEADER_MAX: usize = 14;
        let mut received = Self::default();
        let mut parts = Parts::default();
        let mut input = BytesMut::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while let Some(outcome) = receiver.handle(&mut input).transpose() {
                assert!(!received.is_over(), "{outcome:?} after the end");
                match outcome.map(|event| parts.join(event)) {
                    Ok(event) => received.events.extend(event),
                    Err(violation) => received.violation = Some(violation),
                }
                if let Some(Received::Message(message)) = received.events.last() {
                    assert!(message.len() <= limit);
                }
            }
            assert!(input.len() <= limit.max(CONTROL_MAX).saturating_add(HEADER_MAX));
            assert!(input.is_empty() || !received.is_over());
        }
        received
    }

    fn is_over(&self) -> bool {
        self.violation.is_some() || matches!(self.events.last(), Some(Received::Close(_)))
    }
}

/// The parts of a message that has not ended.
#[derive(Debug, Default)]
pub struct Parts {
    payload: Vec<u8>,
}

impl Parts {
    /// Puts an event with a part aside, and returns the message when it has ended; any other event at
    /// once.
    pub fn join(&mut self, event: Received) -> Option<Received> {
        let (content, last) = match event {
            Received::Part(part) => (part.content, part.last),
            Received::Message(content) => (content, true),
            other => return Some(other),
        };
        if let Message::Text(text) = &content {
            // Panics unless this part alone is UTF-8.
            text.as_str();
        }
        self.payload.extend_from_slice(content.payload());
        last.then(|| {
            let whole = std::mem::take(&mut self.payload);
            Received::Message(match content {
                Message::Text(_) => String::from_utf8(whole).expect("parts of UTF-8").into(),
                Message::Binary(_) => whole.into(),
            })
        })
    }
}
