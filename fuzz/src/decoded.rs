use bytes::BytesMut;
use fullduplex_proto::{Decoder, Message, Received, Violation};

/// The results of decoding some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The events. Messages are whole, even if they were delivered in parts.
    pub events: Vec<Received>,
    pub violation: Option<Violation>,
}

impl Decoded {
    /// Passes `pieces` to the decoder, one after the other.
    ///
    /// Asserts that nothing follows a violation or a Close, that no message is larger than `limit`, and
    /// that the input holds at most a message and a header.
    pub fn from<'a>(
        mut decoder: Decoder,
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
            while let Some(outcome) = decoder.handle(&mut input).transpose() {
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
    /// Joins parts. Returns the message after its last part, and any other event unchanged.
    pub fn join(&mut self, event: Received) -> Option<Received> {
        let (content, last) = match event {
            Received::Part(part) => (part.content, part.last),
            Received::Message(content) => (content, true),
            other => return Some(other),
        };
        if let Message::Text(text) = &content {
            // Panics in debug builds unless this part alone is UTF-8.
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
