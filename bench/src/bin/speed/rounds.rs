use std::io;

use fullduplex_bench::peer::Peer;

use crate::cast::Cast;
use crate::meter::{Pace, Sample, measure_client, measure_server};
use crate::table::Table;
use crate::talker::Talker;
use crate::workload::{Action, Workload};

/// Fills the tables: in each round, each peer runs each workload. The peers alternate, so that
/// other load on the machine affects all of them.
pub(crate) fn run(tables: &mut [Table], rounds: usize, pace: Pace) -> io::Result<()> {
    let mut cast = Cast::new()?;
    for round in 1..=rounds {
        for Table { workload, rows } in &mut *tables {
            eprintln!("round {round} of {rounds}: {}", workload.name);
            for (peer, samples) in rows {
                let sample = sample(&mut cast, peer, workload, pace);
                let explain = |error| {
                    io::Error::other(format!("{}, {}: {error}", workload.name, peer.program))
                };
                samples.push(sample.map_err(explain)?);
            }
        }
    }
    Ok(())
}

fn sample(cast: &mut Cast, peer: &Peer, workload: &Workload, pace: Pace) -> io::Result<Sample> {
    if workload.action == Action::Client {
        let address = cast.server_for_clients()?.address;
        let start = || Talker::start(peer, address, workload);
        let mut client = cast.start_measured(start)?;
        measure_client(&mut client, cast.server_for_clients()?, pace)
    } else {
        measure_server(peer, cast.server(peer, workload.mode())?, workload, pace)
    }
}
