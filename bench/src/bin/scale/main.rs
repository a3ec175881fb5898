//! Measures what a server costs with many connections: to open them, to hold them, to ping them, to use a
//! hundred of them, and to shut down.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

use std::io;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use fullduplex_bench::client::{Client, Message, Offer};
use fullduplex_bench::process::{Process, Program, allow_many_files};
use fullduplex_bench::scale::{PING, SHUTDOWN};

/// Measures what a server costs with many connections.
#[derive(Debug, Parser)]
struct Options {
    /// The numbers of connections.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 4_000, 16_000])]
    connections: Vec<usize>,
}

/// The connections that are used, and how often.
const USED: usize = 100;
const ROUNDS: usize = 100;

/// Connections that are opened before the first measurement, and stay open.
const WARM_UP: usize = 10;

const QUIET: Duration = Duration::from_millis(500);

/// The figures for one number of connections. All CPU times are those of the server.
#[derive(Debug)]
struct Figures {
    open: Cost,
    memory: u64,
    idle_second: Duration,
    slowest_of_100: Duration,
    keepalive: Duration,
    shutdown: Cost,
}

#[derive(Debug, Clone, Copy)]
struct Cost {
    elapsed: Duration,
    cpu: Duration,
}

fn main() -> ExitCode {
    allow_many_files();
    println!(
        "| connections | opened in | CPU each to open | bytes each | CPU of an idle second \
         | p99 of a ping-pong on {USED} | CPU each of a keepalive round | shut down in \
         | CPU each to shut down |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for connections in Options::parse().connections {
        match measure(connections) {
            Ok(figures) => figures.print(connections),
            Err(error) => {
                eprintln!("scale: could not measure {connections} connections: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn measure(connections: usize) -> io::Result<Figures> {
    let server =
        Program::start(&mut Command::new(std::env::current_exe()?.with_file_name("scale_server")))?;
    let process = &server.process;
    let connect = || Client::connect(server.address, Offer::Nothing);
    let mut others = (0..WARM_UP).map(|_| connect()).collect::<io::Result<Vec<_>>>()?;
    process.wait_until_quiet(QUIET)?;

    let memory = process.anonymous_memory()?;
    let start = Instant::now();
    let mut clients = Vec::with_capacity(connections);
    let open = cost(process, || {
        for _ in 0..connections {
            clients.push(connect()?);
        }
        Ok(())
    })?;
    process.wait_until_quiet(QUIET)?;
    let memory = process.anonymous_memory()?.saturating_sub(memory);

    let idle_second = cost(process, || {
        sleep(Duration::from_secs(1));
        Ok(())
    })?;
    let slowest_of_100 = ping_pong(clients.get_mut(..USED).unwrap_or_default())?;
    if start.elapsed() > PING {
        return Err(io::Error::other("this machine is too slow: pings are due already"));
    }
    let keepalive = cost(process, || {
        others.iter_mut().chain(&mut clients).try_for_each(Client::answer_ping)?;
        process.wait_until_quiet(QUIET)
    })?;
    let shutdown = cost(process, || {
        if let Some(client) = others.first_mut() {
            client.send(&Message::text(SHUTDOWN))?;
        }
        others.iter_mut().chain(&mut clients).try_for_each(Client::answer_close)
    })?;
    let (idle_second, keepalive) = (idle_second.cpu, keepalive.cpu);
    Ok(Figures { open, memory, idle_second, slowest_of_100, keepalive, shutdown })
}

fn cost(process: &Process, work: impl FnOnce() -> io::Result<()>) -> io::Result<Cost> {
    let (start, before) = (Instant::now(), process.cpu_time()?);
    work()?;
    Ok(Cost { elapsed: start.elapsed(), cpu: process.cpu_time()?.saturating_sub(before) })
}

/// Returns the 99th percentile of the times of single messages, one at a time.
fn ping_pong(clients: &mut [Client]) -> io::Result<Duration> {
    let message = Message::new(64, false);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        for client in &mut *clients {
            let start = Instant::now();
            client.send(&message)?;
            client.expect(&message)?;
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().ok_or_else(|| io::Error::other("no connections"))
}

impl Figures {
    fn print(&self, connections: usize) {
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / connections as f64;
        let Self { open, memory, idle_second, slowest_of_100, keepalive, shutdown } = self;
        println!(
            "| {connections} | {:.2} s | {:.1} µs | {:.0} | {:.2} ms | {:.0} µs | {:.1} µs | {:.2} s | {:.1} µs |",
            open.elapsed.as_secs_f64(),
            each(open.cpu),
            *memory as f64 / connections as f64,
            idle_second.as_secs_f64() * 1e3,
            slowest_of_100.as_secs_f64() * 1e6,
            each(*keepalive),
            shutdown.elapsed.as_secs_f64(),
            each(shutdown.cpu),
        );
    }
}
