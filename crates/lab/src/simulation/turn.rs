//! What one end does next, as any driver might do it.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use fullduplex_proto::{CloseFrame, Delivery, Event, Message, Misuse, Outgoing, Part, Violation};

use super::end::{End, Reading};
use super::flow::Flow;
use super::pipe::{Pipe, Read};
use super::rng::Rng;
use super::script::Action;
use super::trace::{Happening, Summary, Trace};

/// How many pieces are written at once, at most.
const SLICES: usize = 4;

/// One end, what it can reach, and what is known of both directions.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) end: &'a mut End,
    pub(super) said: &'a mut Flow,
    pub(super) heard: &'a mut Flow,
    pub(super) outgoing: &'a mut Pipe,
    pub(super) incoming: &'a mut Pipe,
    pub(super) now: Instant,
    pub(super) rng: &'a mut Rng,
    pub(super) trace: &'a mut Trace,
    /// The time since the beginning.
    pub(super) at: Duration,
}

impl Turn<'_> {
    /// Does what the application does next.
    pub(super) fn act(&mut self) {
        let Some(action) = self.end.actions.pop() else {
            return;
        };
        match action {
            Action::Send(outgoing) => self.send(outgoing),
            Action::SendPart(part) => self.send_part(part),
            Action::Ping(payload) => {
                let expected = self.if_open(Ok(()));
                let result = self.end.connection.ping(&payload);
                if self.is_accepted(result, expected, (&Event::Ping(payload.clone())).into()) {
                    self.said.ping(payload);
                }
            }
            Action::Close(frame) => {
                self.end.connection.close(frame.as_ref());
                self.said.close(frame.clone());
                self.note(Happening::Sent((&Event::Close(frame)).into()));
            }
            Action::Deliver(delivery) => {
                self.end.connection.set_delivery(delivery);
                self.note(Happening::Delivers { parts: delivery == Delivery::Parts });
            }
            Action::Pause(pause) => {
                self.note(Happening::Paused(pause));
                self.end.pause(self.now + pause);
            }
            Action::Rest(rest) => {
                self.note(Happening::Rests(rest));
                self.end.rests_until = Some(self.now + rest);
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        let content = outgoing.message().clone();
        let compressed =
            self.compresses(&content) && !matches!(outgoing, Outgoing::Uncompressed(_));
        let expected = self.if_open(self.said.check_message());
        let result = self.end.connection.send(outgoing);
        if self.is_accepted(result, expected, (&content).into()) {
            self.said.send(Part { content, last: true }, compressed);
        }
    }

    fn send_part(&mut self, part: Part) {
        // Nobody knows how long the message will be.
        let compressed = self.compresses(&part.content) || !part.last && self.end.deflate.is_some();
        let expected = self.if_open(self.said.check_part(&part));
        let result = self.end.connection.send_part(&part);
        if self.is_accepted(result, expected, (&part).into()) {
            self.said.send(part, compressed);
        }
    }

    /// Whether a message of one frame is long enough to be compressed.
    fn compresses(&self, message: &Message) -> bool {
        self.end.deflate.is_some_and(|deflate| message.len() >= deflate.threshold)
    }

    fn if_open(&self, answer: Result<(), Misuse>) -> Result<(), Misuse> {
        if self.end.connection.is_open() { answer } else { Err(Misuse::Closing) }
    }

    fn is_accepted(
        &mut self,
        result: Result<(), Misuse>,
        expected: Result<(), Misuse>,
        what: Summary,
    ) -> bool {
        assert_eq!(result, expected, "{what:?} is sent");
        self.note(if result.is_ok() { Happening::Sent(what) } else { Happening::Refused });
        result.is_ok()
    }

    /// Writes some of what waits.
    pub(super) fn write(&mut self) {
        if let Some(hold) = self.outgoing.maybe_hold(self.now, self.rng) {
            return self.note(Happening::Held(hold));
        }
        if self.outgoing.is_broken() {
            self.note(Happening::WriteFailed);
            return self.end.connection.handle_write_failed();
        }
        let bytes = self.some_output();
        let connection = &mut self.end.connection;
        let queued = connection.queued_bytes() - bytes.len() as u64;
        let payload = connection.handle_written(bytes.len());
        self.end.written += payload as u64;
        // The Close is what a closing end is on its way to; Pongs behind it lead nowhere.
        if !self.said.wire().is_closed() {
            self.end.note_progress(self.now);
        }
        self.said.pass(&bytes);
        self.trace.note_wire(&bytes);
        self.note(Happening::Wrote { bytes: bytes.len(), payload });
        self.judge_counts(queued);
    }

    /// What the transport takes of the output now.
    fn some_output(&mut self) -> Vec<u8> {
        let connection = &self.end.connection;
        let (mut shown, mut again) = ([IoSlice::new(&[]); SLICES], [IoSlice::new(&[]); SLICES]);
        let most = 1 + self.rng.index(SLICES);
        let count = connection.poll_output(&mut shown[..most]);
        assert!(count > 0, "output waits, and none is shown");
        assert_eq!(connection.poll_output(&mut again[..most]), count, "I12: polled twice");
        for (one, other) in shown.iter().zip(&again) {
            assert!(std::ptr::eq(&**one, &**other), "I12: polled twice");
        }
        self.outgoing.write(&shown[..count], self.rng)
    }

    /// I11: what waits is what was accepted and not written.
    fn judge_counts(&self, queued: u64) {
        let (connection, wire) = (&self.end.connection, self.said.wire());
        // Writing may have made room for a Pong.
        let pong = connection.queued_bytes() - queued;
        assert!(pong <= 131, "I11: {pong} bytes too many wait");
        assert_eq!(self.end.written, wire.data_bytes(), "I11: payload bytes written");
        assert_eq!(connection.is_flushed(), connection.queued_bytes() == 0, "I11: flushed");
        if connection.is_flushed() {
            assert!(!wire.is_within_frame(), "I1: half a frame");
            assert_eq!(self.end.written, self.said.accepted_bytes(), "I11: accepted and written");
        }
    }

    /// Reads, and understands some of it.
    pub(super) fn read(&mut self) {
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

    fn hear(&mut self, event: Event) {
        self.note(Happening::Heard((&event).into()));
        let Some(event) = self.heard.deliver(event) else {
            return;
        };
        match &event {
            Event::Message(message) => {
                assert!(message.len() <= self.end.limits.message_bytes, "above the limit");
            }
            Event::Part(_) | Event::Pong(_) => {}
            Event::Ping(payload) => self.said.owe_pong(payload.clone()),
            Event::Close(frame) => {
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

    /// Ends the direction that the end writes.
    pub(super) fn shut_down(&mut self) {
        self.note(Happening::ShutDown);
        if self.outgoing.is_broken() {
            return self.end.connection.handle_write_failed();
        }
        self.outgoing.shut_down();
        self.end.connection.handle_shutdown();
    }

    fn note(&mut self, what: Happening) {
        self.trace.note(self.at, self.end.role, what);
    }
}
