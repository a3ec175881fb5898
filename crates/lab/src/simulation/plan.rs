//! What a seed decides before the run begins.

use std::time::Duration;

use fullduplex_proto::{Limits, Prepared, Role, Timeouts};

use super::agreement::{self, Agreement};
use super::content;
use super::pipe::Pace;
use super::rng::Rng;
use super::script::{self, Action};

/// In one of so many patient runs, both ends ask whether the other is alive.
const HEARTBEAT_ONE_IN: u64 = 10;

/// How long an application pauses that never reads again: longer than anybody waits.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What both ends do and what happens to them. The first of two is the client's, here and elsewhere.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) agreement: Agreement,
    pub(super) behaviours: [Behaviour; 2],
    /// How the transport carries what each end writes.
    pub(super) paces: [Pace; 2],
    pub(super) fault: Option<Fault>,
    /// How long the ends wait for each other while they are open.
    pub(super) timeouts: Timeouts,
    /// Nothing but an end's own limits keeps the connection from a clean end.
    pub(super) is_gentle: bool,
}

/// What one end is, and does.
#[derive(Debug)]
pub(super) struct Behaviour {
    pub(super) limits: Limits,
    pub(super) close_timeout: Duration,
    /// What the application does, the last of it first.
    pub(super) actions: Vec<Action>,
    /// How eagerly the end acts, writes and reads.
    pub(super) eagerness: [u64; 3],
}

/// Something that befalls the connection as soon as an end has written so much.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) from: Role,
    pub(super) after: u64,
}

#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum FaultKind {
    /// The transport ends what the end writes, behind what it has written.
    Cut,
    /// The transport ends both directions, and loses what is in flight.
    Reset,
    /// The transport loses what the end writes, and nobody is told.
    Silence,
    /// The end does nothing any more.
    Freeze,
    /// The end ignores what the other says, and talks for ever; the other closes.
    Talk,
}

/// How much there is to do.
#[derive(Debug)]
struct Scale {
    largest_message: usize,
    messages: u64,
    /// The least that the transport must be able to carry at once, so that a run does not take long.
    chunk: usize,
}

impl Plan {
    pub(super) fn new(seed: u64, rng: &mut Rng) -> Self {
        let scale = Scale::new(rng);
        let is_patient = !rng.one_in(4);
        let prepared = [(); 2].map(|()| content::message(rng, scale.largest_message));
        let prepared = prepared.map(Prepared::new);
        let mut behaviours = [(); 2].map(|()| Behaviour::new(rng, &scale, &prepared, is_patient));
        // One in eight: nobody closes; one: both do; else one of the two.
        let who_closes = rng.below(8);
        for (index, behaviour) in (0..).zip(&mut behaviours) {
            if who_closes == 1 || who_closes > 1 && who_closes % 2 == index {
                behaviour.insert_close(rng);
            }
        }
        let fault = rng.one_in(4).then(|| Fault::new(rng, &behaviours));
        let is_gentle = is_patient && fault.is_none();
        if !is_gentle && rng.one_in(4) {
            let actions = &mut behaviours[rng.index(2)].actions;
            let at = rng.index(actions.len() + 1);
            actions.insert(at, Action::Pause(NEVER));
        }
        let wishes = [(); 2].map(|()| (!rng.one_in(4)).then(|| agreement::wish(rng)));
        Self {
            agreement: Agreement::reach(wishes),
            behaviours,
            paces: [(); 2].map(|()| Pace::new(rng, &scale, is_patient)),
            timeouts: timeouts(is_patient && seed.is_multiple_of(HEARTBEAT_ONE_IN)),
            is_gentle,
            fault,
        }
    }
}

/// What holds a Pong up, where the transport is patient, takes less time than it may take.
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

    /// Closes behind everything else, or earlier.
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
