//! Clients that connect and disconnect while their handlers only push, at long intervals (fault FS-01). The slot, the
//! descriptor and the memory of each connection must be freed within a second of its end. The handlers of `Server` and
//! axum do not check the connection, and are dropped after a grace period. Those of `Socket::drive`, which has no such
//! option, also wait for `Socket::closed`.

pub(crate) mod serve;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fullduplex_lab::process::Program;
use fullduplex_lab::script::{CLOSE, FIN, TEXT, frame, masked_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::serve::{GRACE, PUSH, ServeMode};
use crate::{Failure, mebibytes, raw, run};

/// The number of concurrent clients. Each has its own address.
const CLIENTS: usize = 32;
/// How long a slot may stay in use after the end of its connection.
const LIMIT: Duration = Duration::from_secs(1);
/// How much the memory of the server may grow after the first tenth of the clients.
const GROWTH: u64 = 2 << 20;
/// The number of clients in a round before the first measurement.
const WARM_UP: usize = 10_000;
const QUIET: Duration = Duration::from_millis(500);
/// How long a client may take before it counts as hanging.
const HANG: Duration = Duration::from_secs(20);

/// How a client ends its connection.
#[derive(Debug, Clone, Copy)]
enum ConnectionEnd {
    Close,
    Fin,
    Reset,
}

/// A server, and the figures to measure.
struct Served {
    program: Program,
    mode: ServeMode,
    /// How long a handler may wait after the end of its connection.
    handlers_end_after: Duration,
    /// The number of open files while no client is connected.
    files: usize,
}

/// Runs this many clients for each way to serve. The handlers push every `interval`.
pub(crate) fn push(clients: usize, interval: Duration) -> Result<(), Failure> {
    ServeMode::ALL.into_iter().try_for_each(|mode| serve_in(mode, clients, interval))
}

fn serve_in(mode: ServeMode, clients: usize, interval: Duration) -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let seconds = interval.as_secs().to_string();
    let program = Program::start(command.args(["serve-push", mode.name(), &seconds]))?;
    let handlers_end_after = match mode {
        ServeMode::Server | ServeMode::Axum => GRACE,
        ServeMode::Drive => Duration::ZERO,
    };
    // Warms up the server until the maximum number of handlers have waited at the same time, several times.
    let start = Instant::now();
    while start.elapsed() <= 3 * handlers_end_after {
        run(come_and_go(program.address, 0..WARM_UP))??;
    }
    let mut server = Served { program, mode, handlers_end_after, files: 0 };
    server.wait_for_handlers()?;
    server.files = server.program.process.open_files()?;
    let tenth = clients / 10;
    let early = server.measure(0..tenth)?;
    let late = server.measure(tenth..clients)?;
    if late > early + GROWTH {
        return Err(format!("the server has grown by {:.2} MiB", mebibytes(late - early)).into());
    }
    Ok(())
}

impl Served {
    /// Runs clients, waits until all handlers have ended, and returns the memory of the server.
    fn measure(&self, numbers: Range<usize>) -> Result<u64, Failure> {
        let Self { program: Program { address, process, .. }, mode, files, .. } = self;
        let (mode, end) = (mode.name(), numbers.end);
        let begun = Instant::now();
        let slowest = run(come_and_go(*address, numbers.clone()))??;
        let rate = numbers.len() as f64 / begun.elapsed().as_secs_f64();
        if slowest > LIMIT {
            return Err(format!("{mode}: a slot was in use {slowest:?} after the end").into());
        }
        // Handlers that have not noticed the end still wait, but hold no descriptor.
        std::thread::sleep(LIMIT);
        let left = process.open_files()?;
        if left != *files {
            return Err(format!("{mode}: {left} files are open, not {files}").into());
        }
        self.wait_for_handlers()?;
        let (memory, peak) = (mebibytes(process.memory()?), mebibytes(process.peak_memory()?));
        println!(
            "{mode}: {end} clients, {rate:.0} a second, a slot free after {:.0} ms at most, {left} open \
             files, {memory:.2} MiB resident, {peak:.2} MiB at the peak",
            slowest.as_secs_f64() * 1000.0,
        );
        Ok(process.memory()?)
    }

    /// Waits until every handler has noticed the end, or was dropped after its grace period.
    fn wait_for_handlers(&self) -> io::Result<()> {
        std::thread::sleep(self.handlers_end_after + Duration::from_secs(1));
        self.program.process.wait_until_quiet(QUIET)
    }
}

/// Runs the clients. Returns the longest time between the end of a connection and the opening of the next one
/// from the same address.
async fn come_and_go(server: SocketAddr, numbers: Range<usize>) -> Result<Duration, Failure> {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let clients: JoinSet<_> =
        (0..CLIENTS).map(|index| go_on(server, index, Arc::clone(&next), numbers.end)).collect();
    let slowest = clients.join_all().await.into_iter().collect::<io::Result<Vec<_>>>()?;
    Ok(slowest.into_iter().max().unwrap_or_default())
}

async fn go_on(
    server: SocketAddr,
    index: usize,
    next: Arc<AtomicUsize>,
    end: usize,
) -> io::Result<Duration> {
    let mut slowest = Duration::ZERO;
    let mut ended = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(slowest);
        }
        let mut stream = timeout(HANG, open(server, index)).await??;
        slowest = slowest.max(ended.as_ref().map_or(Duration::ZERO, Instant::elapsed));
        let end = [ConnectionEnd::Close, ConnectionEnd::Fin, ConnectionEnd::Reset][number % 3];
        ended = Some(Instant::now());
        match end {
            ConnectionEnd::Reset => raw::reset(stream)?,
            ConnectionEnd::Close => {
                let payload = 1000_u16.to_be_bytes();
                stream.write_all(&masked_frame(FIN | CLOSE, payload)).await?;
                let expected = frame(FIN | CLOSE, payload);
                timeout(HANG, expect_end(stream, &expected)).await??;
            }
            ConnectionEnd::Fin => {
                stream.shutdown().await?;
                timeout(HANG, expect_end(stream, &[])).await??;
            }
        }
    }
}

/// Connects repeatedly until the server has a free slot.
async fn open(server: SocketAddr, index: usize) -> io::Result<TcpStream> {
    loop {
        let mut stream = raw::connect(server, index).await?;
        match raw::shake_hands(&mut stream, "/").await {
            Ok(()) => return Ok(stream),
            Err(refused) if refused.to_string().contains(" 429 ") => {
                sleep(Duration::from_millis(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads the rest of the connection. Ignores messages that the server pushed before it noticed the end.
async fn expect_end(mut stream: TcpStream, expected: &[u8]) -> io::Result<()> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await?;
    let push = frame(FIN | TEXT, PUSH);
    let mut rest = &received[..];
    while let Some(after) = rest.strip_prefix(&push[..]) {
        rest = after;
    }
    if rest == expected {
        return Ok(());
    }
    Err(io::Error::other(format!("the server sent {rest:?} at the end, not {expected:?}")))
}
