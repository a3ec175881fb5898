//! The closing handshake (RFC 6455 section 7): every transition, for both roles.
//!
//! The table shows the next state for each step in each state. `-` means that the state does not change.
//! `Ended` is final. A test compares the table with the code.
//!
//! | step                       | Open      | Sent      | Exchanged | Failed    | Lingering | Readable |
//! |----------------------------|-----------|-----------|-----------|-----------|-----------|----------|
//! | we close                   | Sent      | -         | -         | -         | -         | -        |
//! | the peer's Close           | Exchanged | Exchanged | -         | -         | -         | Ended    |
//! | a violation                | Failed    | Failed    | -         | -         | -         | Ended    |
//! | we shut down               | -         | -         | Ended     | Lingering | -         | -        |
//! | write error before Close   | Readable  | Readable  | Ended     | Ended     | Ended     | -        |
//! | write error after Close    | Readable  | Sent      | Ended     | Ended     | Ended     | -        |
//! | the transport ends         | Ended     | Ended     | Ended     | Ended     | Ended     | Ended    |
//! | no Pong                    | Ended     | -         | -         | -         | -         | -        |
//! | the close deadline         | -         | Ended     | Ended     | Ended     | Ended     | Ended    |

use crate::close::CloseFrame;
use crate::violation::Violation;

/// The state of the closing handshake.
#[derive(Debug)]
pub(crate) enum Closing {
    /// Neither end has closed.
    Open,
    /// Our Close is queued or sent. The peer's Close is missing.
    Sent,
    /// The peer's Close arrived. Our Close is queued or sent. `close_was_sent`: our Close was written before
    /// the peer's Close arrived.
    Exchanged { frame: Option<Box<CloseFrame>>, close_was_sent: bool },
    /// The peer broke a rule. Our Close, which reports this, is queued.
    Failed(Violation),
    /// Our Close was written after a violation, and the transport was shut down. Input is still read and
    /// discarded. Otherwise the transport could be reset before the peer has read our Close.
    Lingering(Violation),
    /// The transport takes no more output. Bytes that the peer sent before may still be read.
    Readable,
    /// The connection has ended.
    Ended(Box<Closed>),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    received: PeerClose,
    clean: bool,
    failure: Option<ConnectionError>,
}

/// The Close frame that the peer sent, if it sent one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PeerClose {
    Missing,
    Received(Option<Box<CloseFrame>>),
}

/// Why a connection failed instead of being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer broke a rule.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The transport ended without a Close frame from the peer (RFC6455-7.2.1-1).
    #[error("the connection was lost: it ended without a Close frame from the peer")]
    Lost,
    /// The peer did not answer our Close in time.
    #[error("the peer did not answer the closing handshake in time")]
    CloseTimeout,
    /// The peer did not answer our Ping within the Pong timeout, or the transport took no bytes during this
    /// time.
    #[error("the connection was lost: the peer did not answer a ping in time")]
    PongTimeout,
}

impl Closed {
    /// Returns the code that the standards report. This is the code of the peer's Close, or 1005 if that
    /// Close had no code. It is 1006 if the peer sent no Close, or the connection failed (RFC6455-7.1.5-1).
    pub fn code(&self) -> u16 {
        match &self.received {
            PeerClose::Received(Some(frame)) => frame.code.get(),
            PeerClose::Received(None) => 1005,
            PeerClose::Missing => 1006,
        }
    }

    /// Returns the peer's reason, or "" (RFC6455-7.1.6-1).
    pub fn reason(&self) -> &str {
        match &self.received {
            PeerClose::Received(Some(frame)) => frame.reason.as_str(),
            _ => "",
        }
    }

    /// Returns whether both ends had sent their Close frames before the transport ended (RFC6455-7.1.4-1).
    pub fn was_clean(&self) -> bool {
        self.clean
    }

    /// Returns why the connection failed, or `None` if it was closed.
    pub fn failure(&self) -> Option<ConnectionError> {
        self.failure
    }
}

/// An input of the [`Closing`] state machine. `close_sent`: the transport has taken our Close.
#[derive(Debug)]
pub(crate) enum Step {
    /// We queued our Close.
    WeClosed,
    /// The peer's Close arrived.
    TheyClosed { frame: Option<Box<CloseFrame>>, close_sent: bool },
    /// The peer broke a rule.
    TheyFailed(Violation),
    /// All output was written and the transport was shut down for writing.
    ShutDown,
    /// The transport takes no more bytes.
    WriteBroken { close_sent: bool },
    /// The transport ended.
    TransportEnded { close_sent: bool },
    /// The peer did not answer our Ping in time.
    PongMissing,
    /// The close deadline elapsed.
    DeadlineElapsed { close_sent: bool },
}

impl Closing {
    pub(crate) fn step(&mut self, step: Step) {
        let before = std::mem::replace(self, Self::Open);
        *self = before.after(step);
    }

    fn after(self, step: Step) -> Self {
        match (self, step) {
            (Self::Open, Step::WeClosed) => Self::Sent,
            // RFC6455-7.1.3-1, RFC6455-5.5.1-8
            (Self::Open | Self::Sent, Step::TheyClosed { frame, close_sent }) => {
                Self::Exchanged { frame, close_was_sent: close_sent }
            }
            (Self::Readable, Step::TheyClosed { frame, .. }) => {
                Self::ended(PeerClose::Received(frame), false, None)
            }
            // RFC6455-7.1.7-1
            (Self::Open | Self::Sent, Step::TheyFailed(violation)) => Self::Failed(violation),
            (Self::Readable, Step::TheyFailed(violation)) => {
                Self::ended(PeerClose::Missing, false, Some(violation.into()))
            }

            (Self::Failed(violation), Step::ShutDown) => Self::Lingering(violation),
            (Self::Exchanged { frame, .. }, Step::ShutDown) => {
                Self::ended(PeerClose::Received(frame), true, None)
            }

            // Our Close was written before writing failed, so the peer needs no further output.
            (Self::Sent, Step::WriteBroken { close_sent: true }) => Self::Sent,
            (Self::Open | Self::Sent, Step::WriteBroken { .. }) => Self::Readable,

            // RFC6455-7.2.1-1
            (Self::Open | Self::Sent | Self::Readable, Step::TransportEnded { .. }) => {
                Self::ended(PeerClose::Missing, false, Some(ConnectionError::Lost))
            }
            (Self::Open, Step::PongMissing) => {
                Self::ended(PeerClose::Missing, false, Some(ConnectionError::PongTimeout))
            }
            (Self::Sent, Step::DeadlineElapsed { .. }) => {
                Self::ended(PeerClose::Missing, false, Some(ConnectionError::CloseTimeout))
            }
            (Self::Readable, Step::DeadlineElapsed { .. }) => {
                Self::ended(PeerClose::Missing, false, Some(ConnectionError::Lost))
            }
            // RFC6455-7.1.4-1
            (
                Self::Exchanged { frame, .. },
                Step::TransportEnded { close_sent } | Step::DeadlineElapsed { close_sent },
            ) => Self::ended(PeerClose::Received(frame), close_sent, None),
            // Our Close counts only if it was written before the peer's Close arrived. A Close that was
            // written later may have been lost when the transport broke.
            (Self::Exchanged { frame, close_was_sent }, Step::WriteBroken { .. }) => {
                Self::ended(PeerClose::Received(frame), close_was_sent, None)
            }
            (
                Self::Failed(violation) | Self::Lingering(violation),
                Step::WriteBroken { .. }
                | Step::TransportEnded { .. }
                | Step::DeadlineElapsed { .. },
            ) => Self::ended(PeerClose::Missing, false, Some(violation.into())),

            (state, _) => state,
        }
    }

    fn ended(received: PeerClose, clean: bool, failure: Option<ConnectionError>) -> Self {
        Self::Ended(Box::new(Closed { received, clean, failure }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [&str; 6] = ["Open", "Sent", "Exchanged", "Failed", "Lingering", "Readable"];

    fn state(name: &str) -> Closing {
        match name {
            "Open" => Closing::Open,
            "Sent" => Closing::Sent,
            "Exchanged" => Closing::Exchanged { frame: None, close_was_sent: true },
            "Failed" => Closing::Failed(Violation::InvalidUtf8),
            "Lingering" => Closing::Lingering(Violation::InvalidUtf8),
            "Readable" => Closing::Readable,
            "Ended" => Closing::ended(PeerClose::Missing, false, None),
            _ => panic!("no such state: {name}"),
        }
    }

    fn name(state: &Closing) -> &'static str {
        match state {
            Closing::Open => "Open",
            Closing::Sent => "Sent",
            Closing::Exchanged { .. } => "Exchanged",
            Closing::Failed(_) => "Failed",
            Closing::Lingering(_) => "Lingering",
            Closing::Readable => "Readable",
            Closing::Ended(_) => "Ended",
        }
    }

    /// Returns the steps that a row of the table stands for.
    fn steps(row: &str) -> Vec<Step> {
        match row {
            "we close" => vec![Step::WeClosed],
            "the peer's Close" => {
                [true, false].map(|close_sent| Step::TheyClosed { frame: None, close_sent }).into()
            }
            "a violation" => vec![Step::TheyFailed(Violation::ReservedBit)],
            "we shut down" => vec![Step::ShutDown],
            "write error before Close" => vec![Step::WriteBroken { close_sent: false }],
            "write error after Close" => vec![Step::WriteBroken { close_sent: true }],
            "the transport ends" => {
                [true, false].map(|close_sent| Step::TransportEnded { close_sent }).into()
            }
            "no Pong" => vec![Step::PongMissing],
            "the close deadline" => {
                [true, false].map(|close_sent| Step::DeadlineElapsed { close_sent }).into()
            }
            _ => panic!("no such step: {row}"),
        }
    }

    /// FD-04: the table at the top of this file is complete and correct.
    #[test]
    fn the_table_shows_every_transition() {
        let rows =
            include_str!("closing.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let rows: Vec<Vec<&str>> =
            rows.map(|row| row.trim_end_matches('|').split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[0][1..], STATES);
        // The line between the head and the first row begins with `//! |-`.
        let kinds = rows[1..].iter().flat_map(|row| steps(row[0]));
        let kinds: std::collections::HashSet<_> =
            kinds.map(|step| std::mem::discriminant(&step)).collect();
        assert_eq!((rows.len(), kinds.len()), (10, 8), "each step has a row");
        for row in &rows[1..] {
            for (from, to) in STATES.iter().zip(&row[1..]) {
                for step in steps(row[0]) {
                    let mut closing = state(from);
                    closing.step(step);
                    let expected = if *to == "-" { from } else { to };
                    assert_eq!(name(&closing), *expected, "{}: {from}", row[0]);
                }
            }
            for step in steps(row[0]) {
                let mut closing = state("Ended");
                closing.step(step);
                assert_eq!(name(&closing), "Ended", "{}: Ended is final", row[0]);
            }
        }
    }
}
