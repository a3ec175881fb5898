//! What is said of each target: the results of its test programs, and the table of docs/targets.md.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use super::{TARGETS, Target};
use crate::run::{Failure, root};

/// What happened on one target.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) built: String,
    pub(super) tests: String,
    pub(super) is_good: bool,
}

/// What the test programs print.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Results {
    /// The programs that have run.
    programs: usize,
    /// The programs to run.
    pub(super) total: usize,
    /// The time that a program has.
    pub(super) minutes: u64,
    passed: usize,
    ignored: usize,
    pub(super) failed: Vec<String>,
    /// The programs that ended before their summary, each with the reason.
    pub(super) unfinished: Vec<String>,
}

impl Results {
    pub(super) fn of(total: usize, minutes: u64) -> Self {
        Self { total, minutes, ..Self::default() }
    }

    /// Adds what a program printed, and how it ended. `code` is the exit status of `timeout`.
    pub(super) fn add(&mut self, program: &str, printed: &str, code: Option<i32>) {
        self.programs += 1;
        let mut summary = None;
        let mut passed = 0;
        for line in printed.lines() {
            if let Some((_, counts)) = line.split_once("test result: ") {
                summary = Some(count(counts, " passed"));
                self.ignored += count(counts, " ignored");
            } else if let Some(test) = line.strip_prefix("test ") {
                if let Some(name) = test.strip_suffix(" ... FAILED") {
                    self.failed.push(format!("`{program}::{name}`"));
                }
                passed += usize::from(test.ends_with(" ... ok"));
            }
        }
        self.passed += summary.unwrap_or(passed);
        match code {
            // The program of a browser's tests does nothing here, and prints no summary.
            Some(0) => {}
            Some(101) if summary.is_some() => {}
            Some(124 | 137) => self.unfinished.push(format!(
                "`{program}` was stopped after {} minutes and {passed} tests",
                self.minutes
            )),
            _ => self.unfinished.push(format!("`{program}` ended early, after {passed} tests")),
        }
    }
}

/// Returns the number before a word of libtest's summary.
fn count(counts: &str, word: &str) -> usize {
    let parts = counts.split(';').filter_map(|part| part.strip_suffix(word));
    parts.filter_map(|part| part.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.programs < self.total {
            write!(f, "{} of ", self.programs)?;
        }
        write!(f, "{} programs: {} passed", self.total, self.passed)?;
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        if !self.failed.is_empty() {
            write!(f, ", {} failed: {}", self.failed.len(), self.failed.join(", "))?;
        }
        self.unfinished.iter().try_for_each(|program| write!(f, "; {program}"))
    }
}

/// The rows of docs/targets.md. A run changes only the rows of its targets.
pub(super) struct Rows(Vec<(String, String)>);

impl Rows {
    pub(super) fn read() -> Result<Self, Failure> {
        let file = file();
        let text = if file.exists() { fs::read_to_string(file)? } else { String::new() };
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let rows = text.lines().filter_map(|line| {
            let name = line.strip_prefix("| ")?.split(" |").next()?;
            let is_known = TARGETS.iter().any(|target| name.starts_with(target.triple));
            is_known.then(|| (name.split(',').next().unwrap_or(name).to_owned(), line.to_owned()))
        });
        Self(rows.collect())
    }

    /// Replaces the row of a target by the outcome of a run, which began at `start`: the commit and the date.
    pub(super) fn set(&mut self, target: &Target, outcome: &Outcome, start: &str) {
        let left_out = target.left_out.iter().map(|(name, reason)| format!("`{name}`: {reason}"));
        let left_out = left_out.collect::<Vec<_>>().join("; ");
        let row = format!(
            "| {}, {} | {} | {} | {} | {left_out} | {start} |",
            target.triple,
            target.about,
            target.packages.join(", "),
            outcome.built,
            outcome.tests
        );
        self.0.retain(|(name, _)| name != target.triple);
        self.0.push((target.triple.to_owned(), row));
    }

    pub(super) fn write(&self) -> Result<(), Failure> {
        fs::write(file(), self.to_string())?;
        Ok(())
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for target in &TARGETS {
            match self.0.iter().find(|(name, _)| name == target.triple) {
                Some((_, row)) => writeln!(f, "{row}")?,
                None => writeln!(f, "| {}, {} | | not run | | | |", target.triple, target.about)?,
            }
        }
        Ok(())
    }
}

fn file() -> PathBuf {
    root().join("docs/targets.md")
}

const HEAD: &str = "# Targets

Written by `cargo xtask targets` on Linux (x64), which builds for each target with the lints of the workspace and runs
the tests. qemu-user runs the programs for s390x and aarch64, with 16 cases for each property instead of 256; Wine runs
those for Windows. A build with a warning counts as failed. A test is ignored if it needs another program, or takes
long. A run replaces the rows of its targets only. `cargo xtask browser` tests the target wasm32-unknown-unknown.

Tests of signals, Unix sockets and shells are built for Unix only. On Windows, Ctrl-C, Ctrl-Break and the end of the console
end `fdx` as signals do on Unix; Unix sockets have no counterpart there, and `fdx listen unix:PATH` says so.

| target | packages | builds | tests | left out | commit, date |
|---|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_are_added() {
        let mut results = Results::of(4, 5);
        let failing = "test a::b ... ok\ntest c ... FAILED\n\
            test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out\n";
        results.add("it", failing, Some(101));
        results.add("slow", "test a ... ok\ntest b ... ", Some(124));
        results.add("crash", "", Some(139));
        assert_eq!(
            results.to_string(),
            "3 of 4 programs: 2 passed, 2 ignored, 1 failed: `it::c`; `slow` was stopped after 5 minutes and 1 tests; \
             `crash` ended early, after 0 tests"
        );
    }

    #[test]
    fn a_run_keeps_the_rows_of_other_targets() {
        let outcome =
            |tests: &str| Outcome { built: "yes".into(), tests: tests.into(), is_good: true };
        let mut rows = Rows::of("");
        rows.set(&TARGETS[0], &outcome("1 passed"), "aaaaaaa, 2026-11-01");
        let mut rows = Rows::of(&rows.to_string());
        rows.set(&TARGETS[1], &outcome("2 passed"), "bbbbbbb, 2026-11-02");
        let text = rows.to_string();
        for (tests, start) in
            [("1 passed", "aaaaaaa, 2026-11-01"), ("2 passed", "bbbbbbb, 2026-11-02")]
        {
            let is_kept = |row: &str| row.contains(tests) && row.contains(start);
            assert!(text.lines().any(is_kept), "{text}");
        }
    }
}
