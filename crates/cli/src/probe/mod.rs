mod args;
mod certificate;
mod findings;
mod journey;
mod json;
mod screen;
mod talk;

use std::sync::Arc;
use std::time::SystemTime;

use fullduplex_net::proto::Url;
use fullduplex_net::{ConnectError, connect};

pub(crate) use self::args::Probe;
use self::journey::{Journey, Leg};
use self::talk::{Pace, Talk};
use crate::exit::{Exit, Failure, silent, usage};
use crate::output::print;

/// All that was learned of a server.
#[derive(Debug)]
struct Report {
    url: Url,
    /// At least one.
    legs: Vec<Leg>,
    outcome: Outcome,
    /// Whether any certificate would have been taken.
    takes_any_certificate: bool,
    /// When it was made.
    now: SystemTime,
}

#[derive(Debug)]
enum Outcome {
    Failed(ConnectError),
    /// By the user, before there was a connection.
    Interrupted,
    Open(Open),
}

#[derive(Debug)]
struct Open {
    extensions: String,
    subprotocol: Option<String>,
    talk: Talk,
}

pub(crate) async fn run(args: Probe) -> Result<(), Failure> {
    let url = Url::parse(&args.client.url).map_err(usage)?;
    let mut options = args.client.builder()?.connect_options().clone();
    let journey = Arc::new(Journey::begin());
    options.observer = Some(journey.clone());
    options.timeouts.close = args.patience;
    let pace = Pace { pings: args.pings, interval: args.interval, patience: args.patience };
    let outcome = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Outcome::Interrupted,
        connected = connect(&url, &options) => match connected {
            Err(error) => Outcome::Failed(error),
            Ok((mut socket, _)) => Outcome::Open(Open {
                extensions: socket.extensions(),
                subprotocol: socket.subprotocol().map(ToString::to_string),
                talk: Talk::hold(&mut socket, pace).await,
            }),
        },
    };
    let report = Report {
        url,
        legs: journey.legs(),
        outcome,
        takes_any_certificate: args.client.takes_any_certificate(),
        now: SystemTime::now(),
    };
    print(&if args.json { json::text(&report) } else { screen::text(&report) })?;
    report.exit()
}

impl Report {
    /// The leg that led furthest.
    fn last_leg(&self) -> &Leg {
        self.legs.last().expect("there is at least one")
    }

    fn open(&self) -> Option<&Open> {
        match &self.outcome {
            Outcome::Open(open) => Some(open),
            Outcome::Failed(_) | Outcome::Interrupted => None,
        }
    }

    /// The screen has said all.
    fn exit(&self) -> Result<(), Failure> {
        match self.open() {
            None => Err(silent(Exit::NotConnected)),
            Some(open) if open.talk.is_clean() => Ok(()),
            Some(_) => Err(silent(Exit::Failed)),
        }
    }
}
