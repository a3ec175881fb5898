use std::io;

use fullduplex_bench::peer::Peer;

use crate::meter::{Pace, Sample, measure_client, measure_server};
use crate::servers::Servers;
use crate::table::Table;
use crate::talker::Talker;
use crate::workload::{Action, Workload};

/// Fills the tables: in each round, each peer runs each workload. The peers alternate, so that
/// other load on the machine affects all of them.
pub(crate) fn run(tables: &mut [Table], rounds: usize, pace: Pace) -> io::Result<()> {
    let mut servers = Servers::new()?;
    for round in 1..=rounds {
        for Table { workload, rows } in &mut *tables {
            eprintln!("round {round} of {rounds}: {}", workload.name);
            for (peer, samples) in rows {
                let sample = sample(&mut servers, peer, workload, pace);
                let explain = |error| {
                    io::Error::other(format!("{}, {}: {error}", workload.name, peer.program))
                };
                samples.push(sample.map_err(explain)?);
            }
        }
    }
    Ok(())
}

fn sample(
    servers: &mut Servers,
    peer: &Peer,
    workload: &Workload,
    pace: Pace,
) -> io::Result<Sample> {
    if workload.action == Action::Client {
        let address = servers.server_for_clients()?.address;
        let start = || Talker::start(peer, address, workload);
        let mut client = servers.start_measured(start)?;
        measure_client(&mut client, servers.server_for_clients()?, pace)
    } else {
        measure_server(peer, servers.server(peer, workload.mode())?, workload, pace)
    }
}
