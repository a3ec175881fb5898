//! Counts instructions per message. Runs `bench/src/bin/engine/` under Valgrind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::bench;
use crate::counts::{Case, Counts};
use crate::run::{Failure, output, root};

/// The program to measure, and its cases.
#[derive(Debug)]
struct Engine {
    program: PathBuf,
    /// Names and versions, fullduplex first.
    libraries: Vec<String>,
    cases: Vec<String>,
}

/// Counts for fullduplex and compares with `bench/engine.txt`, or counts for all libraries and
/// writes that file.
pub(crate) fn engine(write: bool) -> Result<(), Failure> {
    let counted_with = counted_with()?;
    let engine = Engine::build()?;
    if write { engine.write(counted_with) } else { engine.check(&counted_with) }
}

impl Engine {
    fn build() -> Result<Self, Failure> {
        let program = bench::build(["engine"])?.join("engine");
        let list = output(Command::new(&program).arg("list"))?;
        let all = |kind| list.lines().filter_map(move |line| line.strip_prefix(kind));
        let libraries = all("library ").map(Into::into).collect();
        Ok(Self { libraries, cases: all("case ").map(Into::into).collect(), program })
    }

    fn write(&self, counted_with: String) -> Result<(), Failure> {
        let cases = self.cases.iter().map(|name| {
            let counts = self.libraries.iter().map(|library| self.count(library, name));
            Ok(Case { name: name.clone(), counts: counts.collect::<Result<_, _>>()? })
        });
        let cases = cases.collect::<Result<_, Failure>>()?;
        let counts = Counts { counted_with, libraries: self.libraries.clone(), cases };
        fs::write(file(), counts.to_string())?;
        print!("{counts}");
        Ok(())
    }

    fn check(&self, counted_with: &str) -> Result<(), Failure> {
        let written = Counts::parse(&fs::read_to_string(file())?)?;
        let ours = self.libraries.first().ok_or(Failure("engine lists no library".into()))?;
        let count = |name: &String| Ok((name.clone(), self.count(ours, name)?));
        let counts = self.cases.iter().map(count).collect::<Result<Vec<_>, Failure>>()?;
        counts.iter().for_each(|(name, count)| println!("{name:<30} {count:>7}"));
        let changes = written.compare(&self.libraries, &counts).map_err(|Failure(failure)| {
            Failure(format!("bench/engine.txt: {failure}; `cargo xtask engine --write` it again"))
        })?;
        changes.iter().for_each(|change| println!("{change}"));
        match changes.iter().filter(|change| change.is_worse()).count() {
            0 if changes.is_empty() => {}
            0 => println!("to keep the better counts, run `cargo xtask engine --write`"),
            _ if written.counted_with != counted_with => println!(
                "this is {counted_with}, but bench/engine.txt was written with {}; differences are not a failure",
                written.counted_with
            ),
            worse => {
                return Err(Failure(format!(
                    "{worse} of our counts are more than 3 % above bench/engine.txt: make them less, or \
                     run `cargo xtask engine --write` and say why in the commit"
                )));
            }
        }
        Ok(())
    }

    /// Returns the instructions per message: the difference of two runs, which excludes startup and
    /// exit.
    fn count(&self, library: &str, case: &str) -> Result<u64, Failure> {
        let size = case.rsplit('-').next().unwrap_or_default().parse()?;
        let few = messages(size);
        let [less, more] = [few, MORE * few].map(|count| self.instructions(library, case, count));
        let (less, more, messages) = (less?, more?, (MORE - 1) * few);
        Ok((more.saturating_sub(less) + messages / 2) / messages)
    }

    /// Returns the instructions that the program executes for `messages` messages.
    fn instructions(&self, library: &str, case: &str, messages: u64) -> Result<u64, Failure> {
        let library = library.split(' ').next().unwrap_or_default();
        let log = output(
            Command::new("valgrind")
                .env("GLIBC_TUNABLES", TUNABLES)
                .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"])
                .arg(&self.program)
                .args(["run", library, case, &messages.to_string()]),
        )?;
        let (_, count) = log.split_once("Collected : ").ok_or_else(|| Failure(log.clone()))?;
        Ok(count.split_whitespace().next().unwrap_or_default().parse()?)
    }
}

/// Returns the versions that affect the counts, besides those of the libraries.
fn counted_with() -> Result<String, Failure> {
    let rustc = output(Command::new("rustc").arg("--version"))?;
    let valgrind = output(Command::new("valgrind").arg("--version"))?;
    let glibc = output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    Ok([rustc.trim(), glibc.trim(), valgrind.trim()].join(", "))
}

fn file() -> PathBuf {
    root().join("bench/engine.txt")
}

/// Returns a number of messages that fills and reuses the buffers many times.
fn messages(size: u64) -> u64 {
    64 + (1 << 20) / size
}

/// The number of messages in the longer run, as a multiple of that in the shorter run.
const MORE: u64 = 3;

/// Keeps glibc from copying blocks with an instruction that Valgrind counts once per byte.
const TUNABLES: &str = "glibc.cpu.hwcaps=-ERMS";
