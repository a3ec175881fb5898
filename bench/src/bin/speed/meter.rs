use std::io;
use std::time::{Duration, Instant};

use fullduplex_bench::process::{Process, Program};

use crate::generator::{Generator, Traffic};
use crate::replies::Check;
use crate::workload::Workload;

/// How long is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
}

/// What was measured of one server at one time.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// What the measured process took.
    pub(crate) cpu: Duration,
    /// What this process took.
    pub(crate) own_cpu: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Puts a workload on a server. The content of what comes back is compared before and afterwards.
pub(crate) fn measure(
    server: &Program,
    workload: &Workload,
    is_raw: bool,
    pace: Pace,
) -> io::Result<Sample> {
    let mut generator = Generator::connect(server.address, workload, is_raw)?;
    generator.run(Duration::ZERO, Check::All)?;
    generator.run(pace.warm_up, Check::Headers)?;

    let own = Process::own();
    let (cpu, own_cpu) = (server.process.cpu_time()?, own.cpu_time()?);
    let start = Instant::now();
    let traffic = generator.run(pace.measure, Check::Headers)?;
    let elapsed = start.elapsed();
    let (cpu, own_cpu) = (server.process.cpu_time()? - cpu, own.cpu_time()? - own_cpu);

    generator.run(Duration::ZERO, Check::All)?;
    Ok(Sample::new(traffic, elapsed, cpu, own_cpu))
}

impl Sample {
    fn new(mut traffic: Traffic, elapsed: Duration, cpu: Duration, own_cpu: Duration) -> Self {
        let trips = &mut traffic.round_trips;
        trips.sort_unstable();
        let percentile = |hundredths: usize| trips[(trips.len() - 1) * hundredths / 100];
        Self {
            messages: traffic.messages,
            bytes: traffic.bytes,
            elapsed,
            cpu,
            own_cpu,
            p50: percentile(50),
            p99: percentile(99),
        }
    }

    /// Time of the processor for each message, in microseconds.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages as f64
    }

    /// Messages in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }

    /// The share of the time in which the measured process ran.
    pub(crate) fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// The share of the time in which this process ran.
    pub(crate) fn own_busy(&self) -> f64 {
        self.own_cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}
