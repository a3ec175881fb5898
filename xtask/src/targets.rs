//! Builds for other targets, runs the tests there with an emulator, and writes docs/targets.md.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::needs::has;
use crate::run::{Failure, cargo, output, root};

/// A target, and what is done for it.
struct Target {
    triple: &'static str,
    /// What is special about it.
    about: &'static str,
    packages: &'static [&'static str],
    linker: Option<&'static str>,
    /// Runs a program of this target. Without one, the packages are only checked.
    runner: Option<&'static str>,
    /// Tests that are not run, each with the reason.
    left_out: &'static [(&'static str, &'static str)],
}

const ALL: &[&str] = &["fullduplex-proto", "fullduplex-net", "fullduplex", "fullduplex-cli"];
const PROTO: &[&str] = &["fullduplex-proto"];

const TARGETS: [Target; 5] = [
    Target {
        triple: "s390x-unknown-linux-gnu",
        about: "big endian",
        packages: PROTO,
        linker: Some("s390x-linux-gnu-gcc"),
        runner: Some("qemu-s390x -L /usr/s390x-linux-gnu"),
        left_out: EXHAUSTIVE,
    },
    Target {
        triple: "i686-unknown-linux-gnu",
        about: "32 bits",
        packages: ALL,
        linker: Some("i686-linux-gnu-gcc"),
        runner: Some("qemu-i386 -L /usr/i686-linux-gnu"),
        left_out: EXHAUSTIVE,
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        about: "ARM",
        packages: ALL,
        linker: Some("aarch64-linux-gnu-gcc"),
        runner: Some("qemu-aarch64 -L /usr/aarch64-linux-gnu"),
        left_out: EXHAUSTIVE,
    },
    Target {
        triple: "x86_64-pc-windows-gnu",
        about: "Windows",
        packages: ALL,
        linker: Some("x86_64-w64-mingw32-gcc"),
        runner: Some("wine"),
        left_out: &[],
    },
    Target {
        triple: "aarch64-apple-darwin",
        about: "macOS",
        packages: PROTO,
        linker: None,
        runner: None,
        left_out: &[],
    },
];

const EXHAUSTIVE: &[(&str, &str)] =
    &[("exhaustive::", "it tries every value, which takes hours in an emulator")];

/// What happened on one target.
#[derive(Debug)]
struct Outcome {
    built: String,
    tests: String,
    is_good: bool,
}

/// Builds and tests all targets, or those whose triple is in `names`.
pub(crate) fn targets(names: &[String]) -> Result<(), Failure> {
    let chosen =
        |target: &&Target| names.is_empty() || names.iter().any(|name| name == target.triple);
    let mut rows = Rows::read()?;
    let mut failed = Vec::new();
    for target in TARGETS.iter().filter(chosen) {
        let outcome = target.run()?;
        println!("{}: {outcome:?}", target.triple);
        if !outcome.is_good {
            failed.push(target.triple);
        }
        rows.set(target, &outcome);
        rows.write()?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure(format!("failed: {}; see docs/targets.md", failed.join(", "))))
    }
}

impl Target {
    fn run(&self) -> Result<Outcome, Failure> {
        let tools = self.linker.into_iter().chain(self.runner);
        let missing = tools.filter_map(|tool| tool.split(' ').next()).find(|tool| !has(tool));
        if let Some(tool) = missing {
            let built = format!("not tried: {tool} is not installed");
            return Ok(Outcome { built, tests: String::new(), is_good: false });
        }
        let (built, warnings) = self.build()?;
        let mut outcome = Outcome {
            built: match (built, warnings) {
                (true, 0) => "yes".into(),
                (true, warnings) => format!("yes, {warnings} warnings"),
                (false, _) => "no".into(),
            },
            tests: String::new(),
            is_good: built && warnings == 0,
        };
        match self.runner {
            Some(_) if built => self.test(&mut outcome)?,
            Some(_) => {}
            None => outcome.tests = "checked only: no emulator".into(),
        }
        Ok(outcome)
    }

    /// Builds, and returns whether this worked and the number of warnings.
    fn build(&self) -> Result<(bool, usize), Failure> {
        let mut build = match self.runner {
            Some(_) => self.cargo(&["test", "--no-run", "--tests"])?,
            None => self.cargo(&["check"])?,
        };
        build.args(["--message-format", "json"]).stderr(Stdio::inherit());
        let output = build.output()?;
        let messages = String::from_utf8_lossy(&output.stdout).into_owned();
        let diagnostics = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let path = message["manifest_path"].as_str()?.to_owned();
            // Only diagnostics of our own packages, and not those of the standard library.
            let is_ours = Path::new(&path).starts_with(root());
            Some(message["message"]["rendered"].as_str()?.to_owned()).filter(|_| is_ours)
        });
        let diagnostics: Vec<_> = diagnostics.collect();
        diagnostics.iter().for_each(|diagnostic| println!("{diagnostic}"));
        let warnings = diagnostics.iter().filter(|it| it.starts_with("warning")).count();
        Ok((output.status.success(), warnings))
    }

    fn test(&self, outcome: &mut Outcome) -> Result<(), Failure> {
        let mut test = self.cargo(&["test", "--tests", "--no-fail-fast"])?;
        test.arg("--");
        for (name, _) in self.left_out {
            test.args(["--skip", name]);
        }
        let output = test.stderr(Stdio::inherit()).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        print!("{printed}");
        let results = Results::read(&printed);
        outcome.is_good &= output.status.success();
        outcome.tests = format!("{} passed", results.passed);
        if !results.failed.is_empty() {
            let names: Vec<_> = results.failed.iter().map(|name| format!("`{name}`")).collect();
            write!(outcome.tests, ", {} failed: {}", names.len(), names.join(", "))?;
        } else if !output.status.success() {
            outcome.tests += ", and a program ended early or took more than 15 minutes";
        }
        Ok(())
    }

    /// Returns a cargo command for this target and its packages. All targets share one folder, because the
    /// programs that run while building are the same.
    fn cargo(&self, words: &[&str]) -> Result<Command, Failure> {
        let mut cargo = cargo(words);
        for package in self.packages {
            cargo.args(["--package", package]);
        }
        let variable = self.triple.to_uppercase().replace('-', "_");
        cargo
            .args(["--target", self.triple])
            .env("CARGO_TARGET_DIR", root().join("target/targets"))
            // Emulators are slow, and nobody debugs these programs.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_INCREMENTAL", "0");
        if let Some(linker) = self.linker {
            cargo.env(format!("CARGO_TARGET_{variable}_LINKER"), linker);
        }
        if let Some(runner) = self.runner {
            // A test that hangs in an emulator must not hang this command.
            let runner = format!("timeout 900 {runner}");
            cargo.env(format!("CARGO_TARGET_{variable}_RUNNER"), runner);
        }
        if self.runner == Some("wine") {
            cargo.env("WINEPATH", library_for_wine()?).env("WINEDEBUG", "-all");
        }
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        if !Path::new(sysroot.trim()).join("lib/rustlib").join(self.triple).exists() {
            // Debian's compiler builds the standard library from its sources.
            cargo.arg("-Zbuild-std=std,panic_unwind,test");
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        }
        Ok(cargo)
    }
}

/// Builds the library `bcryptprimitives`, from which the standard library takes random numbers. Wine 8 does not have it.
/// Returns its folder.
fn library_for_wine() -> Result<PathBuf, Failure> {
    let folder = root().join("target/targets/wine");
    let library = folder.join("bcryptprimitives.dll");
    if !library.exists() {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("random.c"), RANDOM_FOR_WINE)?;
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.arg("-shared").arg("-o").arg(&library);
        output(compile.arg(folder.join("random.c")).arg("-ladvapi32"))?;
    }
    Ok(folder)
}

const RANDOM_FOR_WINE: &str = "
#include <stddef.h>
__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *bytes, unsigned long length);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, size_t length) {
    return SystemFunction036(bytes, (unsigned long)length);
}
";

/// What the test programs print.
#[derive(Debug, Default, PartialEq)]
struct Results {
    passed: usize,
    failed: Vec<String>,
}

impl Results {
    fn read(printed: &str) -> Self {
        let mut results = Self::default();
        for line in printed.lines() {
            if let Some((_, counts)) = line.split_once("test result: ") {
                let count = counts.split(". ").nth(1).and_then(|it| it.split(' ').next());
                results.passed += count.and_then(|it| it.parse::<usize>().ok()).unwrap_or_default();
            } else if let Some(test) = line.strip_prefix("test ")
                && let Some(name) = test.strip_suffix(" ... FAILED")
            {
                results.failed.push(name.to_owned());
            }
        }
        results
    }
}

/// The rows of docs/targets.md. A run changes only the rows of its targets.
struct Rows(Vec<(String, String)>);

impl Rows {
    fn read() -> Result<Self, Failure> {
        let file = file();
        let text = if file.exists() { fs::read_to_string(file)? } else { String::new() };
        let rows = text.lines().filter_map(|line| {
            let name = line.strip_prefix("| ")?.split(" |").next()?;
            let is_known = TARGETS.iter().any(|target| name.starts_with(target.triple));
            is_known.then(|| (name.split(',').next().unwrap_or(name).to_owned(), line.to_owned()))
        });
        Ok(Self(rows.collect()))
    }

    fn set(&mut self, target: &Target, outcome: &Outcome) {
        let left_out = target.left_out.iter().map(|(name, reason)| format!("`{name}`: {reason}"));
        let left_out = left_out.collect::<Vec<_>>().join("; ");
        let row = format!(
            "| {}, {} | {} | {} | {} | {left_out} |",
            target.triple,
            target.about,
            target.packages.join(", "),
            outcome.built,
            outcome.tests
        );
        self.0.retain(|(name, _)| name != target.triple);
        self.0.push((target.triple.to_owned(), row));
    }

    fn write(&self) -> Result<(), Failure> {
        let mut text = HEAD.to_owned();
        for target in &TARGETS {
            for (_, row) in self.0.iter().filter(|(name, _)| name == target.triple) {
                writeln!(text, "{row}")?;
            }
        }
        fs::write(file(), text)?;
        Ok(())
    }
}

fn file() -> PathBuf {
    root().join("docs/targets.md")
}

const HEAD: &str = "# Targets

Written by `cargo xtask targets` on Linux (x64), which builds for each target with the lints of the workspace and runs the
tests with qemu-user or Wine. A build with a warning counts as failed. `cargo xtask browser` tests the target
wasm32-unknown-unknown.

| target | packages | builds | tests | left out |
|---|---|---|---|---|
";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_are_added() {
        let printed = "test a::b ... ok\ntest c ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n\
            test result: ok. 12 passed; 0 failed; 0 ignored\n";
        assert_eq!(Results::read(printed), Results { passed: 13, failed: vec!["c".into()] });
    }
}
