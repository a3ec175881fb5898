use std::io;
use std::time::{Duration, Instant};

use fullduplex_bench::peer::Peer;
use fullduplex_bench::process::{Process, Program};

use crate::generator::Generator;
use crate::handshakes::shake_hands;
use crate::replies::Check;
use crate::talker::Talker;
use crate::traffic::Traffic;
use crate::workload::{Action, Workload};

/// How long is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
}

/// What was measured of one peer at one time.
#[derive(Debug)]
pub(crate) struct Sample {
    traffic: Traffic,
    elapsed: Duration,
    /// How long the peer ran.
    cpu: Duration,
    /// How long the other end ran.
    other_cpu: Duration,
}

/// So long have all connections joined a room, and the last ones left it.
const QUIET: Duration = Duration::from_millis(40);

/// Puts a workload on a server, and looks at the content of what comes back before and afterwards.
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
    let mut generator = Generator::connect(server.address, workload, is_raw)?;
    if workload.action == Action::Broadcast {
        server.process.wait_until_quiet(QUIET)?;
    }
    generator.run(Duration::ZERO, Check::All)?;
    let sample = measure(ends, pace, |time| generator.run(time, Check::Headers))?;
    generator.run(Duration::ZERO, Check::All)?;
    Ok(sample)
}

/// Has a client talk to a server.
pub(crate) fn measure_client(
    client: &mut Talker,
    server: &Program,
    pace: Pace,
) -> io::Result<Sample> {
    let process = client.process();
    measure([&process, &server.process], pace, |time| client.run(time))
}

/// Lets something run, and looks at the clocks of both ends, of which the first is measured.
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
    /// Time of the processor for each message, in microseconds.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages()
    }

    /// Messages in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages() / self.elapsed.as_secs_f64()
    }

    /// The share of the time in which the peer ran.
    pub(crate) fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// The share of the time in which the other end had something to do.
    pub(crate) fn other_busy(&self) -> f64 {
        let busy = self.other_cpu.saturating_sub(self.traffic.waited);
        busy.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// How long so many hundredths of the bursts took at most, in microseconds, if that was measured.
    pub(crate) fn percentile(&self, hundredths: usize) -> Option<f64> {
        let trips = &self.traffic.round_trips;
        let index = trips.len().checked_sub(1)? * hundredths / 100;
        Some(trips[index].as_secs_f64() * 1e6)
    }

    /// The mean length of a reply, its header included.
    pub(crate) fn reply_len(&self) -> f64 {
        self.traffic.bytes as f64 / self.messages()
    }

    fn messages(&self) -> f64 {
        self.traffic.messages as f64
    }
}
