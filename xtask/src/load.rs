//! Runs `crates/lab/src/bin/load/`: our server with many clients, `examples/hub/`: a hub with many clients, and
//! `amplification.rs`: `fdx` under attack.

use std::path::Path;

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

/// Lets brokers and nodes of a hub fail, then cuts off all clients at once, and measures the costs of a hub.
pub(crate) fn hub(clients: u32, reconnecting: u32) -> Result<(), Failure> {
    let package = ["run", "--release", "--package", "fullduplex-lab", "--example", "hub", "--"];
    let run_task = |task: &str, clients: &[u32]| {
        let mut hub = cargo(package);
        hub.arg(task).args(clients.iter().map(u32::to_string));
        let outcome = run(hub.env("PATH", search_path()));
        println!();
        outcome
    };
    run_task("faults", &[clients])?;
    run_task("reconnect", &[reconnecting])?;
    run_task("costs", &[])
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
