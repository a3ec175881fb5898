//! Measuring, with the programs of the workspace `bench/`.

use std::process::Command;

use crate::run::{Failure, cargo, root, run};

/// Weighs idle connections of our server and of others.
pub(crate) fn idle(connections: usize) -> Result<(), Failure> {
    let folder = root().join("target/bench");
    run(cargo(["build", "--locked", "--release", "--target-dir"])
        .arg(&folder)
        .current_dir(root().join("bench")))?;
    let mut program = Command::new(folder.join("release/idle"));
    run(program.args(["--connections", &connections.to_string()]))
}
