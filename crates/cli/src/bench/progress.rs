use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use super::worker::Run;
use crate::figures::{count, counted, time};

const SECOND: Duration = Duration::from_secs(1);

/// Rewrites a line on stderr every second, if that is a terminal.
pub(super) async fn show(run: Rc<Run>) {
    if !io::stderr().is_terminal() {
        return;
    }
    // It is wiped when the run ends.
    let _line = Line;
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
        // Nobody depends on it.
        write!(io::stderr(), "\r{line}\x1b[K").ok();
    }
}

struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        write!(io::stderr(), "\r\x1b[K").ok();
    }
}
