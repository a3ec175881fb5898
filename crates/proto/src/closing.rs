//! The closing handshake (RFC 6455 section 7): every transition, and nothing of the roles.
//!
//! ```text
//!                 we close                         the peer's Close arrives
//!     ┌──────┐ ───────────────▶ ┌──────┐ ─────────────────────────────────────┐
//!     │ Open │                  │ Sent │                                      ▼
//!     └──────┘                  └──────┘                               ┌───────────┐
//!      │ │ │    the peer's Close arrives (the answer is owed)          │ Exchanged │
//!      │ │ └────────────────────────────────────────────────────────▶  └───────────┘
//!      │ │                                                                   │
//!      │ │  violation   ┌────────┐  told, shut down   ┌───────────┐          │
//!      │ └────────────▶ │ Failed │ ─────────────────▶ │ Lingering │          │
//!      │                └────────┘                    └───────────┘          │
//!      │  the transport takes no more    ┌──────────┐       │                │
//!      └───────────────────────────────▶ │ Readable │       │                │
//!                                        └──────────┘       │                │
//!                                              │ the transport ends, or the deadline passes
//!                                              ▼            ▼                ▼
//!                                            ┌──────────────────────────────────┐
//!                                            │              Ended               │
//!                                            └──────────────────────────────────┘
//! ```

use crate::{CloseFrame, Violation};

/// How far the end of a connection has come.
#[derive(Debug)]
pub(crate) enum Closing {
    /// Nobody has closed.
    Open,
    /// Our Close is queued or sent; the peer's is awaited.
    Sent,
    /// The peer's Close is here; ours is queued or sent; `close_was_sent` if ours was written before.
    Exchanged { frame: Option<Box<CloseFrame>>, close_was_sent: bool },
    /// The peer broke a rule; our Close says which, and is queued.
    Failed(Violation),
    /// It is told; the transport is shut down, and what still arrives is discarded, so that the
    /// peer reads our Close rather than a reset.
    Lingering(Violation),
    /// Nothing can be sent any more; what the peer sent before may still be read.
    Readable,
    /// Over.
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

/// Why a connection failed, rather than being closed.
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
    /// The peer did not answer our Ping in time, or the transport took no bytes for so long.
    #[error("the connection was lost: the peer did not answer a ping in time")]
    PongTimeout,
}

impl Closed {
    /// The code as the standards report it: the peer's; 1005 when its Close had none; 1006 when it
    /// sent no Close, or the connection failed (RFC6455-7.1.5-1).
    pub fn code(&self) -> u16 {
        match &self.received {
            PeerClose::Received(Some(frame)) => frame.code.get(),
            PeerClose::Received(None) => 1005,
            PeerClose::Missing => 1006,
        }
    }

    /// The peer's reason, or "" (RFC6455-7.1.6-1).
    pub fn reason(&self) -> &str {
        match &self.received {
            PeerClose::Received(Some(frame)) => frame.reason.as_str(),
            _ => "",
        }
    }

    /// Whether both Close frames crossed before the transport ended (RFC6455-7.1.4-1).
    pub fn was_clean(&self) -> bool {
        self.clean
    }

    /// Why the connection failed; `None` when it was closed.
    pub fn failure(&self) -> Option<ConnectionError> {
        self.failure
    }
}

/// What happens to a [`Closing`] from outside.
#[derive(Debug)]
pub(crate) enum Step {
    /// We queued our Close.
    WeClosed,
    /// The peer's Close arrived; `told` if the transport had taken ours.
    TheyClosed { frame: Option<Box<CloseFrame>>, close_sent: bool },
    /// The peer broke a rule.
    TheyFailed(Violation),
    /// All output was written and the transport was shut down for writing.
    ShutDown,
    /// The transport takes no more bytes; `told` as above.
    WriteBroken { close_sent: bool },
    /// The transport ended; `told` as above.
    TransportEnded { close_sent: bool },
    /// The peer is not alive.
    PongMissing,
    /// The deadline passed; `told` as above.
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

            // What could not be written was nothing that the peer waits for.
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
            // What a transport has taken just before it breaks may be lost.
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
