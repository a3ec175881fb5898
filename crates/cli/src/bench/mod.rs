mod args;
mod json;
mod pacer;
mod payload;
mod plot;
mod progress;
mod record;
mod summary;
mod watch;
mod worker;

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use fullduplex_net::ConnectConcurrency;
use fullduplex_net::proto::Url;
use tokio::sync::{Semaphore, watch as channel};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::args::Bench;
use self::payload::Payload;
use self::record::Record;
use self::watch::{TICK, Watch};
use self::worker::{Counts, Load, Phase, Run};
use crate::exit::{Exit, Failure, not_connected, silent, usage};
use crate::output::print;

/// How long an answer is waited for at the end, and when the user does not want to wait.
const PATIENCE: Duration = Duration::from_secs(5);
const INTERRUPTED: Duration = Duration::from_millis(300);

/// What a run has come to, besides its record.
#[derive(Debug)]
struct Conclusion {
    run: Rc<Run>,
    cut_short: bool,
}

pub(crate) async fn run(args: Bench) -> Result<(), Failure> {
    let url = Url::parse(&args.client.url).map_err(usage)?;
    let mut options = args.client.builder()?.connect_options().clone();
    options.concurrency = ConnectConcurrency::Unlimited;
    options.limits.message_bytes = options.limits.message_bytes.max(args.size);
    let (phase, receiver) = channel::channel(Phase::Sending);
    let run = Rc::new(Run {
        url,
        options,
        connections: args.connections,
        load: match args.rate {
            Some(rate) => Load::Open { rate },
            None => Load::Closed { in_flight: args.in_flight as usize },
        },
        payload: Payload::new(args.size, args.binary, args.content),
        handshakes: Semaphore::new(args.handshakes as usize),
        phase: receiver,
        start: Instant::now(),
        record: Record::default().into(),
        watch: Watch::default().into(),
        counts: Counts::default(),
    });
    let cut_short = LocalSet::new().run_until(load(&run, &phase, &args)).await;
    let conclusion = Conclusion { run, cut_short };
    conclusion.write(&args)?;
    conclusion.exit()
}

/// Opens the connections, measures and closes them. Returns whether the user has interrupted it.
async fn load(run: &Rc<Run>, phase: &channel::Sender<Phase>, args: &Bench) -> bool {
    let ticker = tokio::task::spawn_local(tick(Rc::clone(run)));
    let progress = tokio::task::spawn_local(progress::show(Rc::clone(run)));
    let mut connections = JoinSet::new();
    for number in 0..args.connections {
        let at = run.start + args.ramp.mul_f64(f64::from(number) / f64::from(args.connections));
        connections.spawn_local(Rc::clone(run).connection(number, at));
    }
    let cut_short = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => true,
        () = measure(run, args) => false,
        // All of them have failed.
        () = async { while connections.join_next().await.is_some() {} } => false,
    };
    let now = run.now();
    let window = run.record.borrow().window();
    if now < window.end {
        let start = window.start.min(now);
        run.record.borrow_mut().measure(start..now);
    }
    let patience = if cut_short { INTERRUPTED } else { PATIENCE };
    phase.send_replace(Phase::Ending { patience });
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    ticker.abort();
    progress.abort();
    cut_short
}

/// Waits until the connections are open, warm, and measured.
async fn measure(run: &Run, args: &Bench) {
    while run.counts.settled.get() < args.connections {
        sleep(TICK).await;
    }
    let start = run.now() + args.warmup;
    let end = start + args.duration;
    run.record.borrow_mut().measure(start..end);
    sleep_until(run.start + end).await;
}

async fn tick(run: Rc<Run>) {
    run.watch.borrow_mut().handle_start(run.now());
    loop {
        sleep(TICK).await;
        run.watch.borrow_mut().handle_tick(run.now());
    }
}

impl Conclusion {
    fn write(&self, args: &Bench) -> Result<(), Failure> {
        if let Some(file) = &args.svg {
            write(file, &plot::svg(self))?;
        }
        match &args.json {
            Some(file) if file.as_os_str() == "-" => return print(&json::text(self)),
            Some(file) => write(file, &json::text(self))?,
            None => {}
        }
        if self.run.counts.opened.get() > 0 { print(&summary::text(self)) } else { Ok(()) }
    }

    fn exit(&self) -> Result<(), Failure> {
        let record = self.run.record.borrow();
        if self.run.counts.opened.get() == 0 {
            let reason = record.errors.keys().next().map_or("interrupted", |reason| reason);
            return Err(not_connected(reason));
        }
        let has_failed =
            record.lost() + record.unsent + record.own_unsent + record.error_count() > 0;
        // What was cut short may have been about to be answered.
        let has_failed = has_failed && !(self.cut_short && record.error_count() == 0);
        if has_failed { Err(silent(Exit::Failed)) } else { Ok(()) }
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| format!("the file {} cannot be written: {error}", file.display()).into())
}
