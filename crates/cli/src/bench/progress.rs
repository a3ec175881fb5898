use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use super::worker::Run;
use crate::figures::{count, counted, time};
use crate::output::Output;

const SECOND: Duration = Duration::from_secs(1);

/// Updates the progress line every second.
pub(super) async fn show(run: Rc<Run>, output: Output) {
    let mut seconds = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        seconds.tick().await;
        let (recent, errors) = {
            let mut record = run.record.borrow_mut();
            (record.take_recent(), record.error_count())
        };
        let line = format!(
            "{} s  {} messages/s  p50 {}  p99 {}  {} open  {}",
            run.now().as_secs(),
            count(recent.len()),
            time(recent.at(0.5)),
            time(recent.at(0.99)),
            count(run.counts.open.get().into()),
            counted(errors, "error"),
        );
        output.progress(Some(line.into()));
    }
}
