use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_net::proto::{Observed, Role};
use http::{Request, Response};

/// An event on a tapped connection.
#[derive(Debug)]
pub(super) enum TapEvent {
    /// The client at this address sent a request.
    Request(SocketAddr, Request<()>),
    /// The server sent a response.
    Response(Response<()>),
    /// A frame from this end passed.
    Frame(Role, Observed),
    /// This end stopped sending. If the last frame is incomplete, it is included.
    End(Role, Option<Observed>),
    /// The stream of this end failed.
    Broken(Role, String),
    /// This end ends the HTTP/2 connection with GOAWAY, for this reason.
    GoAway(Role, String),
    /// The connection could not be established.
    Failed(String),
    /// The connection has ended. Contains the totals of the client and of the server.
    Over(Totals, Totals),
}

/// Totals of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    pub(super) frames: u64,
    /// Bytes of the stream, without the HTTP heads.
    pub(super) bytes: u64,
}

impl Totals {
    pub(super) fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// When an event happened on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventTime {
    pub(super) connection: u64,
    /// The stream of HTTP/2.
    pub(super) stream: Option<u32>,
    /// The time since the client connected.
    pub(super) time: Duration,
    /// The time since the previous event.
    pub(super) since: Duration,
}

impl TapEvent {
    /// Returns the size of the event in bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Request(_, request) => request.headers().len() * HEADER,
            Self::Response(response) => response.headers().len() * HEADER,
            Self::Frame(_, frame) | Self::End(_, Some(frame)) => frame.content.len(),
            Self::End(_, None)
            | Self::Broken(..)
            | Self::GoAway(..)
            | Self::Failed(_)
            | Self::Over(..) => 0,
        }
    }
}

/// The approximate memory of a header.
const HEADER: usize = 128;
