//! Both ends, the transport and the clock.

use std::time::{Duration, Instant};

use fullduplex_proto::Role;

use super::content;
use super::end::{Activity, End, Phase, Reading};
use super::flow::Flow;
use super::frame::{self, PING};
use super::pipe::Pipe;
use super::plan::{Fault, FaultKind, Plan};
use super::script::Action;
use super::trace::{Trace, TraceEvent};
use super::turn::Turn;
use super::wire::Wire;
use crate::rng::Rng;

/// The quiet time after which the deadlines of open ends are ignored. By then, the open ends have released
/// all unused memory. Without this limit, a run with an unfinished message would not end.
const QUIET: Duration = Duration::from_secs(60);

/// What an end does in its turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    Act,
    Write,
    Read,
    ShutDown,
}

const MOVES: [Move; 4] = [Move::Act, Move::Write, Move::Read, Move::ShutDown];

/// An end that sends a Ping at every interval and reads nothing ([`FaultKind::Talk`]).
#[derive(Debug)]
struct PingFlood {
    from: Role,
    interval: Duration,
    next: Instant,
}

#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) rng: Rng,
    epoch: Instant,
    now: Instant,
    /// When an end last acted or a message was on its way.
    quiet_since: Instant,
    pub(super) ends: [End; 2],
    /// The model and the pipe for what each end sends.
    pub(super) flows: [Flow; 2],
    pipes: [Pipe; 2],
    /// The fault that will happen.
    fault: Option<Fault>,
    /// The end that ignores the other's Close and keeps sending.
    ping_flood: Option<PingFlood>,
    pub(super) expects_clean_end: bool,
    /// Whether the transport was ended because nothing else could happen.
    pub(super) transport_was_ended: bool,
    trace: &'a mut Trace,
}

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, trace: &'a mut Trace) -> Self {
        let mut rng = Rng::new(seed);
        let Plan { agreement, behaviours, paces, fault, timeouts, expects_clean_end } =
            Plan::new(seed, &mut rng);
        let [client, server] = behaviours;
        // Only differences from this instant matter.
        let now = Instant::now();
        let mut pipes = paces.map(Pipe::new);
        if let Some(fault) = &fault {
            pipes[fault.from as usize].set_fault(fault.after);
        }
        Self {
            ends: [
                End::new(Role::Client, client, timeouts, agreement.ends[0], rng.next(), now),
                End::new(Role::Server, server, timeouts, agreement.ends[1], rng.next(), now),
            ],
            flows: [Role::Client, Role::Server]
                .map(|writer| Flow::new(Wire::new(writer, agreement.inflater(writer)), timeouts)),
            rng,
            epoch: now,
            now,
            quiet_since: now,
            pipes,
            fault,
            ping_flood: None,
            expects_clean_end,
            transport_was_ended: false,
            trace,
        }
    }

    /// Chooses one of the moves that are possible now.
    pub(super) fn choose(&mut self) -> Option<(Role, Move)> {
        let mut total = 0;
        let mut chosen = None;
        for role in [Role::Client, Role::Server] {
            for turn in MOVES {
                let weight = self.weight(role, turn);
                total += weight;
                if weight > 0 && self.rng.below(total) < weight {
                    chosen = Some((role, turn));
                }
            }
        }
        chosen
    }

    /// Returns the weight of a move, which is zero if the move is impossible.
    fn weight(&self, role: Role, turn: Move) -> u64 {
        let end = &self.ends[role as usize];
        let (outgoing, incoming) = (&self.pipes[role as usize], &self.pipes[1 - role as usize]);
        if end.phase == Phase::Closed || end.activity == Activity::Frozen {
            return 0;
        }
        let [act, write, read] = end.eagerness;
        let (is_possible, weight) = match turn {
            Move::Act => (!end.actions.is_empty() && end.rests_until.is_none(), act),
            Move::Write => (!end.connection.is_flushed() && outgoing.is_writable(), write),
            Move::Read => match (end.activity, end.reading) {
                (Activity::Full, Reading::Drained) => (incoming.is_readable(), read),
                (Activity::Full, Reading::Undrained) => (true, read),
                _ => (false, read),
            },
            Move::ShutDown => (end.connection.wants_shutdown(), write),
        };
        if is_possible { weight } else { 0 }
    }

    pub(super) fn take_turn(&mut self, role: Role, turn: Move) {
        // Heartbeats do not count.
        if matches!(turn, Move::Act) || !self.flows.iter().all(Flow::is_delivered) {
            self.quiet_since = self.now;
        }
        let [client, server] = &mut self.ends;
        let [to_server, to_client] = &mut self.pipes;
        let [by_client, by_server] = &mut self.flows;
        let (end, outgoing_flow, incoming_flow, outgoing, incoming) = match role {
            Role::Client => (client, by_client, by_server, to_server, to_client),
            Role::Server => (server, by_server, by_client, to_client, to_server),
        };
        let (rng, trace) = (&mut self.rng, &mut *self.trace);
        let at = self.now - self.epoch;
        let mut this = Turn {
            end,
            outgoing_flow,
            incoming_flow,
            outgoing,
            incoming,
            now: self.now,
            rng,
            trace,
            at,
        };
        match turn {
            Move::Act => this.act(),
            Move::Write => this.write(),
            Move::Read => this.read(),
            Move::ShutDown => this.shutdown(),
        }
        self.settle(role);
        if self.pipes[role as usize].release_fault()
            && let Some(fault) = self.fault.take()
        {
            self.inject(&fault);
        }
    }

    /// Checks the deadlines of an end. If the end has ended, it drops its transport.
    fn settle(&mut self, role: Role) {
        let end = &mut self.ends[role as usize];
        end.settle(self.now);
        if end.closed.is_none()
            && let Some(closed) = end.connection.closed()
        {
            end.closed = Some(closed.clone());
            let ended = TraceEvent::from(closed);
            self.note(role, ended);
            self.pipes[role as usize].shutdown();
            self.pipes[1 - role as usize].lose_reader();
        }
    }

    fn inject(&mut self, fault: &Fault) {
        let from = fault.from as usize;
        self.note(fault.from, TraceEvent::Fault(fault.kind));
        match fault.kind {
            FaultKind::Cut => self.pipes[from].cut(),
            FaultKind::Reset => self.pipes.iter_mut().for_each(Pipe::reset),
            FaultKind::Silence => self.pipes[from].lose_reader(),
            FaultKind::Freeze => self.ends[from].activity = Activity::Frozen,
            FaultKind::Talk => {
                self.ends[from].activity = Activity::Frozen;
                let wire = self.flows[from].wire();
                if wire.is_within_frame() || wire.is_closed() {
                    return;
                }
                let interval = Duration::from_millis(5 + self.rng.below(500));
                self.ping_flood =
                    Some(PingFlood { from: fault.from, interval, next: self.now + interval });
                let other = &mut self.ends[1 - from];
                other.rests_until = None;
                other.actions.push(Action::Close(content::close(&mut self.rng)));
            }
        }
    }

    /// Returns the next instant at which something may happen.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let awake = self.ends.iter().filter(|end| end.activity != Activity::Frozen);
        let is_quiet = self.now >= self.quiet_since + QUIET;
        let ends = awake.flat_map(|end| match end.activity {
            Activity::Paused(until) => {
                let deadline = end.deadline.filter(|_| end.phase == Phase::Closing);
                [Some(until), deadline, end.rests_until]
            }
            _ if is_quiet && end.phase == Phase::Open => [None, None, end.rests_until],
            _ => [None, end.deadline, end.rests_until],
        });
        let ping_flood = self
            .ping_flood
            .as_ref()
            .filter(|ping_flood| self.ends[ping_flood.from.peer() as usize].phase != Phase::Closed);
        let held = self.pipes.iter().filter_map(Pipe::held_until);
        ends.flatten().chain(held).chain(ping_flood.map(|ping_flood| ping_flood.next)).min()
    }

    pub(super) fn advance(&mut self, now: Instant) {
        assert!(now > self.now, "D3: a timer is due and has no effect");
        self.now = now;
        self.pipes.iter_mut().for_each(|pipe| pipe.release(now));
        for role in [Role::Client, Role::Server] {
            let end = &mut self.ends[role as usize];
            end.rests_until = end.rests_until.filter(|&until| until > now);
            match end.activity {
                Activity::Frozen => continue,
                Activity::Paused(until) if until <= now => end.resume(),
                _ => {}
            }
            self.settle(role);
        }
        if let Some(mut ping_flood) = self.ping_flood.take() {
            if ping_flood.next <= now {
                self.talk(ping_flood.from);
                ping_flood.next = now + ping_flood.interval;
            }
            self.ping_flood = Some(ping_flood);
        }
    }

    /// Sends a Ping in place of an end that does nothing else.
    fn talk(&mut self, from: Role) {
        let bytes = frame::control(from, PING, &self.rng.next().to_be_bytes());
        if self.pipes[from as usize].inject(&bytes) {
            self.flows[from as usize].pass_foreign(&bytes);
        }
    }

    /// Ends the transport when nothing else can happen, and resumes frozen ends. Only open and frozen ends
    /// may still exist then.
    pub(super) fn end_transport(&mut self) {
        assert!(!self.transport_was_ended, "D2: an end outlives its transport");
        self.transport_was_ended = true;
        for end in self.ends.iter().filter(|end| end.activity != Activity::Frozen) {
            assert_ne!(end.phase, Phase::Closing, "D3: {:?} is stuck", end.role);
        }
        if self.expects_clean_end && self.ends.iter().all(|end| end.phase == Phase::Open) {
            self.flows.iter().for_each(Flow::assert_at_rest);
            let is_within_message = self.flows.iter().any(Flow::is_within_message);
            for end in &self.ends {
                let may_wait = is_within_message || end.has_heartbeat;
                assert!(
                    may_wait || !end.connection.has_deadline(),
                    "{:?} has not released its contexts",
                    end.role
                );
            }
        }
        self.pipes.iter_mut().for_each(Pipe::reset);
        self.ends.iter_mut().for_each(End::resume);
    }

    fn note(&mut self, who: Role, what: TraceEvent) {
        self.trace.note(self.now - self.epoch, who, what);
    }
}
