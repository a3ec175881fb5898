//! The programs of the workspace `bench/`: peers written in Rust, and what measures them.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{Failure, cargo, root, run};

/// Weighs idle connections of our server and of others.
pub(crate) fn idle(connections: usize) -> Result<(), Failure> {
    let folder = build(&[])?;
    let mut program = Command::new(folder.join("idle"));
    run(program.args(["--connections", &connections.to_string()]))
}

/// Measures what a message costs our server and others.
pub(crate) fn speed(arguments: &[String]) -> Result<(), Failure> {
    let folder = build(&[])?;
    run(Command::new(folder.join("speed")).args(arguments))
}

/// Builds the programs, or those that `arguments` ask for, and returns the folder in which they are.
pub(crate) fn build(arguments: &[&str]) -> Result<PathBuf, Failure> {
    let folder = root().join("target/bench");
    run(cargo(["build", "--locked", "--release", "--target-dir"])
        .arg(&folder)
        .args(arguments)
        .current_dir(root().join("bench")))?;
    Ok(folder.join("release"))
}
