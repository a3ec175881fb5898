//! Tests the npm package.

use std::process::Command;

use crate::run::{Failure, root, run};

/// Installs the package's dependencies, builds it, and tests it on the installed Node.js and on the
/// newest one.
pub(crate) fn test() -> Result<(), Failure> {
    npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
    npm(&["run", "--silent", "build"])?;
    npm(&["run", "--silent", "test"])?;
    npm(&["run", "--silent", "test:newest"])
}

fn npm(arguments: &[&str]) -> Result<(), Failure> {
    run(Command::new("npm").args(arguments).current_dir(root().join("crates/node")))
}
