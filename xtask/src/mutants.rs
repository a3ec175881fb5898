//! Runs cargo-mutants, to find changes to the code that no test detects.

use std::fs;

use crate::run::{Failure, cargo, output, root, run};

/// Makes one small change to `package` at a time, and runs its tests. Fails if the tests pass and docs/mutants.md has
/// no reason for this change.
pub(crate) fn mutants(package: &str, shard: &str) -> Result<(), Failure> {
    if output(&mut cargo(["mutants", "--version"])).is_err() {
        run(&mut cargo(["install", "--locked", "cargo-mutants"]))?;
    }
    let mut command = cargo(["mutants", "--package", package, "--profile", "mutants"]);
    command.args(["--shard", shard, "--sharding", "round-robin", "--baseline", "skip"]);
    command.args(["--timeout", "120", "--output", "target"]);
    // These tests end within seconds.
    command.args(["-C=--lib", "-C=--test=it", "-C=--all-features"]);
    match package {
        // Part of this package is tested only through `fullduplex`.
        "fullduplex-net" => {
            command.args(["--test-package=fullduplex-net", "--test-package=fullduplex"]);
        }
        "fullduplex" => {
            command.args(["-C=--test=in_memory", "-C=--test=ordinary"]);
        }
        _ => {}
    }
    let tested = run(&mut command);

    let Ok(missed) = fs::read_to_string(root().join("target/mutants.out/missed.txt")) else {
        return tested;
    };
    let excused = fs::read_to_string(root().join("docs/mutants.md"))?;
    let survivors: Vec<_> =
        missed.lines().filter(|line| !excused.contains(&format!("`{}`", name(line)))).collect();
    if survivors.is_empty() {
        return Ok(());
    }
    let survivors = survivors.join("\n");
    Err(Failure(format!(
        "no test notices these changes: write one, or a reason in docs/mutants.md\n{survivors}"
    )))
}

/// Returns a mutant without its line and column, which change often.
fn name(line: &str) -> String {
    let Some((file, rest)) = line.split_once(".rs:") else {
        return line.to_owned();
    };
    let description = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim();
    format!("{file}.rs: {description}")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_name_has_no_line() {
        let line = "crates/proto/src/outbox.rs:194:45: replace > with < in Queue::clear";
        assert_eq!(name(line), "crates/proto/src/outbox.rs: replace > with < in Queue::clear");
    }
}
