//! Everything that one end sends to the other, in three stages: accepted for sending, written, and delivered.

use std::collections::VecDeque;

use bytes::Bytes;
use fullduplex_proto::{CloseFrame, Message, Misuse, Part, Received, Text, Timeouts};

use super::trace::Summary;
use super::wire::{Content, Wire};

/// The model of one direction of a connection.
///
/// What was accepted for sending must be written unaltered and in order, and what was written must be
/// delivered unaltered and in order.
#[derive(Debug)]
pub(super) struct Flow {
    wire: Wire,
    /// The accepted messages, and the message that is being sent in parts.
    sent: Vec<SentMessage>,
    begun: Option<SentMessage>,
    accepted_bytes: u64,
    /// How many of the messages were written, and how many were delivered.
    passed: usize,
    delivered: usize,
    /// How many bytes of the next message were delivered in parts.
    delivered_bytes: usize,
    /// Pings that were accepted and not written.
    pings: VecDeque<Bytes>,
    /// Whether the end sends heartbeat Pings. The application does not send these, so they are not in
    /// `pings`.
    has_heartbeat: bool,
    /// Pings of the other end that were received and not answered, and the last Pong.
    unanswered: VecDeque<Bytes>,
    last_pong: Option<Bytes>,
    /// The body that the Close must have; `None` until a Close is due.
    close: Option<Option<CloseFrame>>,
    /// What was written and not delivered.
    on_the_way: VecDeque<Received>,
}

/// An accepted message, and the number of its frames.
#[derive(Debug)]
pub(super) struct SentMessage {
    pub(super) message: Message,
    pub(super) frames: usize,
    pub(super) compressed: bool,
}

impl Flow {
    pub(super) fn new(wire: Wire, timeouts: Timeouts) -> Self {
        Self {
            wire,
            sent: Vec::new(),
            begun: None,
            accepted_bytes: 0,
            passed: 0,
            delivered: 0,
            delivered_bytes: 0,
            pings: VecDeque::new(),
            has_heartbeat: timeouts.ping.is_some(),
            unanswered: VecDeque::new(),
            last_pong: None,
            close: None,
            on_the_way: VecDeque::new(),
        }
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Returns how many bytes of payload were accepted.
    pub(super) fn accepted_bytes(&self) -> u64 {
        self.accepted_bytes
    }

    pub(super) fn delivered(&self) -> &[SentMessage] {
        &self.sent[..self.delivered]
    }

    /// Returns whether a message is being sent in parts.
    pub(super) fn is_within_message(&self) -> bool {
        self.begun.is_some()
    }

    /// Returns the message that must be delivered next, or the parts of it that were accepted so far.
    pub(super) fn next(&self) -> Option<&SentMessage> {
        self.sent.get(self.delivered).or(self.begun.as_ref())
    }

    /// Returns the result that sending a message on an open connection must have.
    pub(super) fn check_message(&self) -> Result<(), Misuse> {
        if self.begun.is_some() { Err(Misuse::MessageUnderWay) } else { Ok(()) }
    }

    /// Returns the result that sending a part on an open connection must have.
    pub(super) fn check_part(&self, part: &Part) -> Result<(), Misuse> {
        match &self.begun {
            Some(begun) if !is_same_kind(&begun.message, &part.content) => Err(Misuse::KindOfPart),
            _ => Ok(()),
        }
    }

    /// Records that a message or a part of one was accepted. The first part decides whether the message is
    /// compressed.
    pub(super) fn send(&mut self, Part { content, last }: Part, compressed: bool) {
        self.accepted_bytes += content.len() as u64;
        let bytes = content.len();
        let sent = match self.begun.take() {
            Some(begun) => begun.with(&content),
            None => SentMessage { message: content, frames: 1, compressed },
        };
        self.wire.expect(Content { bytes, compressed: sent.compressed });
        if last {
            self.sent.push(sent);
        } else {
            self.begun = Some(sent);
        }
    }

    /// Records that a Ping was accepted.
    pub(super) fn ping(&mut self, payload: Bytes) {
        self.pings.push_back(payload);
    }

    /// Records that a Ping of the other end was received.
    pub(super) fn owe_pong(&mut self, payload: Bytes) {
        self.unanswered.push_back(payload);
    }

    /// Records that a Close is due. Only the first one counts.
    pub(super) fn close(&mut self, frame: Option<CloseFrame>) {
        self.close.get_or_insert(frame);
    }

    /// Checks bytes that were written.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(event) = self.wire.read(&mut bytes) {
            match &event {
                Received::Message(message) => {
                    let expected = self.sent.get(self.passed).map(|sent| &sent.message);
                    assert!(
                        expected == Some(message),
                        "D1: {} differs from what was sent",
                        shown(&event)
                    );
                    self.passed += 1;
                }
                Received::Part(_) => {}
                Received::Ping(payload) if self.pings.front() == Some(payload) => {
                    self.pings.pop_front();
                }
                Received::Ping(_) => assert!(self.has_heartbeat, "D1: a Ping that was not sent"),
                Received::Pong(payload) => {
                    let answered = self.unanswered.iter().position(|ping| ping == payload);
                    let answered = answered.expect("I9: a Pong without its Ping");
                    self.unanswered.drain(..=answered);
                    self.last_pong = Some(payload.clone());
                }
                Received::Close(frame) => {
                    assert_eq!(self.close.as_ref(), Some(frame), "D1: a Close");
                }
            }
            self.on_the_way.push_back(event);
        }
    }

    /// Records a control frame that the connection did not write itself.
    pub(super) fn pass_foreign(&mut self, mut bytes: &[u8]) {
        self.on_the_way.extend(self.wire.read(&mut bytes));
    }

    /// Checks what was delivered to the other end. Returns it, or `None` if it is a part of an unfinished
    /// message.
    pub(super) fn deliver(&mut self, event: Received) -> Option<Received> {
        let whole = match event {
            Received::Message(content) => self.deliver_part(&Part { content, last: true })?,
            Received::Part(part) => self.deliver_part(&part)?,
            control => control,
        };
        let expected = self.on_the_way.pop_front();
        assert!(
            expected.as_ref() == Some(&whole),
            "D1: {} is delivered instead of {}",
            shown(&whole),
            expected.as_ref().map_or("nothing".into(), shown)
        );
        Some(whole)
    }

    fn deliver_part(&mut self, Part { content, last }: &Part) -> Option<Received> {
        let next = self.next().expect("D1: a message that was not sent");
        let message = next.message.clone();
        let end = self.delivered_bytes + content.len();
        let expected = message.payload().get(self.delivered_bytes..end);
        let is_right = is_same_kind(&message, content) && expected == Some(content.payload());
        assert!(is_right, "D1: bytes {}..{end} differ from what was sent", self.delivered_bytes);
        self.delivered_bytes = end;
        if !last {
            return None;
        }
        assert_eq!(end, message.len(), "D1: a message without its end");
        self.delivered += 1;
        self.delivered_bytes = 0;
        Some(Received::Message(message))
    }

    /// Returns whether all accepted messages were delivered.
    pub(super) fn is_delivered(&self) -> bool {
        self.delivered == self.sent.len()
    }

    /// D1: an end that has received the Close has received all messages.
    pub(super) fn assert_all_delivered(&self) {
        let Self { sent, passed, delivered, .. } = self;
        assert_eq!((*passed, *delivered), (sent.len(), sent.len()), "D1: messages are lost");
    }

    /// Asserts that everything was delivered, and every Ping answered.
    pub(super) fn assert_at_rest(&self) {
        self.assert_all_delivered();
        assert!(self.on_the_way.is_empty() && self.pings.is_empty(), "D1: a control frame is lost");
        self.assert_answered();
    }

    /// I9: asserts that at least the last Ping was answered.
    pub(super) fn assert_answered(&self) {
        // Equal Pings cannot be distinguished: the Pong may have answered the last one.
        let last = self.unanswered.back();
        assert!(last.is_none() || last == self.last_pong.as_ref(), "I9: a Ping has no answer");
    }
}

impl SentMessage {
    fn with(self, content: &Message) -> Self {
        let payload = Bytes::from([self.message.payload().as_ref(), content.payload()].concat());
        let message = match self.message {
            Message::Text(_) => Text::from_utf8(payload).expect("I7: text and text").into(),
            Message::Binary(_) => payload.into(),
        };
        Self { message, frames: self.frames + 1, ..self }
    }
}

fn is_same_kind(one: &Message, other: &Message) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn shown(event: &Received) -> String {
    format!("{:?}", Summary::from(event))
}
