use std::io;
use std::time::{Duration, Instant};

use fullduplex_bench::peer::Peer;
use fullduplex_bench::process::{Process, Program};
use fullduplex_bench::server::Http;

use crate::generator::{Generator, Load};
use crate::handshakes::shake_hands;
use crate::replies::Check;
use crate::streams::Streams;
use crate::talker::Talker;
use crate::traffic::Traffic;
use crate::workload::{Action, Workload};

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
}

/// One measurement of one peer.
#[derive(Debug)]
pub(crate) struct Sample {
    traffic: Traffic,
    elapsed: Duration,
    /// The processor time of the peer.
    cpu: Duration,
    /// The processor time of the other end.
    other_cpu: Duration,
}

/// The time in which all connections join a room and the previous connections leave it.
const QUIET: Duration = Duration::from_millis(40);

/// Runs a workload against a server. Compares the content of the replies before and after the
/// measurement.
pub(crate) fn measure_server(
    peer: &Peer,
    server: &Program,
    workload: &Workload,
    pace: Pace,
) -> io::Result<Sample> {
    let is_raw = peer.kind.is_raw();
    let ends = [&server.process, &Process::own()];
    if workload.action == Action::Handshake {
        return measure(ends, pace, |time| shake_hands(server.address, is_raw, time));
    }
    let mut generator: Box<dyn Load> = match workload.http {
        Http::One => Box::new(Generator::connect(server.address, workload, is_raw)?),
        Http::Two => Box::new(Streams::open(server.address, workload, is_raw)?),
    };
    if workload.action == Action::Broadcast {
        server.process.wait_until_quiet(QUIET)?;
    }
    generator.run(Duration::ZERO, Check::All)?;
    let sample = measure(ends, pace, |time| generator.run(time, Check::Headers))?;
    generator.run(Duration::ZERO, Check::All)?;
    Ok(sample)
}

/// Runs a client against a server.
pub(crate) fn measure_client(
    client: &mut Talker,
    server: &Program,
    pace: Pace,
) -> io::Result<Sample> {
    let process = client.process();
    measure([&process, &server.process], pace, |time| client.run(time))
}

/// Runs a task, and reads the processor time of both ends. The first end is the measured one.
fn measure(
    [measured, other]: [&Process; 2],
    pace: Pace,
    mut run: impl FnMut(Duration) -> io::Result<Traffic>,
) -> io::Result<Sample> {
    run(pace.warm_up)?;
    let (cpu, other_cpu) = (measured.cpu_time()?, other.cpu_time()?);
    let start = Instant::now();
    let mut traffic = run(pace.measure)?;
    let elapsed = start.elapsed();
    let (cpu, other_cpu) = (measured.cpu_time()? - cpu, other.cpu_time()? - other_cpu);
    traffic.round_trips.sort_unstable();
    Ok(Sample { traffic, elapsed, cpu, other_cpu })
}

impl Sample {
    /// Returns the processor time per message, in microseconds.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages()
    }

    /// Returns the messages per second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages() / self.elapsed.as_secs_f64()
    }

    /// Returns the share of the time in which the peer ran.
    pub(crate) fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// Returns the share of the time in which the other end was busy.
    pub(crate) fn other_busy(&self) -> f64 {
        let busy = self.other_cpu.saturating_sub(self.traffic.waited);
        busy.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// Returns the given percentile of the burst times in microseconds, if they were measured.
    pub(crate) fn percentile(&self, hundredths: usize) -> Option<f64> {
        let trips = &self.traffic.round_trips;
        let index = trips.len().checked_sub(1)? * hundredths / 100;
        Some(trips[index].as_secs_f64() * 1e6)
    }

    /// Returns the mean length of a reply, including its header.
    pub(crate) fn reply_len(&self) -> f64 {
        self.traffic.bytes as f64 / self.messages()
    }

    fn messages(&self) -> f64 {
        self.traffic.messages as f64
    }
}
