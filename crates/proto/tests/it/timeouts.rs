//! How long an open connection waits for its peer, on a clock that only the test moves: for the Pong
//! that answers its Ping, for the end of a message, for any message at all.

use std::time::{Duration, Instant};

use crate::support::pair::Clock;
use crate::support::*;
use allocation_counter::measure;
use bytes::BytesMut;
use fullduplex_proto::{Closed, Connection, ConnectionError, Received, Role, Timeouts, Violation};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// What stands at the other end, and between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// It answers each Ping.
    Alive,
    /// It takes everything and says nothing.
    Silent,
    /// Nothing can be written to it.
    Stuck,
}

/// An end, driven as a driver does.
struct Driven {
    role: Role,
    connection: Connection,
    clock: Clock,
    began: Instant,
    input: BytesMut,
    peer: Peer,
    /// All frames that it sent.
    sent: Vec<Frame>,
}

impl Driven {
    fn new(role: Role, peer: Peer, timeouts: Timeouts) -> Self {
        let connection = connection(role).with_timeouts(timeouts);
        let clock = Clock::new();
        let (began, input, sent) = (clock.now, BytesMut::new(), Vec::new());
        let mut driven = Self { role, connection, clock, began, input, peer, sent };
        driven.tell_time();
        driven
    }

    /// Reads what the peer sends now.
    fn read(&mut self, wire: &[u8]) -> Vec<Received> {
        let (events, violation) = read(&mut self.connection, &mut self.input, wire);
        assert_eq!(violation, None);
        events
    }

    /// Tells the time and writes, until neither has any effect.
    fn tell_time(&mut self) -> Option<Instant> {
        loop {
            let next = self.connection.handle_timeout(self.clock.now);
            assert_eq!(self.connection.handle_timeout(self.clock.now), next, "told twice");
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

    /// Lets time pass, and tells it whenever that was asked for.
    fn pass(&mut self, time: Duration) {
        let end = self.clock.now + time;
        while let Some(next) = self.tell_time().filter(|&next| next < end) {
            assert!(next > self.clock.now, "asks again at once");
            self.clock.now = next;
        }
        self.clock.now = end;
        self.tell_time();
    }

    /// Lets time pass until the connection has ended, and returns when and how.
    fn end(&mut self) -> (Duration, Closed) {
        while let Some(next) = self.tell_time() {
            self.clock.now = next;
        }
        let closed = self.connection.closed().expect("it waits for nothing");
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

/// Faults FT-01 and FT-02: a peer that is gone, and a transport that is stuck.
#[test]
fn a_dead_peer_is_found_within_41_seconds() {
    for role in ROLES {
        for peer in [Peer::Silent, Peer::Stuck] {
            let mut end = Driven::new(role, peer, Timeouts::default());
            let (after, closed) = end.end();
            assert!(after <= 41 * SECOND, "{role:?}: {peer:?}: {after:?}");
            assert_lost(&closed);
            assert!(end.connection.is_flushed(), "there is nobody to tell");
        }
    }
}

/// RFC6455-7.1.7-4, RFC6455-7.3-1: an end that answers stays, however silent it is.
#[test]
fn a_peer_that_answers_is_asked_every_20_seconds_and_never_given_up() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
        end.pass(3600 * SECOND);
        assert!(end.connection.is_open());
        let mut pings = end.pings();
        assert_eq!(pings.len(), 180);
        pings.dedup();
        assert_eq!(pings.len(), 180, "no Ping is like another");
        end.peer = Peer::Silent;
        end.pass(41 * SECOND);
        assert_lost(end.connection.closed().expect("it is dead now"));
    }
}

/// Fault FT-16: a million Pongs, and none that answers. They are events, which cost nothing more.
#[test]
fn only_the_pong_to_the_ping_under_way_is_life() {
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
        // Nor do messages say that our Ping was read.
        for _ in 0..41 {
            answered.read(&[frame(TEXT, "x").to(role), pongs.clone()].concat());
            answered.pass(SECOND);
        }
        assert_lost(answered.connection.closed().expect("none of them answers"));
    }
}

/// Fault FT-02: a slow transport is not a stuck one. The Pong is due so long after its Ping is written.
#[test]
fn bytes_on_the_way_to_the_ping_postpone_the_pong() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Stuck, Timeouts::default());
        end.connection.send(vec![0; 100]).unwrap();
        end.pass(20 * SECOND);
        // The Ping is queued; it ends with the last byte.
        while !end.connection.is_flushed() {
            end.pass(20 * SECOND - MILLISECOND);
            assert!(end.connection.is_open());
            end.connection.handle_written(1);
        }
        end.peer = Peer::Silent;
        end.pass(20 * SECOND - MILLISECOND);
        assert!(end.connection.is_open());
        // What is written behind it postpones nothing.
        end.connection.send("behind").unwrap();
        end.pass(MILLISECOND);
        assert_lost(end.connection.closed().expect("the Pong is overdue"));
    }
}

/// No Pong can stand within a frame: a slow link is not a dead one.
#[test]
fn a_large_frame_holds_the_pong_up() {
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
        // A frame that does not go on does not hold it up.
        end.read(&wire[..wire.len() / 2]);
        let (after, closed) = end.end();
        assert!(after <= (19 + 241 + 41) * SECOND, "{after:?}");
        assert_lost(&closed);
    }
}

/// Nor does a Ping that comes in bytes: a control frame is over soon, or never.
#[test]
fn a_control_frame_holds_no_pong_up() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        for byte in frame(PING, [7; 125]).to(role) {
            if end.connection.closed().is_none() {
                end.read(&[byte]);
            }
            end.pass(SECOND);
        }
        assert_lost(end.connection.closed().expect("its Pong has not come"));
    }
}

/// Fault FT-17: the peer is alive, and its message never ends. RFC6455-10.4-1
#[test]
fn a_message_without_end_is_given_up() {
    for role in ROLES {
        let fragment = frame(CONTINUATION, "x").unfinished().to(role);
        let endless = header_to(role, 0x82, 1 << 20);
        for (first, then) in [
            (frame(TEXT, "x").unfinished().to(role), [fragment, frame(PONG, "").to(role)].concat()),
            (endless, vec![0]),
        ] {
            let mut end = Driven::new(role, Peer::Alive, Timeouts::default());
            if then.len() == 1 {
                // In the middle of a frame it can answer nothing.
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
                end.connection.send("have you finished?").unwrap();
            }
            assert_eq!(end.clock.now - end.began, 310 * SECOND);
            let failure = Some(ConnectionError::Violation(Violation::MessageTooSlow));
            assert_eq!(end.connection.failure(), failure);
            assert_eq!(end.sent.last().unwrap().close_code(), Some(1008));
            assert_eq!(end.read(&then), [], "nothing has a meaning any more");
            end.connection.handle_end_of_input();
            assert_eq!(end.connection.closed().unwrap().failure(), failure);
        }
    }
}

/// The limit is one message's, not that of all which follow each other without a pause.
#[test]
fn messages_one_after_the_other_are_not_one() {
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

/// Fault FT-36: who stood still himself does not blame the peer, which gets its time once more.
#[test]
fn a_stall_of_our_own_is_not_the_fault_of_the_peer() {
    for role in ROLES {
        for answers in [true, false] {
            let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
            end.pass(21 * SECOND);
            end.read(&frame(BINARY, "x").unfinished().to(role));
            end.clock.advance(60 * SECOND);
            end.tell_time();
            assert!(end.connection.is_open(), "what it sent may still be on its way");
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
        end.tell_time();
        end.pass(299 * SECOND);
        assert!(end.connection.is_open(), "the message may still be on its way");
        end.pass(SECOND);
        assert!(!end.connection.is_open());
    }
}

/// While nobody reads, neither the Pong nor the end of a message can be seen.
#[test]
fn a_pause_of_reading_is_not_the_fault_of_the_peer() {
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

/// Only messages count, in either direction.
#[test]
fn without_messages_an_idle_connection_is_closed() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(60 * SECOND);
        let mut end = Driven::new(role, Peer::Alive, timeouts);
        for _ in 0..3 {
            end.pass(59 * SECOND);
            end.read(&frame(TEXT, "x").to(role));
            end.pass(59 * SECOND);
            end.connection.send("x").unwrap();
            // A message that takes its time is not silence.
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

/// RFC6455-5.5.1-7: from the first Close on, the closing handshake has its own deadline, and no other.
#[test]
fn a_closing_connection_asks_nothing_more() {
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

/// All of them can be turned off, or put where no clock goes.
#[test]
fn without_limits_nothing_is_waited_for() {
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

/// FS-08: zero means "not set". It neither ends a connection at once nor floods the peer with Pings.
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
        assert_eq!(end.tell_time(), Some(end.clock.now + Timeouts::default().close));

        timeouts.ping = Some(20 * SECOND);
        let (after, closed) = Driven::new(role, Peer::Silent, timeouts).end();
        assert_eq!(after, 20 * SECOND + Timeouts::default().pong);
        assert_lost(&closed);
    }
}

/// FS-08: however short the interval, a peer gets at most ten Pings a second.
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

/// Reads a Ping every millisecond for `time`, and tells the time as a driver does whose transport never
/// runs dry. Returns when the connection ended.
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

/// FS-02, RFC6455-5.5.1-7: from when our Close is written the deadline is absolute, whatever arrives.
#[test]
fn a_peer_that_talks_on_is_cut_off_at_the_close_deadline() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        end.connection.close(None);
        end.tell_time();
        let ended = flood(&mut end, 60 * SECOND, 0);
        let close = Timeouts::default().close;
        assert!(ended.is_some_and(|ended| ended >= close && ended <= close + 2 * MILLISECOND));
        assert_eq!(end.connection.failure(), Some(ConnectionError::CloseTimeout));
    }
}

/// FS-02: a pause of the host does not postpone the deadline either.
#[test]
fn a_host_that_reads_nothing_still_ends_a_closing_connection() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        end.connection.close(None);
        let deadline = end.tell_time().expect("a closing connection has a deadline");
        while end.clock.now < deadline {
            assert_eq!(end.connection.closed(), None);
            end.connection.handle_pause();
            assert_eq!(end.tell_time(), Some(deadline));
            end.clock.advance(100 * MILLISECOND);
        }
        end.connection.handle_pause();
        end.tell_time();
        assert_eq!(end.connection.failure(), Some(ConnectionError::CloseTimeout));
    }
}

/// FS-03: a peer that floods us with Pings does not outlive the idle limit.
#[test]
fn a_ping_flood_does_not_outlive_the_idle_limit() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(SECOND);
        let mut end = Driven::new(role, Peer::Silent, timeouts);
        // A megabyte per millisecond: 8 MiB count as what arrived in time.
        flood(&mut end, 2 * SECOND, 1 << 20);
        assert!(!end.connection.is_open(), "it has closed");
        assert!(end.connection.closed().is_none_or(|closed| closed.code() == 1006));
    }
}

/// FS-03: nor the limit on the Pong.
#[test]
fn a_ping_flood_does_not_replace_the_pong() {
    for role in ROLES {
        let mut end = Driven::new(role, Peer::Silent, Timeouts::default());
        let ended = flood(&mut end, 60 * SECOND, 1 << 20).expect("it has ended");
        assert!(ended >= 40 * SECOND && ended < 41 * SECOND, "{ended:?}");
        assert_eq!(end.connection.failure(), Some(ConnectionError::PongTimeout));
    }
}

/// FS-03: what arrived in time counts, even if this end reads it late.
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
