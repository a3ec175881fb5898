use std::io::IoSlice;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fullduplex_fuzz::{Agreement, Parts, masks};
use fullduplex_proto::{
    CloseFrame, Connection, Delivery, Limits, Message, Misuse, Part, Received, Role,
};

use crate::content::{Content, Sending};
use crate::frames;
use crate::pipe::Pipe;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// One end, and its model.
#[derive(Debug)]
pub(crate) struct End {
    role: Role,
    agreement: Option<Agreement>,
    connection: Connection,
    /// The transport to the other end.
    pipe: Pipe,
    input: BytesMut,
    input_ended: bool,
    parts: Parts,
    /// The events that the other end must receive for what this end has sent, without Pongs.
    sent: Vec<Received>,
    /// The message that is being sent in parts, and its kind.
    begun: Parts,
    begun_kind: Option<Discriminant<Message>>,
    /// How many of the other end's `sent` were received.
    seen: usize,
    /// The index in `sent` after the last Ping that was answered.
    unanswered: usize,
    /// How many payload bytes were sent, and how many were reported as written.
    payload_sent: usize,
    payload_written: usize,
    write_failed: bool,
}

impl End {
    pub(crate) fn new(role: Role, agreement: Option<Agreement>) -> Self {
        let limits = Limits::default();
        let mut connection = match role {
            Role::Client => Connection::client(limits, CLOSE_TIMEOUT, masks()),
            Role::Server => Connection::server(limits, CLOSE_TIMEOUT),
        };
        if let Some(agreement) = agreement {
            connection = connection.with_deflate(agreement.deflate());
        }
        Self {
            role,
            agreement,
            connection,
            pipe: Pipe::default(),
            input: BytesMut::new(),
            input_ended: false,
            parts: Parts::default(),
            sent: Vec::new(),
            begun: Parts::default(),
            begun_kind: None,
            seen: 0,
            unanswered: 0,
            payload_sent: 0,
            payload_written: 0,
            write_failed: false,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.connection.closed().is_some()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    pub(crate) fn send(&mut self, sending: Sending, content: Content) {
        let message = content.message(self.sent.len());
        let expected = match self.begun_kind {
            _ if !self.may_send() => Err(Misuse::Closing),
            Some(_) => Err(Misuse::MessageUnderWay),
            None => Ok(()),
        };
        assert_eq!(self.connection.send(sending.outgoing(message.clone())), expected);
        if expected.is_ok() {
            self.payload_sent += message.len();
            self.sent.push(Received::Message(message));
        }
    }

    pub(crate) fn send_part(&mut self, content: Content, last: bool) {
        let content = content.message(self.sent.len());
        let kind = discriminant(&content);
        let expected = match self.begun_kind {
            _ if !self.may_send() => Err(Misuse::Closing),
            Some(begun) if begun != kind => Err(Misuse::KindOfPart),
            _ => Ok(()),
        };
        let part = Part { content, last };
        assert_eq!(self.connection.send_part(&part), expected);
        if expected.is_ok() {
            self.payload_sent += part.content.len();
            self.begun_kind = (!last).then_some(kind);
            self.sent.extend(self.begun.join(Received::Part(part)));
        }
    }

    pub(crate) fn ping(&mut self, len: usize) {
        let payload = vec![self.sent.len() as u8; len];
        let expected = match len {
            _ if !self.may_send() => Err(Misuse::Closing),
            126.. => Err(Misuse::PingTooLong(len)),
            _ => Ok(()),
        };
        assert_eq!(self.connection.ping(&payload), expected);
        if expected.is_ok() {
            self.sent.push(Received::Ping(payload.into()));
        }
    }

    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        self.connection.close(frame.as_ref());
        self.has_closed(frame);
    }

    pub(crate) fn deliver_in_parts(&mut self, in_parts: bool) {
        let delivery = if in_parts { Delivery::Parts } else { Delivery::Whole };
        self.connection.set_delivery(delivery);
    }

    pub(crate) fn wait(&mut self, now: Instant) {
        let next = self.connection.handle_timeout(now);
        assert_eq!(next.is_some(), self.connection.has_deadline());
        assert!(next.is_none_or(|next| next > now));
    }

    pub(crate) fn cut(&mut self, lossy: bool) {
        self.pipe.cut(lossy);
    }

    /// Lets the transport take up to `count` bytes, even if the peer will not read them. Returns whether
    /// anything happened.
    pub(crate) fn write(&mut self, count: usize) -> bool {
        if self.pipe.is_broken && !self.connection.is_flushed() {
            self.connection.handle_write_failed();
            return !std::mem::replace(&mut self.write_failed, true);
        }
        let taken = self.take_output(count);
        if self.connection.wants_shutdown() {
            self.connection.handle_shutdown();
            self.pipe.has_ended = true;
            return true;
        }
        taken > 0
    }

    /// Lets up to `count` bytes arrive, or the end of the transport. Returns whether anything happened.
    pub(crate) fn read(&mut self, peer: &mut Self, count: usize) -> bool {
        let arrived = peer.pipe.read(count);
        if !arrived.is_empty() {
            self.input.extend_from_slice(arrived);
            // Takes the first messages as a batch, and the other events one by one.
            for message in self.connection.take_messages(&mut self.input) {
                self.see(Received::Message(message), &peer.sent);
            }
            while let Some(event) = self.connection.handle_input(&mut self.input).expect("no fault")
            {
                self.see(event, &peer.sent);
            }
            return true;
        }
        if self.input_ended || !peer.pipe.is_empty() || !(peer.pipe.has_ended || peer.has_ended()) {
            return false;
        }
        self.connection.handle_end_of_input();
        self.input_ended = true;
        true
    }

    /// Writes and reads everything possible. Returns whether anything happened.
    pub(crate) fn write_and_read(&mut self, peer: &mut Self) -> bool {
        !self.has_ended() && (self.write(usize::MAX) | self.read(peer, usize::MAX))
    }

    /// Checks what must hold at any time.
    pub(crate) fn check(&self) {
        assert_eq!(self.is_open(), self.may_send() && !self.has_ended());
        assert_eq!(self.connection.is_flushed(), self.connection.queued_bytes() == 0);
        assert!(self.payload_written <= self.payload_sent);
        if self.connection.is_flushed() && !self.write_failed {
            assert_eq!(self.payload_written, self.payload_sent);
        }
    }

    /// Checks what must hold when both ends have ended.
    pub(crate) fn check_end(&self, peer: &Self, is_undisturbed: bool) {
        let closed = self.connection.closed().expect("it has ended");
        let close_written = frames::check(&self.pipe.wire, self.role, self.agreement.is_some());
        assert!(closed.was_clean() || !is_undisturbed, "{closed:?}");
        if closed.was_clean() {
            assert!(close_written);
            assert_eq!(self.seen, peer.sent.len());
            let Some(Received::Close(frame)) = peer.sent.last() else {
                panic!("a clean end without a Close from the peer");
            };
            let frame = frame.as_ref().map(|frame| (frame.code.get(), frame.reason.as_str()));
            assert_eq!((closed.code(), closed.reason()), frame.unwrap_or((1005, "")));
        }
    }

    fn may_send(&self) -> bool {
        !self.write_failed && !matches!(self.sent.last(), Some(Received::Close(_)))
    }

    /// Records that a Close was queued, if that was possible.
    fn has_closed(&mut self, frame: Option<CloseFrame>) {
        if self.may_send() {
            self.sent.push(Received::Close(frame));
        }
    }

    fn take_output(&mut self, count: usize) -> usize {
        let mut slices = [IoSlice::new(&[]); 4];
        let shown = self.connection.poll_output(&mut slices);
        let output = slices[..shown].iter().flat_map(|slice| slice.iter().copied());
        let before = self.pipe.wire.len();
        self.pipe.wire.extend(output.take(count));
        let taken = self.pipe.wire.len() - before;
        self.payload_written += self.connection.handle_written(taken);
        taken
    }

    /// Checks that an event is the next one that the peer has sent. Pongs must answer our Pings in order, but
    /// some Pings may stay unanswered.
    fn see(&mut self, event: Received, sent: &[Received]) {
        let Some(event) = self.parts.join(event) else {
            return;
        };
        if let Received::Pong(payload) = event {
            let ping = Received::Ping(payload);
            let answered = self.sent[self.unanswered..].iter().position(|sent| *sent == ping);
            self.unanswered += answered.expect("the Pong answers a Ping") + 1;
            return;
        }
        assert_eq!(Some(&event), sent.get(self.seen));
        self.seen += 1;
        if let Received::Close(frame) = event {
            self.has_closed(frame);
        }
    }
}
