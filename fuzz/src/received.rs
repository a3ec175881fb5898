use bytes::BytesMut;
use fullduplex_proto::{Event, Message, Receiver, Violation};

/// What came of all bytes that a receiver was given. Parts are put together again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub events: Vec<Event>,
    pub violation: Option<Violation>,
    /// The parts of a message that did not end.
    pub unfinished: Vec<u8>,
}

impl Received {
    /// Gives `pieces` to the receiver, one after the other.
    ///
    /// Nothing may come after a violation or a Close, no message may be larger than `limit`, and no
    /// more may wait in the input than that and a header.
    pub fn from<'a>(
        mut receiver: Receiver,
        limit: usize,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        const CONTROL_MAX: usize = 125;
        const HEADER_MAX: usize = 14;
        let mut received = Self::default();
        let mut input = BytesMut::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while let Some(outcome) = receiver.handle(&mut input).transpose() {
                assert!(!received.is_over(), "{outcome:?} after the end");
                match outcome {
                    Ok(event) => received.take(event, limit),
                    Err(violation) => received.violation = Some(violation),
                }
            }
            assert!(input.len() <= limit.max(CONTROL_MAX).saturating_add(HEADER_MAX));
            assert!(input.is_empty() || !received.is_over());
        }
        received
    }

    fn take(&mut self, event: Event, limit: usize) {
        let (content, last) = match event {
            Event::Part(part) => (part.content, part.last),
            Event::Message(content) => (content, true),
            other => return self.events.push(other),
        };
        self.unfinished.extend_from_slice(content.payload());
        assert!(self.unfinished.len() <= limit);
        if let Message::Text(text) = &content {
            // Panics unless this part alone is UTF-8.
            text.as_str();
        }
        if last {
            let whole = std::mem::take(&mut self.unfinished);
            self.events.push(Event::Message(match content {
                Message::Text(_) => String::from_utf8(whole).expect("parts of UTF-8").into(),
                Message::Binary(_) => whole.into(),
            }));
        }
    }

    fn is_over(&self) -> bool {
        self.violation.is_some() || matches!(self.events.last(), Some(Event::Close(_)))
    }
}
