mod args;
mod json;
mod pacer;
mod payload;
mod plot;
mod progress;
mod record;
mod result;
mod summary;
mod watch;
mod worker;

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch as channel};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::args::Bench;
use self::payload::Payload;
use self::record::Record;
use self::result::BenchResult;
use self::watch::{TICK, Watch};
use self::worker::{Counts, Load, Run, RunPhase};
use crate::context::Context;
use crate::exit::{Exit, Failure, not_connected, silent};
use crate::interrupt::Interrupt;
use crate::output::Output;

/// How long to wait for answers at the end, and after an interrupt.
const PATIENCE: Duration = Duration::from_secs(5);
const INTERRUPTED: Duration = Duration::from_millis(300);

pub(crate) async fn run(args: Bench, context: &Context) -> Result<(), Failure> {
    let url = args.client.parsed_url()?;
    let mut options = args.client.connect_options()?;
    options.limits.message_bytes = options.limits.message_bytes.max(args.size);
    let (phase, receiver) = channel::channel(RunPhase::Sending);
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
    let loading = load(&run, &phase, &args, context);
    let cut_short = LocalSet::new().run_until(loading).await;
    let result = BenchResult { run, cut_short, secrets: context.secrets };
    result.check_answers();
    result.write(&args, &context.output).await?;
    result.exit()
}

/// Opens the connections, measures, and closes the connections. Returns whether the run was
/// interrupted.
async fn load(
    run: &Rc<Run>,
    phase: &channel::Sender<RunPhase>,
    args: &Bench,
    context: &Context,
) -> bool {
    let interrupt: &Interrupt = &context.interrupt;
    let ticker = tokio::task::spawn_local(tick(Rc::clone(run)));
    let progress = tokio::task::spawn_local(progress::show(Rc::clone(run), context.output.clone()));
    let mut connections = JoinSet::new();
    for number in 0..args.connections {
        let at = run.start + args.ramp.mul_f64(f64::from(number) / f64::from(args.connections));
        connections.spawn_local(Rc::clone(run).connection(number, at));
    }
    let cut_short = tokio::select! {
        biased;
        () = interrupt.first() => true,
        () = measure(run, args) => false,
        // All connections have failed.
        () = async { while connections.join_next().await.is_some() {} } => false,
    };
    let now = run.now();
    let window = run.record.borrow().window();
    if now < window.end {
        let start = window.start.min(now);
        run.record.borrow_mut().measure(start..now);
    }
    let patience = if cut_short { INTERRUPTED } else { PATIENCE };
    phase.send_replace(RunPhase::Ending { patience });
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = interrupt.second() => {}
    }
    ticker.abort();
    progress.abort();
    context.output.progress(None);
    cut_short
}

/// Waits until the connections are open. Then waits for the end of the warm-up and of the measurement.
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

impl BenchResult {
    /// Counts an error if the server has not answered any message.
    fn check_answers(&self) {
        let record = &mut *self.run.record.borrow_mut();
        let is_silent = if self.cut_short {
            record.sent_ever > 0 && record.answered_ever == 0
        } else {
            record.answered == 0
        };
        if self.run.counts.opened.get() > 0 && is_silent {
            record.handle_error("no message was answered: is it an echo server?");
        }
    }

    async fn write(&self, args: &Bench, output: &Output) -> Result<(), Failure> {
        if let Some(file) = &args.svg {
            write(file, &plot::svg(self))?;
        }
        match &args.json {
            Some(file) if file.as_os_str() == "-" => {
                let result = json::value(self);
                output.print(0, move |pen| pen.json(&result)).await;
                return Ok(());
            }
            Some(file) => write(file, &format!("{}\n", json::value(self)))?,
            None => {}
        }
        if self.run.counts.opened.get() > 0 {
            for line in summary::lines(self) {
                output.line(line).await;
            }
        }
        Ok(())
    }

    fn exit(&self) -> Result<(), Failure> {
        let record = self.run.record.borrow();
        if self.run.counts.opened.get() == 0 {
            let reason = record.errors.keys().next().map_or("interrupted", |reason| reason);
            return Err(not_connected(reason));
        }
        let has_failed =
            record.lost() + record.unsent + record.own_unsent + record.error_count() > 0;
        // After an interrupt, only errors are failures: the missing answers could still have arrived.
        let has_failed = has_failed && !(self.cut_short && record.error_count() == 0);
        if has_failed { Err(silent(Exit::Failed)) } else { Ok(()) }
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| format!("could not write the file {}: {error}", file.display()).into())
}
