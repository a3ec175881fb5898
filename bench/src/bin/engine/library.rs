use std::str::FromStr;

use bytes::Bytes;
use fullduplex_bench::peer::version;

use crate::case::{Case, Direction, Role};
use crate::frame::frame;
use crate::wire::Wire;
use crate::{fastwebsockets, fullduplex, tokio_websockets, tungstenite};

/// A library to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Library {
    Fullduplex,
    Fastwebsockets,
    TokioWebsockets,
    Tungstenite,
}

impl Library {
    /// fullduplex is the first.
    pub(crate) const ALL: [Self; 4] =
        [Self::Fullduplex, Self::Fastwebsockets, Self::TokioWebsockets, Self::Tungstenite];

    /// Returns the name of the crate in the lock file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fullduplex => "fullduplex-proto",
            Self::Fastwebsockets => "fastwebsockets",
            Self::TokioWebsockets => "tokio-websockets",
            Self::Tungstenite => "tungstenite",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        version(self.name())
    }

    /// Receives or sends `count` messages.
    ///
    /// # Panics
    /// Panics if the total length of the messages is not that of the case, because then the counts are wrong.
    pub(crate) fn run(self, case: &Case, count: usize) {
        let (payload, frame) = (case.payload(), frame(case));
        let wire = || Wire::new(&frame);
        let (done, each) = match case.direction {
            Direction::Receive => (self.receive(case.role, wire(), count), payload.len()),
            Direction::Send => (self.send(case.role, wire(), &payload, count), frame.len()),
            Direction::Echo => (self.echo(Wire::bursts(&frame, BURST, count)), payload.len()),
        };
        assert_eq!(done, each * count, "{} {case}", self.name());
    }

    fn receive(self, role: Role, wire: Wire, count: usize) -> usize {
        match self {
            Self::Fullduplex => fullduplex::receive(role, wire, count),
            Self::Fastwebsockets => fastwebsockets::receive(role, wire, count),
            Self::TokioWebsockets => tokio_websockets::receive(role, wire, count),
            Self::Tungstenite => tungstenite::receive(role, wire, count),
        }
    }

    fn send(self, role: Role, wire: Wire, payload: &Bytes, count: usize) -> usize {
        match self {
            Self::Fullduplex => fullduplex::send(role, wire, payload, count),
            Self::Fastwebsockets => fastwebsockets::send(role, wire, payload, count),
            Self::TokioWebsockets => tokio_websockets::send(role, wire, payload, count),
            Self::Tungstenite => tungstenite::send(role, wire, payload, count),
        }
    }

    /// Sends back each message that a server receives, until the wire ends.
    fn echo(self, wire: Wire) -> usize {
        match self {
            Self::Fullduplex => fullduplex::echo(wire),
            Self::Fastwebsockets => fastwebsockets::echo(wire),
            Self::TokioWebsockets => tokio_websockets::echo(wire),
            Self::Tungstenite => tungstenite::echo(wire),
        }
    }
}

/// The number of messages that a server receives with one read.
const BURST: usize = 64;

impl FromStr for Library {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|library| library.name() == name);
        found.ok_or_else(|| "unknown library; `engine list` lists them".into())
    }
}
