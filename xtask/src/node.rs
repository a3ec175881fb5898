//! The npm package, as its users and `npm` see it.

use std::process::Command;

use crate::run::{Failure, root, run};

/// Installs what its tests need, builds it, and tests it on the Node.js that is here and on the newest.
pub(crate) fn test() -> Result<(), Failure> {
    npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
    npm(&["run", "--silent", "build"])?;
    npm(&["run", "--silent", "test"])?;
    npm(&["run", "--silent", "test:newest"])
}

fn npm(arguments: &[&str]) -> Result<(), Failure> {
    run(Command::new("npm").args(arguments).current_dir(root().join("crates/node")))
}
