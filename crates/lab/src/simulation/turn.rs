//! One turn of one end.

use std::time::{Duration, Instant};

use fullduplex_proto::{Delivery, Message, Misuse, Outgoing, Part, Received};

use super::end::End;
use super::flow::Flow;
use super::pipe::Pipe;
use super::script::Action;
use super::trace::{Summary, Trace, TraceEvent};
use crate::rng::Rng;

/// One end, with the pipes and the models of both directions.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) end: &'a mut End,
    pub(super) outgoing_flow: &'a mut Flow,
    pub(super) incoming_flow: &'a mut Flow,
    pub(super) outgoing: &'a mut Pipe,
    pub(super) incoming: &'a mut Pipe,
    pub(super) now: Instant,
    pub(super) rng: &'a mut Rng,
    pub(super) trace: &'a mut Trace,
    /// The time since the beginning of the run.
    pub(super) at: Duration,
}

impl Turn<'_> {
    /// Does the next action of the application.
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
                    self.outgoing_flow.ping(payload);
                }
            }
            Action::Close(frame) => {
                self.end.connection.close(frame.as_ref());
                self.outgoing_flow.close(frame.clone());
                self.note(TraceEvent::Sent((&Received::Close(frame)).into()));
            }
            Action::Deliver(delivery) => {
                self.end.connection.set_delivery(delivery);
                self.note(TraceEvent::Delivers { parts: delivery == Delivery::Parts });
            }
            Action::Pause(pause) => {
                self.note(TraceEvent::Paused(pause));
                self.end.pause(self.now + pause);
            }
            Action::Rest(rest) => {
                self.note(TraceEvent::Rests(rest));
                self.end.rests_until = Some(self.now + rest);
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        let content = outgoing.message().clone();
        let compressed =
            self.compresses(&content) && !matches!(outgoing, Outgoing::Uncompressed(_));
        let expected = self.if_open(self.outgoing_flow.check_message());
        let result = self.end.connection.send(outgoing);
        if self.is_accepted(result, expected, (&content).into()) {
            self.outgoing_flow.send(Part { content, last: true }, compressed);
        }
    }

    fn send_part(&mut self, part: Part) {
        // The length of the message is not known yet, so the threshold does not apply.
        let compressed = self.compresses(&part.content) || !part.last && self.end.deflate.is_some();
        let expected = self.if_open(self.outgoing_flow.check_part(&part));
        let result = self.end.connection.send_part(&part);
        if self.is_accepted(result, expected, (&part).into()) {
            self.outgoing_flow.send(part, compressed);
        }
    }

    /// Returns whether a message in one frame is long enough to be compressed.
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
        self.note(if result.is_ok() { TraceEvent::Sent(what) } else { TraceEvent::Rejected });
        result.is_ok()
    }

    pub(super) fn note(&mut self, what: TraceEvent) {
        self.trace.note(self.at, self.end.role, what);
    }
}
