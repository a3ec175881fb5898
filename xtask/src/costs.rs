//! The costs of hostile peers and failing I/O, printed by the tests that limit them.

use std::collections::BTreeSet;

use crate::run::{Failure, cargo, output};

/// The tests, by package. They print lines that begin with the id of a fault.
const TESTS: [&[&str]; 3] = [
    &["--package", "fullduplex-proto", "--test", "hostile", "--test", "bombs"],
    &["--package", "fullduplex-net", "--test", "costs"],
    &["--package", "fullduplex", "--test", "it", "reconnect"],
];

/// Runs the tests with optimization, and prints their figures in the order of the fault ids.
pub(crate) fn costs() -> Result<(), Failure> {
    let mut figures = BTreeSet::new();
    for tests in TESTS {
        let mut command = cargo(["test", "--release"]);
        let printed = output(command.args(tests).args(["--", "--nocapture", "--test-threads=1"]))?;
        // libtest prints the test's name before its first output.
        let found = printed.lines().filter_map(|line| Some(&line[line.find("FT-")?..]));
        figures.extend(found.filter(|figure| figure.contains("  ")).map(str::to_owned));
    }
    figures.iter().for_each(|figure| println!("{figure}"));
    Ok(())
}
