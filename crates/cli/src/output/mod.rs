//! The output of this command, on stdout and on stderr.
//!
//! All output goes through a [`Pen`] on a separate thread, so that a blocked terminal or pipe delays
//! only the tasks that wait for it. `clippy.toml` forbids all other writes to stdout and stderr.
#![allow(clippy::disallowed_methods, reason = "all output goes through this module")]

mod escape;
mod line;
mod pen;

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use rustyline::ExternalPrinter;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tracing_subscriber::fmt::MakeWriter;

pub(crate) use self::escape::{cut, escaped};
pub(crate) use self::line::Line;
use self::pen::Reader;
pub(crate) use self::pen::{Event, Pen};
use crate::exit::Failure;

/// The number of bytes that may wait for stdout, and the number of lines that may wait for stderr. A
/// message that is larger than the limit waits alone.
const ROOM: usize = 1 << 20;
const NOTES: usize = 256;

/// The size of a job apart from the content that it prints.
const OVERHEAD: usize = 256;

/// The reader of stdout has closed the pipe. A command then ends without an error.
#[derive(Debug)]
pub(crate) struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of stdout has closed it")
    }
}

impl Error for StdoutClosed {}

/// Stdout for results and stderr for notes. Clones share both channels.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    stdout: Channel,
    /// The thread that writes to stderr. If stdout and stderr are terminals, one thread writes to both,
    /// so that the order of lines is kept.
    stderr: Channel,
    room: Arc<Semaphore>,
    notes: Arc<Semaphore>,
    failure: Arc<StdoutFailure>,
}

/// A thread that writes.
#[derive(Debug, Clone)]
struct Channel(mpsc::UnboundedSender<Job>);

/// Output to write, and its share of the room, which is released after writing.
struct Job {
    draw: Box<dyn FnOnce(&mut Pens) + Send>,
    _room: Option<OwnedSemaphorePermit>,
}

struct Pens {
    stdout: Pen,
    stderr: Pen,
}

/// Why stdout cannot be written to.
#[derive(Debug, Default)]
struct StdoutFailure {
    error: Mutex<Option<io::Error>>,
    failed: Notify,
}

impl Output {
    /// Starts the threads that write.
    pub(crate) fn start() -> Self {
        let failure = Arc::<StdoutFailure>::default();
        let stdout = Channel::start(Arc::clone(&failure));
        let is_one = stdout_is_terminal() && stderr_is_terminal();
        let stderr = if is_one { stdout.clone() } else { Channel::start(Arc::clone(&failure)) };
        let (room, notes) = (Arc::new(Semaphore::new(ROOM)), Arc::new(Semaphore::new(NOTES)));
        Self { stdout, stderr, room, notes, failure }
    }

    /// Writes the output of `draw`, which has `weight` bytes, to stdout. Waits until there is room.
    pub(crate) async fn print(&self, weight: usize, draw: impl FnOnce(&mut Pen) + Send + 'static) {
        let weight = u32::try_from((weight + OVERHEAD).min(ROOM)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let room = Arc::clone(&self.room).acquire_many_owned(weight).await.ok();
        self.stdout.send(room, |pens| draw(&mut pens.stdout));
    }

    /// Writes a line for people to stdout. Waits until there is room.
    pub(crate) async fn line(&self, line: impl Into<Line>) {
        let line = line.into();
        self.print(line.width(), move |pen| pen.line(&line)).await;
    }

    /// Writes a line for people to stderr. Drops it if too many lines wait already.
    pub(crate) fn note(&self, line: impl Into<Line>) {
        let line = line.into();
        self.on_stderr(move |pen| pen.line(&line));
    }

    /// Rewrites the progress line on stderr, if that is a terminal. `None` removes it.
    pub(crate) fn progress(&self, line: Option<Line>) {
        if stderr_is_terminal() {
            self.on_stderr(move |pen| pen.status(&line.unwrap_or_default()));
        }
    }

    fn on_stderr(&self, draw: impl FnOnce(&mut Pen) + Send + 'static) {
        if let Ok(room) = Arc::clone(&self.notes).try_acquire_owned() {
            self.stderr.send(Some(room), |pens| draw(&mut pens.stderr));
        }
    }

    /// Writes terminal output above the line that the user edits.
    pub(crate) fn show_above(&self, printer: impl ExternalPrinter + Send + 'static) {
        let printer = Arc::new(Mutex::new(printer));
        self.stdout.send(None, |pens| {
            pens.stdout.redirect(Box::new(AbovePrompt::new(Arc::clone(&printer))));
            pens.stderr.redirect(Box::new(AbovePrompt::new(printer)));
        });
    }

    /// Ends [`show_above`](Self::show_above) after the line editor has ended, and removes its
    /// prompt.
    pub(crate) fn leave_prompt(&self) {
        self.stdout.send(None, |pens| {
            pens.stdout.redirect(Box::new(io::stdout()));
            pens.stderr.redirect(Box::new(io::stderr()));
            pens.stdout.leave_prompt();
        });
    }

    /// Waits until all output so far was written or has failed.
    pub(crate) async fn written(&self) {
        for channel in [&self.stdout, &self.stderr] {
            let (done, is_done) = oneshot::channel();
            channel.send(None, |pens| {
                pens.flush();
                done.send(()).ok(); // the caller may have stopped waiting
            });
            is_done.await.ok();
        }
    }

    /// Waits like [`written`](Self::written), for `limit` at most.
    pub(crate) async fn written_within(&self, limit: Duration) {
        timeout(limit, self.written()).await.ok();
    }

    /// Waits until writing to stdout fails. Returns the resulting failure of the command.
    pub(crate) async fn until_failed(&self) -> Failure {
        loop {
            let failed = self.failure.failed.notified();
            if let Some(failure) = self.failure() {
                return failure;
            }
            failed.await;
        }
    }

    /// Returns why writing to stdout failed. Later calls return `None`.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let error = self.failure.error.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(match error.kind() {
            io::ErrorKind::BrokenPipe => StdoutClosed.into(),
            _ => format!("could not write to stdout: {error}").into(),
        })
    }
}

impl Channel {
    fn start(failure: Arc<StdoutFailure>) -> Self {
        let (sender, jobs) = mpsc::unbounded_channel();
        std::thread::spawn(move || run(jobs, &failure));
        Self(sender)
    }

    fn send(
        &self,
        room: Option<OwnedSemaphorePermit>,
        draw: impl FnOnce(&mut Pens) + Send + 'static,
    ) {
        // The thread ends when the last channel is dropped.
        self.0.send(Job { draw: Box::new(draw), _room: room }).ok();
    }
}

/// Runs jobs, and flushes the output whenever no job is waiting.
fn run(mut jobs: mpsc::UnboundedReceiver<Job>, failure: &StdoutFailure) {
    let mut pens = Pens::new();
    while let Some(job) = jobs.blocking_recv() {
        (job.draw)(&mut pens);
        drop(job._room);
        if jobs.is_empty() {
            pens.flush();
        }
        if let Some(error) = pens.stdout.take_failure() {
            *failure.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            failure.failed.notify_waiters();
        }
    }
    pens.flush();
}

impl Pens {
    fn new() -> Self {
        let reader = |is_terminal, choice| match (is_terminal, choice) {
            (false, _) => Reader::Pipe,
            (true, choice) => Reader::Terminal { colours: choice != ColorChoice::Never },
        };
        let stdout = reader(stdout_is_terminal(), AutoStream::choice(&io::stdout()));
        let stderr = reader(stderr_is_terminal(), AutoStream::choice(&io::stderr()));
        Self {
            stdout: Pen::new(Box::new(io::stdout()), stdout),
            stderr: Pen::new(Box::new(io::stderr()), stderr),
        }
    }

    fn flush(&mut self) {
        self.stdout.flush();
        self.stderr.flush();
    }
}

/// Returns bytes as pairs of hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether stdout is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether stderr is a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Passes complete lines to a line editor, which shows them above its prompt.
struct AbovePrompt<P> {
    printer: Arc<Mutex<P>>,
    line: Vec<u8>,
}

impl<P> AbovePrompt<P> {
    fn new(printer: Arc<Mutex<P>>) -> Self {
        Self { printer, line: Vec::new() }
    }
}

impl<P: ExternalPrinter> Write for AbovePrompt<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let lines = String::from_utf8_lossy(&self.line).into_owned();
            self.line = rest;
            let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
            printer.print(lines).ok(); // fails if the terminal was closed
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the libraries' log to stderr, through the same channel.
impl<'a> MakeWriter<'a> for Output {
    type Writer = Log<'a>;

    fn make_writer(&'a self) -> Log<'a> {
        Log(self)
    }
}

#[derive(Debug)]
pub(crate) struct Log<'a>(&'a Output);

impl Write for Log<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.note(String::from_utf8_lossy(line.trim_ascii_end()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the output for a terminal without colours, for tests.
#[cfg(test)]
pub(crate) fn seen(draw: impl FnOnce(&mut Pen)) -> String {
    drawn(Reader::Terminal { colours: false }, draw)
}

/// Returns the output for a pipe, for tests.
#[cfg(test)]
pub(crate) fn piped(draw: impl FnOnce(&mut Pen)) -> String {
    drawn(Reader::Pipe, draw)
}

#[cfg(test)]
fn drawn(reader: Reader, draw: impl FnOnce(&mut Pen)) -> String {
    let (sender, pieces) = std::sync::mpsc::channel();
    let mut pen = Pen::new(Box::new(Sink(sender)), reader);
    draw(&mut pen);
    pen.flush();
    drop(pen);
    String::from_utf8(pieces.iter().flatten().collect()).expect("the text is UTF-8")
}

#[cfg(test)]
struct Sink(std::sync::mpsc::Sender<Vec<u8>>);

#[cfg(test)]
impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails if a terminal would interpret something in the output, or if a line does not start with
/// one of `beginnings`.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_harmless(seen: &str, beginnings: &[&str]) {
    let hostile = seen.chars().find(|c| escape::is_hostile(*c) && !matches!(c, '\n' | '\t'));
    assert_eq!(hostile, None, "{seen:?}");
    for line in seen.lines() {
        let is_ours = beginnings.iter().any(|beginning| line.starts_with(beginning));
        assert!(is_ours, "{line:?} looks like another line in {seen:?}");
    }
}
