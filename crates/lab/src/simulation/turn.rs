//! What one end does next, as any driver might do it.

use std::time::{Duration, Instant};

use fullduplex_proto::{Delivery, Message, Misuse, Outgoing, Part, Received};

use super::end::End;
use super::flow::Flow;
use super::pipe::Pipe;
use super::rng::Rng;
use super::script::Action;
use super::trace::{Happening, Summary, Trace};

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
                if self.is_accepted(result, expected, (&Received::Ping(payload.clone())).into()) {
                    self.said.ping(payload);
                }
            }
            Action::Close(frame) => {
                self.end.connection.close(frame.as_ref());
                self.said.close(frame.clone());
                self.note(Happening::Sent((&Received::Close(frame)).into()));
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
        self.note(if result.is_ok() { Happening::Sent(what) } else { Happening::Rejected });
        result.is_ok()
    }

    pub(super) fn note(&mut self, what: Happening) {
        self.trace.note(self.at, self.end.role, what);
    }
}
