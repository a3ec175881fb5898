mod args;
mod certificate;
mod findings;
mod json;
mod report;
mod screen;
mod talk;
mod trace;

use std::sync::Arc;
use std::time::SystemTime;

use fullduplex_net::connect;

pub(crate) use self::args::Probe;
use self::report::{Open, Outcome, Report};
use self::talk::{PingPlan, Talk};
use self::trace::Trace;
use crate::context::Context;
use crate::exit::Failure;

pub(crate) async fn run(args: Probe, context: &Context) -> Result<(), Failure> {
    let url = args.client.parsed_url()?;
    let mut options = args.client.connect_options()?;
    let trace = Arc::new(Trace::begin());
    options.observer = Some(trace.clone());
    options.timeouts.close = args.answer_timeout;
    let plan =
        PingPlan { pings: args.pings, interval: args.interval, timeout: args.answer_timeout };
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.first() => Outcome::Interrupted,
        connected = connect(&url, &options) => match connected {
            Err(error) => Outcome::Failed(error),
            Ok((mut socket, _)) => Outcome::Open(Open {
                extensions: socket.extensions(),
                subprotocol: socket.subprotocol().map(ToString::to_string),
                talk: Talk::hold(&mut socket, plan, &context.interrupt).await,
            }),
        },
    };
    let report = Report {
        url,
        hops: trace.hops(),
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
