//! Tests the npm package.

use std::process::Command;
use std::thread;

use crate::run::{Failure, root, run};

/// Installs the package's dependencies, builds it, and tests it on the installed Node.js and on the
/// newest one. With `everything`, also on Bun and Deno.
pub(crate) fn test(everything: bool) -> Result<(), Failure> {
    run(&mut npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    run(&mut npm(&["run", "--silent", "build"]))?;
    run(&mut npm(&["run", "--silent", "test"]))?;
    run(&mut npm(&["run", "--silent", "test:newest"]))?;
    if everything { other_hosts() } else { Ok(()) }
}

/// Runs the tests on Bun and Deno at the same time, because most tests wait, and prints the counts.
fn other_hosts() -> Result<(), Failure> {
    let test = |script| move || npm(&["run", "--silent", script]).env("NO_COLOR", "1").output();
    let (bun, deno) = thread::scope(|scope| {
        let bun = scope.spawn(test("test:bun"));
        let deno = scope.spawn(test("test:deno"));
        (bun.join(), deno.join())
    });
    for (host, tested) in [("Bun", bun), ("Deno", deno)] {
        let tested = tested.map_err(|_| Failure(format!("could not run {host}")))??;
        let printed = String::from_utf8_lossy(&tested.stdout);
        if !tested.status.success() {
            println!("{printed}");
            return Err(Failure(format!("tests failed on {host}")));
        }
        for line in printed.lines().filter(|line| is_count(line)) {
            println!("{host}: {}", line.trim());
        }
    }
    Ok(())
}

/// Returns whether a line of a test runner reports how many tests passed, failed or were skipped.
fn is_count(line: &str) -> bool {
    let counts =
        |word| line.trim().ends_with(word) && line.trim().starts_with(|c: char| c.is_ascii_digit());
    line.contains(" passed") || [" pass", " skip", " fail"].into_iter().any(counts)
}

fn npm(arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(root().join("crates/node"));
    npm
}
