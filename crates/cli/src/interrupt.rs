use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// The time that an interrupted command has for an orderly end.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Counts Ctrl-C and SIGTERM from the start of the command.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<u32>);

impl Interrupt {
    /// Starts to count. The third interrupt ends the process immediately.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut signals = Signals::new()?;
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                signals.next().await;
                count.send_modify(|count| *count += 1);
                if *count.borrow() == 3 {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
        Ok(Self(counted))
    }

    /// Waits for the first interrupt, which may already have happened.
    pub(crate) async fn first(&self) {
        self.nth(1).await;
    }

    /// Waits for the second interrupt. The user presses Ctrl-C again to end the command without waiting.
    pub(crate) async fn second(&self) {
        self.nth(2).await;
    }

    /// Waits until the grace period after the first interrupt is over.
    pub(crate) async fn grace(&self) {
        self.first().await;
        sleep(GRACE).await;
    }

    async fn nth(&self, number: u32) {
        let mut counted = self.0.clone();
        if counted.wait_for(|count| *count >= number).await.is_err() {
            // The runtime is ending.
            std::future::pending().await
        }
    }
}

/// A shell's exit code for a process that SIGINT has ended.
const INTERRUPTED: i32 = 130;

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A console of Windows has no SIGTERM. Closing its window is the nearest to it.
#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    interrupt_by_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self { interrupt: ctrl_c()?, interrupt_by_break: ctrl_break()?, close: ctrl_close()? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.interrupt_by_break.recv() => {}
            _ = self.close.recv() => {}
        }
    }
}
