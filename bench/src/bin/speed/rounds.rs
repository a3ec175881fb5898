use std::io;

use fullduplex_bench::peer::{Kind, Peer};
use fullduplex_bench::process::Program;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::meter::{Pace, measure};
use crate::table::Table;
use crate::workload::Workload;

/// Measures each peer with each workload, so many times. The rounds take turns, so that whatever else
/// the machine does hits all of them.
pub(crate) fn run(
    workloads: &[Workload],
    peers: &[Peer],
    rounds: usize,
    pace: Pace,
) -> io::Result<Vec<Table>> {
    let (for_servers, for_generator) = two_processors()?;
    run_on(for_servers)?;
    let servers =
        peers.iter().map(|peer| peer.start(false)).collect::<io::Result<Vec<Program>>>()?;
    run_on(for_generator)?;

    let empty = |workload: &Workload| Table {
        workload: *workload,
        rows: peers.iter().map(|peer| (*peer, Vec::new())).collect(),
    };
    let mut tables: Vec<Table> = workloads.iter().map(empty).collect();
    for round in 0..rounds {
        for table in &mut tables {
            eprint!("\rround {} of {rounds}, {:<4}", round + 1, table.workload.name);
            for ((peer, samples), server) in table.rows.iter_mut().zip(&servers) {
                let sample = measure(server, &table.workload, peer.kind == Kind::Raw, pace);
                let explain = |error| {
                    io::Error::other(format!("{}, {}: {error}", table.workload.name, peer.program))
                };
                samples.push(sample.map_err(explain)?);
            }
        }
    }
    eprintln!();
    Ok(tables)
}

/// One for the servers, of which one at a time has something to do, and one for this program.
fn two_processors() -> io::Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
    match (processors.next(), processors.next()) {
        (Some(first), Some(second)) => Ok((first, second)),
        _ => Err(io::Error::other("two processors are needed")),
    }
}

/// Keeps this thread, and the programs that it starts from now on, to one processor.
fn run_on(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}
