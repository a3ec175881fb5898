//! What the seed decides before the run begins.

use std::time::Duration;

use fullduplex_proto::{Limits, Prepared, Role, Timeouts};

use super::agreement::{self, Agreement};
use super::content;
use super::pipe::Pace;
use super::script::{self, Action};
use crate::rng::Rng;

/// In patient runs (long timeouts, short delays), both ends send heartbeat Pings if the seed is a multiple of
/// this.
const HEARTBEAT_ONE_IN: u64 = 10;

/// The pause of an application that never reads again: longer than every timeout.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What both ends do, and which faults happen to them. In every array of two, here and in the other
/// modules, the first item is for the client and the second item is for the server.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) agreement: Agreement,
    pub(super) behaviours: [Behaviour; 2],
    /// How the transport carries the bytes of each end.
    pub(super) paces: [Pace; 2],
    pub(super) fault: Option<Fault>,
    /// The timeouts of both ends while they are open.
    pub(super) timeouts: Timeouts,
    /// Whether only a limit of an end can prevent a clean close.
    pub(super) expects_clean_end: bool,
}

/// The properties and actions of one end.
#[derive(Debug)]
pub(super) struct Behaviour {
    pub(super) limits: Limits,
    pub(super) close_timeout: Duration,
    /// The actions of the application in reverse order: the last item is the first action.
    pub(super) actions: Vec<Action>,
    /// How eagerly the end acts, writes and reads.
    pub(super) eagerness: [u64; 3],
}

/// A fault that happens when an end has written `after` bytes.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) from: Role,
    pub(super) after: u64,
}

#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum FaultKind {
    /// The end cannot write to the transport any more. Bytes that it wrote before still arrive.
    Cut,
    /// The transport breaks in both directions, and loses the bytes in flight.
    Reset,
    /// The transport silently loses everything that the end writes.
    Silence,
    /// The end stops doing anything.
    Freeze,
    /// The end ignores its input and sends Pings forever. The next action of the other end is a close.
    Talk,
}

/// The size of the run.
#[derive(Debug)]
struct Scale {
    largest_message: usize,
    messages: u64,
    /// The minimum number of bytes that the transport can carry at once. It limits the length of a run.
    chunk: usize,
}

impl Plan {
    pub(super) fn new(seed: u64, rng: &mut Rng) -> Self {
        let scale = Scale::new(rng);
        let is_patient = !rng.one_in(4);
        let prepared = [(); 2].map(|()| content::message(rng, scale.largest_message));
        let prepared = prepared.map(Prepared::new);
        let mut behaviours = [(); 2].map(|()| Behaviour::new(rng, &scale, &prepared, is_patient));
        // In one of eight runs no end closes, in another one both ends close, and in the other six one end
        // closes.
        let who_closes = rng.below(8);
        for (index, behaviour) in (0..).zip(&mut behaviours) {
            if who_closes == 1 || who_closes > 1 && who_closes % 2 == index {
                behaviour.insert_close(rng);
            }
        }
        let fault = rng.one_in(4).then(|| Fault::new(rng, &behaviours));
        let expects_clean_end = is_patient && fault.is_none();
        if !expects_clean_end && rng.one_in(4) {
            let actions = &mut behaviours[rng.index(2)].actions;
            let at = rng.index(actions.len() + 1);
            actions.insert(at, Action::Pause(NEVER));
        }
        let configs = [(); 2].map(|()| (!rng.one_in(4)).then(|| agreement::config(rng)));
        Self {
            agreement: Agreement::reach(configs),
            behaviours,
            paces: [(); 2].map(|()| Pace::new(rng, &scale, is_patient)),
            timeouts: timeouts(is_patient && seed.is_multiple_of(HEARTBEAT_ONE_IN)),
            expects_clean_end,
            fault,
        }
    }
}

/// Returns the timeouts. Only patient runs have heartbeats, because only their delays are shorter than the
/// Pong timeout.
fn timeouts(has_heartbeat: bool) -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.message = None;
    if !has_heartbeat {
        timeouts.ping = None;
    }
    timeouts
}

impl Scale {
    fn new(rng: &mut Rng) -> Self {
        let (largest_message, messages, chunk) = match rng.below(128) {
            0 => (200_000, 20, 4_000),
            1..6 => (16_384, 60, 256),
            6..48 => (1_000, 160, 4),
            _ => (130, 220, 1),
        };
        Self { largest_message, messages, chunk }
    }
}

impl Behaviour {
    fn new(rng: &mut Rng, scale: &Scale, prepared: &[Prepared], is_patient: bool) -> Self {
        let mut limits = Limits::default();
        match rng.below(32) {
            0 => limits.message_bytes = rng.log_uniform(scale.largest_message as u64) as usize,
            1 => limits.message_frames = rng.log_uniform(8) as usize,
            _ => {}
        }
        let close_timeout = if is_patient { 60_000 } else { 1 + rng.log_uniform(5_000) };
        let close_timeout = Duration::from_millis(close_timeout);
        let mut actions = script::write(rng, scale.largest_message, scale.messages, prepared);
        actions.reverse();
        let eagerness = [(); 3].map(|()| 1 + rng.log_uniform(30));
        Self { limits, close_timeout, actions, eagerness }
    }

    /// Inserts a Close, at the end or earlier.
    fn insert_close(&mut self, rng: &mut Rng) {
        let at = if rng.one_in(4) { rng.index(self.actions.len() + 1) } else { 0 };
        self.actions.insert(at, Action::Close(content::close(rng)));
    }
}

impl Pace {
    fn new(rng: &mut Rng, scale: &Scale, is_patient: bool) -> Self {
        let chunk = scale.chunk + rng.log_uniform(0xFFFF) as usize;
        let capacity = scale.chunk + rng.log_uniform(0xFFFF) as usize;
        let longest_hold = Duration::from_millis(if is_patient { 500 } else { 10_000 });
        Self { chunk, capacity, holds: rng.below(8) as u32, longest_hold }
    }
}

impl Fault {
    fn new(rng: &mut Rng, behaviours: &[Behaviour; 2]) -> Self {
        let kinds = [
            FaultKind::Cut,
            FaultKind::Reset,
            FaultKind::Silence,
            FaultKind::Freeze,
            FaultKind::Talk,
        ];
        let from = *rng.pick(&[Role::Client, Role::Server]);
        let total = behaviours[from as usize].actions.iter().map(Action::size).sum();
        Self { kind: *rng.pick(&kinds), from, after: rng.below(total) }
    }
}
