//! The timeouts of an open connection: for the Pong, for the end of a message, and for the next message.
//! The test controls the clock.

use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::BytesMut;
use fullduplex_proto::{Closed, Connection, ConnectionError, Received, Role, Timeouts, Violation};

use crate::support::pair::Clock;
use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// How the peer and the transport behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// The peer answers each Ping.
    Alive,
    /// The peer accepts all bytes and sends nothing.
    Silent,
    /// The transport accepts no bytes.
    Stuck,
}

/// A connection with a driver, a clock and a simulated peer.
struct Driven {
    role: Role,
    connection: Connection,
    clock: Clock,
    began: Instant,
    input: BytesMut,
    peer: Peer,
    /// All frames that the connection sent.
    sent: Vec<Frame>,
}

impl Driven {
    fn new(role: Role, peer: Peer, timeouts: Timeouts) -> Self {
        let connection = connection(role).with_timeouts(timeouts);
        let clock = Clock::new();
        let (began, input, sent) = (clock.now, BytesMut::new(), Vec::new());
        let mut driven = Self { role, connection, clock, began, input, peer, sent };
        driven.poll_timeouts();
        driven
    }

    /// Reads bytes from the peer.
    fn read(&mut self, wire: &[u8]) -> Vec<Received> {
        let (events, violation) = read(&mut self.connection, &mut self.input, wire);
        assert_eq!(violation, None);
        events
    }

    /// Calls `handle_timeout` and writes the output, until there is no more output.
    fn poll_timeouts(&mut self) -> Option<Instant> {
        loop {
            let next = self.connection.handle_timeout(self.clock.now);
            assert_eq!(self.connection.handle_timeout(self.clock.now), next, "a second call");
            assert_eq!(self.connection.has_deadline(), next.is_some());
            if self.peer == Peer::Stuck || self.connection.is_flushed() {
                return next;
            }
            for frame in sent(&mut self.connection) {
                if frame.opcode == PING && self.peer == Peer::Alive {
                    self.read(&crate::support::frame(PONG, &frame.payload).to(self.role));
                }
                self.sent.push(frame);
            }
        }
    }

    /// Advances the clock, and calls `handle_timeout` at each instant that it returned.
    fn pass(&mut self, time: Duration) {
        let end = self.clock.now + time;
        while let Some(next) = self.poll_timeouts().filter(|&next| next < end) {
            assert!(next > self.clock.now, "the next instant is in the future");
            self.clock.now = next;
        }
        self.clock.now = end;
        self.poll_timeouts();
    }

    /// Advances the clock until the connection has ended. Returns when and how it ended.
    fn end(&mut self) -> (Duration, Closed) {
        while let Some(next) = self.poll_timeouts() {
            self.clock.now = next;
        }
        let closed = self.connection.closed().expect("no deadline is left");
        (self.clock.now - self.began, closed.clone())
    }

    fn pings(&self) -> Vec<&[u8]> {
        let pings = self.sent.iter().filter(|frame| frame.opcode == PING);
        pings.map(|frame| &*frame.payload).collect()
    }
}

fn assert_lost(closed: &Closed) {
    assert_eq!((closed.code(), closed.was_clean()), (1006, false));
    assert_eq!(closed.failure(), Some(ConnectionError::PongTimeout));
}

/// Faults FT-01 and FT-02: a peer that sends nothing and a transport that accepts nothing are detected.
#[test]
fn a_dead_peer_is_found_within_41_seconds() {
    for role in ROLES {
        for peer in [Peer::Silent, Peer::Stuck] {
            let mut end = Driven::new(role, peer, Timeouts::default());
            let (after, closed) = end.end();
            assert!(after <= 41 * SECOND, "{role:?}: {peer:?}: {after:?}");
            assert_lost(&closed);
            assert!(end.connection.is_flushed(), "nothing is queued for a lost peer");
        }
    }
}

/// RFC6455-7.1.7-4, RFC6455-7.3-1: a peer that answers Pings stays connected.
#[test]
fn a_peer_that_answers_is_pinged_every_20_seconds() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
        end.pass(3600 * SECOND);
        assert!(end.connection.is_open());
        let mut pings = end.pings();
        assert_eq!(pings.len(), 180);
        pings.dedup();
        assert_eq!(pings.len(), 180, "all Pings differ");
        end.peer = Peer::Silent;
        end.pass(41 * SECOND);
        assert_lost(end.connection.closed().expect("it does not answer any more"));
    }
}

/// Fault FT-16: Pongs with other payloads do not count and take no memory.
#[test]
fn only_the_pong_to_the_last_ping_counts() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
        end.pass(30 * SECOND);
        let answered = end.pings()[0].to_vec();
        end.peer = Peer::Silent;
        end.pass(11 * SECOND);
        let awaited = end.pings()[1].to_vec();
        let mut wrong = awaited.clone();
        wrong[7] ^= 1;
        let longer = [&*awaited, &[0]].concat();
        let pongs = [&b""[..], b"unsolicited", &answered, &wrong, &longer, &awaited[1..]];
        let pongs: Vec<u8> = pongs.iter().flat_map(|pong| frame(PONG, pong).to(role)).collect();
        let pongs = pongs.repeat(1000);
        for _ in 0..18 {
            let kept = measure(|| {
                for _ in 0..10 {
                    end.input.extend_from_slice(&pongs);
                    let mut next = || end.connection.handle_input(&mut end.input);
                    while let Some(event) = next().expect("a Pong is allowed") {
                        assert!(matches!(event, Received::Pong(_)));
                    }
                }
                end.input = BytesMut::new();
            });
            assert!(kept.bytes_current <= 0, "{kept:?}");
            end.pass(SECOND);
        }
        assert!(end.connection.is_open());
        let mut answered = Driven { peer: Peer::Alive, ..end };
        answered.read(&frame(PONG, &awaited).to(role));
        answered.pass(60 * SECOND);
        assert!(answered.connection.is_open());
        answered.peer = Peer::Silent;
        // Messages do not count as an answer either.
        for _ in 0..41 {
            answered.read(&[frame(TEXT, "x").to(role), pongs.clone()].concat());
            answered.pass(SECOND);
        }
        assert_lost(answered.connection.closed().expect("none of them answers"));
    }
}

/// Fault FT-02: the deadline for the Pong starts when the Ping is written.
#[test]
fn writing_bytes_before_the_ping_postpones_the_pong_deadline() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Stuck, Timeouts::default());
        end.connection.send(vec![0; 100]).unwrap();
        end.pass(20 * SECOND);
        // The Ping is at the end of the queue.
        while !end.connection.is_flushed() {
            end.pass(20 * SECOND - MILLISECOND);
            assert!(end.connection.is_open());
            end.connection.handle_written(1);
        }
        end.peer = Peer::Silent;
        end.pass(20 * SECOND - MILLISECOND);
        assert!(end.connection.is_open());
        // Writing bytes after the Ping does not postpone the deadline.
        end.connection.send("after it").unwrap();
        end.pass(MILLISECOND);
        assert_lost(end.connection.closed().expect("the Pong is overdue"));
    }
}

/// The peer cannot send its Pong within a frame, so a frame that is arriving postpones the deadline.
#[test]
fn a_large_frame_postpones_the_pong_deadline() {
    const SIZE: usize = 64 << 20;
    const PIECES: usize = 240;
    for (role, fin) in [(Role::Client, true), (Role::Server, true), (Role::Server, false)] {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        end.pass(19 * SECOND);
        let wire = Frame { fin, ..frame(BINARY, vec![7; SIZE]) }.to(role);
        let mut received = Vec::new();
        for piece in wire.chunks(SIZE / PIECES) {
            received.extend(end.read(piece));
            end.pass(SECOND);
        }
        if !fin {
            received = end.read(&frame(CONTINUATION, "").to(role));
        }
        assert!(matches!(&received[..], [Received::Message(message)] if message.len() == SIZE));
        assert!(end.connection.is_open(), "{:?}", end.connection.closed());
        let pong = frame(PONG, end.pings()[0]).to(role);
        end.read(&pong);
        assert_eq!(end.pings().len(), 1);
        // A frame of which no more bytes arrive does not postpone the deadline.
        end.read(&wire[..wire.len() / 2]);
        let (after, closed) = end.end();
        assert!(after <= (19 + 241 + 41) * SECOND, "{after:?}");
        assert_lost(&closed);
    }
}

/// A control frame that arrives byte by byte does not postpone the deadline, because control frames are
/// short.
#[test]
fn a_slow_control_frame_does_not_postpone_the_pong_deadline() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        for byte in frame(PING, [7; 125]).to(role) {
            if end.connection.closed().is_none() {
                end.read(&[byte]);
            }
            end.pass(SECOND);
        }
        assert_lost(end.connection.closed().expect("no Pong arrived"));
    }
}

/// Fault FT-17, RFC6455-10.4-1: the peer answers Pings, but its message does not end.
#[test]
fn a_message_without_end_fails_the_connection() {
    for role in ROLES {
        let fragment = frame(CONTINUATION, "x").unfinished().to(role);
        let endless = header_to(role, 0x82, 1 << 20);
        for (first, then) in [
            (frame(TEXT, "x").unfinished().to(role), [fragment, frame(PONG, "").to(role)].concat()),
            (endless, vec![0]),
        ] {
            let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
            if then.len() == 1 {
                // The peer cannot send a Pong within a frame.
                end.peer = Peer::Silent;
            }
            end.pass(10 * SECOND);
            end.read(&first);
            for _ in 0..24 * 3600 {
                end.pass(SECOND);
                if !end.connection.is_open() {
                    break;
                }
                end.read(&then);
                end.connection.send("a message of ours").unwrap();
            }
            assert_eq!(end.clock.now - end.began, 310 * SECOND);
            let failure = Some(ConnectionError::Violation(Violation::MessageTooSlow));
            assert_eq!(end.connection.failure(), failure);
            assert_eq!(end.sent.last().unwrap().close_code(), Some(1008));
            assert_eq!(end.read(&then), [], "further input is discarded");
            end.connection.handle_end_of_input();
            assert_eq!(end.connection.closed().unwrap().failure(), failure);
        }
    }
}

/// The limit applies to each message separately, not to a sequence of messages without a pause.
#[test]
fn the_message_limit_restarts_with_each_message() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
        let begin = frame(TEXT, "x").unfinished().to(role);
        let end_and_begin = [frame(CONTINUATION, "x").to(role), begin.clone()].concat();
        end.read(&begin);
        for _ in 0..10 {
            end.pass(299 * SECOND);
            assert_eq!(end.read(&end_and_begin).len(), 1);
        }
        assert!(end.connection.is_open());
        end.pass(301 * SECOND);
        assert!(!end.connection.is_open());
    }
}

/// Fault FT-36: after a stall of this end, the deadlines restart.
#[test]
fn a_stall_of_this_end_restarts_the_deadlines() {
    for role in ROLES {
        for answers in [true, false] {
            let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
            end.pass(21 * SECOND);
            end.read(&frame(BINARY, "x").unfinished().to(role));
            end.clock.advance(60 * SECOND);
            end.poll_timeouts();
            assert!(end.connection.is_open(), "its Pong may be unread");
            if answers {
                let pong = frame(PONG, end.pings()[0]).to(role);
                end.peer = Peer::Alive;
                end.read(&pong);
            }
            end.pass(20 * SECOND);
            assert_eq!(end.connection.is_open(), answers);
        }
        let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
        end.read(&frame(BINARY, "x").unfinished().to(role));
        end.pass(299 * SECOND);
        end.clock.advance(600 * SECOND);
        end.poll_timeouts();
        end.pass(299 * SECOND);
        assert!(end.connection.is_open(), "the rest of the message may be unread");
        end.pass(SECOND);
        assert!(!end.connection.is_open());
    }
}

/// While the application does not read, the deadlines for the Pong and the message restart.
#[test]
fn a_pause_of_reading_restarts_the_deadlines() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(60 * SECOND);
        let mut end = Driven::new(role, Peer::Silent, timeouts);
        end.pass(21 * SECOND);
        let pong = frame(PONG, end.pings()[0]).to(role);
        end.read(&frame(BINARY, "x").unfinished().to(role));
        for _ in 0..600 {
            end.connection.handle_pause();
            end.pass(SECOND);
        }
        assert!(end.connection.is_open());
        end.peer = Peer::Alive;
        end.read(&pong);
        end.pass(298 * SECOND);
        assert!(end.connection.is_open());
        end.pass(2 * SECOND);
        assert_eq!(
            end.connection.failure(),
            Some(ConnectionError::Violation(Violation::MessageTooSlow))
        );
    }
}

/// Only messages restart the idle timeout, in both directions.
#[test]
fn an_idle_connection_is_closed() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(60 * SECOND);
        let mut end = Driven::new(role, Peer::Alive, timeouts);
        for _ in 0..3 {
            end.pass(59 * SECOND);
            end.read(&frame(TEXT, "x").to(role));
            end.pass(59 * SECOND);
            end.connection.send("x").unwrap();
            // The idle limit does not apply while a message is arriving.
            end.pass(59 * SECOND);
            end.read(&frame(TEXT, "x").unfinished().to(role));
            end.pass(200 * SECOND);
            end.read(&frame(CONTINUATION, "x").to(role));
        }
        end.connection.ping(b"no message").unwrap();
        end.pass(60 * SECOND - MILLISECOND);
        assert!(end.connection.is_open());
        end.read(&frame(PING, "no message").to(role));
        end.pass(MILLISECOND);
        let close = end.sent.last().unwrap();
        assert_eq!(close.payload, close_frame(1001, "idle").payload);
        end.read(&close_frame(1001, "idle").to(role));
        end.connection.handle_end_of_input();
        assert!(end.connection.closed().unwrap().was_clean());
    }
}

/// RFC6455-5.5.1-7: after a Close, only the close deadline applies.
#[test]
fn a_closing_connection_sends_no_pings() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.close = 90 * SECOND;
        let mut end = Driven::new(role, Peer::Silent, timeouts);
        end.pass(19 * SECOND);
        end.connection.close(None);
        let (after, closed) = end.end();
        assert_eq!(after, 109 * SECOND);
        assert_eq!(closed.failure(), Some(ConnectionError::CloseTimeout));
        assert_eq!(end.pings(), [b""; 0]);
    }
}

/// Timeouts can be off, or so long that no `Instant` can represent their end.
#[test]
fn timeouts_can_be_off_or_unlimited() {
    let mut never = Timeouts::default();
    (never.ping, never.message, never.idle) = (None, None, None);
    let mut beyond = Timeouts::default();
    (beyond.pong, beyond.close) = (Duration::MAX, Duration::MAX);
    (beyond.message, beyond.idle) = (Some(Duration::MAX), Some(Duration::MAX));
    for role in ROLES {
        let mut end = connection(role).with_timeouts(never);
        events(&mut end, &frame(TEXT, "x").unfinished().to(role));
        let mut clock = Clock::new();
        assert_eq!(end.handle_timeout(clock.now), None);
        assert!(!end.has_deadline());
        let mut end = connection(role).with_timeouts(beyond);
        for _ in 0..10 {
            end.handle_timeout(clock.advance(3600 * SECOND));
            assert!(end.is_open());
        }
    }
}

/// FS-08: zero means "not set". It does not end a connection immediately, and it does not send Pings
/// continuously.
#[test]
fn a_timeout_of_zero_is_not_set() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.ping = Some(Duration::ZERO);
        timeouts.message = Some(Duration::ZERO);
        timeouts.idle = Some(Duration::ZERO);
        timeouts.close = Duration::ZERO;
        timeouts.pong = Duration::ZERO;
        let mut end = Driven::new(role, Peer::Silent, timeouts);
        assert!(!end.connection.has_deadline());
        end.read(&frame(TEXT, "begun").unfinished().to(role));
        end.pass(3600 * SECOND);
        assert!(end.connection.is_open() && end.sent.is_empty());
        end.connection.close(None);
        assert_eq!(end.poll_timeouts(), Some(end.clock.now + Timeouts::default().close));

        timeouts.ping = Some(20 * SECOND);
        let (after, closed) = Driven::new(role, Peer::Silent, timeouts).end();
        assert_eq!(after, 20 * SECOND + Timeouts::default().pong);
        assert_lost(&closed);
    }
}

/// FS-08: a peer gets at most ten Pings per second.
#[test]
fn pings_have_a_shortest_interval() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.ping = Some(Duration::from_nanos(1));
        let mut end = Driven::new(role, Peer::Alive, timeouts);
        end.pass(2 * SECOND);
        let count = end.pings().len();
        assert!((18..=20).contains(&count), "{count} pings in 2 seconds");
    }
}

/// Reads a Ping every millisecond for `time`. This simulates a driver that always has more input. Returns the
/// time at which the connection ended.
fn flood(end: &mut Driven, time: Duration, read: usize) -> Option<Duration> {
    let ping = frame(PING, [0; 125]).to(end.role);
    for _ in 0..time.as_millis() {
        end.read(&ping);
        sent(&mut end.connection);
        end.clock.advance(MILLISECOND);
        end.connection.handle_timeout_while_reading(end.clock.now, read);
        if end.connection.closed().is_some() {
            return Some(end.clock.now - end.began);
        }
    }
    None
}

/// FS-02, RFC6455-5.5.1-7: after our Close is written, no input postpones the deadline.
#[test]
fn a_peer_that_keeps_sending_is_cut_off_at_the_close_deadline() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        end.connection.close(None);
        end.poll_timeouts();
        let ended = flood(&mut end, 60 * SECOND, 0);
        let close = Timeouts::default().close;
        assert!(ended.is_some_and(|ended| ended >= close && ended <= close + 2 * MILLISECOND));
        assert_eq!(end.connection.failure(), Some(ConnectionError::CloseTimeout));
    }
}

/// FS-02: a pause of reading does not postpone the close deadline.
#[test]
fn a_host_that_reads_nothing_still_ends_a_closing_connection() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        end.connection.close(None);
        let deadline = end.poll_timeouts().expect("a closing connection has a deadline");
        while end.clock.now < deadline {
            assert_eq!(end.connection.closed(), None);
            end.connection.handle_pause();
            assert_eq!(end.poll_timeouts(), Some(deadline));
            end.clock.advance(100 * MILLISECOND);
        }
        end.connection.handle_pause();
        end.poll_timeouts();
        assert_eq!(end.connection.failure(), Some(ConnectionError::CloseTimeout));
    }
}

/// FS-03: a peer that sends Pings continuously is disconnected at the idle limit.
#[test]
fn a_ping_flood_does_not_outlive_the_idle_limit() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(SECOND);
        let mut end = Driven::new(role, Peer::Silent, timeouts);
        // One megabyte arrives per millisecond. The first 8 MiB count as received in time.
        flood(&mut end, 2 * SECOND, 1 << 20);
        assert!(!end.connection.is_open(), "it is closing or closed");
        assert!(end.connection.closed().is_none_or(|closed| closed.code() == 1006));
    }
}

/// FS-03: continuous Pings from the peer do not postpone the deadline for the Pong.
#[test]
fn a_ping_flood_does_not_postpone_the_pong_deadline() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        let ended = flood(&mut end, 60 * SECOND, 1 << 20).expect("it has ended");
        assert!(ended >= 40 * SECOND && ended < 41 * SECOND, "{ended:?}");
        assert_eq!(end.connection.failure(), Some(ConnectionError::PongTimeout));
    }
}

/// FS-03: a Pong that arrived in time counts, even if this end reads it late.
#[test]
fn a_pong_behind_a_backlog_counts() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        end.pass(20 * SECOND);
        let pong = frame(PONG, end.pings()[0]).to(role);
        end.clock.advance(21 * SECOND);
        end.connection.handle_timeout_while_reading(end.clock.now, 1 << 20);
        for _ in 0..6 {
            end.connection.handle_timeout_while_reading(end.clock.now, 1 << 20);
        }
        assert!(end.connection.is_open(), "the Pong may be in the next megabyte");
        end.read(&pong);
        end.connection.handle_timeout_while_reading(end.clock.now, 64 << 20);
        assert!(end.connection.is_open());
    }
}
