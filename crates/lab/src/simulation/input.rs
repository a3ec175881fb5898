//! What one end reads in its turn.

use fullduplex_proto::{CloseFrame, Received, Violation};

use super::end::Reading;
use super::pipe::Read;
use super::trace::Happening;
use super::turn::Turn;

impl Turn<'_> {
    /// Reads, and understands some of it.
    pub(super) fn read(&mut self) {
        if self.rng.one_in(4) {
            self.end.park();
        }
        if self.end.reading == Reading::Drained {
            if let Some(hold) = self.incoming.maybe_hold(self.now, self.rng) {
                return self.note(Happening::Held(hold));
            }
            let known = self.end.input.len();
            match self.incoming.read(&mut self.end.input, self.rng) {
                Read::Bytes(bytes) => {
                    self.end.received.extend_from_slice(&self.end.input[known..]);
                    self.note(Happening::Read { bytes });
                }
                Read::End => {
                    self.note(Happening::HeardEnd);
                    self.end.reading = Reading::Ended;
                    return self.end.connection.handle_end_of_input();
                }
            }
        }
        self.understand();
    }

    /// Takes events, but not always all of them: an application may do something in between.
    fn understand(&mut self) {
        self.end.reading = Reading::Undrained;
        loop {
            let was_deaf = self.end.is_deaf();
            if self.rng.one_in(4) {
                self.take_messages();
            }
            let result = self.end.connection.handle_input(&mut self.end.input);
            assert!(!was_deaf || result == Ok(None), "I15: {result:?} behind the end");
            match result {
                Ok(Some(event)) => {
                    self.hear(event);
                    if self.rng.one_in(8) {
                        return;
                    }
                }
                Ok(None) => break,
                Err(violation) => self.fail(violation),
            }
        }
        let rest = self.end.input.len();
        let again = self.end.connection.handle_input(&mut self.end.input);
        assert_eq!((again, self.end.input.len()), (Ok(None), rest), "I12: polled twice");
        self.end.reading = Reading::Drained;
    }

    /// Takes those that have arrived together.
    fn take_messages(&mut self) {
        let was_deaf = self.end.is_deaf();
        let messages = self.end.connection.take_messages(&mut self.end.input);
        assert!(!was_deaf || messages.len() == 0, "I15: messages behind the end");
        for message in messages {
            self.hear(Received::Message(message));
        }
    }

    fn hear(&mut self, event: Received) {
        self.note(Happening::Heard((&event).into()));
        let Some(event) = self.heard.deliver(event) else {
            return;
        };
        match &event {
            Received::Message(message) => {
                assert!(message.len() <= self.end.limits.message_bytes, "above the limit");
            }
            Received::Part(_) | Received::Pong(_) => {}
            Received::Ping(payload) => self.said.owe_pong(payload.clone()),
            Received::Close(frame) => {
                self.said.close(frame.clone());
                self.heard.assert_all_delivered();
            }
        }
        self.end.events.push(event);
    }

    /// The only rules that an end of ours can break are the limits of the other.
    fn fail(&mut self, violation: Violation) {
        self.note(Happening::Failed(violation.to_string()));
        let limits = self.end.limits;
        let (bytes, frames) =
            self.heard.next().map_or((0, 0), |said| (said.message.len(), said.frames));
        let is_deserved = match violation {
            Violation::MessageTooBig { limit } => limit == limits.message_bytes && bytes > limit,
            Violation::TooManyFrames { limit } => limit == limits.message_frames && frames > limit,
            _ => false,
        };
        assert!(is_deserved, "a violation that nobody committed: {violation}");
        self.said.close(Some(CloseFrame::code(violation.close_code())));
        self.end.violation = Some(violation);
    }
}
