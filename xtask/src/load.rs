//! Runs `crates/lab/src/bin/load/`: our server with many clients, `examples/hub/`: a hub with many clients, and
//! `amplification.rs`: `fdx` under attack.

use std::ffi::OsStr;
use std::path::Path;

use clap::ValueEnum;

use crate::bench;
use crate::needs::search_path;
use crate::run::{Failure, cargo, root, run};

/// Opens and ends connections.
pub(crate) fn churn(cycles: u32) -> Result<(), Failure> {
    load("churn", &[cycles])
}

/// Measures many sockets in one HTTP/2 connection.
pub(crate) fn http2(sockets: u32) -> Result<(), Failure> {
    load("http2", &[sockets])
}

/// Connects and disconnects clients of handlers that only push.
pub(crate) fn push(clients: u32, seconds: u32) -> Result<(), Failure> {
    load("push", &[clients, seconds])
}

/// Measures well-behaved clients while hostile ones are connected.
pub(crate) fn crowd(seconds: u32) -> Result<(), Failure> {
    load("crowd", &[seconds])
}

/// Runs a chat room.
pub(crate) fn chat(minutes: f64, clients: u32) -> Result<(), Failure> {
    load("chat", &[(minutes * 60.0) as u32, clients])
}

/// A part of `cargo xtask hub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HubPart {
    /// 3,000 clients while brokers and nodes fail. Takes four minutes.
    Faults,
    /// 5,000 clients that are cut off at once. Takes a minute.
    Reconnect,
    /// The costs of rooms, beside bare brokers and socketioxide. Takes two minutes.
    Costs,
    /// 300 clients, a steady state and a restart of the broker. Takes half a minute. All parts together do not
    /// contain it.
    Quick,
}

/// Runs a hub with many clients, and measures what it costs.
pub(crate) fn hub(part: Option<HubPart>) -> Result<(), Failure> {
    let run_task = |task: &str, argument: &OsStr| {
        let package = ["run", "--release", "--package", "fullduplex-lab", "--example", "hub", "--"];
        run(cargo(package).arg(task).arg(argument).env("PATH", search_path()))
    };
    match part {
        Some(HubPart::Faults) => run_task("faults", "3000".as_ref()),
        Some(HubPart::Reconnect) => run_task("reconnect", "5000".as_ref()),
        Some(HubPart::Quick) => run_task("quick", "300".as_ref()),
        Some(HubPart::Costs) => {
            let peer = bench::build(["room_socketioxide"])?.join("room_socketioxide");
            run_task("costs", peer.as_os_str())
        }
        None => {
            [HubPart::Faults, HubPart::Reconnect, HubPart::Costs].into_iter().try_for_each(|part| {
                hub(Some(part))?;
                println!();
                Ok(())
            })
        }
    }
}

/// Attacks `fdx`, and then an older version for comparison.
pub(crate) fn amplification(before: Option<&Path>) -> Result<(), Failure> {
    run(&mut cargo(["build", "--release", "--package", "fullduplex-cli"]))?;
    let package = ["run", "--release", "--package", "fullduplex-lab", "--bin", "amplification"];
    run(cargo(package).arg("--").arg(root().join("target/release/fdx")).args(before))
}

fn load(task: &str, numbers: &[u32]) -> Result<(), Failure> {
    let package = ["run", "--release", "--package", "fullduplex-lab", "--bin", "load", "--", task];
    run(cargo(package).args(numbers.iter().map(u32::to_string)))
}
