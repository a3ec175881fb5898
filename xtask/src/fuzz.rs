//! Fuzzing: the targets of the workspace `fuzz/` under libFuzzer, on stable Rust.
//!
//! There are no sanitizers: they need nightly Rust, and look for faults that cannot occur without `unsafe`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use clap::Args;

use crate::run::{Failure, cargo, output, root, run};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The target; by default all of them, with one per processor at the same time.
    #[arg(value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,
    /// How many inputs each target tries. Default: see the table of targets.
    #[arg(long)]
    runs: Option<u64>,
    /// How long each target runs.
    #[arg(long, conflicts_with = "runs")]
    seconds: Option<u64>,
    /// Run for a short time, as in CI.
    #[arg(long, conflicts_with_all = ["runs", "seconds"])]
    quick: bool,
    /// Run only this input, such as one saved by a finding.
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    name: &'static str,
    /// The longest input in bytes: large enough for interesting inputs, small enough to be fast.
    max_len: usize,
    /// How many inputs a full run tries.
    runs: u64,
}

const TARGETS: [Target; 8] = [
    Target { name: "duplex", max_len: 512, runs: 400_000 },
    Target { name: "deflate", max_len: 512, runs: 300_000 },
    Target { name: "inflate", max_len: 512, runs: 2_000_000 },
    Target { name: "inbound", max_len: 512, runs: 6_000_000 },
    Target { name: "differential", max_len: 1024, runs: 6_000_000 },
    Target { name: "opening", max_len: 512, runs: 6_000_000 },
    Target { name: "extensions", max_len: 256, runs: 6_000_000 },
    Target { name: "header", max_len: 16, runs: 75_000_000 },
];

/// The effort of each target with `--quick`.
const QUICK_SECONDS: u64 = 15;

/// Coverage counters for libFuzzer. It could trace comparisons too, but then it finds less in the
/// same time, because inflating makes very many comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

/// The address space of a target in KiB. It replaces `-malloc_limit_mb`, which needs a sanitizer.
/// libFuzzer itself uses a few hundred MiB over a million inputs.
const MEMORY: &str = "524288";

/// Runs targets. Fails if one of them finds something.
pub(crate) fn fuzz(options: &Options) -> Result<(), Failure> {
    let programs = build()?;
    let chosen = |name| options.target.as_deref().is_none_or(|target| target == name);
    let targets: Vec<&Target> = TARGETS.iter().filter(|target| chosen(target.name)).collect();
    if let Some(input) = &options.replay {
        let replay = |target: &&Target| run(limited(&programs, target).arg(input));
        return targets.iter().try_for_each(replay);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut clean = true;
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = try_inputs(&programs, target, &options.effort(target));
            clean &= outcome.is_ok();
            println!("{}", outcome.unwrap_or_else(|Failure(finding)| finding));
        }
        clean
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let clean = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().all(|worker| worker.join().unwrap_or(false))
    });
    if clean { Ok(()) } else { Err(Failure("fuzzing found something".into())) }
}

impl Options {
    fn effort(&self, target: &Target) -> String {
        match self.seconds.or(self.quick.then_some(QUICK_SECONDS)) {
            Some(seconds) => format!("-max_total_time={seconds}"),
            None => format!("-runs={}", self.runs.unwrap_or(target.runs)),
        }
    }
}

/// Builds the targets. Returns their folder.
fn build() -> Result<PathBuf, Failure> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or(Failure("rustc does not tell its host".into()))?;
    // With `--target`, build scripts and procedural macros are not instrumented.
    let build = ["build", "--locked", "--release", "--target", host, "--target-dir"];
    run(cargo(build)
        .arg(folder().join("build"))
        .env("RUSTFLAGS", COVERAGE)
        .current_dir(root().join("fuzz")))?;
    Ok(folder().join("build").join(host).join("release"))
}

/// Runs a target with libFuzzer. Returns a summary line.
fn try_inputs(programs: &Path, target: &Target, effort: &str) -> Result<String, Failure> {
    let name = target.name;
    let [corpus, findings] = ["corpus", "findings"].map(|kind| folder().join(kind).join(name));
    fs::create_dir_all(&findings)?;
    plant_seeds(name, &corpus)?;
    let log = folder().join(name).with_extension("log");
    let mut command = limited(programs, target);
    command.arg(&corpus).arg(effort);
    // The timeout is in seconds of wall-clock time. On a busy machine, a millisecond of work may take longer
    // than one second.
    command.args(["-timeout=10".to_owned(), format!("-max_len={}", target.max_len)]);
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let dictionary = seeds().join(name).with_extension("dict");
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let start = Instant::now();
    let status = command.arg("-print_final_stats=1").stderr(File::create(&log)?).status()?;
    let seconds = start.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        return Err(Failure(finding(name, &said)));
    }
    let executed: f64 = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units: ")?.parse().ok())
        .ok_or(Failure(format!("{name} printed no summary; see {}", log.display())))?;
    let coverage = said.lines().rev().find_map(|line| Some(line.split_once("cov: ")?.1));
    let coverage = coverage.and_then(|rest| Some(rest.split_once(" corp:")?.0)).unwrap_or("none");
    let speed = executed / seconds;
    Ok(format!("{name:12} {executed:11} inputs, {speed:9.0} a second; coverage {coverage}"))
}

/// Describes libFuzzer's finding, and how to reproduce it.
fn finding(target: &str, said: &str) -> String {
    let causes = ["panicked at", "memory allocation of", "libFuzzer: "];
    let is_cause = |line: &&str| causes.iter().any(|cause| line.contains(cause));
    let cause: Vec<&str> = said.lines().skip_while(|line| !is_cause(line)).take(8).collect();
    let saved = said.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1));
    let saved = saved.unwrap_or("FILE");
    let cause = cause.join("\n");
    format!("{target} FAILED: {cause}\nReproduce it: cargo xtask fuzz {target} --replay {saved}")
}

/// Returns the command of a target, with its memory limit.
fn limited(programs: &Path, target: &Target) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY]).arg(programs.join(target.name));
    command
}

/// Adds the inputs of `fuzz/seeds/` to the corpus. Each line is one input, escaped as in a Rust
/// literal.
fn plant_seeds(target: &str, corpus: &Path) -> Result<(), Failure> {
    fs::create_dir_all(corpus)?;
    let seeds = seeds().join(target).with_extension("txt");
    if !seeds.exists() {
        return Ok(());
    }
    for (index, line) in fs::read_to_string(seeds)?.lines().enumerate() {
        let seed = unescape(line);
        let seed = seed.ok_or_else(|| Failure(format!("seed {index} of {target} is malformed")))?;
        fs::write(corpus.join(format!("seed-{index}")), seed)?;
    }
    Ok(())
}

/// Undoes `u8::escape_ascii`.
fn unescape(line: &str) -> Option<Vec<u8>> {
    let (mut line, mut bytes) = (line.bytes(), Vec::new());
    while let Some(byte) = line.next() {
        let escape = if byte == b'\\' { line.next()? } else { 0 };
        bytes.push(match escape {
            0 => byte,
            b'\\' => b'\\',
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'x' => {
                let digits = [line.next()?, line.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

fn seeds() -> PathBuf {
    root().join("fuzz/seeds")
}

fn folder() -> PathBuf {
    root().join("target/fuzz")
}
