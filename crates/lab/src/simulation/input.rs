//! Reading by one end in its turn.

use fullduplex_proto::{CloseFrame, Received, Violation};

use super::end::Reading;
use super::pipe::Read;
use super::trace::TraceEvent;
use super::turn::Turn;

impl Turn<'_> {
    /// Reads bytes, and handles some of the events in them.
    pub(super) fn read(&mut self) {
        if self.rng.one_in(4) {
            self.end.park();
        }
        if self.end.reading == Reading::Drained {
            if let Some(hold) = self.incoming.maybe_hold(self.now, self.rng) {
                return self.note(TraceEvent::Held(hold));
            }
            let known = self.end.input.len();
            match self.incoming.read(&mut self.end.input, self.rng) {
                Read::Bytes(bytes) => {
                    self.end.received.extend_from_slice(&self.end.input[known..]);
                    self.note(TraceEvent::Read { bytes });
                }
                Read::End => {
                    self.note(TraceEvent::ReadEnd);
                    self.end.reading = Reading::Ended;
                    return self.end.connection.handle_end_of_input();
                }
            }
        }
        self.take_events();
    }

    /// Handles events, but not always all of them: the application may act in between.
    fn take_events(&mut self) {
        self.end.reading = Reading::Undrained;
        loop {
            let discarded_input = self.end.discards_input();
            if self.rng.one_in(4) {
                self.take_messages();
            }
            let result = self.end.connection.handle_input(&mut self.end.input);
            assert!(!discarded_input || result == Ok(None), "I15: {result:?} after the end");
            match result {
                Ok(Some(event)) => {
                    self.on_receive(event);
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

    /// Takes a batch of messages.
    fn take_messages(&mut self) {
        let discarded_input = self.end.discards_input();
        let messages = self.end.connection.take_messages(&mut self.end.input);
        assert!(!discarded_input || messages.len() == 0, "I15: messages after the end");
        for message in messages {
            self.on_receive(Received::Message(message));
        }
    }

    fn on_receive(&mut self, event: Received) {
        self.note(TraceEvent::Received((&event).into()));
        let Some(event) = self.incoming_flow.deliver(event) else {
            return;
        };
        match &event {
            Received::Message(message) => {
                assert!(message.len() <= self.end.limits.message_bytes, "above the limit");
            }
            Received::Part(_) | Received::Pong(_) => {}
            Received::Ping(payload) => self.outgoing_flow.owe_pong(payload.clone()),
            Received::Close(frame) => {
                self.outgoing_flow.close(frame.clone());
                self.incoming_flow.assert_all_delivered();
            }
        }
        self.end.events.push(event);
    }

    /// Checks a violation. Both ends are ours, so the only possible violation is a message above a limit of
    /// the receiver.
    fn fail(&mut self, violation: Violation) {
        self.note(TraceEvent::Failed(violation.to_string()));
        let limits = self.end.limits;
        let (bytes, frames) =
            self.incoming_flow.next().map_or((0, 0), |sent| (sent.message.len(), sent.frames));
        let is_expected = match violation {
            Violation::MessageTooBig { limit } => limit == limits.message_bytes && bytes > limit,
            Violation::TooManyFrames { limit } => limit == limits.message_frames && frames > limit,
            _ => false,
        };
        assert!(is_expected, "an unexpected violation: {violation}");
        self.outgoing_flow.close(Some(CloseFrame::code(violation.close_code())));
        self.end.violation = Some(violation);
    }
}
