//! Tests the npm package.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::thread;

use crate::dist_try::{RUNTIMES, Runtime};
use crate::run::{Failure, output, remove_package, root, run};

/// Installs the package's dependencies, builds it, and tests it on the installed Node.js and on the
/// newest one. With `everything`, also on Bun and Deno.
pub(crate) fn test(everything: bool) -> Result<(), Failure> {
    build()?;
    run(&mut npm(&["run", "--silent", "test"]))?;
    run(&mut npm(&["run", "--silent", "test:newest"]))?;
    if everything { other_hosts() } else { Ok(()) }
}

fn build() -> Result<(), Failure> {
    run(&mut npm(&["ci", "--silent"]))?;
    run(&mut npm(&["run", "--silent", "build"]))
}

/// Runs the tests on Bun and Deno at the same time, because most tests wait, and prints the counts.
fn other_hosts() -> Result<(), Failure> {
    let hosts = RUNTIMES.iter().filter(|runtime| runtime.command() != "node");
    let suites: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> =
            hosts.map(|host| scope.spawn(|| Suite::run(host, Http::One))).collect();
        started.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    for suite in suites {
        suite.map_err(|_| Failure("could not run the tests on Bun and Deno".into()))??.report()?;
    }
    Ok(())
}

/// Runs the tests on every runtime, one after the other, and over HTTP/2, and writes docs/runtimes.md. Fails if a test
/// fails.
pub(crate) fn runtimes() -> Result<(), Failure> {
    build()?;
    let mut table = String::new();
    let mut left_out = String::new();
    let newest_node = RUNTIMES.iter().rfind(|runtime| runtime.command() == "node");
    let over_http2 = newest_node.map(|runtime| (runtime, Http::Two));
    for (runtime, http) in RUNTIMES.iter().map(|runtime| (runtime, Http::One)).chain(over_http2) {
        let suite = Suite::run(runtime, http)?;
        suite.report()?;
        let (name, version) = (suite.name(), runtime.version()?);
        writeln!(table, "| {name} | {version} | {} | {} |", suite.passed, suite.skipped)?;
        if suite.skipped > 0 {
            writeln!(left_out, "\n## {name}\n\n| test | why it is left out |\n|---|---|")?;
        }
        for (test, reason) in suite.reasons()? {
            writeln!(left_out, "| {test} | {reason} |")?;
        }
    }
    let page = root().join("docs/runtimes.md");
    fs::write(&page, format!("{ABOUT}{table}{left_out}"))?;
    println!("wrote {}", page.display());
    Ok(())
}

/// Runs the package for a long time, and checks that it needs no more memory at the end.
pub(crate) fn soak(part: f64) -> Result<(), Failure> {
    build()?;
    run(&mut npm(&["run", "--silent", "soak", "--", &part.to_string()]))
}

/// Measures the package beside others, on the oldest and on the newest Node.js.
pub(crate) fn bench(rounds: u32) -> Result<(), Failure> {
    build()?;
    let nodes = RUNTIMES.iter().filter(|runtime| runtime.command() == "node");
    let nodes: Vec<_> = nodes.collect();
    for runtime in [nodes.first(), nodes.last()].into_iter().flatten() {
        let rounds = rounds.to_string();
        let words =
            ["npm", "run", "--silent", "bench", "--", "--seconds", "1", "--rounds", &rounds];
        run(&mut runtime.exec(&words))?;
    }
    Ok(())
}

const ABOUT: &str = "\
# The tests of the npm package on each runtime

Written by `cargo xtask runtimes` on Linux (x64), which runs the tests of `crates/node/test` on each runtime, and fails if
one fails. A test that a runtime cannot pass is left out there (`test/limits.mjs`). In the last row, the sockets of the
tests use HTTP/2.

| | version | passed | left out |
|---|---|---|---|
";

impl Runtime {
    fn version(&self) -> Result<String, Failure> {
        let version = output(&mut self.exec(&[self.command(), "--version"]))?;
        // Deno prints `deno 2.0.0 (stable, …)`, and then the versions of its parts.
        let number = |word: &&str| word.trim_start_matches('v').starts_with(char::is_numeric);
        let version = version.split_whitespace().find(number).unwrap_or_default();
        Ok(version.trim_start_matches('v').to_owned())
    }

    /// Returns a command that runs with this runtime on the search path. npm installs it into its cache.
    fn exec(&self, words: &[&str]) -> Command {
        let package = format!("--package={}", self.package);
        let mut npm = npm(&["exec", "--yes", &package, "--"]);
        npm.args(words);
        npm
    }
}

/// The version of HTTP that the sockets of the tests use.
#[derive(Clone, Copy, PartialEq)]
enum Http {
    One,
    Two,
}

/// The tests on one runtime.
struct Suite {
    runtime: &'static Runtime,
    http: Http,
    has_passed: bool,
    printed: String,
    passed: usize,
    skipped: usize,
}

impl Suite {
    fn run(runtime: &'static Runtime, http: Http) -> Result<Self, Failure> {
        let script = format!("suite:{}", runtime.command());
        let mut npm = runtime.exec(&["npm", "run", "--silent", &script]);
        npm.env("NO_COLOR", "1");
        if http == Http::Two {
            npm.env("FULLDUPLEX_HTTP", "2");
        }
        if runtime.command() == "node" {
            npm.env("NODE_OPTIONS", "--test-reporter=tap");
        }
        let tested = npm.output()?;
        let printed = String::from_utf8_lossy(&tested.stdout).into_owned();
        Ok(Self {
            runtime,
            http,
            has_passed: tested.status.success(),
            passed: count(&printed, ["pass", "passed"]),
            skipped: count(&printed, ["skip", "skipped", "ignored"]),
            printed,
        })
    }

    fn name(&self) -> String {
        match self.http {
            Http::One => self.runtime.name.to_owned(),
            Http::Two => format!("{}, HTTP/2", self.runtime.name),
        }
    }

    /// Prints the counts. Prints everything, and fails, if a test has failed.
    fn report(&self) -> Result<(), Failure> {
        let name = self.name();
        if !self.has_passed {
            println!("{}", self.printed);
            return Err(Failure(format!("tests failed on {name}")));
        }
        println!("{name}: {} passed, {} left out", self.passed, self.skipped);
        Ok(())
    }

    /// Returns the tests that were left out, with the reasons. Node.js prints them; those of Bun and Deno are listed in
    /// `test/limits.mjs`.
    fn reasons(&self) -> Result<BTreeMap<String, String>, Failure> {
        let name = self.runtime.command();
        if name == "node" {
            return Ok(tap_skips(&self.printed).collect());
        }
        let script = format!(
            "import('./test/limits.mjs').then(({{ {name} }}) => console.log(JSON.stringify({name})))"
        );
        let mut node = Command::new("node");
        let limits = output(node.args(["-e", &script]).current_dir(root().join("crates/node")))?;
        Ok(serde_json::from_str(&limits)?)
    }
}

/// Returns a count from the summary of a test runner: `# pass 3` of Node.js, `3 pass` of Bun, and
/// `ok | 3 passed | 0 failed` of Deno.
fn count<const N: usize>(printed: &str, names: [&str; N]) -> usize {
    let lines = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut numbers = lines.filter_map(|words| {
        let at = words.iter().position(|word| names.contains(word))?;
        let number = match words[..at] {
            ["#"] => words.get(at + 1),
            [] => None,
            _ => words.get(at - 1),
        };
        number?.parse().ok()
    });
    numbers.next_back().unwrap_or_default()
}

/// Returns the names and reasons of skipped tests in TAP: `ok 3 - name # SKIP reason`.
fn tap_skips(printed: &str) -> impl Iterator<Item = (String, String)> {
    printed.lines().filter_map(|line| {
        let (test, reason) = line.split_once(" # SKIP")?;
        let (_, name) = test.split_once(" - ")?;
        Some((name.to_owned(), reason.trim().to_owned()))
    })
}

fn npm(arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(root().join("crates/node"));
    remove_package(&mut npm); // npm builds with cargo
    npm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_test_runners_are_read() {
        let node =
            "ok 1 - a\nok 2 - a pass - b # SKIP needs it\n# pass 181\n# fail 0\n# skipped 2\n";
        let bun = "(pass) 1 pass of two\n\n 174 pass\n 9 skip\n 0 fail\n";
        let deno = "a passed ... ok (2ms)\n\nok | 168 passed | 0 failed | 16 ignored (40s)\n";
        let counts = [node, bun, deno].map(|printed| {
            [count(printed, ["pass", "passed"]), count(printed, ["skip", "skipped", "ignored"])]
        });
        assert_eq!(counts, [[181, 2], [174, 9], [168, 16]]);
        let skips: Vec<_> = tap_skips(node).collect();
        assert_eq!(skips, [("a pass - b".to_owned(), "needs it".to_owned())]);
    }
}
