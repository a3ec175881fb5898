//! The actions of one end's application.

use std::time::Duration;

use bytes::Bytes;
use fullduplex_proto::{CloseFrame, Delivery, Message, Outgoing, Part, Prepared};

use super::content;
use crate::rng::Rng;

/// An action of an application.
#[derive(Debug)]
pub(super) enum Action {
    Send(Outgoing),
    SendPart(Part),
    Ping(Bytes),
    Close(Option<CloseFrame>),
    /// Changes the delivery of messages.
    Deliver(Delivery),
    /// Stops reading for this long.
    Pause(Duration),
    /// Does nothing for this long. Input is still read.
    Rest(Duration),
}

/// The longest rest in milliseconds: longer than it takes to release unused compression contexts.
const LONGEST_REST: u64 = 45_000;

/// Chooses the actions of an application, in order, without a Close.
pub(super) fn write(
    rng: &mut Rng,
    largest: usize,
    messages: u64,
    prepared: &[Prepared],
) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut earlier: Vec<Message> = Vec::new();
    // The average number of Pings among 32 actions: a few, or a flood.
    let pings = *rng.pick(&[1, 2, 2, 16]);
    for _ in 0..rng.below(messages) {
        let message = match earlier.len() {
            // Repeats an earlier message, which tests compression.
            1.. if rng.one_in(4) => rng.pick(&earlier).clone(),
            _ => content::message(rng, largest),
        };
        match rng.below(32) {
            0 => actions.push(Action::Send(rng.pick(prepared).into())),
            1 => actions.push(Action::Send(Outgoing::uncompressed(&message))),
            2..5 => actions.extend(content::parts(rng, &message).into_iter().map(Action::SendPart)),
            other if other >= 32 - pings => actions.push(Action::Ping(content::ping(rng))),
            _ => actions.push(Action::Send((&message).into())),
        }
        earlier.push(message);
    }
    for _ in 0..rng.below(4) {
        let at = rng.index(actions.len() + 1);
        actions.insert(at, interruption(rng));
    }
    actions
}

/// Chooses an action that may also happen between the parts of a message.
fn interruption(rng: &mut Rng) -> Action {
    match rng.below(6) {
        0 => Action::Ping(content::ping(rng)),
        1 => Action::Send(content::message(rng, 9).into()),
        2 => Action::SendPart(Part { content: content::message(rng, 9), last: rng.one_in(2) }),
        3 => Action::Deliver(*rng.pick(&[Delivery::Whole, Delivery::Parts])),
        4 => Action::Pause(Duration::from_millis(1 + rng.log_uniform(1_000))),
        _ => Action::Rest(Duration::from_millis(1 + rng.below(LONGEST_REST))),
    }
}

impl Action {
    /// Returns about how many bytes it writes.
    pub(super) fn size(&self) -> u64 {
        let payload = match self {
            Self::Send(outgoing) => outgoing.message().len(),
            Self::SendPart(part) => part.content.len(),
            Self::Ping(payload) => payload.len(),
            _ => 0,
        };
        payload as u64 + 8
    }
}
