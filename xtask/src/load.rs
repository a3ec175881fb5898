//! Our server with many clients: `crates/lab/src/bin/load/`.

use crate::run::{Failure, cargo, run};

/// Connections come and go.
pub(crate) fn churn(cycles: u32) -> Result<(), Failure> {
    load("churn", &[cycles])
}

/// Good clients among hostile ones.
pub(crate) fn crowd(seconds: u32) -> Result<(), Failure> {
    load("crowd", &[seconds])
}

/// A room in which clients talk.
pub(crate) fn chat(minutes: f64, clients: u32) -> Result<(), Failure> {
    load("chat", &[(minutes * 60.0) as u32, clients])
}

fn load(task: &str, numbers: &[u32]) -> Result<(), Failure> {
    let package = ["run", "--release", "--package", "fullduplex-lab", "--bin", "load", "--", task];
    run(cargo(package).args(numbers.iter().map(u32::to_string)))
}
