use std::time::SystemTime;

use fullduplex_net::ConnectError;
use fullduplex_net::proto::Url;

use super::talk::Talk;
use super::trace::Hop;
use crate::exit::{Exit, Failure, silent};
use crate::secrets::Secrets;

/// The results of a probe.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) url: Url,
    /// The requests, the last one after all redirects. There is at least one.
    pub(super) hops: Vec<Hop>,
    pub(super) outcome: Outcome,
    /// Whether any certificate would have been accepted.
    pub(super) takes_any_certificate: bool,
    /// When the report was made.
    pub(super) now: SystemTime,
    pub(super) secrets: Secrets,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Failed(ConnectError),
    /// Interrupted before the connection was open.
    Interrupted,
    Open(Open),
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) extensions: String,
    pub(super) subprotocol: Option<String>,
    pub(super) talk: Talk,
}

impl Report {
    /// Returns the last request.
    pub(super) fn last_hop(&self) -> &Hop {
        self.hops.last().expect("there is at least one")
    }

    pub(super) fn open(&self) -> Option<&Open> {
        match &self.outcome {
            Outcome::Open(open) => Some(open),
            Outcome::Failed(_) | Outcome::Interrupted => None,
        }
    }

    /// Returns the exit code. The screen shows the reason.
    pub(super) fn exit(&self) -> Result<(), Failure> {
        match self.open() {
            None => Err(silent(Exit::NotConnected)),
            Some(open) if open.talk.is_clean() => Ok(()),
            Some(_) => Err(silent(Exit::Failed)),
        }
    }
}
