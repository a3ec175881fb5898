//! What was sent and received, and why a socket may end.

use std::time::Duration;

use bytes::Bytes;
use fullduplex_net::Message;
use tokio::time::Instant;

use super::link::Fault;
use super::plan::{LONGEST_REST, Side};
use super::tally::Tally;
use super::trace::{Trace, TraceEvent};
use crate::rng::Rng;

/// The most time from a Close, a dropped socket or a shutdown to the end of both ends: the timeout of the close
/// until the Close is written, and again until it is answered, and the pauses of the application.
const CLOSE_LIMIT: Duration = Duration::from_secs(2 * 10 + 2 * LONGEST_REST.as_secs() + 10);

/// The most time from the loss of a link to the end of both ends: two intervals of keepalive.
const LOSS_LIMIT: Duration = Duration::from_secs(2 * 30 + 2 * LONGEST_REST.as_secs());

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) trace: Trace,
    seed: u64,
    start: Instant,
    sockets: Vec<[EndRecord; 2]>,
    /// When links failed or the server began to shut down, and how long sockets may last after that.
    failures: Vec<(Instant, Duration)>,
    /// Whether bytes are lost without a notice, so that an end may not learn that the other one has closed.
    has_vanished: bool,
    /// Whether a link was stalled. A server may then end a connection as idle, before a request reaches it.
    was_stalled: bool,
    /// The first violation of an invariant. A panic would end a handler only.
    pub(super) violation: Option<String>,
    pub(super) tally: Tally,
}

/// What one end of a socket did.
#[derive(Debug, Clone, Copy, Default)]
struct EndRecord {
    sent: u64,
    received: u64,
    /// When it began to close, or dropped its socket.
    closing: Option<Instant>,
    is_open: bool,
}

impl Ledger {
    pub(super) fn new(seed: u64, sockets: usize, trace: Trace) -> Self {
        let sockets = vec![Default::default(); sockets];
        let tally = Tally { seeds: 1, ..Tally::default() };
        Self {
            trace,
            seed,
            start: Instant::now(),
            sockets,
            failures: Vec::new(),
            has_vanished: false,
            was_stalled: false,
            violation: None,
            tally,
        }
    }

    /// Records a violation unless `holds`.
    pub(super) fn require(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.violation.get_or_insert_with(violation);
        }
    }

    pub(super) fn note(&mut self, event: TraceEvent) {
        self.trace.note(self.start.elapsed(), event);
    }

    pub(super) fn connects(&mut self) {
        self.note(TraceEvent::Connects);
        self.tally.connections += 1;
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.note(TraceEvent::Fault(fault));
        match fault {
            Fault::Stall(_) => self.was_stalled = true,
            Fault::Cut => self.failures.push((Instant::now(), LOSS_LIMIT)),
            Fault::Vanish => {
                self.has_vanished = true;
                self.failures.push((Instant::now(), LOSS_LIMIT));
            }
        }
    }

    pub(super) fn shutdown(&mut self) {
        self.note(TraceEvent::Shutdown);
        self.failures.push((Instant::now(), CLOSE_LIMIT));
    }

    pub(super) fn opened(&mut self, id: usize, side: Side) {
        self.note(TraceEvent::Opened(id, side));
        let was_open = std::mem::replace(&mut self.end(id, side).is_open, true);
        self.require(!was_open, || format!("M1: socket {id} was opened twice"));
        self.tally.sockets += u64::from(side == Side::Client);
    }

    pub(super) fn not_opened(&mut self, id: usize, error: &dyn std::error::Error) {
        self.note(TraceEvent::NotOpened(id, error.to_string()));
        let has_cause = self.was_stalled || !self.failures.is_empty();
        self.require(has_cause, || format!("M3: socket {id} could not be opened: {error:?}"));
        self.tally.unopened += 1;
    }

    /// Returns the next message that this end sends.
    pub(super) fn next_message(&mut self, id: usize, side: Side, length: usize) -> Message {
        let number = self.end(id, side).sent;
        content(self.seed, id, side, number, length).into()
    }

    /// The message of [`next_message`](Self::next_message) was queued.
    pub(super) fn sent(&mut self, id: usize, side: Side) {
        let number = self.end(id, side).sent;
        self.end(id, side).sent += 1;
        self.note(TraceEvent::Sent(id, side, number));
    }

    pub(super) fn received(&mut self, id: usize, side: Side, message: &Message) {
        let number = self.end(id, side).received;
        self.note(TraceEvent::Received(id, side, number));
        let bytes = message.payload();
        let expected = content(self.seed, id, side.peer(), number, bytes.len());
        let is_sent = number < self.end(id, side.peer()).sent;
        self.require(is_sent && *bytes == expected, || {
            format!("M1: another message than number {number} reached the {side:?} of socket {id}")
        });
        self.end(id, side).received += 1;
        self.tally.messages += 1;
        self.tally.bytes += bytes.len() as u64;
    }

    /// This end begins to close its socket, or has dropped it.
    pub(super) fn closing(&mut self, id: usize, side: Side, event: TraceEvent) {
        self.note(event);
        self.end(id, side).closing.get_or_insert_with(Instant::now);
    }

    /// This end has ended, with the code of the peer's Close.
    pub(super) fn ended(&mut self, id: usize, side: Side, code: Option<u16>) {
        self.note(TraceEvent::Ended(id, side, code));
        let (own, peer) = (*self.end(id, side), *self.end(id, side.peer()));
        // An end that answers a Close may discard what it has queued.
        if code.is_some_and(|code| !side.is_answer(code)) {
            let [received, sent] = [own.received, peer.sent];
            self.require(received == sent, || {
                format!("M2: {received} of {sent} messages reached the {side:?} of socket {id}")
            });
        }
        match code {
            Some(_) => self.tally.closed += 1,
            None => self.tally.lost += 1,
        }
        let peer_closing = peer.closing.filter(|_| !self.has_vanished);
        let closes = [own.closing, peer_closing].into_iter().flatten().map(|at| (at, CLOSE_LIMIT));
        let failures = self.failures.iter().copied();
        // Without a way for bytes, a shutdown reaches the server only.
        let failures = failures.filter(|(_, limit)| !self.has_vanished || *limit == LOSS_LIMIT);
        let now = Instant::now();
        let limit = closes.chain(failures).map(|(at, limit)| at + limit).min();
        let what = format!("the {side:?} of socket {id} has ended with {code:?}");
        match limit {
            None => self.require(false, || format!("M3: {what}")),
            Some(limit) => {
                self.require(now <= limit, || format!("M4: {what}, {:?} late", now - limit))
            }
        }
    }

    fn end(&mut self, id: usize, side: Side) -> &mut EndRecord {
        &mut self.sockets[id][side as usize]
    }
}

/// Returns the content of a message. It depends on everything that identifies the message.
fn content(seed: u64, id: usize, side: Side, number: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    let message = (id as u64) << 33 | (side as u64) << 32 | number;
    Rng::new(seed ^ message.wrapping_mul(0x2545_F491_4F6C_DD1D)).fill(&mut bytes);
    bytes.into()
}
