use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_net::proto::{Observed, Role};
use http::{Request, Response};

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum Happening {
    /// A client at this address has sent a request.
    Request(SocketAddr, Request<()>),
    /// The server has sent a response.
    Response(Response<()>),
    /// A frame from this end has passed.
    Frame(Role, Observed),
    /// This end sends no more. Of the frame within which it ended, the part that passed.
    End(Role, Option<Observed>),
    /// The stream of this end broke.
    Broken(Role, String),
    /// The ends were not connected, for this reason.
    Failed(String),
    /// The connection is over. This much has passed from the client and from the server.
    Over(Passed, Passed),
}

/// How much has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Passed {
    pub(super) frames: u64,
    /// Bytes of the stream, without the heads of HTTP.
    pub(super) bytes: u64,
}

/// When something happened on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) connection: u64,
    /// The time since the client connected.
    pub(super) time: Duration,
    /// The time since the last happening.
    pub(super) since: Duration,
}

impl Happening {
    /// Returns how many bytes this holds.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Request(_, request) => request.headers().len() * HEADER,
            Self::Response(response) => response.headers().len() * HEADER,
            Self::Frame(_, frame) | Self::End(_, Some(frame)) => frame.content.len(),
            Self::End(_, None) | Self::Broken(..) | Self::Failed(_) | Self::Over(..) => 0,
        }
    }
}

/// About the memory of a header.
const HEADER: usize = 128;
