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

/// One end of a socket that was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndId {
    pub(super) socket: usize,
    pub(super) side: Side,
    /// How many ends of the server belonged to earlier requests for the same socket. A client repeats a request if its
    /// connection fails before the response.
    repeats: usize,
}

/// What one end of a socket did.
#[derive(Debug, Clone, Copy, Default)]
struct EndRecord {
    sent: u64,
    received: u64,
    /// When it began to close, or dropped its socket.
    closing: Option<Instant>,
    /// How many times it was opened. The record is about the last time.
    opened: usize,
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

    pub(super) fn opened(&mut self, socket: usize, side: Side) -> EndId {
        self.note(TraceEvent::Opened(socket, side));
        let repeats = self.sockets[socket][side as usize].opened;
        let is_answered = self.sockets[socket][Side::Client as usize].opened > 0;
        let may_repeat = !is_answered && self.may_fail_to_open();
        self.require(repeats == 0 || may_repeat, || {
            format!("M1: socket {socket} was opened twice")
        });
        let record = EndRecord { opened: repeats + 1, ..EndRecord::default() };
        self.sockets[socket][side as usize] = record;
        self.tally.sockets += u64::from(side == Side::Client);
        EndId { socket, side, repeats }
    }

    pub(super) fn not_opened(&mut self, id: usize, error: &dyn std::error::Error) {
        self.note(TraceEvent::NotOpened(id, error.to_string()));
        let has_cause = self.may_fail_to_open();
        self.require(has_cause, || format!("M3: socket {id} could not be opened: {error:?}"));
        self.tally.unopened += 1;
    }

    /// Returns the next message that this end sends.
    pub(super) fn next_message(&mut self, end: EndId, length: usize) -> Message {
        content(self.seed, end, self.record(end).sent, length).into()
    }

    /// The message of [`next_message`](Self::next_message) was queued.
    pub(super) fn sent(&mut self, end: EndId) {
        let number = self.record(end).sent;
        self.note(TraceEvent::Sent(end.socket, end.side, number));
        if !self.is_abandoned(end) {
            self.record_mut(end).sent += 1;
        }
    }

    pub(super) fn received(&mut self, end: EndId, message: &Message) {
        let EndId { socket, side, .. } = end;
        let number = self.record(end).received;
        self.note(TraceEvent::Received(socket, side, number));
        let bytes = message.payload();
        let repeats = self.peer(end).opened.saturating_sub(1);
        let sender = EndId { socket, side: side.peer(), repeats };
        let expected = content(self.seed, sender, number, bytes.len());
        let is_sent = number < self.peer(end).sent && !self.is_abandoned(end);
        self.require(is_sent && *bytes == expected, || {
            format!(
                "M1: another message than number {number} reached the {side:?} of socket {socket}"
            )
        });
        self.record_mut(end).received += 1;
        self.tally.messages += 1;
        self.tally.bytes += bytes.len() as u64;
    }

    /// This end begins to close its socket, or has dropped it.
    pub(super) fn closing(&mut self, end: EndId, event: TraceEvent) {
        self.note(event);
        if !self.is_abandoned(end) {
            self.record_mut(end).closing.get_or_insert_with(Instant::now);
        }
    }

    /// This end has ended, with the code of the peer's Close.
    pub(super) fn ended(&mut self, end: EndId, code: Option<u16>) {
        let EndId { socket, side, .. } = end;
        self.note(TraceEvent::Ended(socket, side, code));
        let (own, peer) = match self.is_abandoned(end) {
            true => Default::default(),
            false => (*self.record(end), *self.peer(end)),
        };
        let has_peer = code.is_none() || peer.opened > 0;
        self.require(has_peer, || format!("M1: a Close reached an abandoned end of {socket}"));
        // An end that answers a Close may discard what it has queued.
        if code.is_some_and(|code| !side.is_answer(code)) {
            let [received, sent] = [own.received, peer.sent];
            self.require(received == sent, || {
                format!("M2: {received} of {sent} messages reached the {side:?} of socket {socket}")
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
        let what = format!("the {side:?} of socket {socket} has ended with {code:?}");
        match limit {
            None => self.require(false, || format!("M3: {what}")),
            Some(limit) => {
                self.require(now <= limit, || format!("M4: {what}, {:?} late", now - limit))
            }
        }
    }

    /// Returns whether a connection may have failed or ended before a socket was open.
    fn may_fail_to_open(&self) -> bool {
        self.was_stalled || !self.failures.is_empty()
    }

    /// Returns whether the client has repeated the request of this end, so that nothing reaches it.
    fn is_abandoned(&self, end: EndId) -> bool {
        self.record(end).opened > end.repeats + 1
    }

    fn record(&self, end: EndId) -> &EndRecord {
        &self.sockets[end.socket][end.side as usize]
    }

    fn record_mut(&mut self, end: EndId) -> &mut EndRecord {
        &mut self.sockets[end.socket][end.side as usize]
    }

    fn peer(&self, end: EndId) -> &EndRecord {
        &self.sockets[end.socket][end.side.peer() as usize]
    }
}

/// Returns the content of a message. It depends on everything that identifies the message.
fn content(seed: u64, end: EndId, number: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    let EndId { socket, side, repeats } = end;
    let message = (repeats as u64) << 48 | (socket as u64) << 33 | (side as u64) << 32 | number;
    Rng::new(seed ^ message.wrapping_mul(0x2545_F491_4F6C_DD1D)).fill(&mut bytes);
    bytes.into()
}
