//! Short connections. The server must free all resources of each one (fault FT-39).

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fullduplex_lab::process::Program;
use fullduplex_lab::script::{CLOSE, FIN, TEXT, frame, masked_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::serve::HANDSHAKE_TIMEOUT;
use crate::{Failure, mebibytes, raw, run, start_server};

/// The number of concurrent clients, without silent ones.
const CLIENTS: usize = 32;

/// How much the memory of the server may grow after the first tenth of the cycles.
const GROWTH: u64 = 2 << 20;

const QUIET: Duration = Duration::from_millis(500);

/// How long the server may take to end a connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of connections before the first measurement, with some of each kind.
const WARM_UP: usize = 1000;

const PATH: &str = "/";

/// How a connection is used and ended.
#[derive(Debug, Clone, Copy)]
enum ConnectionEnd {
    /// A message, and the closing handshake.
    Closed,
    /// A message, and an RST.
    Reset,
    /// A message, and the end of TCP.
    Ended,
    /// Half a request, and an RST.
    ResetOpening,
    /// Half a request, and nothing more until the server ends the connection.
    Silent,
}

impl ConnectionEnd {
    /// Returns how connection `number` ends. Most use the closing handshake.
    fn of(number: usize) -> Self {
        match number % WARM_UP {
            // Silent connections last for seconds. If more of them existed than before the first measurement,
            // the allocator would keep more memory.
            0 => Self::Silent,
            1..150 => Self::ResetOpening,
            150..300 => Self::Ended,
            300..450 => Self::Reset,
            _ => Self::Closed,
        }
    }
}

/// Runs this many connections. Measures the server after a tenth of them and after all of them.
pub(crate) fn churn(cycles: usize) -> Result<(), Failure> {
    let server = start_server()?;
    run(come_and_go(server.address, 0..WARM_UP))??;
    server.process.wait_until_quiet(QUIET)?;
    let files = server.process.open_files()?;
    let tenth = cycles / 10;
    let early = measure(&server, 0..tenth, files)?;
    let late = measure(&server, tenth..cycles, files)?;
    println!("{files} open files before, and at both measurements");
    if late > early + GROWTH {
        return Err(format!("the server has grown by {:.2} MiB", mebibytes(late - early)).into());
    }
    Ok(())
}

/// Runs connections until the server has closed all of them, and returns its memory.
fn measure(server: &Program, numbers: Range<usize>, files: usize) -> Result<u64, Failure> {
    let (count, end) = (numbers.len(), numbers.end);
    let seconds = run(come_and_go(server.address, numbers))??.as_secs_f64();
    server.process.wait_until_quiet(QUIET)?;
    let memory = server.process.memory()?;
    let rate = count as f64 / seconds;
    println!("{end} connections: {:.2} MiB resident, {rate:.0} a second", mebibytes(memory));
    match server.process.open_files()? {
        left if left == files => Ok(memory),
        left => Err(format!("{left} files are open at the end, not {files}").into()),
    }
}

/// Runs the connections. Returns the duration, without the time for the silent connections that remain at the
/// end.
async fn come_and_go(server: SocketAddr, numbers: Range<usize>) -> Result<Duration, Failure> {
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let clients: JoinSet<_> =
        (0..CLIENTS).map(|_| go_on(server, Arc::clone(&next), numbers.end)).collect();
    let silent = clients.join_all().await.into_iter().collect::<io::Result<Vec<_>>>()?;
    let time = begin.elapsed();
    for silent in silent {
        silent.join_all().await.into_iter().collect::<io::Result<()>>()?;
    }
    Ok(time)
}

/// Runs one connection after the other. Returns the tasks of the silent connections.
async fn go_on(
    server: SocketAddr,
    next: Arc<AtomicUsize>,
    end: usize,
) -> io::Result<JoinSet<io::Result<()>>> {
    let mut silent = JoinSet::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(silent);
        }
        let mut stream = raw::connect(server, number).await?;
        match ConnectionEnd::of(number) {
            // This connection takes long, so it runs in another task.
            ConnectionEnd::Silent => drop(silent.spawn(be_silent(stream))),
            ConnectionEnd::ResetOpening => {
                stream.write_all(half_a_request().as_bytes()).await?;
                raw::reset(stream)?;
            }
            end => timeout(PATIENCE, talk(stream, end)).await??,
        }
    }
}

/// Sends a message, reads its echo, and ends the connection.
async fn talk(mut stream: TcpStream, end: ConnectionEnd) -> io::Result<()> {
    raw::shake_hands(&mut stream, PATH).await?;
    send_frame(&mut stream, FIN | TEXT, b"hello").await?;
    match end {
        ConnectionEnd::Reset => return raw::reset(stream),
        ConnectionEnd::Closed => {
            send_frame(&mut stream, FIN | CLOSE, &1000_u16.to_be_bytes()).await?
        }
        _ => stream.shutdown().await?,
    }
    expect_end(stream).await
}

/// Sends a frame and reads its echo.
async fn send_frame(stream: &mut TcpStream, first_byte: u8, payload: &[u8]) -> io::Result<()> {
    stream.write_all(&masked_frame(first_byte, payload)).await?;
    let expected = frame(first_byte, payload);
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).await?;
    if answer == expected {
        Ok(())
    } else {
        Err(io::Error::other(format!("the server answered {answer:?}, not {expected:?}")))
    }
}

async fn be_silent(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(half_a_request().as_bytes()).await?;
    timeout(HANDSHAKE_TIMEOUT + PATIENCE, expect_end(stream)).await?
}

async fn expect_end(mut stream: TcpStream) -> io::Result<()> {
    match stream.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(io::Error::other("the server sent more than the echo")),
    }
}

fn half_a_request() -> String {
    let mut request = raw::request(PATH);
    request.truncate(request.len() / 2);
    request
}
