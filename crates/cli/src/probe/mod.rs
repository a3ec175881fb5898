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
use crate::context::Context;
use crate::exit::{Exit, Failure, silent};
use crate::secrets::Secrets;

/// What is known of a server.
#[derive(Debug)]
struct Report {
    url: Url,
    /// At least one.
    legs: Vec<Leg>,
    outcome: Outcome,
    /// Whether any certificate would have been accepted.
    takes_any_certificate: bool,
    /// When it was made.
    now: SystemTime,
    secrets: Secrets,
}

#[derive(Debug)]
enum Outcome {
    Failed(ConnectError),
    /// Interrupted before there was a connection.
    Interrupted,
    Open(Open),
}

#[derive(Debug)]
struct Open {
    extensions: String,
    subprotocol: Option<String>,
    talk: Talk,
}

pub(crate) async fn run(args: Probe, context: &Context) -> Result<(), Failure> {
    let url = args.client.parsed_url()?;
    let mut options = args.client.connect_options()?;
    let journey = Arc::new(Journey::begin());
    options.observer = Some(journey.clone());
    options.timeouts.close = args.patience;
    let pace = Pace { pings: args.pings, interval: args.interval, patience: args.patience };
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.first() => Outcome::Interrupted,
        connected = connect(&url, &options) => match connected {
            Err(error) => Outcome::Failed(error),
            Ok((mut socket, _)) => Outcome::Open(Open {
                extensions: socket.extensions(),
                subprotocol: socket.subprotocol().map(ToString::to_string),
                talk: Talk::hold(&mut socket, pace, &context.interrupt).await,
            }),
        },
    };
    let report = Report {
        url,
        legs: journey.legs(),
        outcome,
        takes_any_certificate: args.client.takes_any_certificate(),
        now: SystemTime::now(),
        secrets: context.secrets,
    };
    if args.json {
        let report = json::value(&report);
        context.output.print(0, move |pen| pen.json(&report)).await;
    } else {
        for line in screen::lines(&report) {
            context.output.line(line).await;
        }
    }
    report.exit()
}

impl Report {
    /// Returns the last leg, which led furthest.
    fn last_leg(&self) -> &Leg {
        self.legs.last().expect("there is at least one")
    }

    fn open(&self) -> Option<&Open> {
        match &self.outcome {
            Outcome::Open(open) => Some(open),
            Outcome::Failed(_) | Outcome::Interrupted => None,
        }
    }

    /// Returns the exit code. The screen shows the reason.
    fn exit(&self) -> Result<(), Failure> {
        match self.open() {
            None => Err(silent(Exit::NotConnected)),
            Some(open) if open.talk.is_clean() => Ok(()),
            Some(_) => Err(silent(Exit::Failed)),
        }
    }
}
